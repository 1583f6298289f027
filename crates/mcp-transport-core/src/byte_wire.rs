//! A wire from any byte stream and a codec.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use mcp_jsonrpc::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::CloseReason;
use crate::wire::{Closing, Frame, Wire};

/// What one read asks for at first; a read that fills it is followed by one for twice as much.
const READ_MIN: usize = 8 * 1024;
/// The most that one read asks for: a pipe holds 64 KiB.
const READ_MAX: usize = 64 * 1024;
/// Bytes that are taken before they have to be written.
const WRITE_HIGH: usize = 256 * 1024;
/// Larger messages are written from where they are; smaller ones are cheaper to copy together.
const COPY_MAX: usize = 16 * 1024;
/// A larger buffer is given back: twice what one read asks for, since the end of a line may stand before it.
const SPARE_MAX: usize = 2 * READ_MAX;

thread_local! {
    /// A read buffer that an idle connection left behind: the next one to read on this thread takes it, so that lines
    /// which come alone need none of their own. One for each thread, of at most `SPARE_MAX`.
    static SPARE: Cell<BytesMut> = Cell::default();
}

/// Slices in one vectored write; the systems allow 1,024, and few messages are that large.
const MAX_SLICES: usize = 16;

/// Framing, without IO: where a message ends in a stream of bytes, and what is put around one that goes out.
pub trait Codec: Send {
    /// Takes the next frame off the front of what was read, or asks for more with `None`.
    ///
    /// `end` says that no more will come, and then what is left may be a last frame.
    /// It must take bytes away in bounded time and memory whatever they are: what is longer than the limit is to be
    /// discarded while it is read.
    fn decode(&mut self, read: &mut BytesMut, end: bool) -> Option<Frame>;

    /// Writes one message, which is on one line.
    fn encode(&mut self, line: Bytes, out: &mut Outbox);
}

/// Bytes on their way out: small pieces are gathered, large ones stay where they are.
#[derive(Default)]
pub struct Outbox {
    /// Full pieces, before `tail` in order.
    pieces: VecDeque<Bytes>,
    tail: Vec<u8>,
    /// How much of the first piece, or of the tail if there is none, has been written.
    written: usize,
    len: usize,
}

