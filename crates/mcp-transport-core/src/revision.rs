//! Revisions of the protocol, and the two eras that they fall into.

use std::fmt;
use std::str::FromStr;

/// A published revision of the Model Context Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Revision {
    /// 2024-10-07, the forerunner that old peers still name.
    V2024_10_07,
    /// 2024-11-05: stdio and HTTP+SSE.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP with sessions, and batches.
    V2025_03_26,
    /// 2025-06-18: no batches any more; `MCP-Protocol-Version` on every request.
    V2025_06_18,
    /// 2025-11-25: polling streams.
    V2025_11_25,
    /// 2026-07-28: no sessions, metadata in every request.
    V2026_07_28,
}

/// Two ways in which revisions work, chosen once and never mixed.
///
/// They disagree where it matters: a closed response stream is no cancellation in the legacy era, where it can be
/// resumed, and is one in the modern era.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Up to 2025-11-25: `initialize` opens a session.
    Legacy,
    /// From 2026-07-28: each request stands alone.
    Modern,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 6] = [
        Self::V2024_10_07,
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];
    /// The newest one that opens with `initialize`.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// The newest one.
    pub const LATEST: Self = Self::V2026_07_28;

    /// The date by which it is named on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_10_07 => "2024-10-07",
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Its era.
    pub fn era(self) -> Era {
        if self < Self::V2026_07_28 { Era::Legacy } else { Era::Modern }
    }

    /// Whether receivers accept batches: 2025-03-26 only.
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A date that names no known revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known revision of the protocol")]
pub struct UnknownRevision;

impl FromStr for Revision {
    type Err = UnknownRevision;

    fn from_str(text: &str) -> Result<Self, UnknownRevision> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text).ok_or(UnknownRevision)
    }
}
