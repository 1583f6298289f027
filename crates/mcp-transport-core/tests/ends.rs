//! How a connection ends, whatever it was doing.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod raw;

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use mcp_jsonrpc::{Message, Notification};
use mcp_transport_core::{
    Caller, CloseReason, Connection, Frame, Heartbeat, Limits, Options, State, Tap, Wire,
};
use raw::{Peer, exchange, peer, settle};
use tokio::time::Instant;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn after_the_end_of_input_what_was_accepted_is_answered() {
    let (connection, mut peer) = peer(Limits::default());
    let mut end = connection.spawn();
    peer.request(1, "a").await;
    peer.request(2, "b").await;
    peer.stop_talking().await;
    let (a, b) = (exchange(&mut end.receiver).await, exchange(&mut end.receiver).await);
    settle().await;
    assert_eq!(end.control.health().state, State::Draining);
    let caller = Caller::new(&end.sender);
    assert!(caller.request("m", &()).await.expect_err("nobody can answer").is_closed());
    b.finish(&[2]);
    a.responder().notify(Notification::new("n")).await.expect("open");
    a.finish(&[1]);
    let heard = peer.hear_all().await;
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(matches!(*end.control.closed().await, CloseReason::PeerClosed));
    assert!(end.receiver.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_given_up() {
    let (connection, mut peer) = peer(Limits::default().with_drain(seconds(3)));
    let mut end = connection.spawn();
    let begun = Instant::now();
    peer.request(1, "a").await;
    peer.stop_talking().await;
    let exchange = exchange(&mut end.receiver).await;
    end.control.closed().await;
    assert_eq!(begun.elapsed(), seconds(3));
    assert!(exchange.responder().is_cancelled());
    exchange.finish(&[1]);
    assert_eq!(peer.hear().await, None);
    assert_eq!(end.control.health().dropped, 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_answers_in_both_directions() {
    let (connection, mut peer) = peer(Limits::default());
    let mut end = connection.spawn();
    peer.request(1, "a").await;
    let accepted = exchange(&mut end.receiver).await;
    let caller = Caller::new(&end.sender);
    let call = tokio::spawn(async move { caller.request("m", &()).await });
    peer.hear().await.expect("a request");
    end.control.shutdown();
    peer.request(2, "late").await;
    assert_eq!(raw::error(&peer.hear_response().await), (-32603, Some("shutting_down".into())));
    peer.say(r#"{"jsonrpc":"2.0","id":1,"result":1}"#).await;
    call.await.expect("no panic").expect("answered");
    assert_eq!(end.control.health().state, State::Draining);
    drop(accepted);
    peer.hear_response().await;
    assert!(matches!(*end.control.closed().await, CloseReason::ClosedHere));
    assert_eq!(peer.hear().await, None);
    // Doing it all again changes nothing.
    end.control.shutdown();
    end.control.close();
    assert!(matches!(*end.control.closed().await, CloseReason::ClosedHere));
}

#[tokio::test(start_paused = true)]
async fn a_close_drops_what_is_queued_and_counts_it() {
    let (connection, peer) = raw::peer_holding(8, Limits::default());
    let (end, driver) = connection.split();
    for _ in 0..5 {
        end.sender.send(Notification::new("n")).await.expect("open");
    }
    end.control.close();
    driver.await;
    assert_eq!(end.control.health().dropped, 5);
    assert_eq!(end.control.health().outbound_bytes, 0);
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn dropping_every_handle_ends_it_after_what_is_queued() {
    let (connection, mut peer) = peer(Limits::default());
    let (end, driver) = connection.split();
    let driving = tokio::spawn(driver);
    let (sender, control) = (end.sender.clone(), end.control.clone());
    drop(end);
    settle().await;
    assert_eq!(control.health().state, State::Open);
    drop(control);
    sender.send(Notification::new("last")).await.expect("open");
    drop(sender);
    assert_eq!(peer.hear_all().await.len(), 1);
    assert!(matches!(*driving.await.expect("no panic"), CloseReason::ClosedHere));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_driver_ends_calls_and_exchanges_at_once() {
    let (connection, mut peer) = peer(Limits::default());
    let (mut end, driver) = connection.split();
    let driving = tokio::spawn(driver);
    peer.request(1, "a").await;
    let exchange = exchange(&mut end.receiver).await;
    let caller = Caller::new(&end.sender);
    let call = tokio::spawn(async move { caller.request("m", &()).await });
    settle().await;
    driving.abort();
    assert!(call.await.expect("no panic").expect_err("closed").is_closed());
    exchange.responder().cancelled().await;
    assert!(end.receiver.recv().await.is_none());
    assert!(matches!(*end.control.closed().await, CloseReason::ClosedHere));
}

#[tokio::test(start_paused = true)]
async fn finish_answers_by_dropping_and_ends() {
    let (connection, mut peer) = peer(Limits::default());
    peer.request(1, "a").await;
    let finishing = tokio::spawn(connection.finish());
    peer.hear_response().await;
    assert!(matches!(*finishing.await.expect("no panic"), CloseReason::ClosedHere));
}

#[tokio::test(start_paused = true)]
async fn the_end_can_be_asked_for_again() {
    let (mut connection, peer) = peer(Limits::default());
    drop(peer);
    assert!(connection.next().await.is_none());
    assert!(connection.next().await.is_none());
    assert!(matches!(connection.control().close_reason().as_deref(), Some(CloseReason::PeerClosed)));
}

/// A wire whose output is broken and whose input is a script, at one entry a second.
struct Broken {
    input: Vec<Result<&'static str, CloseReason>>,
    clock: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl Broken {
    fn new(mut input: Vec<Result<&'static str, CloseReason>>) -> Self {
        input.reverse();
        Self { input, clock: Box::pin(tokio::time::sleep(Duration::from_millis(10))) }
    }
}

impl Wire for Broken {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        if self.input.is_empty() {
            return Poll::Pending;
        }
        std::task::ready!(self.clock.as_mut().poll(cx));
        self.clock = Box::pin(tokio::time::sleep(Duration::from_millis(10)));
        match self.input.pop() {
            Some(Ok(text)) => Poll::Ready(Ok(Frame::Text(Bytes::from_static(text.as_bytes())))),
            Some(Err(reason)) => Poll::Ready(Err(reason)),
            None => Poll::Pending,
        }
    }
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn start_send(&mut self, _: Message) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Tap for Heard {
    fn received(&self, text: &[u8]) {
        self.0.lock().expect("not poisoned").push(String::from_utf8_lossy(text).into_owned());
    }
    fn sent(&self, _: &[u8]) {}
}

#[tokio::test(start_paused = true)]
async fn a_broken_output_lets_the_input_say_why() {
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":1}"#;
    let other = r#"{"jsonrpc":"2.0","id":"a proxy's","result":1}"#;
    let request = r#"{"jsonrpc":"2.0","id":5,"method":"m"}"#;
    let malformed = r#"{"jsonrpc":"1.0","id":6,"method":"m"}"#;
    let told = r#"{"jsonrpc":"2.0","method":"n"}"#;
    let script =
        vec![Ok(request), Ok(malformed), Ok(answer), Ok(other), Ok(told), Err(CloseReason::Protocol("so"))];
    let tap = Arc::new(Heard::default());
    let connection = Connection::new(Broken::new(script), Options::default().with_tap(tap.clone()));
    let mut end = connection.spawn();
    let caller = Caller::new(&end.sender);
    let response = caller.request("m", &()).await.expect("the answer came in");
    assert_eq!(response.result_raw(), Some(&b"1"[..]));
    assert!(matches!(*end.control.closed().await, CloseReason::Protocol("so")));
    // What cannot be answered is not delivered, all else is.
    let mut received = Vec::new();
    while let Some(incoming) = end.receiver.recv().await {
        received.push(format!("{incoming:?}").split(['(', ' ']).next().unwrap_or_default().to_owned());
    }
    assert_eq!(received, ["Malformed", "Response", "Notification"]);
    assert_eq!(tap.0.lock().expect("not poisoned").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_broken_output_and_a_silent_input_are_a_failure_of_writing() {
    let begun = Instant::now();
    let end = Connection::new(Broken::new(Vec::new()), Options::default()).spawn();
    let caller = Caller::new(&end.sender);
    let error = caller.request("m", &()).await.expect_err("it cannot be written");
    assert!(matches!(error.close_reason(), Some(CloseReason::Io(_))), "{error}");
    assert_eq!(begun.elapsed(), Limits::default().linger);
}

async fn with_heartbeat(talks: impl AsyncFn(&mut Peer)) -> (CloseReason, Duration) {
    let begun = Instant::now();
    let (connection, mut peer) = peer(Limits::default());
    let end = connection.spawn();
    let caller = Caller::new(&end.sender);
    let beating = tokio::spawn(async move {
        Heartbeat::new(seconds(30), seconds(10)).run(&caller, &end.control).await;
        end.control.closed().await
    });
    talks(&mut peer).await;
    let reason = beating.await.expect("no panic");
    ((*reason).clone(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_missed_heartbeat_ends_it() {
    let (reason, after) = with_heartbeat(async |peer| {
        let ping = peer.hear().await.expect("a ping");
        assert!(ping.contains(r#""method":"ping""#), "{ping}");
    })
    .await;
    assert!(matches!(reason, CloseReason::HeartbeatMissed), "{reason}");
    assert_eq!(after, seconds(40));
}

#[tokio::test(start_paused = true)]
async fn any_answer_is_a_heartbeat_and_traffic_is_one_too() {
    let (reason, after) = with_heartbeat(async |peer| {
        peer.hear().await.expect("a ping after 30 s");
        peer.say(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"what?"}}"#).await;
        tokio::time::sleep(seconds(20)).await;
        peer.say(r#"{"jsonrpc":"2.0","method":"n"}"#).await;
        // So the next is asked for 30 s after that, at 80 s.
        peer.hear().await.expect("a ping");
    })
    .await;
    assert!(matches!(reason, CloseReason::HeartbeatMissed), "{reason}");
    assert_eq!(after, seconds(90));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_returns_at_once_when_the_connection_ends() {
    let (reason, after) = with_heartbeat(async |peer| peer.stop_talking().await).await;
    assert!(matches!(reason, CloseReason::PeerClosed), "{reason}");
    assert!(after < seconds(1), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_leaves_a_draining_connection_its_time() {
    let (connection, mut peer) = peer(Limits::default().with_drain(seconds(300)));
    let mut end = connection.spawn();
    peer.request(1, "long").await;
    let long = exchange(&mut end.receiver).await;
    let caller = Caller::new(&end.sender);
    let control = end.control.clone();
    let beating = tokio::spawn(async move {
        Heartbeat::new(seconds(30), seconds(10)).run(&caller, &control).await;
    });
    peer.stop_talking().await;
    tokio::time::sleep(seconds(100)).await;
    long.finish(&[1]);
    peer.hear_response().await;
    beating.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_answer_goes_out_before_the_end() {
    for _ in 0..3000 {
        let (near, far) = Connection::pair(Options::default(), Options::default());
        let (near, mut far) = (near.spawn(), far.spawn());
        let caller = Caller::new(&near.sender);
        let call = tokio::spawn(async move { caller.request("m", &()).await });
        let exchange = exchange(&mut far.receiver).await;
        // The driver looks whether all is done while this thread answers.
        far.control.shutdown();
        exchange.finish(&[1]);
        call.await.expect("no panic").expect("what was accepted is answered");
    }
}
