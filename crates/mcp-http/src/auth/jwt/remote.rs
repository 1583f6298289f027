//! Keys at a URL.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{Request, Uri};
use mcp_transport_core::{Error, ErrorKind};
use tokio::time::{Instant, timeout};

use super::algorithm::JwtAlgorithm;
use super::cache::{Cache, FETCH, Plan, WAIT};
use super::flight::Flight;
use super::freshness::lifetime;
use super::jwks::misuse;
use super::jwks_options::JwksOptions;
use super::key_set::{KeySet, MAX_SET};
use crate::client::HttpClient;
use crate::proto::Origin;
use crate::proto::address::is_globally_reachable;

/// An issuer that moved its keys within its origin; more is a loop.
const MAX_REDIRECTS: usize = 3;

/// The keys at one URL.
pub(super) struct Remote {
    client: HttpClient,
    uri: Uri,
    origin: Origin,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cache: Cache,
    fetch: Option<Arc<Fetch>>,
    /// Why the last fetch failed, if it did.
    error: Option<Error>,
}

type Fetch = Flight<Result<(KeySet, Duration), Error>>;

impl Remote {
    pub(super) fn new(uri: Uri, options: JwksOptions) -> Result<Self, Error> {
        let origin = Origin::of(&uri).map_err(|problem| {
            misuse("keys are at an https URL, without user information").with_source(problem)
        })?;
        let plain = options.plain_on_loopback && origin.host().is_loopback();
        if !origin.is_secure() && !plain {
            return Err(misuse("keys are fetched over https and nothing else"));
        }
        let mut client = options.client;
        if !options.private_networks {
            client = client.with_address_filter(Arc::new(is_globally_reachable));
        }
        let client =
            client.with_connect(FETCH).with_head(FETCH).with_max_redirects(MAX_REDIRECTS).with_cookies(false);
        let client = HttpClient::new(client);
        client.check(&uri)?;
        Ok(Self { client, uri, origin, state: Mutex::default() })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) async fn for_key(
        &self,
        id: Option<&str>,
        algorithm: JwtAlgorithm,
    ) -> Result<Arc<KeySet>, Duration> {
        let fetch = {
            let mut state = self.state();
            let now = Instant::now();
            match state.cache.plan(now, id, algorithm) {
                Plan::Use(keys) => return Ok(keys),
                Plan::GiveUp(pause) => return Err(pause),
                Plan::Join => state.fetch.clone().unwrap_or_else(|| self.begin(&mut state, now)),
                Plan::Begin => self.begin(&mut state, now),
            }
        };
        self.landed(&fetch).await;
        self.state().cache.now_there(Instant::now())
    }

    pub(super) async fn prefetch(&self) -> Result<(), Error> {
        let fetch = {
            let mut state = self.state();
            let now = Instant::now();
            if state.cache.is_fresh(now) {
                return Ok(());
            }
            let under_way = state.fetch.clone().filter(|_| state.cache.is_fetching(now));
            under_way.unwrap_or_else(|| self.begin(&mut state, now))
        };
        self.landed(&fetch).await;
        let state = self.state();
        if state.cache.is_fresh(Instant::now()) {
            return Ok(());
        }
        let late = || Error::new(ErrorKind::Timeout, "fetching the keys takes too long");
        Err(state.error.clone().unwrap_or_else(late))
    }

    fn begin(&self, state: &mut State, now: Instant) -> Arc<Fetch> {
        let fetch = Arc::new(Flight::new(fetch(self.client.clone(), self.uri.clone())));
        state.cache.begin(now);
        state.fetch = Some(fetch.clone());
        fetch
    }

    async fn landed(&self, fetch: &Arc<Fetch>) {
        // The fetch has its own time. This one is for a fetch whose every poll was lost.
        let _ = timeout(WAIT, fetch.landed(|outcome| self.land(fetch, outcome))).await;
    }

    /// Keeps what came of a fetch, unless nobody has waited for it and another one took its place.
    fn land(&self, fetch: &Arc<Fetch>, outcome: Result<(KeySet, Duration), Error>) {
        let mut state = self.state();
        if !state.fetch.as_ref().is_some_and(|current| Arc::ptr_eq(current, fetch)) {
            return;
        }
        state.fetch = None;
        let now = Instant::now();
        match outcome {
            Ok((keys, lifetime)) => {
                tracing::debug!(
                    target: "mcp.http",
                    origin = %self.origin,
                    keys = keys.len(),
                    fresh_s = lifetime.as_secs(),
                    "keys fetched"
                );
                state.error = None;
                state.cache.succeed(now, keys, lifetime);
            }
            Err(error) => {
                let pause = state.cache.fail(now, chance());
                // Once for each fetch, and those have their pauses.
                tracing::warn!(
                    target: "mcp.http",
                    origin = %self.origin,
                    %error,
                    again_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    have_keys = state.cache.now_there(now).is_ok(),
                    "the keys of the issuer cannot be fetched"
                );
                state.error = Some(error);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(client: HttpClient, uri: Uri) -> Result<(KeySet, Duration), Error> {
    let fetching = async {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        let types = HeaderValue::from_static("application/jwk-set+json, application/json");
        request.headers_mut().insert(ACCEPT, types);
        let (head, body) = client.send(request).await?.into_parts();
        // Types are not looked at: some issuers serve their keys as text, and no browser reads them.
        let text = body.collect(MAX_SET, FETCH).await?;
        Ok((KeySet::parse(&text)?, lifetime(&head.headers)))
    };
    let late = |_| Error::new(ErrorKind::Timeout, "fetching the keys takes too long");
    timeout(FETCH, fetching).await.map_err(late)?
}

/// The hasher's keys are the system's randomness, which is enough for servers not to move in step.
fn chance() -> u32 {
    let bits = RandomState::new().build_hasher().finish();
    u32::try_from(bits >> 32).unwrap_or(u32::MAX)
}
