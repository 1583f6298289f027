//! The stdin and stdout of this process.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;
use tokio::net::{TcpStream, UnixStream};

use super::blocking::{BlockingReader, BlockingWriter};
use super::descriptor::{Direction, Driven, Way, find_way};

/// Set by the first [`OwnStdio::take`] and never cleared once descriptors were moved.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// This process's own stdin and stdout, taken away from everybody else.
///
/// A stdio server speaks the protocol on descriptors that every line of its program can reach.
/// One `println!` in a handler, or a logger that writes to stdout, breaks the stream; a child
/// that a handler starts inherits stdin and eats messages.
/// [`take`](Self::take) therefore moves both descriptors out of reach: descriptor 0 then leads
/// to `/dev/null`, descriptor 1 to stderr, and the real ones are private and closed on exec.
///
/// How each is driven depends on what it is, see [`Way`].
///
/// # For the life of the process
///
/// Dropping the halves does not put the descriptors back: text may lie in `std`'s buffer for
/// stdout, or a child may have been started with them, and that would then reach the peer.
/// For the same reason a second `take` stays an error.
#[derive(Debug)]
pub struct OwnStdio {
    reader: OwnReader,
    writer: OwnWriter,
}

impl OwnStdio {
    /// Takes stdin and stdout.
    ///
    /// What `std`'s stdout holds is flushed first. What somebody has read ahead through
    /// `std::io::stdin` is lost to us, so take before anything reads.
    /// When stderr is closed, descriptors 1 and 2 are pointed at `/dev/null`.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: stdin and stdout are taken already.
    /// - `InvalidInput`: stdin is not open for reading, or stdout not for writing.
    /// - Any other kind: there is no tokio runtime, `/dev/null` cannot be opened, a descriptor
    ///   is closed, or a thread cannot be started.
    ///
    /// After an error nothing has been moved, and `take` can be called again, except in the
    /// first case and when the system refuses to move a descriptor.
    ///
    /// # Panics
    ///
    /// When called in a tokio runtime whose IO driver is not enabled.
    pub fn take() -> io::Result<Self> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "stdin and stdout of this process are taken already",
            ));
        }
        let (own, null) = Self::prepare().inspect_err(|_| TAKEN.store(false, Ordering::Release))?;
        // From here on the mark stays, even on failure: one descriptor may have moved.
        if rustix::io::fcntl_getfd(io::stderr()).is_err() {
            // Otherwise the next file that anybody opens would become stderr.
            rustix::stdio::dup2_stderr(&null)?;
        }
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(own)
    }

    /// Everything that can fail, before anything is moved.
    fn prepare() -> io::Result<(Self, OwnedFd)> {
        // tokio would panic.
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        io::stdout().flush()?;
        // Cloned, because clones are numbered from 3: should one of the three be closed, the
        // opened file is in its place.
        let null = File::open("/dev/null")?.as_fd().try_clone_to_owned()?;
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        let stderr = io::stderr();
        let input = find_way(input, Direction::Input, Some(stderr.as_fd()))?;
        let output = find_way(output, Direction::Output, Some(stderr.as_fd()))?;
        let own = Self { reader: OwnReader::new(input)?, writer: OwnWriter::new(output)? };
        Ok((own, null))
    }

    /// Parts the two directions, which can then live and end apart.
    #[must_use]
    pub fn split(self) -> (OwnReader, OwnWriter) {
        (self.reader, self.writer)
    }

    /// How stdin and stdout are driven, in this order.
    #[must_use]
    pub fn describe(&self) -> (Way, Way) {
        (self.reader.way, self.writer.way)
    }
}

/// What was this process's stdin.
///
/// # Cancel safety
///
/// Reading is cancel-safe: bytes that no call has returned are still there for the next.
/// With [`Way::Blocking`] up to 256 KiB are read ahead, and are lost when the reader is dropped.
#[derive(Debug)]
pub struct OwnReader {
    way: Way,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Pipe(pipe::Receiver),
    Unix(UnixStream),
    Tcp(TcpStream),
    Blocking(BlockingReader),
}

