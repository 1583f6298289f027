//! A thousand calls at once, each with another fate.

use std::future::Future;
use std::time::Duration;

use mcp_jsonrpc::Outcome;
use tokio::task::JoinSet;

use super::{polled, until, within};
use crate::{CallOptions, Caller, Connection, ErrorKind, Incoming, Limits, serve};

const CALLS: u64 = 1000;

/// What became of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    Unanswered,
    TimedOut,
    Dropped,
}

/// A thousand calls in flight, which are answered, forgotten, left to time out and dropped as chance has it: each has
/// exactly one outcome and the right one, and nothing is left in any table.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn storm<F, Fut>(connect: &F, seed: u64)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    let limits = Limits::default().with_max_in_flight(CALLS as u32 + 1);
    let (near, far) = connect(limits, limits).await;
    let mut near = near.spawn();
    let far_control = far.control();
    let serving = tokio::spawn(serve(far, handle));
    let caller = Caller::new(&near.sender);
    let mut chance = Chance(seed | 1);
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let (caller, roll) = (caller.clone(), chance.next());
        calls.spawn(async move { call(&caller, number, roll).await });
    }
    let mut fates = Vec::new();
    while let Some(fate) = within("a call", calls.join_next()).await {
        fates.push(fate.expect("a call panicked"));
    }
    let of = |fate| fates.iter().filter(|&&it| it == fate).count() as u64;
    assert_eq!(fates.len() as u64, CALLS);
    for fate in [Fate::Answered, Fate::Unanswered, Fate::TimedOut, Fate::Dropped] {
        assert!(of(fate) > 0, "chance was unkind: {fate:?} did not happen with seed {seed}");
    }
    // Behind it, every cancellation has been taken.
    within("a last call", caller.request("now", &[CALLS])).await.expect("the connection is open");
    until("the far table", || far_control.health().in_flight == 0).await;
    assert_eq!(near.control.health().pending, 0);
    // A response that came after its call was given up goes to the receiver.
    let mut late = 0;
    while let Some(incoming) = near.receiver.try_recv() {
        assert!(matches!(incoming, Incoming::Response(..)), "{incoming:?} came out of nowhere");
        late += 1;
    }
    let (here, there) = (near.control.health(), far_control.health());
    assert_eq!(here.unmatched, late, "{here:?}");
    assert!(late <= of(Fate::TimedOut) + of(Fate::Dropped), "{here:?}");
    assert_eq!(here.received, of(Fate::Answered) + of(Fate::Unanswered) + 1 + late, "{here:?}");
    assert_eq!((here.sent, there.sent), (there.received, here.received), "{here:?} {there:?}");
    assert_eq!((there.refused, there.malformed, here.malformed), (0, 0, 0));
    near.control.shutdown();
    within("the end", serving).await.expect("serve panicked");
}

async fn call(caller: &Caller, number: u64, roll: u64) -> Fate {
    let method = ["now", "soon", "never", "lost"][(roll % 4) as usize];
    let patient = CallOptions::timeout(Duration::from_secs(30));
    let outcome = match (method, roll >> 8 & 1) {
        // Nobody answers these, so they end here.
        ("never", 0) => {
            let hasty = CallOptions::timeout(Duration::from_millis(1 + (roll >> 16) % 20));
            caller.request_with(method, &[number], &hasty).await
        }
        ("never", _) => match polled(1, caller.request_with(method, &[number], &patient)).await {
            Some(outcome) => outcome,
            None => return Fate::Dropped,
        },
        _ => caller.request_with(method, &[number], &patient).await,
    };
    match outcome {
        Ok(response) => match response.outcome() {
            Outcome::Result(result) => {
                assert_eq!(result, format!("[{number}]").as_bytes(), "an answer for another call");
                Fate::Answered
            }
            Outcome::Error(error) => {
                assert_eq!((method, error.reason().as_deref()), ("lost", Some("unanswered")));
                Fate::Unanswered
            }
        },
        Err(error) => {
            assert_eq!((method, error.kind()), ("never", ErrorKind::Timeout), "{error}");
            Fate::TimedOut
        }
    }
}

async fn handle(incoming: Incoming) {
    let Incoming::Request(exchange) = incoming else { return };
    let numbers: Vec<u64> = exchange.request().params().expect("a number");
    let method = exchange.request().method().into_owned();
    match &*method {
        "now" => exchange.finish(&numbers),
        "soon" => {
            for _ in 0..numbers.first().map_or(0, |number| number % 5) {
                tokio::task::yield_now().await;
            }
            exchange.finish(&numbers);
        }
        "never" => {
            exchange.responder().cancelled().await;
            exchange.finish(&numbers);
        }
        _ => drop(exchange),
    }
}

/// A small generator of numbers that look like chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 20
    }
}
