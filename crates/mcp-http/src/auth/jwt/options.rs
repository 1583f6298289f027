//! Which tokens are good.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::algorithm::JwtAlgorithm;

/// Tells the time of day.
pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What a token has to say, and how it has to be signed. `exp` is always required, and `nbf` is heeded where it is.
#[derive(Clone)]
pub struct JwtOptions {
    pub(super) issuer: Box<str>,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) algorithms: Vec<JwtAlgorithm>,
    pub(super) leeway: Duration,
    pub(super) scopes: Vec<Box<str>>,
    pub(super) implied: Vec<(Box<str>, Vec<Box<str>>)>,
    pub(super) clock: Clock,
}

impl JwtOptions {
    /// Tokens of one issuer for one audience.
    ///
    /// The issuer is what `iss` is compared with, character by character: a slash at the end counts. The audience is one
    /// of `aud`, most often the URI of this server (RFC 8707); a token for somebody else is never accepted.
    pub fn new(issuer: impl Into<Box<str>>, audience: impl Into<Box<str>>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            algorithms: JwtAlgorithm::DEFAULT.to_vec(),
            leeway: Duration::from_secs(60),
            scopes: Vec::new(),
            implied: Vec::new(),
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Accepts tokens for one more audience, for a server that has several names.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The algorithms that tokens may be signed with, in place of [`JwtAlgorithm::DEFAULT`]. What a token says of itself
    /// is compared with them and never believed.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: impl IntoIterator<Item = JwtAlgorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How far the clocks of issuer and server may be apart; at most 10 minutes. Default 60 s.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Scopes that every token needs, all of them. Without one of them the answer is 403, and names all. Default none.
    #[must_use]
    pub fn with_required_scopes<S: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Says that a scope includes others, also through those that it includes.
    ///
    /// # Spec
    ///
    /// MCP 2026-07-28, authorization, Scope Challenge Handling: a broader scope satisfies a narrower one.
    #[must_use]
    pub fn with_implied_scopes<S: Into<Box<str>>>(
        mut self,
        broad: impl Into<Box<str>>,
        narrow: impl IntoIterator<Item = S>,
    ) -> Self {
        self.implied.push((broad.into(), narrow.into_iter().map(Into::into).collect()));
        self
    }

    /// Where the time of day comes from. Default [`SystemTime::now`]; another one is for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for JwtOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtOptions")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("algorithms", &self.algorithms)
            .field("leeway", &self.leeway)
            .field("scopes", &self.scopes)
            .field("implied", &self.implied)
            .finish_non_exhaustive()
    }
}
