//! How many requests are too many.

#[cfg(feature = "rate-limit")]
mod buckets;
#[cfg(feature = "rate-limit")]
mod limits;
#[cfg(feature = "rate-limit")]
mod options;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use mcp_transport_core::Principal;

use crate::reply::Refusal;
#[cfg(feature = "rate-limit")]
pub use limits::RateLimits;
#[cfg(feature = "rate-limit")]
pub use options::{Rate, Rates};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spent<'a> {
    /// A request, before it is known whose it is.
    Request {
        /// Where it comes from, if that is known.
        address: Option<IpAddr>,
    },
    /// A request that was answered with 401.
    Unauthenticated {
        /// Where it came from, if that is known.
        address: Option<IpAddr>,
    },
    /// A request of somebody who is known.
    Principal(&'a Principal),
    /// A request of a session, which is known to be its client's.
    Session(&'a str),
    /// A session that is about to be opened.
    Opening {
        /// For which address, if that is known.
        address: Option<IpAddr>,
        /// For whom, if that is known.
        principal: Option<&'a Principal>,
    },
}

/// Without the session, whose id lets its owner in.
impl fmt::Debug for Spent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request { .. } => "Request",
            Self::Unauthenticated { .. } => "Unauthenticated",
            Self::Principal(_) => "Principal",
            Self::Session(_) => "Session",
            Self::Opening { .. } => "Opening",
        })
    }
}

/// Says how many requests are too many, and when there may be more.
///
/// It is asked on every request, up to four times, and never waits. Its tables are bounded: addresses and sessions are
/// what anybody can have many of.
pub trait RateLimit: Send + Sync {
    /// Takes one.
    ///
    /// # Errors
    ///
    /// How long to wait for the next one, when there is none left. The request is answered with 429, and the time, in
    /// whole seconds and at least one, is its `Retry-After`.
    fn take(&self, what: Spent<'_>) -> Result<(), Duration>;
}

/// # Spec
///
/// RFC 6585 4; RFC 9110 10.2.3.
pub(crate) fn spend(rate: Option<&dyn RateLimit>, what: Spent<'_>) -> Result<(), Refusal> {
    let Some(Err(wait)) = rate.map(|rate| rate.take(what)) else { return Ok(()) };
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many requests (--rate)\n");
    Err(refusal.with_header(RETRY_AFTER, HeaderValue::from(seconds)))
}
