//! Reading and writing by a thread, for descriptors that cannot be polled.
//!
//! A plain `std::thread`, because a process ends when `main` returns, whatever such a thread is
//! doing. tokio's blocking pool is waited for at the runtime's end, and a read of a terminal
//! would keep the process alive until somebody pressed a key.
//!
//! Held at most in each direction: [`CHUNK`] times [`CHUNKS`] bytes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use tokio::io::ReadBuf;

/// Most bytes that one system call reads or writes: the size of a pipe.
const CHUNK: usize = 64 * 1024;
/// Chunks held in each direction: enough for the thread and the task to work at the same time.
const CHUNKS: usize = 4;

/// Calls `op` again when a signal came, and waits when somebody else who has the description
/// made it non-blocking (Node does that to terminals).
fn insist(
    fd: &OwnedFd,
    interest: PollFlags,
    mut op: impl FnMut() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    loop {
        match op() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match rustix::event::poll(&mut [PollFd::new(fd, interest)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            result => return result,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers whom to wake, without a clone when it is the same task as before.
fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}

/// The task's side of a reading thread. Dropping it stops the thread after its current read.
#[derive(Debug)]
pub(super) struct BlockingReader(Arc<Reading>);

#[derive(Debug)]
struct Reading {
    state: Mutex<ReadState>,
    /// Signalled when a chunk was emptied and when the task's side has gone.
    room: Condvar,
}

#[derive(Debug, Default)]
struct ReadState {
    filled: VecDeque<Filled>,
    /// Emptied buffers, each of [`CHUNK`] bytes; `made` counts these and all others.
    spare: Vec<Box<[u8]>>,
    made: usize,
    end: Option<Result<(), Errno>>,
    waker: Option<Waker>,
    abandoned: bool,
}

struct Filled {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.end - self.start)
    }
}

impl BlockingReader {
    pub(super) fn start(fd: OwnedFd) -> io::Result<Self> {
        let shared = Arc::new(Reading { state: Mutex::new(ReadState::default()), room: Condvar::new() });
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("mcp-stdin".into()).spawn(move || theirs.run(&fd))?;
        Ok(Self(shared))
    }

    /// Bytes, or nothing at the end of input; an error is reported once, then comes the end.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0.state);
        while into.remaining() > 0 {
            let Some(front) = state.filled.front_mut() else {
                break;
            };
            let take = (front.end - front.start).min(into.remaining());
            into.put_slice(&front.buffer[front.start..front.start + take]);
            front.start += take;
            if front.start == front.end
                && let Some(empty) = state.filled.pop_front()
            {
                state.spare.push(empty.buffer);
                self.0.room.notify_one();
            }
        }
        if !into.filled().is_empty() || into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match &mut state.end {
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).map_err(io::Error::from)),
            None => {
                remember(&mut state.waker, cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for BlockingReader {
    fn drop(&mut self) {
        lock(&self.0.state).abandoned = true;
        self.0.room.notify_one();
    }
}

impl Reading {
    fn run(&self, fd: &OwnedFd) {
        while let Some(mut buffer) = self.empty_buffer() {
            let result = insist(fd, PollFlags::IN, || rustix::io::read(fd, &mut *buffer));
            let mut state = lock(&self.state);
            let more = match result {
                Ok(0) => {
                    state.end = Some(Ok(()));
                    false
                }
                Ok(end) => {
                    let start = 0;
                    state.filled.push_back(Filled { buffer, start, end });
                    true
                }
                Err(error) => {
                    state.end = Some(Err(error));
                    false
                }
            };
            let waker = state.waker.take();
            drop(state);
            waker.inspect(Waker::wake_by_ref);
            if !more {
                return;
            }
        }
    }

    /// Waits for a buffer to read into; `None` when nobody wants what would be read.
    fn empty_buffer(&self) -> Option<Box<[u8]>> {
        let mut state = lock(&self.state);
        loop {
            if state.abandoned {
                return None;
            }
            if let Some(buffer) = state.spare.pop() {
                return Some(buffer);
            }
            if state.made < CHUNKS {
                state.made += 1;
                drop(state);
                return Some(vec![0; CHUNK].into_boxed_slice());
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The task's side of a writing thread.
///
/// Dropping it lets the thread write what it was given, close the descriptor and end.
#[derive(Debug)]
pub(super) struct BlockingWriter(Arc<Writing>);

#[derive(Debug)]
struct Writing {
    state: Mutex<WriteState>,
    /// Signalled when bytes were queued and when the task's side closes.
    work: Condvar,
}

#[derive(Default)]
struct WriteState {
    queued: Vec<u8>,
    /// Bytes accepted and not yet written: those queued and those that the thread holds.
    outstanding: usize,
    failed: Option<Errno>,
    closing: bool,
    /// The thread has closed the descriptor.
    closed: bool,
    waker: Option<Waker>,
}

impl std::fmt::Debug for WriteState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteState")
            .field("outstanding", &self.outstanding)
            .field("failed", &self.failed)
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}

impl BlockingWriter {
    pub(super) fn start(fd: OwnedFd) -> io::Result<Self> {
        let shared = Arc::new(Writing { state: Mutex::new(WriteState::default()), work: Condvar::new() });
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("mcp-stdout".into()).spawn(move || theirs.run(fd))?;
        Ok(Self(shared))
    }

    /// Hands over as much as there is room for.
    ///
    /// An error of an earlier write is reported here, and again at each call after it.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0.state);
        if let Some(error) = state.failed {
            return Poll::Ready(Err(error.into()));
        }
        if state.closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut room = (CHUNK * CHUNKS).saturating_sub(state.outstanding);
        if room == 0 {
            remember(&mut state.waker, cx);
            return Poll::Pending;
        }
        let mut taken = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(room)];
            state.queued.extend_from_slice(part);
            room -= part.len();
            taken += part.len();
        }
        state.outstanding += taken;
        drop(state);
        self.0.work.notify_one();
        Poll::Ready(Ok(taken))
    }

    /// Resolves when everything that was handed over is written, or could not be.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0.state);
        if let Some(error) = state.failed {
            return Poll::Ready(Err(error.into()));
        }
        if state.outstanding == 0 {
            return Poll::Ready(Ok(()));
        }
        remember(&mut state.waker, cx);
        Poll::Pending
    }

    /// Resolves when everything is written and the descriptor is closed.
    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0.state);
        state.closing = true;
        self.0.work.notify_one();
        if let Some(error) = state.failed {
            return Poll::Ready(Err(error.into()));
        }
        if state.closed {
            return Poll::Ready(Ok(()));
        }
        remember(&mut state.waker, cx);
        Poll::Pending
    }
}

