//! One stream of a session: what belongs to the requests of one POST, or to none.
//!
//! ```text
//! exchange ──▶ ResponseStream ──▶ reader (a response body)         while one is attached
//!                             └─▶ pump (the session's connection)  while none is, into the store
//! ```
//!
//! One of them pulls at a time, and what has an id is in the store before the next one may pull, so a reader that takes
//! over finds no hole.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mcp_jsonrpc::Message;
use mcp_transport_core::ResponseStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::store::{EventStore, StreamKey};

/// The stream that a client opens with GET.
pub(super) const GENERAL: u64 = 0;

pub(super) struct Stream {
    pub(super) key: StreamKey,
    store: Option<Arc<dyn EventStore>>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Away while it is pulled from, and once it has ended.
    source: Option<ResponseStream>,
    /// Nothing more will come.
    over: bool,
    /// Since when it is over and nobody reads it.
    finished: Option<Instant>,
    /// It is an event stream: its events have places.
    committed: bool,
    /// The place of the newest event.
    last: u64,
    /// The newest place that was given to a reader.
    delivered: u64,
    reader: Option<u64>,
    readers: u64,
    /// Of the GET that reads it, among those of the session. Who takes it over takes that over too.
    place: Option<OwnedSemaphorePermit>,
    /// Of the reader, to be told that it is not one any more, or is to end.
    reading: Option<Waker>,
    /// Of somebody who waits for the source to be back.
    waiting: Option<Waker>,
    /// The response is to end here, and the client to come back after that long.
    released: Option<Duration>,
    /// The session has ended: nobody comes back, and nothing is kept.
    forsaken: bool,
}

/// What a pull brings.
pub(super) enum Pulled {
    /// A message and its place, if places are given.
    Event(Option<u64>, Message),
    /// Everything was answered.
    End,
    /// Somebody else reads now.
    TakenOver,
}

/// Why a GET cannot read a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// Somebody else does.
    Read,
    /// The session has as many of them as it may.
    NoPlace,
}

/// A stream as somebody finds it who takes it over.
pub(super) struct Taken {
    pub(super) last: u64,
    pub(super) delivered: u64,
}

impl Inner {
    /// A GET becomes its reader, in a place of its own or in that of the GET before.
    fn enter(&mut self, places: &Arc<Semaphore>) -> Result<u64, Busy> {
        if self.place.is_none() {
            self.place = Some(places.clone().try_acquire_owned().map_err(|_| Busy::NoPlace)?);
        }
        self.readers += 1;
        self.reader = Some(self.readers);
        (self.released, self.finished) = (None, None);
        Ok(self.readers)
    }
}

impl Stream {
    pub(super) fn new(key: StreamKey, source: ResponseStream, store: Option<Arc<dyn EventStore>>) -> Self {
        let committed = key.stream == GENERAL;
        let inner = Inner { source: Some(source), committed, ..Inner::default() };
        Self { key, store, inner: Mutex::new(inner) }
    }

    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn number(&self) -> u64 {
        self.key.stream
    }

    /// The place of its newest event; `None` while it has no places, so that nobody can have been told of one.
    pub(super) fn last(&self) -> Option<u64> {
        let inner = self.inner();
        inner.committed.then_some(inner.last)
    }

    /// Whether its events have ids, by which a client can come back.
    pub(super) fn has_ids(&self) -> bool {
        self.store.is_some() && !self.inner().forsaken
    }

    /// Its first reader.
    pub(super) fn attach(&self) -> u64 {
        let mut inner = self.inner();
        inner.readers += 1;
        inner.reader = Some(inner.readers);
        inner.readers
    }

    /// Attaches, unless somebody reads already. What the pump is at has to be waited for, as when one takes over.
    pub(super) fn try_attach(&self, places: &Arc<Semaphore>) -> Result<u64, Busy> {
        let mut inner = self.inner();
        if inner.reader.is_some() {
            return Err(Busy::Read);
        }
        inner.enter(places)
    }

    /// A reader was given what was kept up to this place.
    pub(super) fn note_delivered(&self, place: u64) {
        let mut inner = self.inner();
        inner.delivered = inner.delivered.max(place);
    }

