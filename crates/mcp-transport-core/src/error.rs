//! The error of all transports.

use std::fmt;
use std::io;
use std::sync::Arc;

use mcp_jsonrpc::{EncodeError, Malformed};

use crate::CloseReason;

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection has ended; [`Error::close_reason`] says why. Dial again.
    Closed,
    /// Reading, writing or starting something failed.
    Io,
    /// The peer sent what cannot be used.
    Peer,
    /// A bound of this side was reached.
    Limit,
    /// It took too long.
    Timeout,
    /// The peer, or a rule of this side, says no; trying again as before changes nothing.
    Refused,
    /// The call makes no sense as it was made.
    Misuse,
    /// A fault of this library.
    Internal,
}

/// What went wrong, opaque: [`Error::kind`] says who has to act, `Display` says what happened at this level, and
/// `source()` has the rest.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    what: Arc<str>,
    source: Option<Source>,
}

#[derive(Clone)]
enum Source {
    Close(Arc<CloseReason>),
    Io(Arc<io::Error>),
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An error of a kind, with a sentence that quotes nothing of a message.
    pub fn new(kind: ErrorKind, what: impl Into<Arc<str>>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    /// The same error with a cause behind it.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Source::Other(Arc::new(source)));
        self
    }

    /// The connection has ended.
    pub fn closed(reason: Arc<CloseReason>) -> Self {
        Self { kind: ErrorKind::Closed, what: reason.to_string().into(), source: Some(Source::Close(reason)) }
    }

    /// Something of the system failed.
    pub fn io(what: impl Into<Arc<str>>, error: io::Error) -> Self {
        Self { kind: ErrorKind::Io, what: what.into(), source: Some(Source::Io(Arc::new(error))) }
    }

    /// Who has to act.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Why the connection ended, if that is what happened.
    pub fn close_reason(&self) -> Option<&CloseReason> {
        match &self.source {
            Some(Source::Close(reason)) => Some(reason),
            _ => None,
        }
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.kind == ErrorKind::Closed
    }

    /// Whether it took too long.
    pub fn is_timeout(&self) -> bool {
        self.kind == ErrorKind::Timeout
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {})", self.kind, self.what)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.source.as_ref()? {
            // `Display` has said it already.
            Source::Close(reason) => match &**reason {
                CloseReason::Io(error) => Some(&**error),
                _ => None,
            },
            Source::Io(error) => Some(&**error),
            Source::Other(error) => Some(&**error),
        }
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::new(ErrorKind::Misuse, "the value cannot be put into a message").with_source(error)
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        let kind = match malformed.fault() {
            mcp_jsonrpc::Fault::TooLarge => ErrorKind::Limit,
            _ => ErrorKind::Peer,
        };
        Self::new(kind, format!("the response cannot be used: {}", malformed.fault())).with_source(malformed)
    }
}
