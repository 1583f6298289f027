//! The response body of one event stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep};

use super::sessions::Sessions;
use super::stream::EventStream;
use crate::proto::SessionId;

/// A comment, which every client ignores.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// Takes the events of a session, and says something when there are none.
///
/// When it is dropped, the client is gone and the session ends.
pub(super) struct EventBody {
    /// The `endpoint` event, before everything else.
    first: Option<Bytes>,
    stream: Arc<EventStream>,
    every: Duration,
    /// Set from when something was last sent; looked at only when it has run out.
    last: Instant,
    timer: Pin<Box<Sleep>>,
    id: SessionId,
    sessions: Arc<Sessions>,
}

impl EventBody {
    pub(super) fn new(
        first: Bytes,
        stream: Arc<EventStream>,
        every: Duration,
        id: SessionId,
        sessions: Arc<Sessions>,
    ) -> Self {
        let timer = Box::pin(sleep(every));
        Self { first: Some(first), stream, every, last: Instant::now(), timer, id, sessions }
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Poll::Ready(frame) = this.stream.poll_frame(cx) {
            this.last = Instant::now();
            return Poll::Ready(frame.map(|bytes| Ok(Frame::data(bytes))));
        }
        loop {
            ready!(this.timer.as_mut().poll(cx));
            let due = this.last + this.every;
            if due <= Instant::now() {
                this.last = Instant::now();
                this.timer.as_mut().reset(this.last + this.every);
                return Poll::Ready(Some(Ok(Frame::data(KEEP_ALIVE))));
            }
            this.timer.as_mut().reset(due);
        }
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        self.stream.leave();
        self.sessions.end(&self.id);
    }
}

impl fmt::Debug for EventBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBody")
            .field("session", &self.id)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
