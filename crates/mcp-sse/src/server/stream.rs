//! The events of one session on their way into a response body.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use mcp_http::FrameBuffer;
use mcp_transport_core::CloseReason;

/// Between the session, which writes events, and the body, which takes frames.
pub(super) struct EventStream {
    state: Mutex<State>,
    /// Bytes above which the writer waits.
    high: usize,
}

#[derive(Default)]
struct State {
    frames: FrameBuffer,
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
        if state.frames.len() < self.high {
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
            state.frames.push_all(parts);
            state.reader.take()
        };
        wake(reader);
    }

    /// The next frame; `None` when the stream has ended.
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let (frame, writer) = {
            let mut state = self.state();
            let Some(frame) = state.frames.take() else {
                if state.finished {
                    return Poll::Ready(None);
                }
                let former = replace(&mut state.reader, cx);
                drop(state);
                drop(former);
                return Poll::Pending;
            };
            let writer = if state.frames.len() < self.high { state.writer.take() } else { None };
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
            .field("frames", &state.frames)
            .field("finished", &state.finished)
            .field("gone", &state.gone)
            .finish_non_exhaustive()
    }
}
