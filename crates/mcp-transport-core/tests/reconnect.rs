//! Dialing again.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::collections::VecDeque;
use std::time::Duration;

use mcp_jsonrpc::Notification;
use mcp_transport_core::{
    Backoff, BoxFuture, Connection, Endpoint, Error, ErrorKind, Options, Reconnect, Transport,
};
use proptest::prelude::*;
use tokio::time::Instant;

/// What each dial brings; afterwards there is nobody.
#[derive(Debug)]
enum Dial {
    Fails(ErrorKind),
    /// The other end says something, or nothing, and goes.
    Connects {
        talks: bool,
    },
    Hangs,
}

#[derive(Debug, Default)]
struct Script {
    dials: VecDeque<Dial>,
    at: Vec<Instant>,
}

impl Transport for &mut Script {
    fn dial(&mut self) -> BoxFuture<'_, Result<Connection, Error>> {
        self.at.push(Instant::now());
        let dial = self.dials.pop_front().unwrap_or(Dial::Fails(ErrorKind::Io));
        Box::pin(async move {
            match dial {
                Dial::Fails(kind) => Err(Error::new(kind, "nobody is there")),
                Dial::Hangs => std::future::pending().await,
                Dial::Connects { talks } => {
                    let (near, far) = Connection::pair(Options::default(), Options::default());
                    let Endpoint { sender, .. } = far.spawn();
                    if talks {
                        sender.send(Notification::new("hello")).await?;
                    }
                    Ok(near)
                }
            }
        })
    }
}

fn script(dials: impl IntoIterator<Item = Dial>) -> Script {
    Script { dials: dials.into_iter().collect(), at: Vec::new() }
}

const FLOOR: Duration = Duration::from_millis(250);

async fn to_its_end(connection: Connection) {
    connection.spawn().control.closed().await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_and_the_verdict_stays() {
    let mut script = script([]);
    let mut dialing = Reconnect::new(&mut script, Backoff::default());
    let verdict = dialing.next().await.expect_err("nobody is there");
    let late = Instant::now();
    let again = dialing.next().await.expect_err("over");
    assert_eq!((verdict.kind(), again.to_string()), (ErrorKind::Io, verdict.to_string()));
    assert_eq!(late.elapsed(), Duration::ZERO);
    drop(dialing);
    assert_eq!(script.at.len(), 10);
    assert!(script.at.windows(2).all(|pair| pair[1] - pair[0] >= FLOOR), "{:?}", script.at);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_to_repeat_is_not_repeated() {
    for kind in [ErrorKind::Refused, ErrorKind::Misuse] {
        let mut script = script([Dial::Fails(ErrorKind::Timeout), Dial::Fails(kind)]);
        let mut dialing = Reconnect::new(&mut script, Backoff::default());
        assert_eq!(dialing.next().await.expect_err("terminal").kind(), kind);
        drop(dialing);
        assert_eq!(script.at.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn only_progress_starts_the_count_again() {
    for (talks, all) in [(true, 3 + 4), (false, 3)] {
        let dials = [true, true, true].map(|_| Dial::Connects { talks });
        let mut script = script(dials);
        let mut dialing = Reconnect::new(&mut script, Backoff::new(FLOOR, Duration::from_secs(30), 4));
        let mut connections = 0;
        while let Ok(connection) = dialing.next().await {
            to_its_end(connection).await;
            connections += 1;
        }
        assert_eq!(connections, 3);
        drop(dialing);
        // With progress there are four more dials that fail; without, the three and one that fails.
        assert_eq!(script.at.len(), if talks { all } else { all + 1 });
        assert!(script.at.windows(2).all(|pair| pair[1] - pair[0] >= FLOOR), "{:?}", script.at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let mut script = script((0..5).map(|_| Dial::Connects { talks: false }));
    let mut dialing = Reconnect::new(&mut script, Backoff::new(FLOOR, Duration::from_secs(30), 3));
    for _ in 0..3 {
        to_its_end(dialing.next().await.expect("it connects")).await;
    }
    assert_eq!(dialing.next().await.expect_err("never a word").kind(), ErrorKind::Peer);
    assert_eq!(dialing.next().await.expect_err("the same").kind(), ErrorKind::Peer);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_an_attempt_waits_all_the_same() {
    let dials = (0..100).map(|at| if at % 2 == 0 { Dial::Hangs } else { Dial::Fails(ErrorKind::Io) });
    let mut script = script(dials);
    let mut dialing = Reconnect::new(&mut script, Backoff::new(FLOOR, Duration::from_secs(30), 1000));
    for _ in 0..100 {
        let _ = tokio::time::timeout(Duration::from_millis(10), dialing.next()).await;
    }
    drop(dialing);
    // A hundred attempts in one second are not a hundred dials.
    assert!((2..=5).contains(&script.at.len()), "{} dials", script.at.len());
    assert!(script.at.windows(2).all(|pair| pair[1] - pair[0] >= FLOOR), "{:?}", script.at);
}

#[test]
fn clients_do_not_come_back_all_at_once() {
    let backoff = Backoff::default();
    for failures in 0..10 {
        let waits: std::collections::HashSet<_> = (0..1024).map(|at| backoff.wait(failures, at)).collect();
        assert!(waits.len() > 100, "{} waits after {failures} failures", waits.len());
    }
}

#[test]
fn a_wait_without_an_end_does_not_overflow() {
    let backoff = Backoff::new(Duration::MAX, Duration::ZERO, 1);
    assert_eq!(backoff.wait(u32::MAX, u64::MAX), Duration::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wait_is_between_floor_and_cap(floor in 0_u64..100_000, cap in 0_u64..10_000_000, failures: u32, chance: u64) {
        let (floor, cap) = (Duration::from_millis(floor), Duration::from_millis(cap));
        let backoff = Backoff::new(floor, cap, 5);
        let wait = backoff.wait(failures, chance);
        prop_assert!(wait >= floor && wait <= cap.max(floor));
        prop_assert!(wait <= floor.saturating_mul(2_u32.saturating_pow(failures.saturating_add(1))));
    }
}
