//! Bounds of the server, one below, at, and one above.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::time::{Duration, Instant};

use mcp_sse::SseOptions;
use mcp_transport_core::{Incoming, Limits};

use raw::{ask, open, post};
use served::{Served, until, within};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn has_retry_after(answer: &raw::Answer) -> bool {
    answer.headers.iter().any(|line| line == "retry-after: 1")
}

#[tokio::test]
async fn sessions() {
    let mut options = SseOptions::default();
    options.max_sessions = 3;
    let mut served = Served::new(options).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(open(served.address, "/sse").await);
    }
    for _ in 0..3 {
        let refused = ask(served.address, "GET /sse HTTP/1.1", "").await;
        assert_eq!(refused.status, 503);
        assert!(has_retry_after(&refused), "{refused:?}");
    }
    // Those that are open are not disturbed, and a place that is free is had.
    let session = served.endpoint().await;
    assert_eq!(post(served.address, &streams[0].1, PING).await.status, 202);
    streams.pop();
    until("a free place", || served.sse.session_count() == 2).await;
    streams.push(open(served.address, "/sse").await);
    assert_eq!(ask(served.address, "GET /sse HTTP/1.1", "").await.status, 503);
    drop(session);
}

#[tokio::test]
async fn none_at_all() {
    let mut options = SseOptions::default();
    options.max_sessions = 0;
    let served = Served::new(options).await;
    assert_eq!(ask(served.address, "GET /sse HTTP/1.1", "").await.status, 503);
    assert_eq!(served.sse.session_count(), 0);
}

#[tokio::test]
async fn messages_that_wait_in_a_session() {
    const WAIT: Duration = Duration::from_millis(300);
    let mut options = SseOptions::default();
    options.queue_wait = WAIT;
    options.limits = Limits::default().with_inbound_count(4);
    let mut served = Served::new(options).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    let mut connection = served.connection().await;
    for _ in 0..4 {
        assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
    }
    let start = Instant::now();
    let refused = post(served.address, &endpoint, PING).await;
    assert_eq!(refused.status, 503);
    assert!(has_retry_after(&refused) && start.elapsed() >= WAIT, "{:?}", start.elapsed());
    // Another session is none the wiser.
    let (_other, other) = open(served.address, "/sse").await;
    assert_eq!(post(served.address, &other, PING).await.status, 202);
    // One that waits gets the place that becomes free.
    let (waiting, read) = tokio::join!(post(served.address, &endpoint, PING), async {
        within("a message", connection.next()).await
    });
    assert_eq!(waiting.status, 202);
    assert!(matches!(read, Some(Incoming::Request(_))));
}

#[tokio::test]
async fn bytes_that_wait_in_a_session() {
    let mut options = SseOptions::default();
    options.queue_wait = Duration::from_millis(1);
    options.limits = Limits::default().with_inbound_bytes(100_000);
    let served = Served::new(options).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(60_000));
    assert_eq!(post(served.address, &endpoint, &large).await.status, 202);
    assert_eq!(post(served.address, &endpoint, &large).await.status, 503);
    assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
}

#[tokio::test]
async fn sessions_that_nobody_takes() {
    let mut options = SseOptions::default();
    options.max_sessions = 5_000;
    let served = Served::new(options).await;
    let mut streams = Vec::new();
    for _ in 0..1024 {
        streams.push(open(served.address, "/sse").await);
    }
    let refused = ask(served.address, "GET /sse HTTP/1.1", "").await;
    assert_eq!(refused.status, 503);
    assert!(has_retry_after(&refused), "{refused:?}");
    assert_eq!(served.sse.session_count(), 1024, "what was refused has no place in the table");
}
