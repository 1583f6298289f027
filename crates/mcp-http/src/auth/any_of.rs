//! Several ways to say who one is.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use mcp_transport_core::{BoxFuture, Principal};

use super::{Authenticate, Presented};
use crate::reply::Refusal;

/// Authenticators, of which each client needs to satisfy one.
///
/// Which of them are asked depends on what a request has, and never on how the asking goes:
///
/// | the request has | asked are | the answer |
/// |---|---|---|
/// | credentials for some of them | the first that finds any, and all others that find the same kind | the first principal; else a refusal, that of the first whose status is not 401 before others |
/// | credentials for none | all, in their order | the first that lets it pass; else a refusal, with the challenges of all |
///
/// So a token that is not accepted is never made up for by a certificate further down the list, nor by an authenticator
/// that lets unknown clients pass; and a token of one issuer may stand beside a list of fixed ones. A list is an
/// authenticator itself, of the kind of credentials that decides in it.
///
/// ```
/// # use http::request::Parts;
/// # use mcp_http::{Authenticate, Refusal};
/// # use mcp_transport_core::{BoxFuture, Principal};
/// # fn either(bearer: impl Authenticate + 'static, certificate: impl Authenticate + 'static) {
/// use std::sync::Arc;
/// use mcp_http::{AnyOf, RouterOptions};
///
/// let either = AnyOf::new(Arc::new(bearer)).or(Arc::new(certificate));
/// let options = RouterOptions::default().authenticate(Arc::new(either));
/// # }
/// ```
#[derive(Clone)]
pub struct AnyOf {
    /// Never empty.
    all: Vec<Arc<dyn Authenticate>>,
}

impl AnyOf {
    /// One.
    pub fn new(first: Arc<dyn Authenticate>) -> Self {
        Self { all: vec![first] }
    }

    /// One more, which comes after the others.
    #[must_use]
    pub fn or(mut self, next: Arc<dyn Authenticate>) -> Self {
        self.all.push(next);
        self
    }

    async fn judge(&self, parts: &Parts) -> Result<Option<Principal>, Refusal> {
        let mut refused: Option<Refusal> = None;
        match self.finds(parts) {
            Presented::None => {
                for one in &self.all {
                    match one.authenticate(parts).await {
                        Ok(passed) => return Ok(passed),
                        Err(refusal) => refused = Some(asks_for_more(refused, refusal)),
                    }
                }
            }
            kind => {
                let same = self.all.iter().filter(|one| one.finds(parts) == kind);
                // What is somebody's own is nobody else's.
                let most = if kind == Presented::Own { 1 } else { self.all.len() };
                for one in same.take(most) {
                    match one.authenticate(parts).await {
                        Ok(Some(principal)) => return Ok(Some(principal)),
                        // It does not know them, which is no leave for the others to be ignored.
                        Ok(None) => {}
                        Err(refusal) => refused = Some(knows_better(refused, refusal)),
                    }
                }
            }
        }
        refused.map_or(Ok(None), Err)
    }
}

impl Authenticate for AnyOf {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        Box::pin(self.judge(parts))
    }

    fn finds(&self, parts: &Parts) -> Presented {
        let kinds = self.all.iter().map(|one| one.finds(parts));
        kinds.into_iter().find(|kind| *kind != Presented::None).unwrap_or(Presented::None)
    }
}

/// Of two that have no credentials to judge: one that says how to get some, with what the other one says.
fn asks_for_more(before: Option<Refusal>, now: Refusal) -> Refusal {
    let Some(before) = before else { return now };
    let asks = |refusal: &Refusal| refusal.status() == StatusCode::UNAUTHORIZED;
    if asks(&now) && !asks(&before) { with_challenges(now, &before) } else { with_challenges(before, &now) }
}

/// Of two that have judged the same credentials: one that knew them, and says no for another reason.
fn knows_better(before: Option<Refusal>, now: Refusal) -> Refusal {
    let Some(before) = before else { return now };
    let knew = |refusal: &Refusal| refusal.status() != StatusCode::UNAUTHORIZED;
    match (knew(&before), knew(&now)) {
        (false, true) => now,
        (false, false) => with_challenges(before, &now),
        (true, _) => before,
    }
}

/// RFC 9110 11.6.1: an answer may have several challenges, of which a client takes one that it understands.
fn with_challenges(refusal: Refusal, of: &Refusal) -> Refusal {
    let more = of.challenges().filter(|value| !refusal.challenges().any(|known| known == *value));
    let more: Vec<_> = more.cloned().collect();
    more.into_iter().fold(refusal, |refusal, value| refusal.with_header(WWW_AUTHENTICATE, value))
}

impl fmt::Debug for AnyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyOf").field("all", &self.all.len()).finish()
    }
}
