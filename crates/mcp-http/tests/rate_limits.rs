//! Buckets: exactly so many, exactly when there is one more, and never more of them than there may be.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use mcp_http::{
    Arrived, Authenticate, PeerAddr, Rate, RateLimit, RateLimits, Rates, Refusal, Reply, Route, Router,
    RouterOptions, Spent, text_reply,
};
use mcp_transport_core::{BoxFuture, Principal};
use tokio::time::advance;

const PERIOD: Duration = Duration::from_millis(300);
const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn none() -> Rates {
    Rates::default()
        .with_address(None)
        .with_principal(None)
        .with_session(None)
        .with_opening(None)
        .with_failures(None)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn request(limits: &RateLimits, address: &str) -> Result<(), Duration> {
    limits.take(Spent::Request { address: ip(address) })
}

fn failure(limits: &RateLimits, address: &str) -> Result<(), Duration> {
    limits.take(Spent::Unauthenticated { address: ip(address) })
}

fn principal(limits: &RateLimits, name: &str) -> Result<(), Duration> {
    limits.take(Spent::Principal(&Principal::new(name)))
}

fn session(limits: &RateLimits, id: &str) -> Result<(), Duration> {
    limits.take(Spent::Session(id))
}

fn opening(limits: &RateLimits, address: Option<&str>, name: Option<&str>) -> Result<(), Duration> {
    let principal = name.map(Principal::new);
    limits.take(Spent::Opening { address: address.and_then(ip), principal: principal.as_ref() })
}

/// How one kind of bucket is switched on, and how one of two keys takes from it.
type Kind = (&'static str, fn(Rates, Option<Rate>) -> Rates, fn(&RateLimits, bool) -> Result<(), Duration>);

const KINDS: &[Kind] = &[
    ("address", Rates::with_address, |limits, other| {
        request(limits, if other { "192.0.2.2" } else { "192.0.2.1" })
    }),
    ("principal", Rates::with_principal, |limits, other| principal(limits, if other { "b" } else { "a" })),
    ("session", Rates::with_session, |limits, other| session(limits, if other { "b" } else { "a" })),
    ("opening by address", Rates::with_opening, |limits, other| {
        opening(limits, Some(if other { "192.0.2.2" } else { "192.0.2.1" }), None)
    }),
    ("opening by principal", Rates::with_opening, |limits, other| {
        opening(limits, Some("192.0.2.1"), Some(if other { "b" } else { "a" }))
    }),
    ("failures", Rates::with_failures, |limits, other| {
        failure(limits, if other { "192.0.2.2" } else { "192.0.2.1" })
    }),
];

#[tokio::test(start_paused = true)]
async fn so_many_and_no_more() {
    for (name, with, take) in KINDS {
        for burst in [1, 2, 5, 50] {
            let limits = RateLimits::new(with(none(), Some(Rate::every(PERIOD, burst))));
            for taken in 1..=burst {
                assert_eq!(take(&limits, false), Ok(()), "{name} {taken} of {burst}");
            }
            assert_eq!(take(&limits, false), Err(PERIOD), "{name} {burst}");
            // Who is refused loses nothing by it.
            assert_eq!(take(&limits, false), Err(PERIOD), "{name} {burst}");
            assert_eq!(take(&limits, true), Ok(()), "{name}: another one's bucket");

            advance(PERIOD - MILLISECOND).await;
            assert_eq!(take(&limits, false), Err(MILLISECOND), "{name} {burst}");
            advance(MILLISECOND).await;
            assert_eq!(take(&limits, false), Ok(()), "{name} {burst}");
            assert_eq!(take(&limits, false), Err(PERIOD), "{name} {burst}");

            // Two periods are two, and a long quiet is a full bucket and no more.
            advance(2 * PERIOD).await;
            let two = if burst == 1 { 1 } else { 2 };
            for _ in 0..two {
                assert_eq!(take(&limits, false), Ok(()), "{name} {burst}");
            }
            assert_eq!(take(&limits, false), Err(PERIOD), "{name} {burst}");
            advance(1000 * PERIOD).await;
            for _ in 0..burst {
                assert_eq!(take(&limits, false), Ok(()), "{name} {burst}");
            }
            assert_eq!(take(&limits, false), Err(PERIOD), "{name} {burst}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_off_is_never_refused() {
    let off = RateLimits::new(none());
    for (name, _, take) in KINDS {
        for _ in 0..10_000 {
            assert_eq!(take(&off, false), Ok(()), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_defaults() {
    for (take, burst, second) in [
        (KINDS[0].2, 200, 100),
        (KINDS[1].2, 200, 100),
        (KINDS[2].2, 100, 50),
        (KINDS[3].2, 50, 10),
        (KINDS[5].2, 50, 1),
    ] {
        let limits = RateLimits::new(Rates::default());
        let taken = || (0..1000).filter(|_| take(&limits, false).is_ok()).count();
        assert_eq!(taken(), burst);
        advance(Duration::from_secs(1)).await;
        assert_eq!(taken(), second);
    }
}

#[tokio::test(start_paused = true)]
async fn whose_an_address_is() {
    let rates = none().with_opening(Some(Rate::every(HOUR, 1))).with_failures(Some(Rate::every(HOUR, 1)));
    for (first, second, same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("2001:db8::1", "2001:db8::2", true),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("::1", "::1", false),
        ("127.0.0.1", "127.0.0.1", false),
        ("127.8.8.8", "127.8.8.8", false),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", false),
    ] {
        let limits = RateLimits::new(rates.with_address(Some(Rate::every(HOUR, 1))));
        for take in [
            (|limits, address| request(limits, address)) as fn(&RateLimits, &str) -> Result<(), Duration>,
            |limits, address| opening(limits, Some(address), None),
            failure,
        ] {
            assert_eq!(take(&limits, first), Ok(()), "{first}");
            assert_eq!(take(&limits, second).is_err(), same, "{first} {second}");
        }
        // One address has failed, and so has whoever shares its bucket.
        let limits = RateLimits::new(rates);
        assert_eq!(failure(&limits, first), Ok(()));
        assert_eq!(request(&limits, second).is_err(), same, "{first} {second}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_nobody_knows_has_no_bucket() {
    let one = Some(Rate::every(HOUR, 1));
    let limits = RateLimits::new(Rates::default().with_address(one).with_failures(one).with_opening(one));
    for _ in 0..100 {
        assert_eq!(limits.take(Spent::Request { address: None }), Ok(()));
        assert_eq!(limits.take(Spent::Unauthenticated { address: None }), Ok(()));
        assert_eq!(opening(&limits, None, None), Ok(()));
    }
    // But a principal has one.
    assert_eq!(opening(&limits, None, Some("a")), Ok(()));
    assert_eq!(opening(&limits, None, Some("a")), Err(HOUR));
}

#[tokio::test(start_paused = true)]
async fn a_principal_opens_from_all_its_addresses_and_an_address_for_all_its_principals() {
    let limits = RateLimits::new(none().with_opening(Some(Rate::every(HOUR, 2))));
    assert_eq!(opening(&limits, Some("192.0.2.1"), Some("a")), Ok(()));
    assert_eq!(opening(&limits, Some("192.0.2.2"), Some("a")), Ok(()));
    assert_eq!(opening(&limits, Some("192.0.2.3"), Some("a")), Err(HOUR));
    for name in ["b", "c", "d"] {
        assert_eq!(opening(&limits, Some("192.0.2.1"), Some(name)), Ok(()));
    }
    // Who has a name like an address is not that address.
    for _ in 0..2 {
        assert_eq!(opening(&limits, None, Some("192.0.2.9")), Ok(()));
    }
    assert_eq!(opening(&limits, Some("192.0.2.9"), None), Ok(()));
}

/// Lets in who says a name.
struct Name;

impl Authenticate for Name {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let name = parts.headers.get("authorization").map(|value| value.to_str().unwrap());
        let found = name.map(|name| Some(Principal::new(name))).ok_or_else(|| {
            Refusal::new(StatusCode::UNAUTHORIZED, "who?\n")
                .with_header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        });
        Box::pin(std::future::ready(found))
    }
}

/// A router that counts who gets through to its handler. The path is the session.
struct Counted {
    router: Router,
    served: Arc<AtomicUsize>,
}

impl Counted {
    fn new(rates: Rates, knows: bool) -> Self {
        let served = Arc::new(AtomicUsize::new(0));
        let route = |path: &str| {
            let served = served.clone();
            let handler = move |arrived: Arrived| -> BoxFuture<'static, Reply> {
                let path = arrived.parts.uri.path();
                let counted =
                    if path == "/open" { arrived.count_opening() } else { arrived.count_in_session(path) };
                let reply = counted.map_or_else(Reply::from, |()| {
                    served.fetch_add(1, Ordering::Relaxed);
                    text_reply(StatusCode::OK, "served\n")
                });
                Box::pin(std::future::ready(reply))
            };
            Route::new(Method::GET, path, Arc::new(handler))
        };
        let mut options = RouterOptions::default().rate_limit(Arc::new(RateLimits::new(rates)));
        if knows {
            options = options.authenticate(Arc::new(Name));
        }
        let routes = [route("/one"), route("/two"), route("/open"), route("/health").public()];
        Self { router: Router::new(options, routes), served }
    }

    /// Status and `Retry-After` of one request.
    async fn ask(&self, path: &str, address: Option<&str>, name: Option<&str>) -> (u16, Option<String>) {
        let mut request = Request::builder().uri(path).header("host", "localhost");
        if let Some(name) = name {
            request = request.header("authorization", name);
        }
        let mut request = request.body(Full::<Bytes>::default()).unwrap();
        if let Some(address) = address {
            request.extensions_mut().insert(PeerAddr(SocketAddr::new(address.parse().unwrap(), 1)));
        }
        let before = self.served.load(Ordering::Relaxed);
        let reply = self.router.answer(request).await;
        let status = reply.status().as_u16();
        assert_eq!(self.served.load(Ordering::Relaxed) - before, usize::from(status == 200));
        assert_eq!(reply.headers().contains_key("www-authenticate"), status == 401);
        let after = reply.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        if status == 429 {
            assert_eq!(reply.into_body().collect().await.unwrap().to_bytes(), "too many requests (--rate)\n");
        }
        (status, after)
    }
}

fn too_many(seconds: &str) -> (u16, Option<String>) {
    (429, Some(seconds.to_owned()))
}

const OK: (u16, Option<String>) = (200, None);
const WHO: (u16, Option<String>) = (401, None);

#[tokio::test(start_paused = true)]
async fn the_answer_says_when() {
    // Whole seconds, rounded up, and never none.
    for (period, seconds) in
        [(1, "1"), (999, "1"), (1000, "1"), (1001, "2"), (2500, "3"), (3_600_000, "3600")]
    {
        let rate = Some(Rate::every(Duration::from_millis(period), 2));
        for (rates, path) in [
            (none().with_address(rate), "/one"),
            (none().with_principal(rate), "/one"),
            (none().with_session(rate), "/one"),
            (none().with_opening(rate), "/open"),
        ] {
            let counted = Counted::new(rates, true);
            let ask = || counted.ask(path, Some("192.0.2.1"), Some("a"));
            assert_eq!((ask().await, ask().await), (OK, OK), "{period} {path}");
            assert_eq!(ask().await, too_many(seconds), "{period} {path}");
            advance(Duration::from_millis(period)).await;
            assert_eq!((ask().await, ask().await), (OK, too_many(seconds)), "{period} {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_failed_too_often_is_refused_whatever_it_says() {
    let counted = Counted::new(none().with_failures(Some(Rate::every(10 * PERIOD, 3))), true);
    let ask = |name| counted.ask("/one", Some("192.0.2.1"), name);
    for _ in 0..3 {
        assert_eq!((ask(Some("a")).await, ask(None).await), (OK, WHO));
    }
    for name in [Some("a"), None] {
        assert_eq!(ask(name).await, too_many("3"));
    }
    assert_eq!(counted.ask("/health", Some("192.0.2.1"), None).await, too_many("3"));
    assert_eq!(counted.ask("/nowhere", Some("192.0.2.1"), None).await, too_many("3"));
    assert_eq!(counted.ask("/one", Some("192.0.2.2"), Some("a")).await, OK);

    advance(10 * PERIOD - MILLISECOND).await;
    assert_eq!(ask(Some("a")).await, too_many("1"));
    advance(MILLISECOND).await;
    // Who is known takes none of it.
    for _ in 0..10 {
        assert_eq!(ask(Some("a")).await, OK);
    }
    assert_eq!((ask(None).await, ask(Some("a")).await), (WHO, too_many("3")));
}

/// Requests that are looked at before any of them has failed are answered when they have: not more than there may be.
#[tokio::test(start_paused = true)]
async fn failures_at_once_are_not_more() {
    let limits = RateLimits::new(none().with_failures(Some(Rate::every(HOUR, 3))));
    assert!((0..10).all(|_| request(&limits, "192.0.2.1").is_ok()));
    assert_eq!((0..10).filter(|_| failure(&limits, "192.0.2.1").is_ok()).count(), 3);
    assert_eq!(request(&limits, "192.0.2.1"), Err(HOUR));
}

#[tokio::test(start_paused = true)]
async fn buckets_of_one_request_are_apart() {
    let three = Some(Rate::every(HOUR, 3));
    let rates = none().with_principal(three).with_session(Some(Rate::every(HOUR, 2)));
    let counted = Counted::new(rates, true);
    // One principal behind two addresses, in two sessions.
    assert_eq!(counted.ask("/one", Some("192.0.2.1"), Some("a")).await, OK);
    assert_eq!(counted.ask("/one", Some("192.0.2.2"), Some("a")).await, OK);
    assert_eq!(counted.ask("/two", None, Some("a")).await, OK);
    for (path, address) in [("/one", Some("192.0.2.1")), ("/two", Some("192.0.2.3")), ("/health", None)] {
        let expected = if path == "/health" { OK } else { too_many("3600") };
        assert_eq!(counted.ask(path, address, Some("a")).await, expected, "{path}");
    }
    // Another one is served, in a session that has one left.
    assert_eq!(counted.ask("/two", Some("192.0.2.1"), Some("b")).await, OK);
    assert_eq!(counted.ask("/two", Some("192.0.2.1"), Some("b")).await, too_many("3600"));
    assert_eq!(counted.ask("/open", Some("192.0.2.1"), Some("b")).await, OK);
}

#[tokio::test(start_paused = true)]
async fn loopback_and_nobody_are_let_through_the_pipeline() {
    let one = Some(Rate::every(HOUR, 1));
    let counted = Counted::new(none().with_address(one).with_failures(one).with_opening(one), false);
    for address in [Some("127.0.0.1"), Some("::1"), Some("::ffff:127.0.0.1"), None] {
        for _ in 0..5 {
            assert_eq!(counted.ask("/open", address, None).await, OK, "{address:?}");
        }
    }
    assert_eq!(counted.ask("/open", Some("192.0.2.1"), None).await, OK);
    assert_eq!(counted.ask("/open", Some("192.0.2.1"), None).await, too_many("3600"));
}

#[tokio::test(start_paused = true)]
async fn so_many_keys_and_no_more() {
    const KEYS: usize = 100;
    let rate = Some(Rate::every(HOUR, 2));
    let limits = RateLimits::new(none().with_session(rate).with_max_keys(KEYS));
    let take = |key: usize| session(&limits, &key.to_string());
    for key in 1..=KEYS {
        assert_eq!(take(key), Ok(()), "{key}");
    }
    // One more has no bucket of its own, nor have those after it: they share one.
    assert_eq!((take(KEYS + 1), take(KEYS + 2)), (Ok(()), Ok(())));
    for key in KEYS + 1..KEYS + 10_000 {
        assert_eq!(take(key), Err(HOUR), "{key}");
    }
    // Who has one has what was in it, however many have come since.
    for key in 1..=KEYS {
        assert_eq!((take(key), take(key)), (Ok(()), Err(HOUR)), "{key}");
    }
    // In use are those that are not full; a full one makes room.
    advance(2 * HOUR - MILLISECOND).await;
    assert_eq!(take(1), Ok(()));
    advance(MILLISECOND).await;
    for key in KEYS + 1..=2 * KEYS - 1 {
        assert_eq!((take(key), take(key), take(key)), (Ok(()), Ok(()), Err(HOUR)), "{key}");
    }
    // The first one is not new, for it was used a moment ago: a new one would give two.
    assert_eq!((take(1), take(1)), (Ok(()), Err(HOUR)));
}

/// The same for failures, where an address without a bucket of its own can be refused by the one that it shares.
#[tokio::test(start_paused = true)]
async fn failures_of_more_addresses_than_there_are_buckets() {
    let limits = RateLimits::new(none().with_failures(Some(Rate::every(HOUR, 1))).with_max_keys(2));
    for address in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!((failure(&limits, address), request(&limits, address)), (Ok(()), Err(HOUR)));
    }
    assert_eq!(request(&limits, "192.0.2.3"), Ok(()), "looking takes nothing");
    assert_eq!(failure(&limits, "192.0.2.3"), Ok(()));
    for address in ["192.0.2.1", "192.0.2.3", "192.0.2.4"] {
        assert_eq!(request(&limits, address), Err(HOUR), "{address}");
    }
    advance(HOUR).await;
    assert_eq!(request(&limits, "192.0.2.4"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn no_keys_at_all_is_one_bucket_for_everybody() {
    let limits = RateLimits::new(none().with_session(Some(Rate::every(HOUR, 2))).with_max_keys(0));
    assert_eq!((session(&limits, "a"), session(&limits, "b")), (Ok(()), Ok(())));
    assert_eq!((session(&limits, "a"), session(&limits, "c")), (Err(HOUR), Err(HOUR)));
}

/// A flood of keys that are used once each: the buckets of those who come again are theirs, and are exact.
#[tokio::test(start_paused = true)]
async fn a_flood_of_addresses_resets_nobody() {
    const KEYS: usize = 1000;
    let rate = Some(Rate::per_second(10, 5));
    let limits = RateLimits::new(none().with_address(rate).with_max_keys(KEYS));
    let mut flood = 0_u32;
    let mut taken = 0;
    for _ in 0..200 {
        // 50 ms pass, which is half of one, and more come by than there is room for.
        advance(PERIOD / 6).await;
        taken += (0..10).filter(|_| request(&limits, "192.0.2.1").is_ok()).count();
        for _ in 0..KEYS + 200 {
            flood += 1;
            let address = IpAddr::from(u32::to_be_bytes(0x0a00_0000 + flood));
            let _ = limits.take(Spent::Request { address: Some(address) });
        }
    }
    // 5 at once, and 10 a second for the 9.95 s that came after them.
    assert_eq!(taken, 5 + 99);
}

#[test]
fn from_many_threads_it_is_exact_too() {
    let limits = RateLimits::new(none().with_session(Some(Rate::every(24 * HOUR, 1000))));
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    taken.fetch_add(usize::from(session(&limits, "a").is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(taken.into_inner(), 1000);
}

#[tokio::test(start_paused = true)]
async fn any_numbers_are_a_rate() {
    for (rate, period, burst) in [
        (Rate::per_second(0, 0), Duration::from_secs(1), 1),
        (Rate::per_second(3, 1), Duration::from_nanos(333_333_333), 1),
        (Rate::per_second(u32::MAX, u32::MAX), Duration::from_nanos(1), u32::MAX),
        (Rate::every(Duration::ZERO, 1), Duration::from_nanos(1), 1),
        (Rate::every(Duration::MAX, u32::MAX), 24 * HOUR, 36_525),
        (Rate::every(HOUR, u32::MAX), HOUR, 24 * 36_525),
    ] {
        assert_eq!((rate.period(), rate.burst()), (period, burst));
        let limits = RateLimits::new(none().with_session(Some(rate)));
        let most = burst.min(100_000);
        assert!((0..most).all(|_| session(&limits, "a").is_ok()), "{rate:?}");
        assert_eq!(session(&limits, "a").is_err(), most == burst, "{rate:?}");
        advance(Duration::from_secs(100 * 365 * 24 * 3600)).await;
        assert_eq!(session(&limits, "a"), Ok(()), "{rate:?}");
    }
}

#[test]
fn it_tells_nobody_who_is_in_it() {
    let limits = RateLimits::new(Rates::default());
    session(&limits, "canary").unwrap();
    principal(&limits, "canary").unwrap();
    request(&limits, "192.0.2.77").unwrap();
    let shown = format!("{limits:?}");
    assert!(!shown.contains("canary") && !shown.contains("192"), "{shown}");
}
