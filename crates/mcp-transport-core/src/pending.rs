//! Requests of ours that wait for their response.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mcp_jsonrpc::{Id, Malformed, Response};
use tokio::time::Instant;

use crate::queue::replace_waker;
use crate::{CloseReason, Error, ErrorKind};

/// A table that grew beyond this is given back once nothing is pending.
const KEEP_CALLS: usize = 64;

/// The pending table; an answer rests in it until its caller takes it, so a call costs no allocation of its own.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    calls: HashMap<u64, Call, BuildHasherDefault<Counted>>,
    last: u64,
    closed: Option<Arc<CloseReason>>,
}

/// Hashes numbers that count up. All keys of the table are ours, and a peer chooses only which of them stay, by not
/// answering: these are spread as well.
#[derive(Default)]
struct Counted(u64);

impl Hasher for Counted {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio, which is odd (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        // The low bits choose the place. Those of a product depend on the low bits of the number alone, so that every
        // 1,024th call would share one; the high bits depend on all.
        self.0 ^ (self.0 >> 32)
    }
}

#[derive(Debug)]
struct Call {
    state: State,
    waker: Option<Waker>,
    /// When a progress notification with this call's token came in last.
    progress: Option<Instant>,
    token: Option<Id>,
}

#[derive(Debug)]
enum State {
    Waiting,
    Answered(Response),
    Failed(Error),
}

impl Pending {
    /// Calls that wait.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Opens a call.
    pub(crate) fn open(&mut self, max: u32) -> Result<u64, Error> {
        if let Some(reason) = &self.closed {
            return Err(Error::closed(reason.clone()));
        }
        if self.calls.len() >= max as usize {
            return Err(Error::new(ErrorKind::Limit, "too many requests wait for their response"));
        }
        self.last += 1;
        let call = Call { state: State::Waiting, waker: None, progress: None, token: None };
        self.calls.insert(self.last, call);
        Ok(self.last)
    }

    /// Has progress with this token keep the call alive.
    pub(crate) fn watch(&mut self, call: u64, token: Id) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.token = Some(token);
        }
    }

    /// Whether any call wants to hear of progress.
    pub(crate) fn watches(&self) -> bool {
        self.calls.values().any(|call| call.token.is_some())
    }

    pub(crate) fn progress(&mut self, token: &Id, now: Instant) {
        for call in self.calls.values_mut().filter(|call| call.token.as_ref() == Some(token)) {
            call.progress = Some(now);
        }
    }

    pub(crate) fn last_progress(&self, call: u64) -> Option<Instant> {
        self.calls.get(&call)?.progress
    }

    /// Gives a response to whoever waits for it, or gives it back.
    pub(crate) fn answer(&mut self, response: Response) -> Result<Wake, Response> {
        match self.waiting(response.id().as_ref()) {
            Some(call) => Ok(call.settle(State::Answered(response))),
            None => Err(response),
        }
    }

    /// Tells whoever waits for this id that what came cannot be used; `None` if nobody does.
    pub(crate) fn fail(&mut self, malformed: &Malformed) -> Option<Wake> {
        Some(self.waiting(malformed.id())?.settle(State::Failed(malformed.clone().into())))
    }

    /// Tells whoever waits for this id that the request did not reach the peer; `None` if nobody does.
    pub(crate) fn undelivered(&mut self, id: &Id, error: Error) -> Option<Wake> {
        Some(self.waiting(Some(id))?.settle(State::Failed(error)))
    }

    fn waiting(&mut self, id: Option<&Id>) -> Option<&mut Call> {
        let call = u64::try_from(id?.as_i64()?).ok()?;
        self.calls.get_mut(&call).filter(|call| matches!(call.state, State::Waiting))
    }

    /// The outcome of a call, which it takes out of the table; also the waker that this one replaces, to be dropped
    /// outside the lock.
    pub(crate) fn poll(
        &mut self,
        call: u64,
        cx: &Context<'_>,
    ) -> (Poll<Result<Response, Error>>, Option<Waker>) {
        let absent = || Error::new(ErrorKind::Internal, "the call is not in the table");
        let Entry::Occupied(mut place) = self.calls.entry(call) else {
            return (Poll::Ready(Err(absent())), None);
        };
        if matches!(place.get().state, State::Waiting) {
            return match &self.closed {
                Some(reason) => (Poll::Ready(Err(Error::closed(reason.clone()))), None),
                None => (Poll::Pending, replace_waker(&mut place.get_mut().waker, cx)),
            };
        }
        let entry = place.remove();
        let outcome = match entry.state {
            State::Answered(response) => Ok(response),
            State::Failed(error) => Err(error),
            State::Waiting => Err(absent()),
        };
        (Poll::Ready(outcome), entry.waker)
    }

    /// Forgets a call. What is left of it is to be dropped outside the lock.
    pub(crate) fn abandon(&mut self, call: u64) -> Abandoned {
        let call = self.calls.remove(&call);
        if self.calls.is_empty() && self.calls.capacity() > KEEP_CALLS {
            self.calls = HashMap::default();
        }
        let waiting = call.as_ref().is_some_and(|call| matches!(call.state, State::Waiting));
        Abandoned { to_be_told: waiting && self.closed.is_none(), _call: call }
    }

    /// Ends every waiting call with this reason, and refuses new ones.
    pub(crate) fn close(&mut self, reason: &Arc<CloseReason>) -> Vec<Wake> {
        self.closed.get_or_insert_with(|| reason.clone());
        self.calls.values_mut().map(|call| Wake(call.waker.take())).collect()
    }
}

/// A call that was given up.
#[must_use]
pub(crate) struct Abandoned {
    /// Whether it was still waiting for a peer that may yet be told.
    pub(crate) to_be_told: bool,
    _call: Option<Call>,
}

impl Call {
    fn settle(&mut self, state: State) -> Wake {
        self.state = state;
        Wake(self.waker.take())
    }
}

/// Somebody to wake once the lock is free: what a waker runs is not ours to know.
#[must_use]
#[derive(Debug)]
pub(crate) struct Wake(pub(crate) Option<Waker>);

impl Wake {
    pub(crate) fn now(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    /// Whatever calls a peer leaves unanswered, they do not crowd in one place of the table.
    #[test]
    fn numbers_at_any_distance_are_spread() {
        let hasher = BuildHasherDefault::<Counted>::default();
        for distance in (0..32).map(|power| 1_u64 << power).chain([3, 1000, 1_000_003]) {
            let places: HashSet<u64> =
                (1..=1024).map(|call| hasher.hash_one(call * distance) & 2047).collect();
            // Chance would leave about 800 different ones.
            assert!(places.len() >= 400, "{} at a distance of {distance}", places.len());
        }
    }
}
