//! The way back of one request.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod raw;

use mcp_jsonrpc::{ErrorObject, Notification, Response};
use mcp_transport_core::{ErrorKind, Limits};
use raw::{error, exchange, parse, peer, settle};

#[tokio::test(start_paused = true)]
async fn dropped_unanswered_it_answers() {
    let (connection, mut peer) = peer(Limits::default());
    let mut end = connection.spawn();
    peer.request(1, "m").await;
    drop(exchange(&mut end.receiver).await);
    assert_eq!(error(&peer.hear_response().await), (-32603, Some("unanswered".into())));
    assert_eq!(end.control.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_response_of_somebody_else_gets_the_id_and_keeps_its_bytes() {
    let (connection, mut peer) = peer(Limits::default());
    let mut end = connection.spawn();
    for (given, heard) in [
        (
            r#"{"x":1, "id":77, "jsonrpc":"2.0", "result":{"a":1e2}}"#,
            r#"{"x":1, "id":"a\u0062", "jsonrpc":"2.0", "result":{"a":1e2}}"#,
        ),
        (r#"{"id":"ab","jsonrpc":"2.0","result":1}"#, r#"{"id":"a\u0062","jsonrpc":"2.0","result":1}"#),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":5,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":"a\u0062","error":{"code":5,"message":"m"}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","error":{"code":5,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":"a\u0062","error":{"code":5,"message":"m"}}"#,
        ),
    ] {
        peer.request(r#""a\u0062""#, "m").await;
        let (_, _, responder) = exchange(&mut end.receiver).await.into_parts();
        let mcp_jsonrpc::Message::Response(response) = parse(given) else { panic!("{given}") };
        responder.respond(response);
        assert_eq!(peer.hear().await.as_deref(), Some(heard));
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_or_no_json_is_an_error() {
    let (connection, mut peer) = peer(Limits::default().with_max_message(200));
    let mut end = connection.spawn();
    peer.request(1, "m").await;
    exchange(&mut end.receiver).await.finish(&["x".repeat(200)]);
    assert_eq!(error(&peer.hear_response().await), (-32603, Some("too_large".into())));
    peer.request(2, "m").await;
    let unfit = std::collections::BTreeMap::from([((1, 2), 3)]);
    exchange(&mut end.receiver).await.finish(&unfit);
    assert_eq!(error(&peer.hear_response().await), (-32603, None));
}

#[tokio::test(start_paused = true)]
async fn after_cancellation_it_is_silent() {
    let (connection, mut peer) = peer(Limits::default());
    let mut end = connection.spawn();
    // Compared by value, and every exchange with this id.
    peer.request(r#""ab""#, "one").await;
    peer.request(r#""a\u0062""#, "two").await;
    peer.request(r#""abc""#, "three").await;
    let one = exchange(&mut end.receiver).await;
    let two = exchange(&mut end.receiver).await;
    let three = exchange(&mut end.receiver).await;
    peer.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0061b"}}"#)
        .await;
    one.responder().cancelled().await;
    two.responder().cancelled().await;
    assert!(!three.responder().is_cancelled());
    let late = one.responder().notify(Notification::new("late")).await.expect_err("cancelled");
    assert_eq!(
        (late.kind(), late.to_string().as_str()),
        (ErrorKind::Closed, "the peer has given up on the request")
    );
    one.finish(&[1]);
    drop(two);
    three.fail(&ErrorObject::with_reason("no", "because"));
    assert_eq!(peer.hear_response().await.id(), Some("abc".into()));
    assert_eq!(end.control.health().dropped, 2);
    assert_eq!(end.control.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_waits_for_room_is_not_sent_after_cancellation() {
    let (connection, mut peer) = raw::peer_holding(1024, Limits::default().with_outbound_count(1));
    let mut end = connection.spawn();
    peer.request(1, "m").await;
    let exchange = exchange(&mut end.receiver).await;
    // One takes all the room while it is not sent.
    let permit = end.sender.reserve(1).await.expect("open");
    let mut waiting = Box::pin(exchange.responder().notify(Notification::new("late")));
    assert!(raw::once(waiting.as_mut()).await.is_pending());
    peer.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    exchange.responder().cancelled().await;
    drop(permit);
    assert!(waiting.await.is_err());
    end.sender.send(Notification::new("next")).await.expect("open");
    assert_eq!(peer.hear().await.as_deref(), Some(r#"{"jsonrpc":"2.0","method":"next"}"#));
}

#[tokio::test(start_paused = true)]
async fn after_the_end_it_is_silent() {
    let (connection, mut peer) = peer(Limits::default());
    let mut end = connection.spawn();
    peer.request(1, "m").await;
    let exchange = exchange(&mut end.receiver).await;
    end.control.close();
    exchange.responder().cancelled().await;
    let error = exchange.responder().notify(Notification::new("late")).await.expect_err("closed");
    assert!(error.close_reason().is_some());
    exchange.finish(&[1]);
    assert_eq!(peer.hear().await, None);
}

#[tokio::test(start_paused = true)]
async fn one_more_than_the_limit_is_refused_and_places_are_used_again() {
    const MOST: u32 = 3;
    let (connection, mut peer) = peer(Limits::default().with_max_in_flight(MOST));
    let mut end = connection.spawn();
    for round in 0..50 {
        let mut open = Vec::new();
        for id in 0..MOST {
            peer.request(id, "m").await;
            open.push(exchange(&mut end.receiver).await);
            assert_eq!(end.control.health().in_flight, id + 1);
        }
        peer.request(99, "m").await;
        let refused = peer.hear_response().await;
        assert_eq!(refused.id(), Some(99.into()));
        assert_eq!(error(&refused), (-32603, Some("overloaded".into())));
        assert_eq!(end.control.health().refused, round + 1);
        // Out of order, so that places are freed in the middle.
        for at in [1, 0, 0] {
            let exchange = open.remove(at);
            let id = exchange.responder().id().clone();
            exchange.finish(&[1]);
            assert_eq!(peer.hear_response().await.id(), Some(id));
        }
    }
    settle().await;
    assert_eq!(end.control.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn notifications_go_before_the_answer() {
    let (connection, mut peer) = raw::peer_holding(64, Limits::default().with_outbound_count(2));
    let mut end = connection.spawn();
    peer.request(1, "m").await;
    let exchange = exchange(&mut end.receiver).await;
    let working = tokio::spawn(async move {
        for at in 0..20 {
            let progress = Notification::new(&format!("progress/{at}"));
            exchange.responder().notify(progress).await.expect("open");
        }
        exchange.finish(&[1]);
    });
    for at in 0..20 {
        let heard = peer.hear_message().await;
        assert_eq!(heard.method().as_deref(), Some(&*format!("progress/{at}")));
    }
    let _: Response = peer.hear_response().await;
    working.await.expect("no panic");
}