    /// Attaches in place of whoever reads, who is told; ready when nobody else is pulling any more.
    pub(super) fn poll_take_over(
        &self,
        reader: &mut Option<u64>,
        places: &Arc<Semaphore>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Taken, Busy>> {
        let (mut reading, mut waiting) = (None, None);
        let polled = {
            let mut inner = self.inner();
            let mine = match *reader {
                Some(mine) => mine,
                None => {
                    let mine = inner.enter(places)?;
                    reading = inner.reading.take();
                    *reader.insert(mine)
                }
            };
            if inner.reader != Some(mine) {
                Poll::Ready(Err(Busy::Read))
            } else if inner.source.is_some() || inner.over {
                Poll::Ready(Ok(Taken { last: inner.last, delivered: inner.delivered }))
            } else {
                // Whoever waited before does not any more: it has been taken over too.
                waiting = inner.waiting.replace(cx.waker().clone());
                Poll::Pending
            }
        };
        reading.into_iter().chain(waiting).for_each(Waker::wake);
        polled
    }

    /// The next message; `reader` is `None` for the pump.
    pub(super) fn poll_pull(&self, reader: Option<u64>, cx: &mut Context<'_>) -> Poll<Pulled> {
        let (mut source, committed, next) = {
            let mut inner = self.inner();
            if inner.reader != reader {
                return Poll::Ready(Pulled::TakenOver);
            }
            let Some(source) = inner.source.take() else {
                if inner.over {
                    return Poll::Ready(Pulled::End);
                }
                let former = inner.waiting.replace(cx.waker().clone());
                drop(inner);
                drop(former);
                return Poll::Pending;
            };
            (source, inner.committed && !inner.forsaken, inner.last + 1)
        };
        let polled = source.poll_recv(cx);
        let place = match &polled {
            Poll::Ready(Some(message)) if committed => self.keep(next, message),
            _ => None,
        };
        let mut ended = None;
        let (waiting, forsaken, _former) = {
            let mut inner = self.inner();
            if let Some(place) = place {
                inner.last = place;
                if reader.is_some() {
                    inner.delivered = place;
                }
            }
            let mut former = None;
            match &polled {
                Poll::Ready(None) => {
                    inner.over = true;
                    if inner.reader.is_none() {
                        inner.finished = Some(Instant::now());
                    }
                    ended = Some(source);
                }
                // The session has ended meanwhile, and with it what is read for nobody.
                _ if inner.forsaken && inner.reader.is_none() => {
                    inner.over = true;
                    ended = Some(source);
                }
                Poll::Ready(Some(_)) => inner.source = Some(source),
                Poll::Pending => {
                    inner.source = Some(source);
                    if reader.is_some() {
                        former = keep_waker(&mut inner.reading, cx);
                    }
                }
            }
            (inner.waiting.take(), inner.forsaken, former)
        };
        drop(ended);
        if forsaken && place.is_some() {
            self.forget();
        }
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        polled.map(|message| match message {
            Some(message) => Pulled::Event(place, message),
            None => Pulled::End,
        })
    }

    /// Puts an event into the store; its place.
    fn keep(&self, place: u64, message: &Message) -> Option<u64> {
        let store = self.store.as_ref()?;
        store.append(&self.key, place, message.clone().into_line());
        Some(place)
    }

    /// Nothing of it will be asked for again.
    pub(super) fn forget(&self) {
        if let Some(store) = &self.store {
            store.forget(&self.key);
        }
    }

    /// The session has ended. Whoever reads it reads it to its end.
    pub(super) fn forsake(&self) {
        let abandoned = {
            let mut inner = self.inner();
            inner.forsaken = true;
            inner.over |= inner.reader.is_none() && inner.source.is_some();
            if inner.reader.is_none() { inner.source.take() } else { None }
        };
        drop(abandoned);
        self.forget();
    }

    /// Its response becomes an event stream; what was pulled before that is its first event.
    pub(super) fn commit(&self, first: Option<&Message>) -> Option<u64> {
        {
            let mut inner = self.inner();
            inner.committed = true;
            if inner.forsaken {
                return None;
            }
        }
        let place = self.keep(1, first?)?;
        let forsaken = {
            let mut inner = self.inner();
            (inner.last, inner.delivered) = (place, place);
            inner.forsaken
        };
        if forsaken {
            self.forget();
        }
        Some(place)
    }

    /// Has the response end, and the client come back; whether it can.
    pub(super) fn release(&self, wait: Duration) -> bool {
        let reading = {
            let mut inner = self.inner();
            if self.store.is_none() || inner.forsaken || inner.reader.is_none() || inner.over {
                return false;
            }
            inner.released = Some(wait);
            inner.reading.take()
        };
        if let Some(reading) = reading {
            reading.wake();
        }
        true
    }

    /// Ready when the response of this reader is to end.
    pub(super) fn poll_released(&self, cx: &Context<'_>) -> Poll<Duration> {
        let mut inner = self.inner();
        if let Some(wait) = inner.released {
            return Poll::Ready(wait);
        }
        let former = keep_waker(&mut inner.reading, cx);
        drop(inner);
        drop(former);
        Poll::Pending
    }

    /// A reader goes; what is to become of the stream.
    pub(super) fn detach(&self, reader: u64) -> Left {
        let (left, abandoned, _former) = {
            let mut inner = self.inner();
            if inner.reader != Some(reader) {
                return Left::TakenOver;
            }
            inner.reader = None;
            inner.place = None;
            inner.released = None;
            let former = inner.reading.take();
            if self.number() == GENERAL {
                (Left::Waits, None, former)
            } else if self.store.is_none() || !inner.committed || inner.forsaken {
                // Nobody has an id by which to come back.
                inner.over = true;
                (Left::Over, inner.source.take(), former)
            } else if inner.over {
                // From now on it is kept for who comes back.
                let now = Instant::now();
                inner.finished = Some(now);
                (Left::Finished(now), None, former)
            } else {
                (Left::Waits, None, former)
            }
        };
        drop(abandoned);
        left
    }

    /// Whether somebody reads it, or something is still to come.
    pub(super) fn is_busy(&self) -> bool {
        let inner = self.inner();
        inner.reader.is_some() || self.number() != GENERAL && !inner.over
    }

    /// Whether it is to be pumped.
    pub(super) fn is_alone(&self) -> bool {
        let inner = self.inner();
        self.store.is_some() && inner.committed && inner.reader.is_none() && !inner.over
    }

    /// Whether nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.inner().over
    }

    /// Since when it is over and nobody reads it.
    pub(super) fn finished(&self) -> Option<Instant> {
        self.inner().finished
    }
}

/// Keeps the waker of the latest poll; the former one is given back, to be dropped outside the lock.
pub(super) fn keep_waker(kept: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match kept {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        kept => kept.replace(cx.waker().clone()),
    }
}

/// What is to become of a stream that has lost its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Somebody may come back for it, and more is to come.
    Waits,
    /// Somebody may come back for it, and it is over, from now on.
    Finished(Instant),
    /// Nobody can.
    Over,
    /// Somebody has.
    TakenOver,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        f.debug_struct("Stream")
            .field("number", &self.number())
            .field("last", &inner.last)
            .field("reader", &inner.reader)
            .field("over", &inner.over)
            .finish_non_exhaustive()
    }
}
