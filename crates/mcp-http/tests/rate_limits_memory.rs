//! What buckets cost: memory by the key, and nothing that is allocated by the request.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use mcp_http::{Rate, RateLimit, RateLimits, Rates, Spent};
use mcp_transport_core::Principal;
use tokio::time::advance;

/// What `Rates::max_keys` promises for the default of 50,000.
const MOST: i64 = 2_300_000;

fn only_addresses(rate: Rate) -> RateLimits {
    let rates = Rates::default().with_principal(None).with_session(None).with_opening(None);
    RateLimits::new(rates.with_failures(None).with_address(Some(rate)))
}

fn take(limits: &RateLimits, key: usize) -> bool {
    let address = Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(key).unwrap());
    limits.take(Spent::Request { address: Some(IpAddr::V4(address)) }).is_ok()
}

/// Bytes that are held after this, over what was before.
fn held(work: impl FnOnce()) -> i64 {
    measure(work).bytes_current
}

#[tokio::test(start_paused = true)]
async fn the_table_has_a_bound() {
    let keys = Rates::default().max_keys;
    let limits = only_addresses(Rate::every(Duration::from_secs(3600), 1));
    assert_eq!(held(|| assert!(!format!("{limits:?}").is_empty())), 0, "an empty table is none");
    let below = held(|| assert!((0..keys - 1).all(|key| take(&limits, key))));
    let at = held(|| assert!(take(&limits, keys - 1)));
    let above = held(|| {
        assert!(take(&limits, keys), "the shared one");
        assert!((keys + 1..4 * keys).all(|key| !take(&limits, key)));
    });
    eprintln!("{} keys take {below} bytes, {} each", keys - 1, below / (keys as i64 - 1));
    assert!(below > 0 && below <= MOST, "{below}");
    assert_eq!((at, above), (0, 0));
}

/// Keys that come and go leave holes in the table; it does not grow beyond its bound for that.
#[tokio::test(start_paused = true)]
async fn nor_does_it_grow_by_what_comes_and_goes() {
    let keys = Rates::default().max_keys;
    let limits = only_addresses(Rate::every(Duration::from_secs(10), 1));
    let (mut now, mut most, mut key) = (0, 0, 0);
    for round in 0..60 {
        // Sometimes half are in use when it is looked through, sometimes all or none.
        let some = [keys, keys / 2, keys / 10, keys / 2 + 1][round % 4];
        let measured = measure(|| {
            for _ in 0..some {
                take(&limits, key);
                key += 1;
            }
        });
        most = most.max(now + i64::try_from(measured.bytes_max).unwrap());
        now += measured.bytes_current;
        assert!(now <= MOST, "{now} bytes in round {round}");
        advance(Duration::from_secs(6)).await;
    }
    eprintln!("after {key} keys the table holds {now} bytes, and {most} while it grew");
    assert!(most <= MOST * 3 / 2, "{most}");
}

#[tokio::test(start_paused = true)]
async fn a_request_allocates_nothing() {
    let principal = Principal::new("somebody");
    let address = Some(IpAddr::V6("2001:db8::1".parse().unwrap()));
    let limits = RateLimits::new(Rates::default());
    let one = || {
        let _ = limits.take(Spent::Request { address });
        let _ = limits.take(Spent::Principal(&principal));
        let _ = limits.take(Spent::Session("an id of thirty-two characters.."));
        let _ = limits.take(Spent::Opening { address, principal: Some(&principal) });
        let _ = limits.take(Spent::Unauthenticated { address });
    };
    one();
    // Served ones and refused ones.
    assert_eq!(measure(|| (0..1000).for_each(|_| one())).count_total, 0);
}

/// No assertion: how long it takes is for whoever runs it in a release build.
#[test]
fn how_long_it_takes() {
    let principal = Principal::new("https://issuer.example client-4711 user-0815");
    let address = Some(IpAddr::V6("2001:db8::1".parse().unwrap()));
    let fast = Some(Rate::per_second(1_000_000_000, u32::MAX));
    let rates = Rates::default().with_address(fast).with_principal(fast).with_session(fast);
    let limits = RateLimits::new(rates);
    let each = |what: &str, one: &dyn Fn() -> bool| {
        let count = 200_000;
        let start = Instant::now();
        assert!((0..count).all(|_| one()));
        eprintln!("{what}: {} ns", start.elapsed().as_nanos() / count);
    };
    each("a request of a session", &|| {
        limits.take(Spent::Request { address }).is_ok()
            && limits.take(Spent::Principal(&principal)).is_ok()
            && limits.take(Spent::Session("an id of thirty-two characters..")).is_ok()
    });
    let slow = only_addresses(Rate::every(Duration::from_secs(3600), 1));
    let keys = Rates::default().max_keys;
    assert!((0..keys).all(|key| take(&slow, key)));
    let key = std::cell::Cell::new(keys);
    each("one without a bucket, while all are in use", &|| {
        key.set(key.get() + 1);
        let _ = take(&slow, key.get());
        true
    });
}
