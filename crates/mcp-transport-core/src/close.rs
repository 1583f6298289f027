//! Why a connection ended.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a connection ended: one value, for every pending request, for the log and for the user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer ended its side.
    PeerClosed,
    /// This side closed, or let go of every handle.
    ClosedHere,
    /// The child process at the other end has exited.
    ChildExited(ProcessExit),
    /// Nothing happened for too long.
    Idle,
    /// A heartbeat was not answered in time.
    HeartbeatMissed,
    /// The peer broke the rules of the binding beyond repair; the text says which.
    Protocol(&'static str),
    /// A bound was reached that leaves no other way; the text says which.
    Limit(&'static str),
    /// The server does not know the session any more: whoever wants to go on connects again and begins with
    /// `initialize`.
    SessionExpired,
    /// The peer is not, or no longer, allowed.
    Auth(&'static str),
    /// Reading or writing failed.
    Io(Arc<io::Error>),
}

impl CloseReason {
    /// The word that a remote peer gets to see in `data.reason`; never one that a child wrote.
    pub fn wire_reason(&self) -> &'static str {
        match self {
            Self::ChildExited(_) => "child_exited",
            Self::ClosedHere => "shutting_down",
            Self::Idle | Self::HeartbeatMissed => "timeout",
            Self::Limit(_) => "overloaded",
            Self::PeerClosed | Self::SessionExpired | Self::Protocol(_) | Self::Auth(_) | Self::Io(_) => {
                "closed"
            }
        }
    }
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerClosed => f.write_str("the peer closed the connection"),
            Self::ClosedHere => f.write_str("the connection was closed here"),
            Self::ChildExited(exit) => write!(f, "the child {exit}"),
            Self::Idle => f.write_str("the connection was idle for too long"),
            Self::HeartbeatMissed => f.write_str("a heartbeat was not answered in time"),
            Self::Protocol(what) => write!(f, "the peer broke the protocol: {what}"),
            Self::Limit(what) => write!(f, "a limit was reached: {what}"),
            Self::SessionExpired => f.write_str("the server does not know the session any more"),
            Self::Auth(what) => write!(f, "not allowed: {what}"),
            Self::Io(error) => write!(f, "reading or writing failed: {error}"),
        }
    }
}

/// How a child process ended, and the last that it wrote to stderr.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessExit {
    /// The exit status, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The last lines of its stderr, oldest first; for the user and the log, never for the peer.
    pub stderr_tail: Vec<String>,
}

impl ProcessExit {
    /// An exit with its last words.
    pub fn new(code: Option<i32>, signal: Option<i32>, stderr_tail: Vec<String>) -> Self {
        Self { code, signal, stderr_tail }
    }
}

impl fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (_, Some(signal)) => write!(f, "was ended by signal {signal}"),
            (Some(code), None) => write!(f, "exited with status {code}"),
            (None, None) => f.write_str("exited"),
        }
    }
}

/// Status and counts; what the child wrote is its own business.
impl fmt::Debug for ProcessExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessExit")
            .field("code", &self.code)
            .field("signal", &self.signal)
            .field("stderr_lines", &self.stderr_tail.len())
            .finish()
    }
}
