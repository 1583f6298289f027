//! In which order messages arrive.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::time::Duration;

use mcp_jsonrpc::{Id, Message, Notification, Request, Response};
use mcp_transport_core::Endpoint;

use scripted::Scripted;

async fn send(endpoint: &Endpoint, message: impl Into<Message>) {
    endpoint.sender.send(message).await.unwrap();
}

#[tokio::test]
async fn requests_fly_together() {
    let mut server = Scripted::new().await;
    let (endpoint, _stream) = server.session().await;
    for id in 1..=8_u64 {
        send(&endpoint, Request::new(id, "call")).await;
    }
    // None is answered before all have come.
    let mut held = Vec::new();
    for _ in 1..=8 {
        held.push(server.posted().await);
    }
    let mut ids: Vec<u64> = held.iter().map(|request| request.id()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn a_barrier_is_never_overtaken_and_never_overtakes() {
    let mut server = Scripted::new().await;
    let (endpoint, _stream) = server.session().await;
    send(&endpoint, Request::new(1, "initialize")).await;
    send(&endpoint, Notification::new("notifications/initialized")).await;
    for id in 2..=4_u64 {
        send(&endpoint, Request::new(id, "call")).await;
    }
    send(&endpoint, Notification::new("notifications/cancelled")).await;
    send(
        &endpoint,
        Response::error(&Id::from(9_u64), &mcp_jsonrpc::ErrorObject::with_reason("no", "closed")),
    )
    .await;
    send(&endpoint, Request::new(5, "call")).await;

    // A response, which has no method, flies with the request behind it.
    let waves: [&[&str]; 5] = [
        &["initialize"],
        &["notifications/initialized"],
        &["call", "call", "call"],
        &["notifications/cancelled"],
        &["", "call"],
    ];
    for wave in waves {
        let mut held = Vec::new();
        for _ in wave {
            held.push(server.posted().await);
        }
        let mut methods: Vec<String> = held.iter().map(|request| request.method()).collect();
        methods.sort_unstable();
        assert_eq!(methods, wave);
        // Time enough for what must not come yet.
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(server.has_come().is_none(), "something overtook {wave:?}");
        // The last of a wave is held longer than the others.
        let last = held.pop().unwrap();
        for request in held {
            request.accept().await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(server.has_come().is_none(), "something overtook the last of {wave:?}");
        last.accept().await;
    }
}

/// Some servers say that they have a request only when they have answered it, and may ask us before they do.
#[tokio::test]
async fn a_response_waits_for_no_request() {
    let mut server = Scripted::new().await;
    let (endpoint, _stream) = server.session().await;
    let mut held = Vec::new();
    for id in 1..=9_u64 {
        send(&endpoint, Request::new(id, "call")).await;
    }
    for _ in 1..=8 {
        held.push(server.posted().await);
    }
    send(&endpoint, Response::result(&Id::from(1_u64), "said").unwrap()).await;
    let response = server.posted().await;
    assert_eq!(response.method(), "", "the ninth call still waits for room");
    response.accept().await;
    for request in held {
        request.accept().await;
    }
    server.posted().await.accept().await;
}

#[tokio::test]
async fn what_was_sent_before_the_end_arrives() {
    let mut server = Scripted::new().await;
    let (endpoint, _stream) = server.session().await;
    send(&endpoint, Notification::new("one")).await;
    send(&endpoint, Notification::new("two")).await;
    drop(endpoint);
    for method in ["one", "two"] {
        let request = server.posted().await;
        assert_eq!(request.method(), method);
        request.accept().await;
    }
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes() {
    const SIZE: usize = 1024 * 1024;
    let mut server = Scripted::new().await;
    let (endpoint, _stream) = server.session().await;
    // Held back behind a barrier that gets no answer.
    send(&endpoint, Notification::new("barrier")).await;
    let barrier = server.posted().await;
    let large = |id: u64| Request::with_params(id, "large", &["x".repeat(SIZE)]).unwrap();
    let mut taken = 0;
    while let Ok(sent) =
        tokio::time::timeout(Duration::from_millis(200), endpoint.sender.send(large(taken))).await
    {
        sent.unwrap();
        taken += 1;
        assert!(taken < 32, "no end to what is held in memory");
    }
    barrier.accept().await;
    for _ in 0..taken {
        server.posted().await.accept().await;
    }
}
