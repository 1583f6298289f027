//! How sessions end, and that nothing of them is left.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::time::{Duration, Instant};

use mcp_http::{RouterOptions, ServerOptions};
use mcp_jsonrpc::Notification;
use mcp_sse::SseOptions;
use mcp_transport_core::{Caller, CloseReason, ErrorKind, Incoming, Listener};

use raw::{Raw, Said, open, post};
use served::{Served, tasks, until, within};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn keep_alive(every: Duration) -> SseOptions {
    let mut options = SseOptions::default();
    options.keep_alive = every;
    options
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Goes {
    Fin,
    Rst,
    PipelinedFin,
    PipelinedRst,
}

impl Goes {
    async fn go(self, mut stream: Raw) {
        if matches!(self, Self::PipelinedFin | Self::PipelinedRst) {
            stream.send("x").await;
        }
        if matches!(self, Self::Rst | Self::PipelinedRst) {
            stream.socket.set_zero_linger().unwrap();
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_takes_everything_with_it() {
    const EVERY: Duration = Duration::from_millis(1500);
    for goes in [Goes::Fin, Goes::Rst, Goes::PipelinedFin, Goes::PipelinedRst] {
        let mut served = Served::new(keep_alive(EVERY)).await;
        let before = tasks();
        let (stream, endpoint) = open(served.address, "/sse").await;
        let mut session = served.endpoint().await;
        let pending = Caller::new(&session.sender);
        let pending = tokio::spawn(async move { pending.request("never", &()).await });
        assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
        let Some(Incoming::Request(exchange)) = within("it", session.receiver.recv()).await else { panic!() };
        let gone = Instant::now();
        goes.go(stream).await;
        let reason = within("the end", session.control.closed()).await;
        assert!(gone.elapsed() <= EVERY + Duration::from_secs(1), "{goes:?}: {:?}", gone.elapsed());
        assert!(matches!(*reason, CloseReason::PeerClosed), "{goes:?}: {reason}");
        assert_eq!(pending.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
        within("its handler is told", exchange.responder().cancelled()).await;
        assert_eq!(post(served.address, &endpoint, PING).await.status, 404);
        drop((exchange, session));
        until("the end of its tasks", || served.sse.session_count() == 0 && tasks() == before).await;
    }
}

#[tokio::test]
async fn two_hundred_leave_in_mid_answer() {
    let mut served = Served::new(keep_alive(Duration::from_millis(200))).await;
    let before = tasks();
    for at in 0..200 {
        let (stream, endpoint) = open(served.address, "/sse").await;
        let session = served.endpoint().await;
        assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
        tokio::spawn(async move {
            let mut session = session;
            let Some(Incoming::Request(exchange)) = session.receiver.recv().await else { panic!() };
            // It never gets all of it.
            exchange.finish(&"x".repeat(300_000));
            while session.receiver.recv().await.is_some() {}
        });
        let goes = [Goes::Fin, Goes::Rst, Goes::PipelinedFin, Goes::PipelinedRst][at % 4];
        goes.go(stream).await;
    }
    until("the end of them all", || served.sse.session_count() == 0 && tasks() == before).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    assert_eq!(post(served.address, &endpoint, PING).await.status, 202, "the next one works");
}

#[tokio::test]
async fn who_never_says_a_word_is_ended() {
    let mut options = SseOptions::default();
    options.first_message = Duration::from_millis(100);
    let mut served = Served::new(options).await;
    let (mut silent, _) = open(served.address, "/sse").await;
    let silent_session = served.endpoint().await;
    let (mut speaks, endpoint) = open(served.address, "/sse").await;
    let speaking_session = served.endpoint().await;
    assert_eq!(post(served.address, &endpoint, NOTE).await.status, 202);
    let reason = within("the end", silent_session.control.closed()).await;
    assert!(matches!(*reason, CloseReason::Idle), "{reason}");
    assert_eq!(silent.said().await, Said::End);
    // Whoever has spoken once is not idle while the stream is there.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(speaking_session.control.close_reason().is_none());
    speaking_session.sender.send(Notification::new("still/here")).await.unwrap();
    assert_eq!(speaks.event("message").await, r#"{"jsonrpc":"2.0","method":"still/here"}"#);
}

#[tokio::test]
async fn the_server_can_end_one() {
    let mut served = Served::new(SseOptions::default()).await;
    let (mut stream, endpoint) = open(served.address, "/sse").await;
    let mut session = served.endpoint().await;
    assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
    let Some(Incoming::Request(exchange)) = within("it", session.receiver.recv()).await else { panic!() };
    session.control.shutdown();
    // What was accepted is finished, what comes now is refused, and then the stream ends as a stream should.
    until("the drain", || session.control.health().state == mcp_transport_core::State::Draining).await;
    let late = PING.replace('1', "2");
    assert_eq!(post(served.address, &endpoint, &late).await.status, 202);
    assert!(stream.event("message").await.contains("shutting_down"));
    exchange.finish(&"done");
    assert_eq!(stream.event("message").await, r#"{"jsonrpc":"2.0","id":1,"result":"done"}"#);
    assert_eq!(stream.said().await, Said::End);
    assert!(matches!(*within("the end", session.control.closed()).await, CloseReason::ClosedHere));
    served.until_no_session_is_open().await;
    assert_eq!(post(served.address, &endpoint, PING).await.status, 404);
}

#[tokio::test]
async fn a_session_that_has_ended_takes_nothing_even_while_its_connection_is_kept() {
    let mut served = Served::new(SseOptions::default()).await;
    let (mut stream, endpoint) = open(served.address, "/sse").await;
    let mut connection = served.connection().await;
    connection.control().close();
    assert!(within("the end", connection.next()).await.is_none());
    assert_eq!(post(served.address, &endpoint, PING).await.status, 404);
    assert_eq!(stream.said().await, Said::End);
    drop(connection);
}

#[tokio::test]
async fn a_session_that_is_dropped_ends() {
    let mut served = Served::new(SseOptions::default()).await;
    let (mut stream, endpoint) = open(served.address, "/sse").await;
    drop(served.connection().await);
    assert_eq!(stream.said().await, Said::End);
    assert_eq!(post(served.address, &endpoint, PING).await.status, 404);
    assert_eq!(served.sse.session_count(), 0);
    // Without a listener there is nobody to take one.
    let (mut waiting, _) = open(served.address, "/sse").await;
    let Served { sessions, address, sse, .. } = served;
    drop(sessions);
    assert_eq!(waiting.said().await, Said::End);
    let answer = raw::ask(address, "GET /sse HTTP/1.1", "").await;
    assert_eq!((answer.status, sse.session_count()), (503, 0));
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_accepted() {
    let mut served = Served::new(SseOptions::default()).await;
    let (mut stream, endpoint) = open(served.address, "/sse").await;
    let mut session = served.endpoint().await;
    assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
    let Some(Incoming::Request(exchange)) = within("it", session.receiver.recv()).await else { panic!() };
    // Accepted, and not yet read.
    served.sse.shutdown();
    served.sse.shutdown();
    assert_eq!(post(served.address, &endpoint, PING).await.status, 404);
    let refused = raw::ask(served.address, "GET /sse HTTP/1.1", "").await;
    assert_eq!(refused.status, 503);
    assert!(refused.headers.iter().any(|line| line == "retry-after: 1"), "{refused:?}");
    exchange.finish(&"done");
    assert_eq!(stream.event("message").await, r#"{"jsonrpc":"2.0","id":1,"result":"done"}"#);
    assert_eq!(stream.said().await, Said::End);
    assert!(matches!(*within("the end", session.control.closed()).await, CloseReason::ClosedHere));
    assert!(within("the end of the listener", served.sessions.accept()).await.is_none());
}

#[tokio::test]
async fn a_drain_of_the_server_ends_the_streams() {
    let mut served = Served::with(
        SseOptions::default(),
        ServerOptions::default().with_drain(Duration::from_secs(300)),
        RouterOptions::default(),
    )
    .await;
    let (mut stream, endpoint) = open(served.address, "/sse").await;
    let mut session = served.endpoint().await;
    assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
    let Some(Incoming::Request(exchange)) = within("it", session.receiver.recv()).await else { panic!() };
    served.control.shutdown();
    until("the drain", || served.sse.session_count() == 0).await;
    exchange.finish(&"done");
    assert!(stream.event("message").await.contains("done"));
    assert_eq!(stream.said().await, Said::End);
    let drained = within("the drain", served.serving).await.unwrap().unwrap();
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn a_cut_is_no_doing_of_the_peer() {
    let mut served = Served::new(SseOptions::default()).await;
    let (mut stream, _) = open(served.address, "/sse").await;
    let session = served.endpoint().await;
    served.control.cut();
    let reason = within("the end", session.control.closed()).await;
    assert!(matches!(*reason, CloseReason::ClosedHere), "{reason}");
    assert_ne!(stream.said().await, Said::Event(String::new()));
}
