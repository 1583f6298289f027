//! Who a client is, by the token that it brings.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use http::request::Parts;
use mcp_transport_core::{BoxFuture, Error, Principal};

use super::claims::Claims;
use super::jwks::{Jwks, misuse};
use super::options::JwtOptions;
use super::rejected::Rejected;
use super::token::Token;
use crate::auth::scope::is_scope;
use crate::auth::{Authenticate, Challenge, Presented, Resource, bearer_token};
use crate::reply::Refusal;

/// More would let in tokens that are long over.
const MAX_LEEWAY: Duration = Duration::from_secs(600);

/// Lets in whoever brings a token that an issuer has signed for this server.
///
/// The principal is `jwt:` and a JSON array of issuer, client and subject, with `null` for what a token does not say.
/// See the [module](super) for what is checked.
pub struct JwtAuthenticator {
    options: JwtOptions,
    keys: Jwks,
    challenge: Challenge,
}

/// Why a token lets nobody in.
enum Denied {
    Rejected(Rejected),
    /// The token is good, and not for this.
    Scopes,
    /// There are no keys, and none before this time.
    NoKeys(Duration),
}

impl From<Rejected> for Denied {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl JwtAuthenticator {
    /// An authenticator for the tokens of one issuer, whose keys these are. Challenges are bare until they are given a
    /// [resource](Self::with_resource).
    ///
    /// # Errors
    ///
    /// Misuse: the issuer or an audience is empty, no algorithm is allowed, the leeway is more than 10 minutes, or a
    /// required scope is none of RFC 6749 3.3.
    pub fn new(options: JwtOptions, keys: Jwks) -> Result<Self, Error> {
        if options.issuer.is_empty() || options.audiences.iter().any(|audience| audience.is_empty()) {
            return Err(misuse("tokens need an issuer and an audience"));
        }
        if options.algorithms.is_empty() {
            return Err(misuse("tokens need at least one algorithm that is allowed"));
        }
        if options.leeway > MAX_LEEWAY {
            return Err(misuse("clocks are at most 10 minutes apart"));
        }
        if !options.scopes.iter().all(|scope| is_scope(scope)) {
            return Err(misuse("a scope is visible ASCII without spaces, quotes and backslashes"));
        }
        let challenge = challenge(&options, None);
        Ok(Self { options, keys, challenge })
    }

    /// Says in every challenge where the metadata of this resource is, and which scopes it has, unless there are
    /// [required](JwtOptions::with_required_scopes) ones, which are named instead.
    #[must_use]
    pub fn with_resource(mut self, resource: &Resource) -> Self {
        self.challenge = challenge(&self.options, Some(resource));
        self
    }

    /// The keys, which it shares.
    pub fn keys(&self) -> &Jwks {
        &self.keys
    }

    async fn check(&self, text: &str) -> Result<Principal, Denied> {
        let token = Token::parse(text, &self.options.algorithms)?;
        let id = token.key_id.as_deref();
        let keys = self.keys.for_key(id, token.algorithm).await.map_err(Denied::NoKeys)?;
        keys.check(id, token.algorithm, token.signed, &token.signature)?;
        let claims = Claims::parse(&token.payload()?)?;
        claims.check(&self.options, (self.options.clock)())?;
        let principal = claims.principal(&self.options)?;
        if claims.has_scopes(&self.options) { Ok(principal) } else { Err(Denied::Scopes) }
    }

    fn refusal(&self, denied: Denied) -> Refusal {
        match denied {
            Denied::Rejected(rejected) => {
                tracing::debug!(target: "mcp.http", reason = rejected.reason(), "token refused");
                self.challenge.invalid()
            }
            Denied::Scopes => {
                tracing::debug!(target: "mcp.http", reason = "the token lacks a scope", "token refused");
                self.challenge.insufficient_scope(&self.options.scopes)
            }
            Denied::NoKeys(pause) => {
                let seconds = pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0)).max(1);
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "tokens cannot be checked just now\n")
                    .with_header(RETRY_AFTER, HeaderValue::from(seconds))
            }
        }
    }
}

fn challenge(options: &JwtOptions, resource: Option<&Resource>) -> Challenge {
    let challenge = Challenge::of(resource);
    if options.scopes.is_empty() { challenge } else { challenge.with_scopes(&options.scopes) }
}

impl Authenticate for JwtAuthenticator {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        Box::pin(async move {
            match bearer_token(parts) {
                Err(_) => Err(self.challenge.malformed()),
                Ok(None) => Err(self.challenge.missing()),
                Ok(Some(token)) => self.check(token).await.map(Some).map_err(|denied| self.refusal(denied)),
            }
        })
    }

    fn finds(&self, parts: &Parts) -> Presented {
        Presented::bearer(parts)
    }
}

impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator")
            .field("options", &self.options)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
