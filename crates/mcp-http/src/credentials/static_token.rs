//! A token that stays the same.

use std::fmt;
use std::future::ready;

use http::header::HeaderValue;
use mcp_transport_core::{BoxFuture, Error, ErrorKind};

use super::bearer::bearer;
use super::{Credentials, Destination};
use crate::proto::Origin;
use crate::refused::HttpRefused;

/// A bearer token for one origin, for as long as it is good: there is no other when it is refused.
pub struct StaticToken {
    origin: Origin,
    value: HeaderValue,
}

impl StaticToken {
    /// This token, without a scheme before it, for this origin.
    ///
    /// # Errors
    ///
    /// Misuse, when it is empty, longer than [`MAX_TOKEN`](super::MAX_TOKEN), or no bearer token of RFC 6750.
    pub fn new(origin: Origin, token: &str) -> Result<Self, Error> {
        let value =
            bearer(token).ok_or_else(|| Error::new(ErrorKind::Misuse, "the token is no bearer token"))?;
        Ok(Self { origin, value })
    }
}

impl Credentials for StaticToken {
    fn next<'a>(&'a self, destination: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        let value = (*destination.origin == self.origin).then(|| self.value.clone());
        Box::pin(ready(Ok(value)))
    }

    fn refused<'a>(
        &'a self,
        _: Destination<'a>,
        _: Option<&'a HeaderValue>,
        _: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(ready(Ok(false)))
    }
}

/// Whom it is for.
impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticToken")
            .field("origin", &format_args!("{}", self.origin))
            .finish_non_exhaustive()
    }
}
