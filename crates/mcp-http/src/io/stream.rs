//! A stream after its head: hyper has written that, and is gone.
//!
//! hyper keeps two buffers of 8 KiB for as long as a connection lives, and neither size can be set. A stream that is
//! open for hours and says little needs none of them: what is left of HTTP/1.1 once the head is out is the chunk.

use std::io::{self, ErrorKind, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request, StatusCode, Version};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guarded::Guarded;
use crate::reply::{Reply, ReplyBody};

/// The body is not asked for more while so much waits to be written.
const MAX_OUT: usize = 64 * 1024;
/// A buffer that grew beyond this is given back when it is empty: an idle stream keeps hardly any.
const KEEP: usize = 512;
/// What a client may say after its request. Nobody reads it: the reply says that the connection ends with it.
const MAX_IGNORED: usize = 64 * 1024;
/// The chunk that ends a body, without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What a chunk has around its data, at most: a length in hexadecimal digits and two line ends.
const CHUNK: usize = 2 * size_of::<usize>() + 4;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// RFC 9112 7.1.
    Chunks,
    /// By the end of the connection, RFC 9112 6.3: HTTP/1.0 has no chunks.
    Close,
}

impl Framing {
    /// How a stream in reply to this request would be framed; `None` when that is left to hyper: it knows what becomes
    /// of a request body that was not read, and of the methods whose replies have no body.
    pub(crate) fn of<B: Body>(request: &Request<B>) -> Option<Self> {
        if request.method() != Method::GET || !request.body().is_end_stream() {
            return None;
        }
        match request.version() {
            Version::HTTP_11 => Some(Self::Chunks),
            Version::HTTP_10 => Some(Self::Close),
            _ => None,
        }
    }

    /// Whether hyper frames this reply in the same way.
    pub(crate) fn is_of(reply: &Reply) -> bool {
        let headers = reply.headers();
        reply.status() == StatusCode::OK
            && reply.body().is_stream()
            && reply.body().size_hint().exact().is_none()
            && !headers.contains_key(CONTENT_LENGTH)
            && !headers.contains_key(TRANSFER_ENCODING)
    }
}

/// Where a body that waits is on its way from hyper to [`Streaming`].
#[derive(Clone, Default)]
pub(crate) struct Handover(Arc<Left>);

#[derive(Default)]
struct Left {
    body: Mutex<Option<(ReplyBody, Framing)>>,
    /// Whether one has ever been left: most connections never have one, and are asked after each request.
    ever: AtomicBool,
}

impl Handover {
    fn slot(&self) -> MutexGuard<'_, Option<(ReplyBody, Framing)>> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn leave(&self, body: ReplyBody, framing: Framing) {
        // One task leaves and looks.
        self.0.ever.store(true, Relaxed);
        *self.slot() = Some((body, framing));
    }

    pub(crate) fn was_ever_used(&self) -> bool {
        self.0.ever.load(Relaxed)
    }

    /// Back to hyper.
    pub(crate) fn take(&self) -> Option<ReplyBody> {
        self.slot().take().map(|(body, _)| body)
    }

    /// Away from hyper.
    pub(crate) fn part(&self) -> Option<(ReplyBody, Framing)> {
        self.slot().take()
    }
}

/// Writes a body to its end, and ends the connection.
pub(crate) struct Streaming<S> {
    io: Guarded<S>,
    body: ReplyBody,
    framing: Framing,
    /// Framed, and written up to `written`.
    out: Vec<u8>,
    written: usize,
    /// The body has ended, and its end is in `out` or written.
    ended: bool,
    /// TLS may hold what was written, and writes it only when it is asked to.
    unflushed: bool,
    ignored: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Streaming<S> {
    pub(crate) fn new(io: Guarded<S>, body: ReplyBody, framing: Framing) -> Self {
        Self { io, body, framing, out: Vec::new(), written: 0, ended: false, unflushed: true, ignored: 0 }
    }

    /// Ready when the connection has ended, with an error when the peer or the body ended it before its time.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.ended {
                self.listen(cx)?;
                self.fill(cx)?;
            }
            if self.out.is_empty() && !self.unflushed {
                return if self.ended { Pin::new(&mut self.io).poll_shutdown(cx) } else { Poll::Pending };
            }
            while let Some(rest @ [_, ..]) = self.out.get(self.written..) {
                self.unflushed = true;
                match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                    0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                    written => self.written += written,
                }
            }
            if self.out.capacity() > KEEP {
                self.out = Vec::new();
            }
            self.out.clear();
            self.written = 0;
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
    }

    /// Notices when the peer is gone, which it is too when it has only ended its own side: no client of an event
    /// stream does that and stays.
    fn listen(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut scratch = [0; 256];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf)? {
                Poll::Pending => return Ok(()),
                Poll::Ready(()) if buf.filled().is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
                Poll::Ready(()) => self.ignored += buf.filled().len(),
            }
            if self.ignored > MAX_IGNORED {
                return Err(io::Error::other("the peer sends where nothing is expected"));
            }
        }
    }

    /// Frames what the body has, as far as there is room.
    fn fill(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.written > 0 {
            self.out.drain(..self.written);
            self.written = 0;
        }
        while !self.ended && self.out.len() < MAX_OUT {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(frame)) => {
                    // Trailers are for clients that asked for them, and no stream of ours has any.
                    if let Ok(data) = frame?.into_data() {
                        self.frame(&data)?;
                    }
                }
                Poll::Ready(None) => {
                    self.ended = true;
                    if self.framing == Framing::Chunks {
                        self.out.extend_from_slice(LAST_CHUNK);
                    }
                }
            }
        }
        Ok(())
    }

    fn frame(&mut self, data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            // As a chunk it would be the last one.
            return Ok(());
        }
        self.out.reserve(data.len() + CHUNK);
        if self.framing == Framing::Close {
            self.out.extend_from_slice(data);
            return Ok(());
        }
        write!(self.out, "{:X}\r\n", data.len())?;
        self.out.extend_from_slice(data);
        self.out.extend_from_slice(b"\r\n");
        Ok(())
    }
}
