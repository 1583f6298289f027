//! A thousand requests in flight over one pair of pipes, answered, dropped and timed out at random.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod processes;
mod programs;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use mcp_stdio::StdioClient;
use mcp_transport_core::{CallOptions, Caller, Incoming};
use tokio::sync::Barrier;
use tokio::time::timeout;

use processes::DEADLINE;
use programs::habits;

const CALLS: usize = 1000;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[derive(Debug, Default)]
struct Outcomes {
    answered: AtomicUsize,
    timed_out: AtomicUsize,
    dropped: AtomicUsize,
}

/// What the server does, and how long we wait for it before we let go of the call.
#[derive(Clone, Copy, Debug)]
struct Plan {
    method: &'static str,
    millis: u64,
    timeout: Duration,
    drop_after: Option<Duration>,
}

impl Plan {
    fn draw(dice: &mut Dice) -> Self {
        let method = ["echo", "late", "late", "stubborn", "never"][dice.below(5) as usize];
        let timeout = if method == "never" || dice.below(3) == 0 { dice.below(60) } else { 60_000 };
        let drop_after = (dice.below(3) == 0).then(|| Duration::from_millis(dice.below(60)));
        Self { method, millis: dice.below(60), timeout: Duration::from_millis(timeout), drop_after }
    }
}

async fn run(caller: Caller, plan: Plan, start: Arc<Barrier>, outcomes: Arc<Outcomes>) {
    start.wait().await;
    let options = CallOptions::timeout(plan.timeout);
    let params = [plan.millis];
    let call = caller.request_with(plan.method, &params, &options);
    let outcome = match plan.drop_after {
        Some(wait) => timeout(wait, call).await.ok(),
        None => Some(call.await),
    };
    match outcome {
        Some(Ok(response)) => {
            assert_ne!(plan.method, "never");
            let expected = if plan.method == "echo" {
                format!("[{}]", plan.millis)
            } else {
                format!("\"{}\"", plan.method)
            };
            assert_eq!(response.result_raw(), Some(expected.as_bytes()), "{plan:?}");
            outcomes.answered.fetch_add(1, Relaxed);
        }
        Some(Err(error)) => {
            assert!(error.is_timeout(), "{plan:?}: {error}");
            assert!(plan.timeout < Duration::from_secs(1), "{plan:?}");
            outcomes.timed_out.fetch_add(1, Relaxed);
        }
        None => {
            outcomes.dropped.fetch_add(1, Relaxed);
        }
    }
}

async fn storm(seed: u64, words: &[&str]) {
    let mut endpoint = StdioClient::new(habits(words)).start().unwrap().spawn();
    let caller = Caller::new(&endpoint.sender);
    let control = endpoint.control.clone();
    let strays = tokio::spawn(async move {
        let mut strays = 0;
        while let Some(incoming) = endpoint.receiver.recv().await {
            assert!(matches!(incoming, Incoming::Response(..)), "{incoming:?}");
            strays += 1;
        }
        strays
    });
    let (mut dice, outcomes) = (Dice(seed), Arc::new(Outcomes::default()));
    let start = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| tokio::spawn(run(caller.clone(), Plan::draw(&mut dice), start.clone(), outcomes.clone())))
        .collect();
    for call in calls {
        timeout(3 * DEADLINE, call).await.expect("in time").unwrap();
    }
    let counted =
        [&outcomes.answered, &outcomes.timed_out, &outcomes.dropped].map(|count| count.load(Relaxed));
    assert_eq!(counted.iter().sum::<usize>(), CALLS);
    assert!(counted.iter().all(|count| *count > CALLS / 20), "a bit of everything: {counted:?}");
    assert_eq!(control.health().pending, 0);

    // The server has heard of every cancellation that stands before this in line, and its handlers of theirs at the
    // latest when they look.
    let quiet = async {
        loop {
            let health = caller.request("health", &()).await.unwrap();
            let health = String::from_utf8(health.result_raw().unwrap().to_vec()).unwrap();
            if health.starts_with("\"in flight 1, malformed 0, refused 0, unmatched 0") {
                return;
            }
            assert!(health.contains("malformed 0, refused 0, unmatched 0"), "{health}");
        }
    };
    timeout(DEADLINE, quiet).await.expect("nothing in flight at the end");
    let health = control.health();
    assert_eq!((health.pending, health.in_flight, health.outbound_depth), (0, 0, 0));
    assert_eq!((health.outbound_bytes, health.malformed, health.refused), (0, 0, 0));
    control.shutdown();
    drop(caller);
    let strays: u64 = timeout(DEADLINE, strays).await.expect("the end").unwrap();
    // Answers that crossed with our giving up, and no others.
    let health = control.health();
    assert_eq!(health.unmatched, strays);
    assert!(strays <= (counted[1] + counted[2]) as u64, "{strays} of {counted:?}");
}

#[tokio::test]
async fn a_thousand_requests_have_one_outcome_each() {
    for seed in [1, 0x9E37_79B9_7F4A_7C15] {
        storm(seed, &["roomy"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_have_one_outcome_each_on_several_threads() {
    storm(0xDEAD_BEEF_CAFE, &["roomy", "multi"]).await;
}
