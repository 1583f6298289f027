//! Comments on a silent stream.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::time::{Duration, Instant};

use mcp_jsonrpc::Notification;
use mcp_sse::SseOptions;

use raw::{Said, open};
use served::Served;

const COMMENT: &str = ": keep-alive\n\n";

fn every(every: Duration) -> SseOptions {
    let mut options = SseOptions::default();
    options.keep_alive = every;
    options
}

#[tokio::test]
async fn silence_is_commented_on() {
    const EVERY: Duration = Duration::from_millis(100);
    let served = Served::new(every(EVERY)).await;
    let (mut stream, _) = open(served.address, "/sse").await;
    let start = Instant::now();
    for at in 1..=5 {
        assert_eq!(stream.said().await, Said::Event(COMMENT.into()));
        // Less a timer's grain.
        assert!(start.elapsed() >= EVERY * at - Duration::from_millis(20), "{at}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_stream_that_speaks_is_not() {
    const EVERY: Duration = Duration::from_secs(2);
    let mut served = Served::new(every(EVERY)).await;
    let (mut stream, _) = open(served.address, "/sse").await;
    let session = served.endpoint().await;
    let start = Instant::now();
    let mut last = start;
    // It speaks for longer than the time, and never is as long silent.
    while start.elapsed() < EVERY + EVERY / 2 {
        assert!(last.elapsed() < EVERY, "this machine is too slow for this test");
        session.sender.send(Notification::new("tick")).await.unwrap();
        last = Instant::now();
        assert_eq!(stream.event("message").await, r#"{"jsonrpc":"2.0","method":"tick"}"#);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(stream.said().await, Said::Event(COMMENT.into()));
    assert!(last.elapsed() >= EVERY - Duration::from_millis(20));
}

#[tokio::test]
async fn never_and_always_are_both_possible() {
    let mut served = Served::new(every(Duration::MAX)).await;
    let (mut stream, _) = open(served.address, "/sse").await;
    let session = served.endpoint().await;
    session.sender.send(Notification::new("tick")).await.unwrap();
    stream.event("message").await;

    let mut served = Served::new(every(Duration::ZERO)).await;
    let (mut stream, _) = open(served.address, "/sse").await;
    let session = served.endpoint().await;
    session.sender.send(Notification::new("tick")).await.unwrap();
    let mut comments = 0;
    while let Said::Event(event) = stream.said().await {
        if event != COMMENT {
            break;
        }
        comments += 1;
    }
    // A flood of comments would keep the events of others from being sent.
    assert!(comments < 1_000, "{comments}");
}