impl Outbox {
    /// Appends a copy.
    pub fn copy(&mut self, bytes: &[u8]) {
        // A peer that is never quite fast enough leaves no moment at which nothing waits, so what has been written is
        // taken out once it is the larger part: each byte is moved once at most.
        if self.pieces.is_empty() && self.written > COPY_MAX && self.written > self.tail.len() / 2 {
            self.tail.drain(..std::mem::take(&mut self.written));
        }
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends bytes, copied only where that is cheaper.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_MAX {
            return self.copy(&bytes);
        }
        self.len += bytes.len();
        if !self.tail.is_empty() {
            let mut tail = Bytes::from(std::mem::take(&mut self.tail));
            if self.pieces.is_empty() {
                tail.advance(std::mem::take(&mut self.written));
            }
            self.pieces.push_back(tail);
        }
        self.pieces.push_back(bytes);
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn poll_write(&mut self, io: Pin<&mut impl AsyncWrite>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = io;
        while self.len > 0 {
            let written = if self.pieces.is_empty() {
                let tail = self.tail.get(self.written..).unwrap_or_default();
                ready!(io.as_mut().poll_write(cx, tail))?
            } else {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let tail = std::iter::once(&self.tail[..]);
                let waiting = self.pieces.iter().map(|piece| &piece[..]).chain(tail);
                let mut skip = self.written;
                let mut used = 0;
                for (slot, piece) in slices.iter_mut().zip(waiting) {
                    *slot = IoSlice::new(piece.get(skip..).unwrap_or_default());
                    skip = 0;
                    used += 1;
                }
                ready!(io.as_mut().poll_write_vectored(cx, slices.get(..used).unwrap_or_default()))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        self.len -= written;
        self.written += written;
        while let Some(first) = self.pieces.front()
            && self.written >= first.len()
        {
            self.written -= first.len();
            self.pieces.pop_front();
        }
        if self.len == 0 {
            self.written = 0;
            self.tail.clear();
            if self.tail.capacity() > 2 * COPY_MAX {
                self.tail = Vec::new();
            }
            self.pieces = VecDeque::new();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("bytes", &self.len).finish()
    }
}

/// A wire from a reader, a writer and a codec.
///
/// Reads are as large as what comes in asks for; writes take all that is queued at once.
pub struct ByteWire<R, W, C> {
    reader: R,
    writer: W,
    codec: C,
    read: BytesMut,
    /// The most that the buffer has had room for at a read: what is left of it does not say how large it is.
    room: usize,
    next_read: usize,
    ended: Option<CloseReason>,
    out: Outbox,
    /// Whether the writer has bytes that it may hold back.
    unflushed: bool,
    closing: Closing,
}

impl<R, W, C> ByteWire<R, W, C>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
    C: Codec,
{
    /// Makes a wire.
    pub fn new(reader: R, writer: W, codec: C) -> Self {
        Self {
            reader,
            writer,
            codec,
            read: BytesMut::new(),
            room: 0,
            next_read: READ_MIN,
            ended: None,
            out: Outbox::default(),
            unflushed: false,
            closing: Closing::default(),
        }
    }

    /// One read; ready with whether there may be more.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // A message keeps the buffer alive that it was read into, so what is left of one is used to the last eighth.
        if self.read.capacity() - self.read.len() < self.next_read / 8 {
            if self.read.capacity() == 0 {
                self.read = SPARE.try_with(Cell::take).unwrap_or_default();
                self.room = 0;
            }
            self.read.reserve(self.next_read);
            self.room = self.room.max(self.read.capacity());
        }
        let room = self.read.capacity() - self.read.len();
        // The future holds nothing but these two references, so one for each poll loses nothing.
        let polled = pin!(self.reader.read_buf(&mut self.read)).poll(cx);
        if polled.is_pending() && self.read.is_empty() {
            // An idle connection keeps no buffer; what has room that no message uses, another one may have.
            let mut read = std::mem::take(&mut self.read);
            if self.room <= SPARE_MAX && read.try_reclaim(READ_MIN) {
                // A thread that is ending has no place for it.
                let _ = SPARE.try_with(|spare| spare.set(read));
            }
        }
        let count = ready!(polled)?;
        self.next_read = match count {
            _ if count >= room => (self.next_read * 2).min(READ_MAX),
            _ if count < self.next_read / 4 => (self.next_read / 2).max(READ_MIN),
            _ => self.next_read,
        };
        Poll::Ready(Ok(count > 0))
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.poll_write(Pin::new(&mut self.writer), cx)
    }
}

impl<R, W, C> Wire for ByteWire<R, W, C>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
    C: Codec,
{
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        loop {
            let ended = self.ended.is_some();
            if (ended || !self.read.is_empty())
                && let Some(frame) = self.codec.decode(&mut self.read, ended)
            {
                return Poll::Ready(Ok(frame));
            }
            if let Some(reason) = &self.ended {
                return Poll::Ready(Err(reason.clone()));
            }
            match ready!(self.poll_fill(cx)) {
                Ok(true) => {}
                Ok(false) => self.ended = Some(CloseReason::PeerClosed),
                Err(error) => self.ended = Some(read_error(error)),
            }
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.len() < WRITE_HIGH { Poll::Ready(Ok(())) } else { self.poll_drain(cx) }
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        self.codec.encode(message.into_line(), &mut self.out);
        self.unflushed = true;
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(self.poll_drain(cx))?;
            ready!(Pin::new(&mut self.writer).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What could not be flushed by now has had its time.
        match Pin::new(&mut self.writer).poll_shutdown(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.closing.poll_over(cx),
        }
    }
}

/// A peer that vanished has closed; that it did so abruptly is no failure of reading.
fn read_error(error: io::Error) -> CloseReason {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => CloseReason::PeerClosed,
        _ => CloseReason::from(error),
    }
}

impl<R, W, C> fmt::Debug for ByteWire<R, W, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteWire")
            .field("read", &self.read.len())
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}