impl OwnReader {
    fn new(driven: Driven) -> io::Result<Self> {
        let (way, source) = match driven {
            Driven::Pipe(fd) => (Way::Pipe, Source::Pipe(pipe::Receiver::from_owned_fd(fd)?)),
            Driven::PipeInPlace(fd) => {
                let receiver = pipe::Receiver::from_owned_fd(fd)?;
                (Way::PipeInPlace, Source::Pipe(receiver))
            }
            Driven::Unix(s) => (Way::Socket, Source::Unix(UnixStream::from_std(s)?)),
            Driven::Tcp(s) => (Way::Socket, Source::Tcp(TcpStream::from_std(s)?)),
            Driven::Blocking(fd) => {
                let reader = BlockingReader::start(fd)?;
                (Way::Blocking, Source::Blocking(reader))
            }
        };
        Ok(Self { way, source })
    }
}

impl AsyncRead for OwnReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.source {
            Source::Pipe(pipe) => Pin::new(pipe).poll_read(cx, buf),
            Source::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Source::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Source::Blocking(reader) => reader.poll_read(cx, buf),
        }
    }
}

/// What was this process's stdout.
///
/// A reader that has gone is an error of kind `BrokenPipe` (Rust programs ignore SIGPIPE).
/// `poll_flush` resolves when everything has been given to the system.
/// `poll_shutdown` does that and then closes the descriptor, so that the peer sees the end;
/// dropping closes it too.
///
/// With [`Way::Blocking`] at most 256 KiB wait for the thread, an error is reported by the call
/// after the write that met it, and dropping lets the thread finish; a process that ends before
/// loses what is left, so flush first.
///
/// # Cancel safety
///
/// The poll methods keep no state between calls other than what they accepted: a write that was
/// pending has taken nothing.
#[derive(Debug)]
pub struct OwnWriter {
    way: Way,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Pipe(pipe::Sender),
    Unix(UnixStream),
    Tcp(TcpStream),
    Blocking(BlockingWriter),
    Closed,
}

impl OwnWriter {
    fn new(driven: Driven) -> io::Result<Self> {
        let (way, sink) = match driven {
            Driven::Pipe(fd) => (Way::Pipe, Sink::Pipe(pipe::Sender::from_owned_fd(fd)?)),
            Driven::PipeInPlace(fd) => {
                let sender = pipe::Sender::from_owned_fd(fd)?;
                (Way::PipeInPlace, Sink::Pipe(sender))
            }
            Driven::Unix(s) => (Way::Socket, Sink::Unix(UnixStream::from_std(s)?)),
            Driven::Tcp(s) => (Way::Socket, Sink::Tcp(TcpStream::from_std(s)?)),
            Driven::Blocking(fd) => {
                let writer = BlockingWriter::start(fd)?;
                (Way::Blocking, Sink::Blocking(writer))
            }
        };
        Ok(Self { way, sink })
    }
}

impl AsyncWrite for OwnWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.sink {
            Sink::Pipe(pipe) => Pin::new(pipe).poll_write(cx, buf),
            Sink::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Sink::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Sink::Blocking(writer) => writer.poll_write(cx, &[IoSlice::new(buf)]),
            Sink::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.sink {
            Sink::Pipe(pipe) => Pin::new(pipe).poll_write_vectored(cx, bufs),
            Sink::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Sink::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Sink::Blocking(writer) => writer.poll_write(cx, bufs),
            Sink::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.sink {
            Sink::Pipe(pipe) => Pin::new(pipe).poll_flush(cx),
            Sink::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Sink::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Sink::Blocking(writer) => writer.poll_flush(cx),
            Sink::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(match &mut self.sink {
            Sink::Pipe(pipe) => Pin::new(pipe).poll_shutdown(cx),
            Sink::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Sink::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Sink::Blocking(writer) => writer.poll_shutdown(cx),
            Sink::Closed => Poll::Ready(Ok(())),
        });
        self.sink = Sink::Closed;
        Poll::Ready(result)
    }
}
