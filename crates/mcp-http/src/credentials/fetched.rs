//! A token that somebody fetches.

use std::fmt;
use std::future::{Future, ready};
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderValue;
use mcp_transport_core::{BoxFuture, Error};

use super::renewal::{Fetch, Renewal};
use super::{Credentials, Destination};
use crate::proto::Origin;
use crate::refused::HttpRefused;

/// A bearer token for one origin that is fetched when it is first needed, and again when it was refused with 401.
///
/// However many requests want it, it is fetched once, by a task that ends with this value. After a fetch there is none
/// for ten seconds ([`with_interval`](Self::with_interval)): until then a refusal stays one, and while there is no token
/// at all, the error of the last fetch is everybody's.
///
/// ```
/// use mcp_http::credentials::FetchedToken;
/// use mcp_http::proto::Origin;
///
/// let origin = Origin::parse(b"https://mcp.example.com")?;
/// let token = FetchedToken::new(origin, || async {
///     // Ask whoever knows.
///     Ok("mF_9.B5f-4.1JqM".to_owned())
/// });
/// # drop(token); Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FetchedToken {
    origin: Origin,
    fetch: Box<dyn Fn() -> Fetch + Send + Sync>,
    renewal: Renewal,
}

impl FetchedToken {
    /// What this says, for this origin: a token without a scheme before it.
    ///
    /// It has to come to an end by itself. Its errors are those of the requests that wait for it, and what is no bearer
    /// token of RFC 6750 is one of kind io.
    pub fn new<F>(origin: Origin, fetch: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, Error>> + Send + 'static,
    {
        Self { origin, fetch: Box::new(move || Box::pin(fetch())), renewal: Renewal::new() }
    }

    /// Sets how long nothing is fetched after a fetch. Default 10 s.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.renewal.interval = interval;
        self
    }
}

impl Credentials for FetchedToken {
    fn next<'a>(&'a self, destination: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        if *destination.origin != self.origin {
            return Box::pin(ready(Ok(None)));
        }
        Box::pin(async { self.renewal.next(&self.fetch).await.map(Some) })
    }

    fn refused<'a>(
        &'a self,
        destination: Destination<'a>,
        sent: Option<&'a HeaderValue>,
        refused: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        match sent {
            // Who lacks scope is not helped by the same token made anew.
            Some(sent)
                if *destination.origin == self.origin && refused.status() == StatusCode::UNAUTHORIZED =>
            {
                Box::pin(self.renewal.refused(sent, &self.fetch))
            }
            _ => Box::pin(ready(Ok(false))),
        }
    }
}

/// Whom it is for.
impl fmt::Debug for FetchedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedToken")
            .field("origin", &format_args!("{}", self.origin))
            .field("interval", &self.renewal.interval)
            .finish_non_exhaustive()
    }
}
