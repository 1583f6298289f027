//! How a connection is doing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::time::{Duration, Instant};

/// A look at a connection, taken at one moment; the numbers need not agree with each other to the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Where the connection is in its life.
    pub state: State,
    /// How long ago a message came in; `None` before the first.
    pub since_received: Option<Duration>,
    /// How long ago a message went out; `None` before the first.
    pub since_sent: Option<Duration>,
    /// Messages received, malformed input included.
    pub received: u64,
    /// Messages handed to the wire.
    pub sent: u64,
    /// Requests of the peer that are being handled.
    pub in_flight: u32,
    /// Requests of ours that wait for their response.
    pub pending: usize,
    /// Messages that wait to be written.
    pub outbound_depth: usize,
    /// Bytes that wait to be written, as far as they count against the bound.
    pub outbound_bytes: usize,
    /// Inputs that were no message.
    pub malformed: u64,
    /// Requests of the peer that were refused: too many were in flight, or the connection was ending.
    pub refused: u64,
    /// Responses that nobody waits for: unknown, late or second ones.
    pub unmatched: u64,
    /// Messages that were given up: nobody receives them, or their connection ended first.
    pub dropped: u64,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Both directions work.
    Open,
    /// Nothing new is accepted; what was accepted is being finished.
    Draining,
    /// It has ended.
    Closed,
}

/// Counters that only grow.
#[derive(Debug)]
pub(crate) struct Counters {
    born: Instant,
    /// Milliseconds since birth, plus one; 0 is never.
    received_at: AtomicU64,
    sent_at: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unmatched: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            born: Instant::now(),
            received_at: zero(),
            sent_at: zero(),
            received: zero(),
            sent: zero(),
            malformed: zero(),
            refused: zero(),
            unmatched: zero(),
            dropped: zero(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Something came in just now.
    pub(crate) fn stamp_received(&self) {
        self.received_at.store(self.now(), Relaxed);
    }

    /// Something went out just now.
    pub(crate) fn stamp_sent(&self) {
        self.sent_at.store(self.now(), Relaxed);
    }

    fn since(&self, at: &AtomicU64) -> Option<Duration> {
        match at.load(Relaxed) {
            0 => None,
            at => Some(Duration::from_millis(self.now().saturating_sub(at))),
        }
    }

    pub(crate) fn since_received(&self) -> Option<Duration> {
        self.since(&self.received_at)
    }

    pub(crate) fn since_sent(&self) -> Option<Duration> {
        self.since(&self.sent_at)
    }
}

/// Adds one to a counter.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Reads a counter.
pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
