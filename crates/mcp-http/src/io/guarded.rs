//! A connection that tells its clock what comes, and ends without being reset.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ConnectionHandle;

/// Unread input that is still taken after our side is shut. A client that sends more may lose the answer.
const MAX_LINGER: usize = 1024 * 1024;

/// Reports reads to the connection's clock, above TLS if there is any, and ends without resetting.
///
/// A socket that is closed while input waits in it is reset, and the reset can overtake the answer: the client that
/// posts 5 MiB would see a broken pipe instead of 413 (RFC 9112 9.6). So after our side is shut, input is discarded
/// until the other side ends, within [`MAX_LINGER`] and the clock's linger time.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    inner: S,
    handle: ConnectionHandle,
    shut: bool,
    ended: bool,
    discarded: usize,
}

impl<S> Guarded<S> {
    pub(crate) fn new(inner: S, handle: ConnectionHandle) -> Self {
        Self { inner, handle, shut: false, ended: false, discarded: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.handle.bytes_came();
        } else if buf.remaining() > 0 {
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.shut {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.shut = true;
            this.handle.lingers();
        }
        let mut scratch = [0; 4096];
        while !this.ended && this.discarded < MAX_LINGER {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => this.discarded += buf.filled().len(),
                // The other side has ended, or is gone: either way there is nobody left to lose the answer.
                _ => this.ended = true,
            }
        }
        Poll::Ready(Ok(()))
    }
}
