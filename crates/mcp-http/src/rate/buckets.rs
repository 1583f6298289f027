//! Buckets by key, in a table that has a bound.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use super::Rate;

/// When the table is full, it is looked through for buckets that are full too: as often as a quarter of it is new, so
/// that each new key pays for a few others at most, and once in this time, in nanoseconds.
const LOOK_THROUGH: u64 = 1_000_000_000;

/// One bucket for each key, all of the same size.
///
/// A bucket is 8 bytes, the time when it will be full, found by 8 bytes of a keyed hash: names of principals are as long
/// as somebody made them, ids of sessions are secrets, and neither has to lie here. Two keys of one hash share a bucket,
/// and nobody can choose to be one of them.
pub(super) struct Buckets {
    limiter: RateLimiter<Asked, Store, Since, NoOpMiddleware<Nanos>>,
    hasher: RandomState,
    clock: Since,
}

/// The time since the buckets were made, by tokio's clock, which tests can stop.
#[derive(Clone, Copy, Debug)]
struct Since(Instant);

/// What a bucket is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Asked {
    /// To give one.
    Take(u64),
    /// Whether it would.
    Look(u64),
}

struct Store {
    table: Mutex<Table>,
    max: usize,
}

#[derive(Default)]
struct Table {
    /// When each will be full again.
    buckets: HashMap<u64, Nanos, BuildHasherDefault<Hashed>>,
    /// The bucket of all for whom there is no room.
    rest: Option<Nanos>,
    /// How many were new since it was looked through, and when that was.
    entered: usize,
    looked: Option<Nanos>,
}

/// Of what is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Buckets {
    pub(super) fn new(rate: Rate, max: usize) -> Self {
        // Neither is zero: `Rate` sees to that, and then these are what it says.
        let burst = NonZeroU32::new(rate.burst()).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(rate.period()).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
        let clock = Since(Instant::now());
        let store = Store { table: Mutex::default(), max };
        Self {
            limiter: RateLimiter::new(quota.allow_burst(burst), store, clock),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// Takes one from the bucket of a key, or says how long that has to wait.
    pub(super) fn take(&self, key: impl Hash) -> Result<(), Duration> {
        self.ask(Asked::Take(self.hasher.hash_one(key)))
    }

    /// Whether one could be taken. It makes no bucket.
    pub(super) fn look(&self, key: impl Hash) -> Result<(), Duration> {
        self.ask(Asked::Look(self.hasher.hash_one(key)))
    }

    fn ask(&self, asked: Asked) -> Result<(), Duration> {
        self.limiter.check_key(&asked).map_err(|refused| refused.wait_time_from(self.clock.now()))
    }
}

impl Clock for Since {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX / 2).into()
    }
}

impl Store {
    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Store {
    type Key = Asked;

    fn measure_and_replace<T, F, E>(&self, asked: &Asked, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let table = &mut *self.table();
        let (Asked::Take(key) | Asked::Look(key)) = asked;
        if let Some(bucket) = table.buckets.get_mut(key) {
            let (outcome, next) = decide(Some(*bucket))?;
            if let Asked::Take(_) = asked {
                *bucket = next;
            }
            return Ok(outcome);
        }
        if table.buckets.len() >= self.max {
            table.make_room(self.max, |bucket| Some(decide(bucket).ok()?.1));
        }
        let has_room = table.buckets.len() < self.max;
        let (outcome, next) = decide(if has_room { None } else { table.rest })?;
        match asked {
            Asked::Look(_) => {}
            Asked::Take(key) if has_room => {
                table.buckets.insert(*key, next);
                table.entered += 1;
            }
            Asked::Take(_) => table.rest = Some(next),
        }
        Ok(outcome)
    }
}

impl Table {
    /// Lets go of buckets that are full: what they would decide, a new one would. Nobody's bucket goes before, so
    /// nobody can get rid of one by having others made.
    fn make_room(&mut self, max: usize, decide: impl Fn(Option<Nanos>) -> Option<Nanos>) {
        // What a new bucket says is the time of day, a period later.
        let Some(new) = decide(None) else { return };
        let is_due = self.looked.is_none_or(|looked| new.saturating_sub(looked).as_u64() >= LOOK_THROUGH);
        if !is_due && self.entered < max / 4 {
            return;
        }
        self.buckets.retain(|_, bucket| decide(Some(*bucket)) != Some(new));
        (self.entered, self.looked) = (0, Some(new));
    }
}

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        // Keys are `u64`, which have a method of their own.
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// How many there are, never whose.
impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}
