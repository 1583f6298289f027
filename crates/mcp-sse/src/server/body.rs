//! The response body of one event stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use mcp_http::{ConnectionHandle, KeepAlive, SessionTable};
use mcp_transport_core::CloseReason;

use super::session::Session;
use super::stream::EventStream;
use crate::proto::SessionId;

/// Takes the events of a session, and says something when there are none.
///
/// When it is dropped, the client is gone and the session ends.
pub(super) struct EventBody {
    /// The `endpoint` event, before everything else.
    first: Option<Bytes>,
    stream: Arc<EventStream>,
    keep_alive: KeepAlive,
    id: SessionId,
    sessions: Arc<SessionTable<Session>>,
    /// Knows whether it was this side that ended the connection, and why.
    connection: Option<ConnectionHandle>,
}

impl EventBody {
    pub(super) fn new(
        first: Bytes,
        stream: Arc<EventStream>,
        every: Duration,
        id: SessionId,
        sessions: Arc<SessionTable<Session>>,
        connection: Option<ConnectionHandle>,
    ) -> Self {
        Self { first: Some(first), stream, keep_alive: KeepAlive::new(every), id, sessions, connection }
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
            this.keep_alive.sent();
            return Poll::Ready(frame.map(|bytes| Ok(Frame::data(bytes))));
        }
        this.keep_alive.poll_comment(cx).map(|comment| Some(Ok(Frame::data(comment))))
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
