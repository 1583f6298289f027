//! How many requests are too many, unless somebody says otherwise.

use std::time::Duration;

/// So many at once, and one more each time that so long has passed.
///
/// ```
/// use std::time::Duration;
/// use mcp_http::Rate;
///
/// assert_eq!(Rate::per_second(10, 50), Rate::every(Duration::from_millis(100), 50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    every: Duration,
    burst: u32,
}

impl Rate {
    /// `rate` in a second, and up to `burst` at once after a time of quiet. Both are at least 1.
    pub const fn per_second(rate: u32, burst: u32) -> Self {
        let rate = if rate == 0 { 1 } else { rate };
        Self::every(Duration::from_nanos(1_000_000_000 / rate as u64), burst)
    }

    /// One each `period`, and up to `burst` at once after a time of quiet. The period is at least 1 ns and at most a
    /// day, and there is at least 1; a bucket that would take more than a hundred years to fill is so much smaller.
    pub const fn every(period: Duration, burst: u32) -> Self {
        let nanos = period.as_nanos();
        let nanos = if nanos == 0 {
            1
        } else if nanos > DAY {
            DAY
        } else {
            nanos
        };
        let most = CENTURY / nanos;
        let burst = if burst == 0 {
            1
        } else if burst as u128 > most {
            most as u32
        } else {
            burst
        };
        Self { every: Duration::from_nanos(nanos as u64), burst }
    }

    /// The time in which one more is given.
    pub const fn period(&self) -> Duration {
        self.every
    }

    /// How many there are at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }
}

/// In nanoseconds. Sums of times like these fit the 64 bits in which they are kept.
const DAY: u128 = 24 * 60 * 60 * 1_000_000_000;
const CENTURY: u128 = 36_525 * DAY;

/// The buckets of [`RateLimits`](crate::RateLimits). Each can be switched off with `None`.
///
/// ```
/// use mcp_http::{Rate, Rates};
/// // Behind a proxy with an address of its own, which stands for everybody.
/// let rates = Rates::default().with_address(None).with_failures(None).with_session(Some(Rate::per_second(5, 20)));
/// assert_eq!(rates.opening, Some(Rate::per_second(10, 50)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rates {
    /// Requests of one address, for IPv6 of one /64, whoever sends them. Default 100 a second and 200 at once: what
    /// several programs behind one address need when they start together, and a hundredth of what one core answers.
    pub address: Option<Rate>,
    /// Requests of one principal, from all its addresses. Default 100 a second and 200 at once: more than the 128
    /// requests that a session may have in flight, so who fills a session meets that bound first, whose answer says
    /// more.
    pub principal: Option<Rate>,
    /// Requests of one session. Default 50 a second and 100 at once: half of a principal, so that one session that has
    /// gone wild leaves something for the others.
    pub session: Option<Rate>,
    /// Sessions that one principal opens, or one address where there is no principal. Default 10 a second and 50 at
    /// once: each may start a process, and clients that lost their server come back together.
    pub opening: Option<Rate>,
    /// Answers with 401 to one address. When they are used up, every request of the address is refused until there is
    /// one again. Default 1 a second and 50 at once: a client without a token gets one 401 before it asks for one, and
    /// many may be behind one address; who guesses has one guess a second.
    pub failures: Option<Rate>,
    /// Buckets of each kind. Default 50,000, which take at most 2.3 MB a kind. When there is no room and every bucket
    /// is in use, all who have none share one.
    pub max_keys: usize,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            address: Some(Rate::per_second(100, 200)),
            principal: Some(Rate::per_second(100, 200)),
            session: Some(Rate::per_second(50, 100)),
            opening: Some(Rate::per_second(10, 50)),
            failures: Some(Rate::per_second(1, 50)),
            max_keys: 50_000,
        }
    }
}

mcp_transport_core::setters! {
    for Rates;
    /// Sets [`Rates::address`].
    with_address: address: Option<Rate>;
    /// Sets [`Rates::principal`].
    with_principal: principal: Option<Rate>;
    /// Sets [`Rates::session`].
    with_session: session: Option<Rate>;
    /// Sets [`Rates::opening`].
    with_opening: opening: Option<Rate>;
    /// Sets [`Rates::failures`].
    with_failures: failures: Option<Rate>;
    /// Sets [`Rates::max_keys`].
    with_max_keys: max_keys: usize;
}
