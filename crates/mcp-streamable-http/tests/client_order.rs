//! In which order messages go out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use mcp_jsonrpc::{Id, Message, Notification, Request, Response};
use mcp_transport_core::{Endpoint, Transport};

use scripted::{Scripted, call, initialize, result, within};

async fn send(endpoint: &Endpoint, message: impl Into<Message>) {
    endpoint.sender.send(message).await.unwrap();
}

#[tokio::test]
async fn a_notification_waits_for_no_answer_and_is_waited_for() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    for id in 101..=103_u64 {
        send(&endpoint, Request::new(id, "call")).await;
    }
    send(&endpoint, Notification::new("note")).await;
    send(&endpoint, Response::result(&Id::from(9_u64), "said").unwrap()).await;
    send(&endpoint, Request::new(104_u64, "call")).await;
    send(&endpoint, Notification::new("note")).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(server.next_is("call").await);
    }
    let note = server.next_is("note").await;
    server.silence().await;
    note.accept().await;
    // The two that follow may come in either order.
    let mut both = [server.next().await, server.next().await];
    both.sort_by_key(|request| request.method());
    let [response, request] = both;
    assert!(response.body.contains("said"), "{}", response.body);
    assert_eq!((request.method(), request.id()), ("call".to_owned(), 104));
    // A status of whatever kind is one.
    server.next_is("note").await.answer("500 Internal Server Error", "", "").await;
    response.accept().await;
    send(&endpoint, Notification::new("last")).await;
    server.next_is("last").await.accept().await;
}

#[tokio::test]
async fn a_hundred_notifications_stay_in_order() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let sender = endpoint.sender.clone();
    tokio::spawn(async move {
        for number in 0..100 {
            sender.send(Notification::with_params("note", &[number]).unwrap()).await.unwrap();
        }
    });
    for number in 0..100 {
        let note = server.next_is("note").await;
        assert!(note.body.contains(&format!("[{number}]")), "{number}: {}", note.body);
        // A body is tolerated.
        note.answer("200 OK", scripted::JSON, "{}").await;
    }
}

#[tokio::test]
async fn the_own_stream_of_the_server_comes_before_the_first_call() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let endpoint = client.dial().await.unwrap().spawn();
    let initialized = initialize(&endpoint);
    let request = server.next_is("initialize").await;
    let early = call(&endpoint, "early");
    server.silence().await;
    request.initialized("").await;
    server.next_is("early").await.result("1").await;
    assert_eq!(result(early).await, "1");
    within("it", initialized).await.unwrap();
    let note = server.next_is("notifications/initialized").await;
    let first = call(&endpoint, "first");
    server.silence().await;
    note.accept().await;
    let get = server.next_get().await;
    server.silence().await;
    let mut stream = get.stream().await;
    let request = server.next_is("first").await;
    // Some servers answer there.
    let id = request.id();
    stream.result(id, "7").await;
    assert_eq!(result(first).await, "7");
    request.hung_up().await;
}

#[tokio::test]
async fn a_server_without_a_stream_of_its_own() {
    for status in ["405 Method Not Allowed", "404 Not Found", "400 Bad Request", "204 No Content"] {
        let mut server = Scripted::new().await;
        let mut client = server.client();
        let endpoint = client.dial().await.unwrap().spawn();
        let initialized = initialize(&endpoint);
        server.open_session().await;
        let first = call(&endpoint, "first");
        server.next_get().await.answer(status, "", "").await;
        within("it", initialized).await.unwrap();
        server.next_is("first").await.result("1").await;
        assert_eq!(result(first).await, "1", "{status}");
        server.silence().await;
    }
}

#[tokio::test]
async fn a_notification_that_was_refused_opens_nothing() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let endpoint = client.dial().await.unwrap().spawn();
    let initialized = initialize(&endpoint);
    server.next_is("initialize").await.initialized("").await;
    within("it", initialized).await.unwrap();
    server.next_is("notifications/initialized").await.answer("500 Internal Server Error", "", "").await;
    let first = call(&endpoint, "first");
    server.next_is("first").await.result("1").await;
    assert_eq!(result(first).await, "1");
}

#[tokio::test]
async fn what_was_sent_before_the_end_arrives() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    send(&endpoint, Notification::new("one")).await;
    send(&endpoint, Notification::new("two")).await;
    drop(endpoint);
    for method in ["one", "two"] {
        server.next_is(method).await.accept().await;
    }
    assert!(server.next().await.line.starts_with("DELETE "));
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes() {
    const SIZE: usize = 1024 * 1024;
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    send(&endpoint, Notification::new("barrier")).await;
    let barrier = server.next_is("barrier").await;
    let large = Notification::with_params("large", &["x".repeat(SIZE)]).unwrap();
    let mut taken = 0;
    while let Ok(sent) = tokio::time::timeout(scripted::MOMENT * 3, endpoint.sender.send(large.clone())).await
    {
        sent.unwrap();
        taken += 1;
        assert!(taken < 32, "no end to what is held in memory");
    }
    barrier.accept().await;
    for _ in 0..taken {
        server.next_is("large").await.accept().await;
    }
}

/// A server that never says that it has taken a notification keeps nothing for ever.
#[tokio::test]
async fn a_notification_that_gets_no_status_is_not_waited_for_any_longer() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    send(&endpoint, Notification::new("note")).await;
    let _kept = server.next_is("note").await;
    let start = std::time::Instant::now();
    let works = call(&endpoint, "works");
    server.next_is("works").await.result("1").await;
    assert_eq!(result(works).await, "1");
    let waited = start.elapsed().as_millis();
    assert!((4_000..9_000).contains(&waited), "{waited}");
}
