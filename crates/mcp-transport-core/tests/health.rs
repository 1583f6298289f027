//! What a connection says of itself.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

use mcp_jsonrpc::Notification;
use mcp_transport_core::{Connection, Options};
use tokio::time::{Duration, advance};

/// A consumer that takes its time over each message learns when the next one was read, not when the first one was.
#[tokio::test(start_paused = true)]
async fn a_slow_consumer_knows_when_it_read() {
    let (mut consumer, peer) = Connection::pair(Options::default(), Options::default());
    let peer = peer.spawn();
    for _ in 0..3 {
        peer.sender.send(Notification::new("n")).await.expect("an open connection");
    }
    let control = consumer.control();
    for _ in 0..3 {
        consumer.next().await.expect("a message");
        assert_eq!(control.health().since_received, Some(Duration::ZERO));
        advance(Duration::from_secs(10)).await;
    }
    assert_eq!(control.health().since_received, Some(Duration::from_secs(10)));
}
