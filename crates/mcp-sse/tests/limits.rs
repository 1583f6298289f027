//! Bounds of a session, one below, at, and one above (T-LIM1).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::time::Duration;

use http::{Method, Request};
use mcp_http::{ReplyBody, Router, RouterOptions};
use mcp_sse::{SseOptions, SseServer};
use mcp_transport_core::{Incoming, Listener};
use tokio::time::Instant;

use raw::{open, post, session_of};
use served::{Served, within};

fn request(id: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#)
}

#[tokio::test]
async fn requests_in_flight() {
    const MOST: usize = 128;
    let mut served = Served::new(SseOptions::default()).await;
    let (mut stream, endpoint) = open(served.address, "/sse").await;
    let mut session = served.endpoint().await;
    let mut held = Vec::new();
    for id in 0..MOST {
        assert_eq!(post(served.address, &endpoint, &request(id)).await.status, 202);
        let Some(Incoming::Request(exchange)) = within("it", session.receiver.recv()).await else { panic!() };
        held.push(exchange);
    }
    // One more is taken, because the stream has its answer, and that is a refusal.
    for id in [MOST, MOST + 1] {
        assert_eq!(post(served.address, &endpoint, &request(id)).await.status, 202);
        let refused = stream.event("message").await;
        assert!(
            refused.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32603,"#)),
            "{refused}"
        );
        assert!(refused.contains(r#""reason":"overloaded""#), "{refused}");
    }
    assert_eq!(session.control.health().in_flight, MOST as u32);
    // Those that run go on, and one that ends makes room for one.
    held.pop().unwrap().finish(&"done");
    assert!(stream.event("message").await.contains(r#""id":127,"result":"done""#));
    assert_eq!(post(served.address, &endpoint, &request(MOST + 2)).await.status, 202);
    let Some(Incoming::Request(_exchange)) = within("it", session.receiver.recv()).await else { panic!() };
    assert_eq!(post(served.address, &endpoint, &request(MOST + 3)).await.status, 202);
    assert!(stream.event("message").await.contains("overloaded"));
    // Another session has its own.
    let (_other, endpoint) = open(served.address, "/sse").await;
    let mut other = served.endpoint().await;
    assert_eq!(post(served.address, &endpoint, &request(1)).await.status, 202);
    assert!(matches!(within("it", other.receiver.recv()).await, Some(Incoming::Request(_))));
}

/// Ids of sessions have 32 characters; one of another length is none, whoever sends it.
#[tokio::test]
async fn ids_of_sessions() {
    let served = Served::new(SseOptions::default()).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    let id = session_of(&endpoint);
    assert_eq!(id.len(), 32);
    for (text, status) in [
        (id.clone(), 202),
        ("A".repeat(32), 404),
        (id[..31].to_owned(), 400),
        (format!("{id}A"), 400),
        ("A".repeat(10_000), 400),
    ] {
        let answer = post(served.address, &format!("/message?sessionId={text}"), &request(1)).await;
        assert_eq!(answer.status, status, "{} characters", text.len());
    }
}

/// What a message may be, over HTTP: depth and the length of its id.
#[tokio::test]
async fn depth_and_ids_of_messages() {
    let served = Served::new(SseOptions::default()).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    for (depth, status) in [(127, 202), (128, 202), (129, 400), (1_000_000, 400)] {
        // The message itself is the first container.
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        let body = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{open}{close}}}"#);
        assert_eq!(post(served.address, &endpoint, &body).await.status, status, "{depth}");
    }
    for (len, status) in [(1023, 202), (1024, 202), (1025, 400)] {
        let id = format!("\"{}\"", "i".repeat(len - 2));
        let body = format!(r#"{{"jsonrpc":"2.0","method":"m","id":{id}}}"#);
        let answer = post(served.address, &endpoint, &body).await;
        assert_eq!(answer.status, status, "{len}");
        assert!(!answer.body.contains("iii"), "an id over the bound is not repeated");
    }
}

/// When a POST that finds no room is refused, and when a stream that nobody uses ends: by a clock that stands still.
#[tokio::test(start_paused = true)]
async fn times() {
    let (sse, mut sessions) = SseServer::new(SseOptions::default());
    let router = Router::new(RouterOptions::default(), sse.routes());
    let ask = |method: Method, target: String, body: String| {
        let request = Request::builder().method(method).uri(target).header("host", "localhost");
        let request = request.header("content-type", "application/json");
        let (router, request) = (router.clone(), request.body(ReplyBody::full(body)).unwrap());
        async move { router.answer(request).await }
    };
    let opened = ask(Method::GET, "/sse".into(), String::new()).await;
    let connection = sessions.accept().await.unwrap().unwrap();
    let id = connection.control().context().session.clone().unwrap();
    let target = format!("/message?sessionId={id}");
    let start = Instant::now();
    for _ in 0..256 {
        assert_eq!(ask(Method::POST, target.clone(), request(1)).await.status(), 202);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    let refused = ask(Method::POST, target.clone(), request(1)).await;
    assert_eq!((refused.status().as_u16(), start.elapsed()), (503, Duration::from_secs(5)));
    assert_eq!(refused.headers()["retry-after"], "1");
    // One that is read makes room.
    let mut session = connection.spawn();
    let waiting = ask(Method::POST, target, request(1));
    assert!(session.receiver.recv().await.is_some());
    assert_eq!(waiting.await.status(), 202);
    drop((opened, session));

    let _silent = ask(Method::GET, "/sse".into(), String::new()).await;
    let silent = sessions.accept().await.unwrap().unwrap().spawn();
    let start = Instant::now();
    silent.control.closed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(60));
}
