//! Two connections joined.

mod raw;

use std::time::Duration;

use mcp_jsonrpc::{Notification, Outcome};
use mcp_transport_core::{
    CallOptions, CloseReason, Connection, Incoming, Limits, Options, relay, relay_within,
};

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
        let Ok(Some(Incoming::Notification(notification, _))) = incoming else {
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

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_in_time_is_answered_and_cancelled() {
    let (client, front) = Connection::pair(Options::default(), Options::default());
    let (back, server) = Connection::pair(Options::default(), Options::default());
    tokio::spawn(relay_within(front, back, Some(Duration::from_secs(10))));
    let (client, mut server) = (client.spawn(), server.spawn());
    let patient = CallOptions::timeout(Duration::from_secs(100));
    let caller = client.into_caller().with_options(patient);
    let ask = |method: &'static str| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.request(method, &()).await })
    };

    let start = tokio::time::Instant::now();
    let (handshake, late) = (ask("initialize"), ask("late"));
    let held = [raw::exchange(&mut server.receiver).await, raw::exchange(&mut server.receiver).await];
    tokio::time::sleep(Duration::from_secs(5)).await;
    let quick = ask("quick");
    raw::exchange(&mut server.receiver).await.finish(&1);
    assert!(matches!(quick.await.expect("asked").expect("an answer").outcome(), Outcome::Result(_)));
    for asked in [handshake, late] {
        let response = asked.await.expect("asked").expect("an answer");
        assert_eq!(raw::error(&response), (-32603, Some("timeout".into())), "{response:?}");
        assert_eq!(start.elapsed().as_secs(), 10);
    }
    // The second of them is cancelled, the handshake never is.
    let Some(Incoming::Notification(told, _)) = server.receiver.recv().await else {
        panic!("no cancellation")
    };
    assert_eq!(told.method(), "notifications/cancelled");
    let late_id = held.iter().find(|held| held.request().method() == "late").expect("asked").request().id();
    let id = std::str::from_utf8(late_id.as_json()).expect("text");
    let expected = format!(r#"{{"requestId":{id},"reason":"timeout"}}"#);
    assert_eq!(told.params_raw(), Some(expected.as_bytes()));
    // An answer after that is nobody's, and harms nobody.
    for held in held {
        held.finish(&2);
    }
    let next = ask("next");
    raw::exchange(&mut server.receiver).await.finish(&3);
    assert!(matches!(next.await.expect("asked").expect("an answer").outcome(), Outcome::Result(_)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_late_too() {
    let limits = Limits::default().with_outbound_count(2).with_inbound_count(2);
    let options = || Options::default().with_limits(limits);
    let (client, front) = Connection::pair(options(), options());
    let (back, server) = Connection::pair(options(), options());
    tokio::spawn(relay_within(front, back, Some(Duration::from_secs(10))));
    let client = client.spawn();
    let caller = client.into_caller().with_options(CallOptions::timeout(Duration::from_secs(100)));
    let asked: Vec<_> = (0..2)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.request("never", &()).await })
        })
        .collect();
    for asked in asked {
        let response = asked.await.expect("asked").expect("an answer");
        assert_eq!(raw::error(&response).1.as_deref(), Some("timeout"));
    }
    drop(server);
}
