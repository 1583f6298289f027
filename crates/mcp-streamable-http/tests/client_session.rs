//! A session of the legacy era, from `initialize` to DELETE.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::time::{Duration, Instant};

use mcp_http::HttpRefused;
use mcp_transport_core::{Backoff, Caller, CloseReason, Connection, ErrorKind, Reconnect, Transport};

use scripted::{SESSION, Scripted, call, failure, initialize, result, within};

#[tokio::test]
async fn everything_after_initialize_names_the_session_and_the_revision() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let endpoint = client.dial().await.unwrap().spawn();
    let initialized = initialize(&endpoint);
    let request = server.next_is("initialize").await;
    assert_eq!((request.header("mcp-session-id"), request.header("mcp-protocol-version")), (None, None));
    request.initialized(&format!("Mcp-Session-Id: {SESSION}\r\n")).await;
    let request = server.next_is("notifications/initialized").await;
    let named = (Some(SESSION), Some("2025-06-18"));
    assert_eq!((request.header("mcp-session-id"), request.header("mcp-protocol-version")), named);
    request.accept().await;
    let request = server.next_get().await;
    assert_eq!((request.header("mcp-session-id"), request.header("mcp-protocol-version")), named);
    assert_eq!(request.header("last-event-id"), None);
    let mut stream = request.stream().await;
    within("it", initialized).await.unwrap();
    let works = call(&endpoint, "works");
    let request = server.next_is("works").await;
    assert_eq!((request.header("mcp-session-id"), request.header("mcp-protocol-version")), named);
    request.result("1").await;
    assert_eq!(result(works).await, "1");
    // An answer to what the server asks.
    stream.message(r#"{"jsonrpc":"2.0","method":"unknown","id":"s"}"#).await;
    let exchange = {
        let mut endpoint = endpoint;
        (endpoint.receiver.recv().await, endpoint)
    };
    drop(exchange.0);
    let answer = server.next().await;
    assert_eq!((answer.header("mcp-session-id"), answer.header("mcp-protocol-version")), named);
    answer.accept().await;
    exchange.1.control.shutdown();
    let delete = server.next().await;
    assert_eq!(delete.line, "DELETE /mcp?tenant=7");
    assert_eq!((delete.header("mcp-session-id"), delete.header("mcp-protocol-version")), named);
    delete.answer("405 Method Not Allowed", "", "").await;
    stream.hung_up().await;
    assert!(matches!(*within("the end", exchange.1.control.closed()).await, CloseReason::ClosedHere));
}

#[tokio::test]
async fn the_end_waits_for_no_server_that_says_nothing() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let connection = client.dial().await.unwrap();
    let (endpoint, driver) = connection.split();
    let driving = tokio::spawn(driver);
    let initialized = initialize(&endpoint);
    server.open_session().await;
    let _get = server.next_get().await.answer("405 Method Not Allowed", "", "").await;
    within("it", initialized).await.unwrap();
    let start = Instant::now();
    endpoint.control.shutdown();
    let _kept = server.next().await;
    let _ = within("the end", driving).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn no_session_no_delete() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let endpoint = client.dial().await.unwrap().spawn();
    let initialized = initialize(&endpoint);
    server.next_is("initialize").await.initialized("").await;
    server.next_is("notifications/initialized").await.accept().await;
    server.next_get().await.answer("405 Method Not Allowed", "", "").await;
    within("it", initialized).await.unwrap();
    // Without a session 404 is a status like any other.
    let lost = call(&endpoint, "lost");
    server.next_is("lost").await.answer("404 Not Found", "", "").await;
    assert_eq!(HttpRefused::of(&failure(lost).await).unwrap().status(), 404);
    drop(endpoint);
    server.silence().await;
}

#[tokio::test]
async fn session_ids_that_cannot_be_used() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let endpoint = client.dial().await.unwrap().spawn();
    let long = "x".repeat(257);
    for id in ["", "a b", "\u{e9}", &long, "a\r\nMcp-Session-Id: b"] {
        let opens = call(&endpoint, "initialize");
        let request = server.next_is("initialize").await;
        assert_eq!(request.header("mcp-session-id"), None);
        request.initialized(&format!("Mcp-Session-Id: {id}\r\n")).await;
        assert_eq!(failure(opens).await.kind(), ErrorKind::Peer, "{id:?}");
    }
    let opens = call(&endpoint, "initialize");
    let longest = "x".repeat(256);
    server.next_is("initialize").await.initialized(&format!("Mcp-Session-Id: {longest}\r\n")).await;
    result(opens).await;
    let _next = call(&endpoint, "next");
    assert_eq!(server.next_is("next").await.header("mcp-session-id"), Some(&*longest));
}

#[tokio::test]
async fn a_session_that_is_not_known_any_more_ends_every_call() {
    let mut server = Scripted::new().await;
    let (endpoint, stream) = server.session_with_stream(server.client()).await;
    let calls: Vec<_> = (0..10).map(|_| call(&endpoint, "work")).collect();
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(server.next_is("work").await);
    }
    held.pop().unwrap().answer("404 Not Found", "", "").await;
    for call in calls {
        let error = failure(call).await;
        assert!(matches!(error.close_reason(), Some(CloseReason::SessionExpired)), "{error}");
    }
    assert!(matches!(*within("the end", endpoint.control.closed()).await, CloseReason::SessionExpired));
    stream.hung_up().await;
    // It need not be ended.
    server.silence().await;
}

#[tokio::test]
async fn the_own_stream_of_the_server_tells_it_too() {
    let mut server = Scripted::new().await;
    let (endpoint, stream) = server.session_with_stream(server.client()).await;
    let waits = call(&endpoint, "waits");
    let _held = server.next_is("waits").await;
    drop(stream);
    server.next_get().await.answer("404 Not Found", "", "").await;
    let error = failure(waits).await;
    assert!(matches!(error.close_reason(), Some(CloseReason::SessionExpired)), "{error}");
}

async fn begin(connection: Connection) -> Caller {
    let endpoint = connection.spawn();
    initialize(&endpoint).await.unwrap();
    endpoint.into_caller()
}

/// However many calls a lost session takes with it, there is one new one.
#[tokio::test]
async fn many_calls_fail_at_once_and_there_is_one_new_session() {
    let mut server = Scripted::new().await;
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(5), 3);
    let mut dialing = Reconnect::new(server.client(), backoff);
    let working = tokio::spawn(async move {
        let mut sessions = 0;
        loop {
            let caller = begin(dialing.next().await.unwrap()).await;
            sessions += 1;
            let calls: Vec<_> = (0..20)
                .map(|_| {
                    let caller = caller.clone();
                    tokio::spawn(async move { caller.request("work", &()).await })
                })
                .collect();
            let mut done = 0;
            for call in calls {
                match call.await.unwrap() {
                    Ok(_) => done += 1,
                    Err(error) => assert!(matches!(error.close_reason(), Some(CloseReason::SessionExpired))),
                }
            }
            if done == 20 {
                return sessions;
            }
        }
    });
    for session in 0..2 {
        server.open_session().await;
        server.next_get().await.answer("405 Method Not Allowed", "", "").await;
        let mut held = Vec::new();
        for _ in 0..20 {
            held.push(server.next_is("work").await);
        }
        for request in held {
            match session {
                0 => request.answer("404 Not Found", "", "").await,
                _ => request.result("1").await,
            }
        }
    }
    assert_eq!(within("the work", working).await.unwrap(), 2);
}
