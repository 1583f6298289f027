//! The revision that a legacy request names.

use http::HeaderMap;
use mcp_transport_core::{Era, Revision};

use super::mirror::PROTOCOL_VERSION;

/// Why `MCP-Protocol-Version` of a legacy request cannot be taken; each is answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionProblem {
    /// It stands there more than once.
    #[error("more than one MCP-Protocol-Version header")]
    Several,
    /// It names no revision of the legacy era.
    #[error("MCP-Protocol-Version is not supported")]
    Unsupported,
}

/// The revision in `MCP-Protocol-Version`; `None` without the header, and then it is 2025-03-26 unless the session knows
/// better.
///
/// 2024-10-07 and 2024-11-05 are taken too: clients negotiate them over this transport.
///
/// # Errors
///
/// [`VersionProblem`].
///
/// # Spec
///
/// MCP 2025-06-18, transports, Protocol Version Header.
pub fn legacy_revision(headers: &HeaderMap) -> Result<Option<Revision>, VersionProblem> {
    let mut values = headers.get_all(&PROTOCOL_VERSION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(VersionProblem::Several);
    }
    let revision = value.to_str().ok().and_then(|text| text.parse::<Revision>().ok());
    match revision.filter(|revision| revision.era() == Era::Legacy) {
        Some(revision) => Ok(Some(revision)),
        None => Err(VersionProblem::Unsupported),
    }
}
