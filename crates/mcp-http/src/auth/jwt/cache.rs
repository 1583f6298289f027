//! Which keys are at hand, and when to ask for others. No IO and no clock: time and chance are arguments.
//!
//! ```text
//!          fetched             fresh_until                 stale_until
//! nothing ────┼──── fresh ──────────┼──── stale ────────────────┼──── nothing
//!             │ asks for an unknown │ asks, and makes do with   │ asks, or has
//!             │ key now and then    │ what there is             │ no answer
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::algorithm::JwtAlgorithm;
use super::key_set::KeySet;

/// How long one fetch may take, from the name to the last byte.
pub(super) const FETCH: Duration = Duration::from_secs(5);

/// A fetch that is older than this is one that nobody waits for any more. What waits, waits for less.
pub(super) const WAIT: Duration = Duration::from_secs(6);

/// How often a key that is not in a fresh set is a reason to ask. Anybody can name one.
const UNKNOWN: Duration = Duration::from_secs(30);

/// How long keys that are not fresh are used while the issuer cannot be reached.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// After the first failure, doubled with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The keys of one issuer, as far as they are known.
#[derive(Default)]
pub(super) struct Cache {
    held: Option<Held>,
    /// When the last fetch began.
    began: Option<Instant>,
    fetching: bool,
    failures: u32,
    not_before: Option<Instant>,
}

struct Held {
    keys: Arc<KeySet>,
    fresh_until: Instant,
    stale_until: Instant,
}

/// What somebody who needs a key does.
pub(super) enum Plan {
    /// Makes do with these, whether or not the key is among them.
    Use(Arc<KeySet>),
    /// Waits for the fetch that is on its way.
    Join,
    /// Begins one, and waits for it.
    Begin,
    /// Gives up; a fetch may begin after this time.
    GiveUp(Duration),
}

impl Cache {
    /// What to do for a key, named or by algorithm. Nobody waits who has the key, but for the one who asks for new ones.
    pub(super) fn plan(&self, now: Instant, id: Option<&str>, algorithm: JwtAlgorithm) -> Plan {
        let held = self.usable(now);
        let fetching = self.is_fetching(now);
        let fresh = held.is_some_and(|held| now < held.fresh_until);
        match held {
            Some(held) if (fresh || fetching) && held.keys.knows(id, algorithm) => {
                Plan::Use(held.keys.clone())
            }
            _ if fetching => Plan::Join,
            Some(held) if fresh && self.began.is_some_and(|began| now < began + UNKNOWN) => {
                Plan::Use(held.keys.clone())
            }
            _ if self.not_before.is_none_or(|time| time <= now) => Plan::Begin,
            Some(held) => Plan::Use(held.keys.clone()),
            None => Plan::GiveUp(self.pause(now)),
        }
    }

    /// What there is, fresh or not; otherwise when there may be something.
    pub(super) fn now_there(&self, now: Instant) -> Result<Arc<KeySet>, Duration> {
        self.usable(now).map(|held| held.keys.clone()).ok_or_else(|| self.pause(now))
    }

    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.held.as_ref().is_some_and(|held| now < held.fresh_until)
    }

    /// Whether a fetch is on its way. One that nobody has moved on for so long never ends.
    pub(super) fn is_fetching(&self, now: Instant) -> bool {
        self.fetching && self.began.is_some_and(|began| now < began + WAIT)
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
        self.fetching = true;
    }

    pub(super) fn succeed(&mut self, now: Instant, keys: KeySet, lifetime: Duration) {
        let fresh_until = now + lifetime;
        self.held = Some(Held { keys: Arc::new(keys), fresh_until, stale_until: fresh_until + STALE });
        self.fetching = false;
        self.failures = 0;
        self.not_before = None;
    }

    /// Says how long nobody asks again: the second half of the pause is left to chance, so that servers that lost the
    /// issuer together do not come back to it together.
    pub(super) fn fail(&mut self, now: Instant, chance: u32) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        let half = pause / 2;
        let pause = half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        self.fetching = false;
        self.not_before = Some(now + pause);
        pause
    }

    fn usable(&self, now: Instant) -> Option<&Held> {
        self.held.as_ref().filter(|held| now < held.stale_until)
    }

    fn pause(&self, now: Instant) -> Duration {
        self.not_before.map_or(FIRST_PAUSE, |time| time.saturating_duration_since(now))
    }
}
