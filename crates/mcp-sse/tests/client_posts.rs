//! A POST that fails, and what it takes along: its own call and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::time::{Duration, Instant};

use mcp_http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_jsonrpc::Notification;
use mcp_transport_core::{Caller, Endpoint, Error, ErrorKind};
use tokio::task::JoinHandle;

use scripted::{Scripted, Stream, within};

type Call = JoinHandle<Result<mcp_jsonrpc::Response, Error>>;

fn call(endpoint: &Endpoint, method: &'static str) -> Call {
    let caller = Caller::new(&endpoint.sender);
    tokio::spawn(async move { caller.request(method, &()).await })
}

/// The next call works.
async fn next_works(server: &mut Scripted, endpoint: &Endpoint, stream: &mut Stream) {
    let next = call(endpoint, "next");
    let request = server.posted().await;
    stream.result(request.id(), "7").await;
    request.accept().await;
    assert_eq!(within("it", next).await.unwrap().unwrap().result_raw(), Some(&b"7"[..]));
}

#[tokio::test]
async fn a_status_fails_its_call() {
    let mut server = Scripted::new().await;
    let (endpoint, mut stream) = server.session().await;
    for (line, status, kind) in [
        ("500 Internal Server Error", 500, ErrorKind::Peer),
        ("503 Service Unavailable", 503, ErrorKind::Peer),
        ("404 Not Found", 404, ErrorKind::Refused),
        ("400 Bad Request", 400, ErrorKind::Refused),
        ("401 Unauthorized", 401, ErrorKind::Refused),
    ] {
        let (fails, stays) = (call(&endpoint, "fails"), call(&endpoint, "stays"));
        let mut stays_id = 0;
        for _ in 0..2 {
            let request = server.posted().await;
            if request.method() == "fails" {
                request.answer(line, "WWW-Authenticate: Bearer\r\n", "no").await;
            } else {
                stays_id = request.id();
                request.accept().await;
            }
        }
        let error = within("the failure", fails).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind, "{line}: {error}");
        assert_eq!(HttpRefused::of(&error).unwrap().status(), status);
        assert_eq!(HttpRefused::of(&error).unwrap().challenges(), ["Bearer"]);
        stream.result(stays_id, "1").await;
        assert!(within("the other", stays).await.unwrap().is_ok());
        next_works(&mut server, &endpoint, &mut stream).await;
    }
}

#[tokio::test]
async fn a_server_that_takes_no_posts_any_more() {
    let mut server = Scripted::new().await;
    let (endpoint, mut stream) = server.session().await;
    let stays = call(&endpoint, "stays");
    let request = server.posted().await;
    let id = request.id();
    request.accept().await;
    server.stop().await;
    let error = within("the failure", call(&endpoint, "fails")).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    stream.result(id, "1").await;
    assert!(within("the other", stays).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_post_that_is_never_answered_is_late_and_nothing_else() {
    let mut server = Scripted::new().await;
    let http = HttpClient::new(HttpClientOptions::default().with_head(Duration::from_millis(300)));
    let client = server.client().with_http(http);
    let (endpoint, mut stream) = server.session_with(client).await;
    let fails = call(&endpoint, "fails");
    let _kept = server.posted().await;
    let error = within("the failure", fails).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    next_works(&mut server, &endpoint, &mut stream).await;
}

#[tokio::test]
async fn a_notification_that_fails_fails_nothing() {
    let mut server = Scripted::new().await;
    let (endpoint, mut stream) = server.session().await;
    let stays = call(&endpoint, "stays");
    let request = server.posted().await;
    let id = request.id();
    request.accept().await;
    for line in ["500 Internal Server Error", "404 Not Found"] {
        endpoint.sender.send(Notification::new("fails")).await.unwrap();
        server.posted().await.answer(line, "", "").await;
        next_works(&mut server, &endpoint, &mut stream).await;
    }
    stream.result(id, "1").await;
    assert!(within("the other", stays).await.unwrap().is_ok());
}

#[tokio::test]
async fn the_status_is_the_whole_answer() {
    let mut server = Scripted::new().await;
    let http = HttpClient::new(HttpClientOptions::default().with_max_body(1000));
    let client = server.client().with_http(http);
    let (endpoint, mut stream) = server.session_with(client).await;
    // A body of any kind says nothing: one that is small, too large, and not what it says that it is.
    for (line, body) in [
        ("200 OK", r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"never looked at"}}"#.to_owned()),
        ("200 OK", "x".repeat(100_000)),
        ("204 No Content", String::new()),
    ] {
        let waits = call(&endpoint, "waits");
        let request = server.posted().await;
        let id = request.id();
        request.answer(line, "Content-Type: application/json\r\n", &body).await;
        stream.result(id, "1").await;
        assert!(within("the answer", waits).await.unwrap().is_ok(), "{line}");
    }
    // One that breaks off.
    let waits = call(&endpoint, "waits");
    let request = server.posted().await;
    let id = request.id();
    drop(request.open("200 OK", "Content-Length: 100\r\n").await);
    next_works(&mut server, &endpoint, &mut stream).await;
    stream.result(id, "1").await;
    assert!(within("the answer", waits).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_body_without_end_holds_nobody_up() {
    let mut server = Scripted::new().await;
    let (endpoint, mut stream) = server.session().await;
    let waits = call(&endpoint, "waits");
    let request = server.posted().await;
    let id = request.id();
    let _endless = request.open("200 OK", "Content-Type: text/event-stream\r\n").await;
    // A barrier, which waits for the answer and not for its body.
    let start = Instant::now();
    endpoint.sender.send(Notification::new("barrier")).await.unwrap();
    server.posted().await.accept().await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    stream.result(id, "1").await;
    assert!(within("the answer", waits).await.unwrap().is_ok());
}

#[tokio::test]
async fn the_answer_may_come_before_the_202() {
    let mut server = Scripted::new().await;
    let (endpoint, mut stream) = server.session().await;
    let early = call(&endpoint, "early");
    let request = server.posted().await;
    stream.result(request.id(), "1").await;
    assert!(within("the answer", early).await.unwrap().is_ok());
    // What becomes of the POST then is of no interest to anybody.
    request.answer("500 Internal Server Error", "", "").await;
    next_works(&mut server, &endpoint, &mut stream).await;
}

#[tokio::test]
async fn calls_that_fail_while_nobody_reads_do_not_keep_the_processor_busy() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let limits = mcp_transport_core::Limits::default().with_inbound_count(1);
    client = client.with_options(mcp_transport_core::Options::default().with_limits(limits));
    let (connection, mut stream) = server.dial_with(client, "event: endpoint\ndata: /m?s=1\n\n").await;
    let (mut endpoint, mut driver) = connection.unwrap().split();
    let caller = Caller::new(&endpoint.sender);
    let polls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = polls.clone();
    tokio::spawn(std::future::poll_fn(move |cx| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::pin::Pin::new(&mut driver).poll(cx)
    }));
    // One waits in the inbox, one for it, and nothing more is read.
    for _ in 0..3 {
        stream.message(r#"{"jsonrpc":"2.0","method":"a"}"#).await;
    }
    let fails = tokio::spawn(async move { caller.request("fails", &()).await });
    server.posted().await.answer("500 Internal Server Error", "", "").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let polls = polls.load(std::sync::atomic::Ordering::Relaxed);
    assert!(polls < 100, "{polls} polls of a driver that has nothing to do");
    for _ in 0..3 {
        within("a notification", endpoint.receiver.recv()).await.unwrap();
    }
    assert!(within("the failure", fails).await.unwrap().is_err());
}
