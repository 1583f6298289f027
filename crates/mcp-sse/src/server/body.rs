//! The response body of one event stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use mcp_http::ConnectionHandle;
use mcp_transport_core::CloseReason;
use tokio::time::{Instant, Sleep, sleep};

use super::sessions::Sessions;
use super::stream::EventStream;
use crate::proto::SessionId;

/// A comment, which every client ignores.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// A timer's grain: comments that come faster would leave no turn to anybody else.
const SHORTEST: Duration = Duration::from_millis(1);

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
    /// Knows whether it was this side that ended the connection, and why.
    connection: Option<ConnectionHandle>,
}

impl EventBody {
    pub(super) fn new(
        first: Bytes,
        stream: Arc<EventStream>,
        every: Duration,
        id: SessionId,
        sessions: Arc<Sessions>,
        connection: Option<ConnectionHandle>,
    ) -> Self {
        let every = every.max(SHORTEST);
        let timer = Box::pin(sleep(every));
        Self { first: Some(first), stream, every, last: Instant::now(), timer, id, sessions, connection }
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
        let end = self.connection.as_ref().and_then(ConnectionHandle::end);
        // In this order: whoever sees that nothing more comes in asks the stream why.
        self.stream.leave(end.map_or(CloseReason::PeerClosed, |end| end.close_reason()));
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
