//! Two connections joined.

mod raw;

use std::time::Duration;

use mcp_jsonrpc::Notification;
use mcp_transport_core::{CloseReason, Connection, Limits, Options, relay};

/// A client's end and a server's end with a relay between them.
fn joined(limits: Limits) -> (Connection, Connection) {
    let options = || Options::default().with_limits(limits);
    let (client, front) = Connection::pair(options(), options());
    let (back, server) = Connection::pair(options(), options());
    tokio::spawn(relay(front, back));
    (client, server)
}

#[tokio::test(start_paused = true)]
async fn a_burst_passes_a_server_that_is_slow_to_read() {
    const MESSAGES: usize = 2_000;
    let limits = Limits::default().with_outbound_count(4).with_inbound_count(4);
    let (client, server) = joined(limits);
    let (client, mut server) = (client.spawn(), server.spawn());
    let sender = client.sender.clone();
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            sender.send(Notification::with_params("n", &[number]).expect("serializes")).await.expect("open");
        }
    });
    for number in 0..MESSAGES {
        if number % 7 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let incoming = tokio::time::timeout(Duration::from_secs(20), server.receiver.recv()).await;
        let Ok(Some(mcp_transport_core::Incoming::Notification(notification, _))) = incoming else {
            panic!("{incoming:?} in place of {number}")
        };
        assert_eq!(notification.params_raw(), Some(format!("[{number}]").as_bytes()));
    }
    sending.await.expect("all were sent");
}

#[tokio::test(start_paused = true)]
async fn a_message_as_large_as_the_queue_passes_behind_a_small_one() {
    let limits = Limits::default().with_outbound_bytes(1000).with_inbound_bytes(1000);
    let (client, server) = joined(limits);
    let (client, mut server) = (client.spawn(), server.spawn());
    for size in [1, 5_000, 1, 900, 5_000] {
        let large = Notification::with_params("n", &["x".repeat(size)]).expect("serializes");
        client.sender.send(large).await.expect("open");
    }
    for _ in 0..5 {
        let next = tokio::time::timeout(Duration::from_secs(20), server.receiver.recv()).await;
        assert!(matches!(next, Ok(Some(_))), "{next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_of_a_side_that_ends_is_answered() {
    let (client, server) = joined(Limits::default());
    let (client, mut server) = (client.spawn(), server.spawn());
    let control = client.control.clone();
    let asking = tokio::spawn(async move { client.into_caller().request("never", &()).await });
    let exchange = raw::exchange(&mut server.receiver).await;
    server.control.close();
    let response = asking.await.expect("asked").expect("an answer");
    assert!(raw::error(&response).0 == -32603, "{response:?}");
    drop(exchange);
    assert!(matches!(&*control.closed().await, CloseReason::PeerClosed | CloseReason::ClosedHere));
}
