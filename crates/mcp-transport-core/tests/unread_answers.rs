//! A peer that asks and does not read.

mod raw;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcp_transport_core::{Incoming, Limits, serve};

/// What it is answered waits within a bound: it is not read any more once it has enough waiting.
#[tokio::test(start_paused = true)]
async fn is_not_asked_for_more() {
    const ANSWER: usize = 10_000;
    let limits = Limits::default().with_outbound_bytes(100_000);
    let (connection, mut peer) = raw::peer_holding(4096, limits);
    let answered = Arc::new(AtomicUsize::new(0));
    let count = answered.clone();
    tokio::spawn(serve(connection, move |incoming| {
        let count = count.clone();
        async move {
            if let Incoming::Request(exchange) = incoming {
                count.fetch_add(1, Ordering::Relaxed);
                exchange.finish(&"x".repeat(ANSWER));
            }
        }
    }));
    let mut asked = 0;
    while tokio::time::timeout(Duration::from_secs(1), peer.request(asked, "large")).await.is_ok() {
        asked += 1;
        assert!(asked < 1000, "no end to what it may ask");
    }
    // Ten answers fill the bound; one read takes at most 64 messages more.
    let waiting = answered.load(Ordering::Relaxed);
    assert!((10..=80).contains(&waiting), "{waiting} answers wait");
}
