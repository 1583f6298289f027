//! One session as a wire: what was posted comes in, what goes out becomes an event.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use mcp_http::Registered;
use mcp_jsonrpc::Message;
use mcp_transport_core::{CloseReason, Frame, Wire, queue};
use tokio::time::Sleep;

use super::session::Session;
use super::stream::EventStream;

/// What stands before and behind the one line of a message.
const HEAD: Bytes = Bytes::from_static(b"event: message\ndata: ");
const TAIL: Bytes = Bytes::from_static(b"\n\n");

/// The server's end of one session.
pub(super) struct SessionWire {
    pub(super) posted: queue::Receiver<Frame>,
    pub(super) stream: Arc<EventStream>,
    /// Until the first message: when a client that opened a stream has to have said something.
    pub(super) first_message: Option<Pin<Box<Sleep>>>,
    pub(super) registered: Registered<Session>,
}

impl Wire for SessionWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        match self.posted.poll_recv(cx) {
            Poll::Ready(Some(frame)) => {
                self.first_message = None;
                Poll::Ready(Ok(frame))
            }
            // The stream says why it went; while it is there, only this side closes the queue.
            Poll::Ready(None) => Poll::Ready(Err(self.stream.gone().unwrap_or(CloseReason::ClosedHere))),
            Poll::Pending => match &mut self.first_message {
                Some(until) => until.as_mut().poll(cx).map(|()| Err(CloseReason::Idle)),
                None => Poll::Pending,
            },
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_ready(cx)
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        self.stream.push([HEAD, message.into_line(), TAIL]);
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The body takes it from here; what is in the stream when it finishes is still sent.
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // A client that does not read keeps its stream for a while, and must not post into a session that has ended.
        self.registered.end();
        self.stream.finish();
        Poll::Ready(())
    }
}

impl Drop for SessionWire {
    fn drop(&mut self) {
        self.stream.finish();
    }
}

impl fmt::Debug for SessionWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionWire").field("stream", &self.stream).finish_non_exhaustive()
    }
}
