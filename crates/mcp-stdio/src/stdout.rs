//! A child's stdout, which ends with the child and not with whoever holds it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;

/// Most bytes read after the exit: the most that Linux lets a pipe hold by default.
const LEFT_OVER: usize = 1024 * 1024;

/// Reads a child's stdout until it ends or [`LastBytes`] says so.
#[derive(Debug)]
pub(crate) struct Stdout {
    pipe: pipe::Receiver,
    left: Arc<AtomicUsize>,
}

/// How much of a [`Stdout`] is still worth reading: all of it, what the child can have left in the pipe, or nothing.
///
/// A descendant may hold the pipe and write for ever.
#[derive(Debug)]
pub(crate) struct LastBytes(Arc<AtomicUsize>);

impl Stdout {
    pub(crate) fn new(pipe: pipe::Receiver) -> (Self, LastBytes) {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        (Self { pipe, left: Arc::clone(&left) }, LastBytes(left))
    }
}

impl LastBytes {
    /// The child has exited: what it wrote is in the pipe by now.
    pub(crate) fn limit(&self) {
        self.0.fetch_min(LEFT_OVER, Relaxed);
    }

    /// The next read is the end.
    pub(crate) fn end(&self) {
        self.0.store(0, Relaxed);
    }
}

impl AsyncRead for Stdout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.left.load(Relaxed);
        if left == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buf))?;
        if left != usize::MAX {
            // May overshoot by one read, which is bounded too.
            let read = buf.filled().len() - before;
            self.left.store(left.saturating_sub(read), Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}
