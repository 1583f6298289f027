//! Peers and handlers that take their time, and floods.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod raw;

use mcp_jsonrpc::Notification;
use mcp_transport_core::{Connection, Incoming, Limits, Options, State, serve};
use raw::{peer, peer_holding, settle};

#[tokio::test(start_paused = true)]
async fn what_is_not_received_is_not_read_and_not_lost() {
    let (connection, mut peer) = peer_holding(256, Limits::default().with_inbound_count(4));
    let mut end = connection.spawn();
    let talking = tokio::spawn(async move {
        for at in 0..100 {
            peer.say(&format!(r#"{{"jsonrpc":"2.0","method":"n/{at}"}}"#)).await;
        }
        peer
    });
    settle().await;
    let read = end.control.health().received;
    assert!((5..20).contains(&read), "{read} were read for a receiver with room for 4");
    // Writes go on meanwhile.
    end.sender.send(Notification::new("out")).await.expect("open");
    settle().await;
    assert_eq!(end.control.health().sent, 1);
    for at in 0..100 {
        let Some(Incoming::Notification(n, _)) = end.receiver.recv().await else { panic!("at {at}") };
        assert_eq!(n.method(), format!("n/{at}"));
    }
    let mut peer = talking.await.expect("no panic");
    assert!(peer.hear().await.expect("what was sent").contains("out"));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_is_delivered_when_the_end_comes_before_there_is_room() {
    let (connection, mut peer) = peer(Limits::default().with_inbound_count(2));
    let mut end = connection.spawn();
    for at in 0..3 {
        peer.say(&format!(r#"{{"jsonrpc":"2.0","method":"n/{at}"}}"#)).await;
    }
    settle().await;
    end.control.shutdown();
    end.control.closed().await;
    settle().await;
    let mut received = 0;
    while end.receiver.recv().await.is_some() {
        received += 1;
    }
    assert_eq!((end.control.health().received, received), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_malformed_requests_is_bounded_and_is_no_end() {
    const MOST: u32 = 20;
    let limits = Limits::default().with_max_refusals(MOST);
    let (connection, mut peer) = peer_holding(256, limits);
    let (mut end, driver) = connection.split();
    let driving = tokio::spawn(driver);
    let control = end.control.clone();
    tokio::spawn(async move { while end.receiver.recv().await.is_some() {} });
    let mut told = 0_usize;
    // It says as much as it can and listens to nothing.
    while raw::try_once(Box::pin(async {
        peer.say(&format!(r#"{{"jsonrpc":"1.0","id":{told},"method":"m"}}"#)).await;
    }))
    .await
    .is_some()
    {
        told += 1;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(told < 4000, "a peer that hears nothing is read on and on");
    }
    let read = control.health().malformed;
    // The wire takes 256 KiB of answers of about 90 bytes, then the refusals wait.
    assert!(read >= u64::from(MOST) && read < 4000, "{read}");
    let mut heard = 0_usize;
    while heard < told.min(read as usize) {
        let response = peer.hear_response().await;
        assert_eq!(response.id(), Some((heard as u64).into()));
        assert_eq!(raw::error(&response).0, -32600);
        heard += 1;
    }
    assert_eq!(control.health().state, State::Open);
    assert!(!driving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_wait_for_those_who_wait_for_room() {
    let (connection, mut peer) = peer(Limits::default().with_outbound_count(1).with_max_in_flight(0));
    let mut end = connection.spawn();
    // Somebody has all the room and does not use it, and others stand in line.
    let permit = end.sender.reserve(1).await.expect("open");
    let mut waiting = Box::pin(end.sender.send(Notification::new("later")));
    assert!(raw::once(waiting.as_mut()).await.is_pending());
    for id in 0..3 {
        peer.request(id, "m").await;
        assert_eq!(peer.hear_response().await.id(), Some(id.into()));
    }
    // Reading went on: what comes behind a refusal arrives.
    peer.say(r#"{"jsonrpc":"2.0","method":"n"}"#).await;
    assert!(matches!(end.receiver.recv().await, Some(Incoming::Notification(..))));
    drop(permit);
    waiting.await.expect("open");
}

#[tokio::test(start_paused = true)]
async fn two_peers_that_flood_each_other_with_requests_do_not_stop() {
    const CALLS: usize = 1000;
    let limits = Limits::default().with_max_in_flight(2).with_outbound_count(4);
    let options = || Options::default().with_limits(limits);
    let (one, other) = Connection::pair(options(), options());
    let mut asking = Vec::new();
    for connection in [one, other] {
        let caller = mcp_transport_core::Caller::new(&connection.sender());
        tokio::spawn(serve(connection, |incoming| async move {
            if let Incoming::Request(exchange) = incoming {
                tokio::task::yield_now().await;
                exchange.finish(&[1]);
            }
        }));
        for _ in 0..CALLS {
            let caller = caller.clone();
            asking.push(tokio::spawn(async move { caller.request("m", &["x".repeat(500)]).await }));
        }
    }
    for call in asking {
        call.await.expect("no panic").expect("answered or refused, and not in a time-out");
    }
}

#[tokio::test(start_paused = true)]
async fn memory_holds_a_bounded_number_of_bytes() {
    const BOUND: u32 = 100_000;
    let limits = Limits::default().with_outbound_bytes(BOUND).with_inbound_bytes(BOUND);
    let options = || Options::default().with_limits(limits);
    let (near, far) = Connection::pair(options(), options());
    let (near, _far) = (near.spawn(), far.spawn());
    let mut sent = 0;
    let message = Notification::with_params("m", &["x".repeat(10_000)]).expect("a notification");
    while near.sender.try_send(message.clone()).expect("open").is_none() {
        sent += message.len();
        settle().await;
        assert!(sent < 10 * BOUND as usize);
    }
    // The queue out, the pair's own, the queue in, and one on its way between two of them.
    assert!(sent <= 3 * BOUND as usize + 2 * message.len(), "{sent} bytes");
}
