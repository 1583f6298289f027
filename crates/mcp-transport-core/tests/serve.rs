//! Handlers on a connection.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod raw;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use mcp_transport_core::{CloseReason, Incoming, Limits, serve};
use raw::{peer, settle};
use tokio::sync::Semaphore;

#[tokio::test(start_paused = true)]
async fn handlers_begin_in_wire_order_and_end_as_they_like() {
    let (connection, mut peer) = peer(Limits::default());
    let begun = Arc::new(Mutex::new(Vec::new()));
    let gate = Arc::new(Semaphore::new(0));
    let serving = tokio::spawn(serve(connection, {
        let (begun, gate) = (begun.clone(), gate.clone());
        move |incoming| {
            let (begun, gate) = (begun.clone(), gate.clone());
            async move {
                let Incoming::Request(exchange) = incoming else { return };
                begun.lock().expect("not poisoned").push(exchange.responder().id().clone());
                if exchange.request().method() == "waits" {
                    gate.acquire().await.expect("open").forget();
                }
                exchange.finish(&[1]);
            }
        }
    }));
    for id in 0..10 {
        peer.request(id, if id % 2 == 0 { "waits" } else { "at once" }).await;
    }
    for id in [1, 3, 5, 7, 9] {
        assert_eq!(peer.hear_response().await.id(), Some(id.into()));
    }
    gate.add_permits(5);
    let mut rest = Vec::new();
    for _ in 0..5 {
        rest.push(peer.hear_response().await.id().and_then(|id| id.as_i64()).expect("an id"));
    }
    rest.sort_unstable();
    assert_eq!(rest, [0, 2, 4, 6, 8]);
    assert!((0..10).map(mcp_jsonrpc::Id::from).eq(begun.lock().expect("not poisoned").drain(..)));
    peer.stop_talking().await;
    assert!(matches!(*serving.await.expect("no panic"), CloseReason::PeerClosed));
}

#[tokio::test(start_paused = true)]
async fn a_panic_answers_and_takes_nothing_else_along() {
    let (connection, mut peer) = peer(Limits::default());
    tokio::spawn(serve(connection, |incoming| {
        let Incoming::Request(exchange) = incoming else { panic!("made for requests") };
        let method = exchange.request().method().into_owned();
        assert_ne!(method, "in the handler", "as asked");
        async move {
            if method == "later" {
                tokio::task::yield_now().await;
            }
            assert_eq!(method, "fine", "as asked");
            exchange.finish(&[1]);
        }
    }));
    for (id, method) in ["in the handler", "at first poll", "later"].into_iter().enumerate() {
        peer.request(id, method).await;
        let response = peer.hear_response().await;
        assert_eq!(raw::error(&response), (-32603, Some("unanswered".into())), "{method}");
        peer.say(r#"{"jsonrpc":"2.0","method":"panics too"}"#).await;
        peer.request(id + 100, "fine").await;
        assert!(!peer.hear_response().await.is_error());
    }
}

#[tokio::test(start_paused = true)]
async fn end_of_input_lets_waiting_handlers_answer() {
    let (connection, mut peer) = peer(Limits::default());
    tokio::spawn(serve(connection, |incoming| async move {
        if let Incoming::Request(exchange) = incoming {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            exchange.finish(&[1]);
        }
    }));
    for id in 0..40 {
        peer.request(id, "m").await;
    }
    peer.stop_talking().await;
    assert_eq!(peer.hear_all().await.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn handlers_that_wait_are_bounded_whatever_they_wait_for() {
    let (connection, mut peer) =
        raw::peer_holding(64, Limits::default().with_max_in_flight(3).with_inbound_count(5));
    let control = connection.control();
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
    tokio::spawn(serve(connection, {
        let (gate, begun) = (gate.clone(), begun.clone());
        move |_| {
            let (gate, begun) = (gate.clone(), begun.clone());
            async move {
                begun.fetch_add(1, SeqCst);
                gate.acquire().await.expect("open").forget();
            }
        }
    }));
    let talking = tokio::spawn(async move {
        for _ in 0..100 {
            peer.say(r#"{"jsonrpc":"2.0","method":"n"}"#).await;
        }
        peer
    });
    settle().await;
    assert_eq!(begun.load(SeqCst), 8);
    assert!(control.health().received <= 9);
    gate.add_permits(100);
    talking.await.expect("no panic");
    settle().await;
    assert_eq!(begun.load(SeqCst), 100);
}
