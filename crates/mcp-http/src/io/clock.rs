//! What a connection is doing, and how long it may.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_transport_core::CloseReason;
use tokio::time::Instant;

use super::ServerOptions;

/// Why a connection was ended by this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// No byte came.
    NoFirstByte,
    /// The head of a request took too long.
    SlowHead,
    /// No further request came.
    Idle,
    /// A write made no progress: the peer does not read.
    WriteStalled,
    /// The server was shut down and did not wait any longer.
    Cut,
}

impl ConnectionEnd {
    /// The same as a reason for the end of what ran over the connection.
    pub fn close_reason(self) -> CloseReason {
        match self {
            Self::NoFirstByte | Self::SlowHead | Self::Idle => CloseReason::Idle,
            Self::WriteStalled => CloseReason::Limit("the peer does not read"),
            Self::Cut => CloseReason::ClosedHere,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::NoFirstByte => "no first byte",
            Self::SlowHead => "slow head",
            Self::Idle => "idle",
            Self::WriteStalled => "write stalled",
            Self::Cut => "cut",
        }
    }
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connection of a server of ours, as its requests see it.
///
/// What a stream keeps of it tells, when the stream is dropped, why.
#[derive(Clone)]
pub struct ConnectionHandle(Arc<Mutex<Clock>>);

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
}

/// A request that is at work.
pub(crate) struct Flight(Option<ConnectionHandle>);

impl Flight {
    /// It goes on elsewhere, until the connection ends.
    pub(crate) fn goes_on(&mut self) {
        self.0 = None;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.reply_done();
        }
    }
}

/// How long each thing may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) first_byte: Duration,
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) write_stall: Duration,
    pub(crate) linger: Duration,
}

impl From<&ServerOptions> for Clocks {
    fn from(options: &ServerOptions) -> Self {
        Self {
            first_byte: options.first_byte,
            head: options.head,
            idle: options.idle,
            write_stall: options.write_stall,
            // Long enough for an answer to cross the world, short enough to be no hold on the connections.
            linger: Duration::from_secs(1),
        }
    }
}

/// ```text
///  First ──byte──▶ Head ──request──▶ Busy ──reply written──▶ Idle
///                   ▲                                          │
///                   └──────────────────byte────────────────────┘
///  any ──our side shut──▶ Linger
/// ```
///
/// In HTTP/2 there is no Head: bytes come for many reasons, and what is not yet a request is Idle. Busy is while any
/// request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    First,
    Head,
    Busy,
    Idle,
    Linger,
}

struct Clock {
    phase: Phase,
    since: Instant,
    blocked: Option<Instant>,
    end: Option<ConnectionEnd>,
    protocol: Protocol,
    /// Requests whose reply is not done.
    requests: u32,
    #[cfg(feature = "http2")]
    replies: u64,
    /// Replies of HTTP/2 that their reader has no window for, and since when; as many as there are requests, at most.
    stalled: Vec<(u64, Instant)>,
}

impl ConnectionHandle {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self(Arc::new(Mutex::new(Clock {
            phase: Phase::First,
            since: Instant::now(),
            blocked: None,
            end: None,
            protocol,
            requests: 0,
            #[cfg(feature = "http2")]
            replies: 0,
            stalled: Vec::new(),
        })))
    }

    /// Why this side ended the connection; `None` while it lives, and when the peer ended it.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.lock().end
    }

    pub(crate) fn ended(&self, end: ConnectionEnd) {
        self.lock().end.get_or_insert(end);
    }

    pub(crate) fn bytes_came(&self) {
        let mut clock = self.lock();
        match (clock.phase, clock.protocol) {
            (Phase::First | Phase::Idle, Protocol::Http1) => clock.enter(Phase::Head),
            #[cfg(feature = "http2")]
            (Phase::First, Protocol::Http2) => clock.enter(Phase::Idle),
            _ => {}
        }
    }

    /// A request came; it is at work until what is returned is dropped.
    pub(crate) fn request_came(&self) -> Flight {
        let mut clock = self.lock();
        clock.requests += 1;
        clock.enter(Phase::Busy);
        Flight(Some(self.clone()))
    }

    fn reply_done(&self) {
        let mut clock = self.lock();
        clock.requests = clock.requests.saturating_sub(1);
        if clock.requests == 0 && clock.phase != Phase::Linger {
            clock.enter(Phase::Idle);
        }
    }

    /// A number for a reply.
    #[cfg(feature = "http2")]
    pub(crate) fn next_reply(&self) -> u64 {
        let mut clock = self.lock();
        clock.replies += 1;
        clock.replies
    }

    /// A part of a reply was handed over, and the next is not asked for until there is room for it.
    #[cfg(feature = "http2")]
    pub(crate) fn waits_for_window(&self, reply: u64) {
        let mut clock = self.lock();
        clock.stalled.push((reply, Instant::now()));
    }

    /// There is room, or the reply is over.
    #[cfg(feature = "http2")]
    pub(crate) fn has_window(&self, reply: u64) {
        self.lock().stalled.retain(|(stalled, _)| *stalled != reply);
    }

    pub(crate) fn lingers(&self) {
        self.lock().enter(Phase::Linger);
    }

    pub(crate) fn write_blocked(&self) {
        self.lock().blocked.get_or_insert_with(Instant::now);
    }

    pub(crate) fn is_write_blocked(&self) -> bool {
        self.lock().blocked.is_some()
    }

    pub(crate) fn write_moved(&self) {
        self.lock().blocked = None;
    }

    /// When something takes too long, if nothing happens until then, and what it is called.
    pub(crate) fn deadline(&self, clocks: &Clocks) -> Option<(Instant, Option<ConnectionEnd>)> {
        let clock = self.lock();
        let reading = match clock.phase {
            Phase::First => Some((clock.since + clocks.first_byte, Some(ConnectionEnd::NoFirstByte))),
            Phase::Head => Some((clock.since + clocks.head, Some(ConnectionEnd::SlowHead))),
            Phase::Idle => Some((clock.since + clocks.idle, Some(ConnectionEnd::Idle))),
            Phase::Linger => Some((clock.since + clocks.linger, None)),
            Phase::Busy => None,
        };
        // In the order in which they began.
        let stalled = clock.stalled.first().map(|(_, since)| *since);
        let blocked = clock.blocked.into_iter().chain(stalled).min();
        let writing = blocked.map(|since| (since + clocks.write_stall, Some(ConnectionEnd::WriteStalled)));
        match (reading, writing) {
            (Some(reading), Some(writing)) => Some(if writing.0 <= reading.0 { writing } else { reading }),
            (reading, writing) => reading.or(writing),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Clock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle").field("end", &self.end()).finish_non_exhaustive()
    }
}
