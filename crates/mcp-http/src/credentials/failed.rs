//! Credentials that could not be had.

use std::fmt;

use mcp_transport_core::Error;

/// Why the credentials of a client could not be had, as the source of the [`Error`] of a request that was not sent for
/// want of them. The error has the same kind.
#[derive(Clone)]
pub struct CredentialsFailed(Error);

impl CredentialsFailed {
    /// The failure behind an error, if one is.
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// What the credentials say.
    pub fn error(&self) -> &Error {
        &self.0
    }

    pub(super) fn into_error(why: Error) -> Error {
        Error::new(why.kind(), "the credentials for the server cannot be had").with_source(Self(why))
    }
}

impl fmt::Display for CredentialsFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CredentialsFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CredentialsFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
