//! What a connection is doing, and how long it may.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_transport_core::{CloseReason, FOREVER};
use tokio::time::Instant;

use super::ServerOptions;

/// Why a connection, or one stream of it, was ended by this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// No byte came.
    NoFirstByte,
    /// The head of a request took too long.
    SlowHead,
    /// No further request came.
    Idle,
    /// A write made no progress: the peer does not read. In HTTP/2 it may be that only this stream was ended.
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

/// A connection of a server of ours, as its requests see it: [`Arrived::connection`](crate::Arrived::connection).
///
/// What a stream keeps of it tells, when the stream is dropped, why.
#[derive(Clone)]
pub struct ConnectionHandle {
    clock: Arc<Mutex<Clock>>,
    /// The stream that the request came on.
    #[cfg(feature = "http2")]
    stream: Option<super::StreamClock>,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// One request at a time.
    Http1,
    /// Many at once, each on a stream of its own.
    #[cfg(feature = "http2")]
    Http2,
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
            first_byte: options.first_byte.min(FOREVER),
            head: options.head.min(FOREVER),
            idle: options.idle.min(FOREVER),
            write_stall: options.write_stall.min(FOREVER),
            // Long enough for an answer to cross the world, short enough to be no hold on the connections.
            linger: Duration::from_secs(1),
        }
    }
}

/// HTTP/1.1:
///
/// ```text
///  First ──byte──▶ Head ──request──▶ Busy ──reply written──▶ Idle
///                   ▲                                          │
///                   └──────────────────byte────────────────────┘
///  any ──our side shut──▶ Linger
/// ```
///
/// HTTP/2, where bytes are not requests: a PING keeps nothing alive.
///
/// ```text
///  First ──byte──▶ Idle ──request──▶ Busy ──last reply handed over──▶ Idle
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    First,
    Head,
    Busy,
    Idle,
    Linger,
}

struct Clock {
    protocol: Protocol,
    phase: Phase,
    /// When it began; `None` until somebody asks for its end, which the connection does before it goes to sleep. So a
    /// phase that nobody waits in needs no look at the clock.
    since: Option<Instant>,
    blocked: Option<Instant>,
    end: Option<ConnectionEnd>,
}

impl ConnectionHandle {
    pub(crate) fn new() -> Self {
        let clock =
            Clock { protocol: Protocol::Http1, phase: Phase::First, since: None, blocked: None, end: None };
        Self {
            clock: Arc::new(Mutex::new(clock)),
            #[cfg(feature = "http2")]
            stream: None,
        }
    }

    /// The same connection, as the requests of one stream see it.
    #[cfg(feature = "http2")]
    pub(crate) fn of_stream(&self, stream: super::StreamClock) -> Self {
        Self { clock: self.clock.clone(), stream: Some(stream) }
    }

    /// Why this side ended the connection, or, in HTTP/2, the stream; `None` while it lives, and when the peer ended it
    /// or is gone.
    pub fn end(&self) -> Option<ConnectionEnd> {
        let end = self.lock().end;
        #[cfg(feature = "http2")]
        let end = end.or_else(|| self.stream.as_ref()?.end());
        end
    }

    pub(crate) fn ended(&self, end: ConnectionEnd) {
        self.lock().end.get_or_insert(end);
    }

    /// From now on this is spoken, and nothing of it has come yet: what came before was the handshake.
    #[cfg(feature = "tls")]
    pub(crate) fn speaks(&self, protocol: Protocol) {
        let mut clock = self.lock();
        clock.protocol = protocol;
        clock.enter(Phase::First);
    }

    pub(crate) fn bytes_came(&self) {
        let mut clock = self.lock();
        match (clock.protocol, clock.phase) {
            (Protocol::Http1, Phase::First | Phase::Idle) => clock.enter(Phase::Head),
            #[cfg(feature = "http2")]
            (Protocol::Http2, Phase::First) => clock.enter(Phase::Idle),
            _ => {}
        }
    }

    pub(crate) fn request_came(&self) {
        self.lock().enter(Phase::Busy);
    }

    /// No request is left.
    pub(crate) fn reply_done(&self) {
        let mut clock = self.lock();
        if clock.phase == Phase::Busy {
            clock.enter(Phase::Idle);
        }
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
        let mut clock = self.lock();
        let was_blocked = clock.blocked.take().is_some();
        // The rest of a reply that hyper holds already: its reader is slow, and not idle. HTTP/2 hands over only the last
        // frames so early, and writes for other reasons too.
        if was_blocked && (clock.protocol, clock.phase) == (Protocol::Http1, Phase::Idle) {
            clock.enter(Phase::Idle);
        }
    }

    /// When something takes too long, if nothing happens until then, and what it is called.
    pub(crate) fn deadline(&self, clocks: &Clocks) -> Option<(Instant, Option<ConnectionEnd>)> {
        let mut clock = self.lock();
        let allowed = match clock.phase {
            Phase::First => Some((clocks.first_byte, Some(ConnectionEnd::NoFirstByte))),
            Phase::Head => Some((clocks.head, Some(ConnectionEnd::SlowHead))),
            Phase::Idle => Some((clocks.idle, Some(ConnectionEnd::Idle))),
            Phase::Linger => Some((clocks.linger, None)),
            Phase::Busy => None,
        };
        let reading = allowed.map(|(time, end)| (*clock.since.get_or_insert_with(Instant::now) + time, end));
        let writing =
            clock.blocked.map(|blocked| (blocked + clocks.write_stall, Some(ConnectionEnd::WriteStalled)));
        match (reading, writing) {
            (Some(reading), Some(writing)) => Some(if writing.0 <= reading.0 { writing } else { reading }),
            (reading, writing) => reading.or(writing),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = None;
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle").field("end", &self.end()).finish_non_exhaustive()
    }
}
