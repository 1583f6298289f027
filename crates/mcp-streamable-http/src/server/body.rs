//! A response body that is an event stream.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use mcp_http::proto::event_stream::{EVENT_SUFFIX, encode_event, encode_retry};
use mcp_http::{FrameBuffer, KeepAlive};
use mcp_jsonrpc::Message;

use crate::proto::EventPosition;

/// Something has to be said at once: there are proxies that hold back the head until then.
pub(super) const OPEN: &[u8] = b": open\n\n";
/// What comes before the data of an event, with an id of two numbers of 64 bits.
const PREFIX: usize = "event: message\nid: \ndata: ".len() + 41;
/// Bytes that are gathered before they are handed on.
const GATHER: usize = 16 * 1024;

/// One message and the place that it has in its stream, where places are known.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) position: Option<EventPosition>,
    pub(super) message: Message,
}

/// Where the events of one response come from. Dropping it says that nobody reads any more.
pub(super) trait Events: Send + Unpin + 'static {
    /// The next event; `None` when there will be none.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>>;

    /// It becomes an event stream now: gives what comes before the first event, and numbers what follows.
    fn commit(&mut self, first: Option<Event>) -> (Opening, Option<Event>);

    /// Whether this response is to end here, and for how long the client is to wait before it comes back.
    fn poll_released(&mut self, cx: &mut Context<'_>) -> Poll<Duration>;

    /// What to say when it ended before the answer.
    fn farewell(&mut self) -> Option<Message>;

    /// Takes what does not belong into an answer in JSON.
    fn divert(&mut self, message: Message);
}

/// What comes before the first event of a stream.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// A position before the first event, for a client that loses the stream early.
    pub(super) priming: Option<EventPosition>,
    pub(super) retry: Option<Duration>,
}

/// Takes events, and says something when there are none.
pub(super) struct EventBody<E> {
    events: Option<E>,
    frames: FrameBuffer,
    every: Duration,
    /// From the first silence on: a stream that ends without one needs no timer.
    keep_alive: Option<KeepAlive>,
}

impl<E: Events> EventBody<E> {
    /// A body that begins with `first`; without events it ends there.
    pub(super) fn new(mut events: Option<E>, first: Option<Event>, every: Duration) -> Self {
        let (opening, first) = match &mut events {
            Some(events) => events.commit(first),
            None => (Opening::default(), first),
        };
        let mut frames = FrameBuffer::default();
        write_opening(&mut frames, &opening);
        if let Some(event) = first {
            write_event(&mut frames, event.position, event.message.into_line());
        }
        if frames.is_empty() {
            frames.extend(OPEN);
        }
        Self { events, frames, every, keep_alive: None }
    }

    /// A body that begins with what is ready.
    pub(super) fn behind(events: E, frames: FrameBuffer, every: Duration) -> Self {
        Self { events: Some(events), frames, every, keep_alive: None }
    }

    /// Takes what there is, up to what one frame holds.
    fn gather(&mut self, cx: &mut Context<'_>) {
        while self.frames.len() < GATHER {
            let Some(events) = &mut self.events else { return };
            if let Poll::Ready(wait) = events.poll_released(cx) {
                let mut text = BytesMut::new();
                encode_retry(&mut text, wait);
                self.frames.extend(&text);
                self.events = None;
                return;
            }
            match events.poll_event(cx) {
                Poll::Ready(Some(event)) => {
                    write_event(&mut self.frames, event.position, event.message.into_line());
                }
                Poll::Ready(None) => {
                    if let Some(message) = events.farewell() {
                        write_event(&mut self.frames, None, message.into_line());
                    }
                    self.events = None;
                }
                Poll::Pending => return,
            }
        }
    }
}

impl<E: Events> Body for EventBody<E> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        this.gather(cx);
        if let Some(frame) = this.frames.take() {
            if let Some(keep_alive) = &mut this.keep_alive {
                keep_alive.sent();
            }
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
        if this.events.is_none() {
            return Poll::Ready(None);
        }
        let every = this.every;
        let keep_alive = this.keep_alive.get_or_insert_with(|| KeepAlive::new(every));
        keep_alive.poll_comment(cx).map(|comment| Some(Ok(Frame::data(comment))))
    }

    fn is_end_stream(&self) -> bool {
        self.events.is_none() && self.frames.is_empty()
    }
}

impl<E> fmt::Debug for EventBody<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBody").field("frames", &self.frames).finish_non_exhaustive()
    }
}

/// # Spec
///
/// MCP 2025-11-25, transports, Sending Messages to the Server: an event with an id and empty data comes first, so that
/// the client can come back whenever it loses the stream.
pub(super) fn write_opening(frames: &mut FrameBuffer, opening: &Opening) {
    if opening.retry.is_none() && opening.priming.is_none() {
        return;
    }
    let mut text = BytesMut::new();
    if let Some(wait) = opening.retry {
        encode_retry(&mut text, wait);
    }
    if let Some(position) = opening.priming {
        encode_event(&mut text, None, position.to_event_id().as_ref(), b"");
    }
    frames.extend(&text);
}

/// One event: its line is on one line already.
pub(super) fn write_event(frames: &mut FrameBuffer, position: Option<EventPosition>, line: Bytes) {
    let prefix = match position {
        // Digits and a dash: it needs no check whether it can be an id.
        Some(position) => {
            let mut text = [0; PREFIX];
            let mut rest = &mut text[..];
            // It has room for the longest.
            let _ = write!(rest, "event: message\nid: {position}\ndata: ");
            let unused = rest.len();
            Bytes::copy_from_slice(text.split_at(PREFIX - unused).0)
        }
        None => Bytes::from_static(b"event: message\ndata: "),
    };
    frames.push_all([prefix, line, Bytes::from_static(EVENT_SUFFIX)]);
}
