//! A token that is fetched once, however many want it, and again when it was refused.

use std::time::Duration;

use http::header::HeaderValue;
use mcp_transport_core::{BoxFuture, Error, ErrorKind};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::bearer::bearer;

/// How long nothing is fetched after a fetch, by default: a server that refuses every token, or a fetch that fails at
/// once, does not make a loop.
const INTERVAL: Duration = Duration::from_secs(10);

pub(super) type Fetch = BoxFuture<'static, Result<String, Error>>;

/// The token, and who fetches it.
///
/// ```text
///             next                      fetched
///  nothing ──────────▶ being fetched ───────────▶ there, until it is refused
///     ▲                   │     ▲                    │
///     └─ failed, and ◀────┘     └────────────────────┘ later than the interval
///        remembered for the interval
/// ```
///
/// The fetch is a task: a request that is given up does not take it along, and whoever asks next finds it under way.
pub(super) struct Renewal {
    pub(super) interval: Duration,
    /// Held while a token is fetched, so that everybody else waits for it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<HeaderValue>,
    running: Option<JoinHandle<Result<String, Error>>>,
    /// When the last fetch ended.
    ended: Option<Instant>,
    /// How it failed, if it did.
    failed: Option<Error>,
}

impl Renewal {
    pub(super) fn new() -> Self {
        Self { interval: INTERVAL, state: Mutex::default() }
    }

    /// The token, which is fetched if there is none.
    pub(super) async fn next(&self, fetch: impl FnOnce() -> Fetch) -> Result<HeaderValue, Error> {
        let mut state = self.state.lock().await;
        if let Some(token) = &state.token {
            return Ok(token.clone());
        }
        if let Some(failed) = state.failed.clone().filter(|_| state.is_early(self.interval)) {
            return Err(failed);
        }
        state.renew(fetch).await
    }

    /// Whether there is another token than the one that was refused. It is fetched, unless somebody has done so.
    pub(super) async fn refused(
        &self,
        sent: &HeaderValue,
        fetch: impl FnOnce() -> Fetch,
    ) -> Result<bool, Error> {
        let mut state = self.state.lock().await;
        match &state.token {
            Some(token) if token != sent => return Ok(true),
            _ if state.is_early(self.interval) => return Ok(false),
            _ => {}
        }
        Ok(state.renew(fetch).await? != sent)
    }
}

impl State {
    fn is_early(&self, interval: Duration) -> bool {
        self.running.is_none() && self.ended.is_some_and(|ended| ended.elapsed() < interval)
    }

    /// Fetches a token, or waits for the one that is being fetched. The one that is there stays if that fails: it may be
    /// good elsewhere.
    async fn renew(&mut self, fetch: impl FnOnce() -> Fetch) -> Result<HeaderValue, Error> {
        let running = self.running.get_or_insert_with(|| tokio::spawn(fetch()));
        let ended = running.await;
        (self.running, self.ended, self.failed) = (None, Some(Instant::now()), None);
        // A panic may say anything, also the token.
        let fetched = ended.map_err(|_| Error::new(ErrorKind::Internal, "the task of a token has failed"));
        let fetched = fetched.and_then(|fetched| fetched).and_then(|token| {
            bearer(&token).ok_or_else(|| Error::new(ErrorKind::Io, "what was fetched is no bearer token"))
        });
        match &fetched {
            Ok(token) => self.token = Some(token.clone()),
            Err(error) => self.failed = Some(error.clone()),
        }
        fetched
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
