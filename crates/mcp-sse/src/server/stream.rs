//! The events of one session on their way into a response body.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use mcp_transport_core::CloseReason;

/// One frame of a body holds at most this much.
///
/// hyper does not poll a body again while a frame larger than its own buffer is stuck, and a stalled stream could then
/// not end itself.
const FRAME: usize = 16 * 1024;
/// A message larger than this is sent from where it is; smaller ones share a frame.
const COPY: usize = 4 * 1024;

/// Between the session, which writes events, and the body, which takes frames.
pub(super) struct EventStream {
    state: Mutex<State>,
    /// Bytes above which the writer waits.
    high: usize,
}

#[derive(Default)]
struct State {
    /// Before `tail` in order.
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Nothing will be written any more.
    finished: bool,
    /// Why nobody will read any more.
    gone: Option<CloseReason>,
}

impl EventStream {
    pub(super) fn new(high: usize) -> Self {
        Self { state: Mutex::default(), high }
    }

    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room; an error when nobody reads any more.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let mut state = self.state();
        if state.gone.is_some() {
            return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
        }
        if state.len < self.high {
            return Poll::Ready(Ok(()));
        }
        let former = replace(&mut state.writer, cx);
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// Appends the parts of one event.
    pub(super) fn push(&self, parts: [Bytes; 3]) {
        let reader = {
            let mut state = self.state();
            if state.gone.is_some() || state.finished {
                return;
            }
            let copied = parts.iter().map(Bytes::len).filter(|&len| len <= COPY).sum();
            state.tail.reserve(copied);
            for part in parts {
                state.len += part.len();
                if part.len() > COPY {
                    let tail = state.tail.split().freeze();
                    if !tail.is_empty() {
                        state.pieces.push_back(tail);
                    }
                    state.pieces.push_back(part);
                } else {
                    state.tail.extend_from_slice(&part);
                }
            }
            state.reader.take()
        };
        wake(reader);
    }

    /// The next frame; `None` when the stream has ended.
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let (frame, writer) = {
            let mut state = self.state();
            let Some(frame) = state.take() else {
                if state.finished {
                    return Poll::Ready(None);
                }
                let former = replace(&mut state.reader, cx);
                drop(state);
                drop(former);
                return Poll::Pending;
            };
            let writer = if state.len < self.high { state.writer.take() } else { None };
            (frame, writer)
        };
        wake(writer);
        Poll::Ready(Some(frame))
    }

    /// Ends the stream once what is in it was read.
    pub(super) fn finish(&self) {
        let reader = {
            let mut state = self.state();
            state.finished = true;
            state.reader.take()
        };
        wake(reader);
    }

    /// Nobody reads any more, for this reason.
    pub(super) fn leave(&self, reason: CloseReason) {
        let mut former = {
            let mut state = self.state();
            let gone = State { gone: Some(reason), finished: state.finished, ..State::default() };
            std::mem::replace(&mut *state, gone)
        };
        wake(former.writer.take());
    }

    /// Why nobody reads any more, if so.
    pub(super) fn gone(&self) -> Option<CloseReason> {
        self.state().gone.clone()
    }
}

impl State {
    fn take(&mut self) -> Option<Bytes> {
        let frame = match self.pieces.front_mut() {
            Some(piece) if piece.len() > FRAME => piece.split_to(FRAME),
            Some(_) => self.pieces.pop_front()?,
            None if self.tail.is_empty() => return None,
            None => {
                let len = self.tail.len().min(FRAME);
                self.tail.split_to(len).freeze()
            }
        };
        self.len -= frame.len();
        if self.len == 0 {
            // An idle stream keeps no buffer.
            (self.pieces, self.tail) = (VecDeque::new(), BytesMut::new());
        }
        Some(frame)
    }
}

/// Keeps the waker of the latest poll; the former one is given back, to be dropped outside the lock.
fn replace(kept: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match kept {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        kept => kept.replace(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("EventStream")
            .field("bytes", &state.len)
            .field("finished", &state.finished)
            .field("gone", &state.gone)
            .finish_non_exhaustive()
    }
}
