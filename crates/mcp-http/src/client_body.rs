//! Bodies of responses.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use mcp_transport_core::{Error, ErrorKind};
use tokio::time::{Instant, timeout_at};

/// The body of a response, as it comes. Dropping it before its end closes the connection.
pub struct ClientBody(Incoming);

impl ClientBody {
    pub(crate) fn new(body: Incoming) -> Self {
        Self(body)
    }

    /// The next bytes; `None` at the end. An empty piece is never yielded.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(broken(error)))),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                _ => {}
            }
        }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// Io, when the connection breaks.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// The whole body, if it has at most `max` bytes and comes within a time.
    ///
    /// # Errors
    ///
    /// Limit, when it is larger; timeout; io, when the connection breaks.
    ///
    /// # Cancel safety
    ///
    /// What was read is lost with the future.
    pub async fn collect(mut self, max: usize, within: Duration) -> Result<Bytes, Error> {
        let too_large = || Error::new(ErrorKind::Limit, "the body of the response is too large");
        if self.0.size_hint().lower() > max as u64 {
            return Err(too_large());
        }
        let late = |_| Error::new(ErrorKind::Timeout, "the body of the response takes too long");
        let deadline = Instant::now().checked_add(within);
        let mut whole = BytesMut::new();
        loop {
            let chunk = match deadline {
                Some(deadline) => timeout_at(deadline, self.chunk()).await.map_err(late)?,
                None => self.chunk().await,
            };
            let Some(chunk) = chunk else { return Ok(whole.freeze()) };
            let chunk = chunk?;
            if chunk.len() > max - whole.len() {
                return Err(too_large());
            }
            whole.extend_from_slice(&chunk);
        }
    }
}

/// The text of hyper's error names no header and no body.
fn broken(error: hyper::Error) -> Error {
    Error::io("the response broke off", std::io::Error::other(error))
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.poll_chunk(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientBody")
    }
}
