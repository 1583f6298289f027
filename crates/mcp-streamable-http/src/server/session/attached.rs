//! Who reads a stream of a session, and what one that came late has missed.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use mcp_jsonrpc::{ErrorObject, Id, Message, Response};
use mcp_transport_core::{Error, ErrorKind, Frame};

use super::Session;
use crate::proto::EventPosition;
use crate::server::body::{Event, Events, Opening};
use crate::server::stream::{Busy, Left, Pulled, Stream, Taken};

/// Events that a client has missed, each with its place.
#[derive(Debug, Default)]
pub(in crate::server) struct Replay {
    /// The place before the first of them.
    pub(in crate::server) before: u64,
    pub(in crate::server) events: Vec<(EventPosition, Bytes)>,
}

impl Replay {
    pub(super) fn new(stream: u64, last: u64, events: Vec<Bytes>) -> Self {
        // A store that gives more than it was asked for is not believed.
        let before = last.saturating_sub(events.len() as u64);
        let place = |(line, seq)| (EventPosition { stream, seq }, line);
        Self { before, events: events.into_iter().zip(before + 1..).map(place).collect() }
    }
}

/// The reader of a stream. When it is dropped, the client has gone.
pub(in crate::server) struct Attached {
    pub(super) session: Arc<Session>,
    pub(super) stream: Arc<Stream>,
    pub(super) reader: Option<u64>,
    /// The one request that it answers.
    pub(super) request: Option<Id>,
    /// The stream is found by its number.
    pub(super) entered: bool,
}

impl Attached {
    pub(in crate::server) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    pub(in crate::server) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(in crate::server) fn opening(&self, last: u64) -> Opening {
        if !self.stream.has_ids() || !self.session.polls() {
            return Opening::default();
        }
        let priming = Some(EventPosition { stream: self.stream.number(), seq: last });
        Opening { priming, retry: self.session.options.retry }
    }

    /// Waits until nobody else is at it; an error when somebody else has come for it meanwhile.
    pub(super) async fn take_over(&mut self) -> Result<Taken, Busy> {
        let Self { session, stream, reader, .. } = self;
        poll_fn(|cx| stream.poll_take_over(reader, session.places(), cx)).await
    }

    pub(super) fn place(&self, seq: Option<u64>) -> Option<EventPosition> {
        seq.map(|seq| EventPosition { stream: self.stream.number(), seq })
    }
}

impl Events for Attached {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.stream.poll_pull(self.reader, cx).map(|pulled| match pulled {
            Pulled::Event(seq, message) => {
                if matches!(message, Message::Response(_)) {
                    self.request = None;
                }
                Some(Event { position: self.place(seq), message })
            }
            Pulled::TakenOver => {
                self.request = None;
                None
            }
            Pulled::End => None,
        })
    }

    fn commit(&mut self, first: Option<Event>) -> (Opening, Option<Event>) {
        self.session.enter(&self.stream);
        self.entered = true;
        let opening = self.opening(0);
        let seq = self.stream.commit(first.as_ref().map(|event| &event.message));
        let first = first.map(|event| Event { position: self.place(seq), ..event });
        (opening, first)
    }

    fn poll_released(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let released = self.stream.poll_released(cx);
        if released.is_ready() {
            // It goes on, elsewhere.
            self.request = None;
        }
        released
    }

    fn farewell(&mut self) -> Option<Message> {
        let id = self.request.take()?;
        let reason = self.session.control()?.close_reason()?;
        let error = ErrorObject::with_reason("the session has ended", reason.wire_reason());
        Some(Response::error(&id, &error).into())
    }

    fn divert(&mut self, message: Message) {
        let room = self.session.unrelated().and_then(|queue| queue.try_reserve(message.len()).ok().flatten());
        if let Some(room) = room {
            let _ = room.send(message);
            return;
        }
        tracing::debug!(kind = message.kind(), "a message finds no stream");
        if let Message::Request(request) = &message {
            // Whoever asked is told now, and does not wait for an answer that nobody can give. Calls are bounded.
            let error = Error::new(ErrorKind::Limit, "the client does not read its stream");
            let _ = self.session.posted.last_word(0, Frame::Undelivered(request.id(), error));
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let Some(reader) = self.reader else { return };
        let session = &self.session;
        match self.stream.detach(reader) {
            Left::Over if self.entered => session.forget(&self.stream),
            Left::Waits => session.wake_pump(),
            Left::Finished(at) => session.note_finished(&self.stream, at),
            Left::Over | Left::TakenOver => {}
        }
        // The end of a POST is noted by itself.
        if session.posts.load(Relaxed) == 0 {
            session.touch();
        }
    }
}