impl Drop for BlockingWriter {
    fn drop(&mut self) {
        lock(&self.0.state).closing = true;
        self.0.work.notify_one();
    }
}

impl Writing {
    fn run(&self, fd: OwnedFd) {
        let mut batch = Vec::new();
        while self.next_batch(&mut batch) {
            if let Err(error) = self.write_all(&fd, &batch) {
                self.change(|state| {
                    state.failed = Some(error);
                    state.queued = Vec::new();
                });
                break;
            }
        }
        drop(fd);
        self.change(|state| state.closed = true);
    }

    /// Waits for bytes and swaps them into `batch`; false when there will be none.
    fn next_batch(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        let mut state = lock(&self.state);
        while state.queued.is_empty() {
            if state.closing {
                return false;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.queued, batch);
        true
    }

    fn write_all(&self, fd: &OwnedFd, mut rest: &[u8]) -> Result<(), Errno> {
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(CHUNK)];
            let written = insist(fd, PollFlags::OUT, || rustix::io::write(fd.as_fd(), piece))?;
            if written == 0 {
                // No device should; going on would spin.
                return Err(Errno::IO);
            }
            rest = &rest[written..];
            self.change(|state| state.outstanding -= written);
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut WriteState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        waker.inspect(Waker::wake_by_ref);
    }
}
