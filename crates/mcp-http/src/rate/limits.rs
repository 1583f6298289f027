//! The rate limits of a server.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use mcp_transport_core::Principal;

use super::buckets::Buckets;
use super::{Rate, RateLimit, Rates, Spent};
use crate::io::counted;

/// Buckets for addresses, principals, sessions, openings and failures, in tables that have a bound.
///
/// ```
/// use std::sync::Arc;
/// use mcp_http::{RateLimits, Rates, RouterOptions};
/// let options = RouterOptions::default().rate_limit(Arc::new(RateLimits::new(Rates::default())));
/// ```
///
/// A request that is refused takes nothing from the bucket that refused it.
/// Loopback has no buckets of its own, because a proxy there may stand for everybody, and neither has what comes from an
/// address that nobody knows, in a router that is mounted elsewhere without [`PeerAddr`](crate::PeerAddr): principals
/// and sessions are counted all the same.
///
/// Buckets live in this process, and are full when it starts. They go by tokio's clock.
pub struct RateLimits {
    addresses: Option<Buckets>,
    principals: Option<Buckets>,
    sessions: Option<Buckets>,
    openings: Option<Buckets>,
    failures: Option<Buckets>,
}

/// Who opens sessions.
#[derive(Hash)]
enum Opener<'a> {
    Principal(&'a Principal),
    Address(IpAddr),
}

impl RateLimits {
    /// Full buckets.
    pub fn new(rates: Rates) -> Self {
        let buckets = |rate: Option<Rate>| rate.map(|rate| Buckets::new(rate, rates.max_keys));
        Self {
            addresses: buckets(rates.address),
            principals: buckets(rates.principal),
            sessions: buckets(rates.session),
            openings: buckets(rates.opening),
            failures: buckets(rates.failures),
        }
    }
}

impl RateLimit for RateLimits {
    fn take(&self, what: Spent<'_>) -> Result<(), Duration> {
        match what {
            Spent::Request { address } => {
                let Some(address) = own_bucket(address) else { return Ok(()) };
                // First: who guesses is refused whatever is left to it.
                self.failures.as_ref().map_or(Ok(()), |buckets| buckets.look(address))?;
                self.addresses.as_ref().map_or(Ok(()), |buckets| buckets.take(address))
            }
            Spent::Unauthenticated { address } => match (&self.failures, own_bucket(address)) {
                (Some(buckets), Some(address)) => buckets.take(address),
                _ => Ok(()),
            },
            Spent::Principal(principal) => {
                self.principals.as_ref().map_or(Ok(()), |buckets| buckets.take(principal))
            }
            Spent::Session(id) => self.sessions.as_ref().map_or(Ok(()), |buckets| buckets.take(id)),
            Spent::Opening { address, principal } => {
                let address = || own_bucket(address).map(Opener::Address);
                match (&self.openings, principal.map(Opener::Principal).or_else(address)) {
                    (Some(buckets), Some(opener)) => buckets.take(opener),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// The address that a bucket is for, if there is one for it.
fn own_bucket(address: Option<IpAddr>) -> Option<IpAddr> {
    address.map(counted).filter(|address| !address.is_loopback())
}

/// Which there are, never whose.
impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits")
            .field("addresses", &self.addresses)
            .field("principals", &self.principals)
            .field("sessions", &self.sessions)
            .field("openings", &self.openings)
            .field("failures", &self.failures)
            .finish()
    }
}
