//! What comes over the stream, and its end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::time::{Duration, Instant};

use mcp_jsonrpc::{Fault, Notification};
use mcp_transport_core::{Backoff, Caller, CloseReason, ErrorKind, Incoming, Limits, Options, Reconnect};

use scripted::{Scripted, within};

#[tokio::test]
async fn the_end_of_the_stream_ends_every_call_at_once() {
    let mut server = Scripted::new().await;
    let (endpoint, stream) = server.session().await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        let caller = Caller::new(&endpoint.sender);
        calls.push(tokio::spawn(async move { caller.request("waits", &()).await }));
    }
    // Half of the POSTs that fly are never answered.
    let mut kept = Vec::new();
    for at in 0..8 {
        let request = server.posted().await;
        if at % 2 == 0 { request.accept().await } else { kept.push(request) }
    }
    drop(stream);
    let start = Instant::now();
    for call in calls {
        let error = within("a call", call).await.unwrap().unwrap_err();
        assert!(matches!(error.close_reason(), Some(CloseReason::PeerClosed)), "{error}");
    }
    let reason = within("the end", endpoint.control.closed()).await;
    assert!(matches!(*reason, CloseReason::PeerClosed), "{reason}");
    // Not after a time-out of somebody.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(endpoint.sender.send(Notification::new("late")).await.unwrap_err().is_closed());
}

#[tokio::test]
async fn a_broken_stream_says_so() {
    let mut server = Scripted::new().await;
    let (endpoint, mut stream) = server.session().await;
    stream.say("event: message\ndata: {\"half").await;
    stream.socket.set_zero_linger().unwrap();
    drop(stream);
    let reason = within("the end", endpoint.control.closed()).await;
    assert!(matches!(*reason, CloseReason::Io(_)), "{reason}");
}

#[tokio::test]
async fn what_is_no_message_is_passed_over() {
    let mut server = Scripted::new().await;
    let (mut endpoint, mut stream) = server.session().await;
    let note = |n: u32| format!(r#"{{"jsonrpc":"2.0","method":"n/{n}"}}"#);
    stream.message(&note(1)).await;
    stream.say("event: message\ndata:\n\n").await;
    stream.say("event: message\ndata: \n\n").await;
    stream.say("event: ping\ndata: {}\n\n").await;
    stream.say(": a comment\n\nid: 1\nretry: 0\n\nnonsense\n\n").await;
    stream.say("event: endpoint\ndata: http://evil.example/m\n\n").await;
    stream.say("event: error\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"not/this\"}\n\n").await;
    stream.message(&note(2)).await;
    // Without a name, with other line ends, in several lines, and with a byte order that is none.
    stream.say(&format!("data:{}\r\n\r\n", note(3))).await;
    stream.say("data: {\"jsonrpc\":\"2.0\",\rdata: \"method\":\"n/4\"}\r\r").await;
    stream
        .message(
            &format!("{}\u{2028}", r#"{"jsonrpc":"2.0","method":"n/5","params":[""#)
                .replace('\u{2028}', "\u{2028}\u{85}\"]}"),
        )
        .await;
    for n in 1..=5 {
        let Some(Incoming::Notification(notification, _)) = within("it", endpoint.receiver.recv()).await
        else {
            panic!("{n}")
        };
        assert_eq!(notification.method(), format!("n/{n}"));
        if n == 5 {
            assert_eq!(notification.params::<[String; 1]>().unwrap(), ["\u{2028}\u{85}"]);
        }
    }
    // Still posted to where it was.
    endpoint.sender.send(Notification::new("there")).await.unwrap();
    server.posted().await.accept().await;
    assert_eq!(endpoint.control.health().malformed, 0);
}

#[tokio::test]
async fn bad_json_costs_nothing_but_itself() {
    let mut server = Scripted::new().await;
    let (mut endpoint, mut stream) = server.session().await;
    for bad in
        ["{", "canary", "[]", r#"{"jsonrpc":"2.0"}"#, r#"{"jsonrpc":"2.0","id":1,"result":1,"error":1}"#]
    {
        stream.message(bad).await;
        stream.message(r#"{"jsonrpc":"2.0","method":"good"}"#).await;
        let Some(Incoming::Malformed(..)) = within("it", endpoint.receiver.recv()).await else {
            panic!("{bad}")
        };
        let Some(Incoming::Notification(..)) = within("it", endpoint.receiver.recv()).await else {
            panic!("{bad}")
        };
    }
    assert_eq!(endpoint.control.health().malformed, 5);
}

#[tokio::test]
async fn an_oversize_answer_fails_its_call() {
    let mut server = Scripted::new().await;
    let options = Options::default().with_limits(Limits::default().with_max_message(10_000));
    let client = server.client().with_options(options);
    let (mut endpoint, mut stream) = server.session_with(client).await;
    let (one, other) = (Caller::new(&endpoint.sender), Caller::new(&endpoint.sender));
    let large = tokio::spawn(async move { one.request("large", &()).await });
    let request = server.posted().await;
    let large_id = request.id();
    request.accept().await;
    let small = tokio::spawn(async move { other.request("small", &()).await });
    let request = server.posted().await;
    let small_id = request.id();
    request.accept().await;
    // Its id comes last, as the TypeScript SDK writes it.
    let padding = "x".repeat(1_000_000);
    stream.message(&format!(r#"{{"jsonrpc":"2.0","result":"{padding}","id":{large_id}}}"#)).await;
    let error = within("the failure", large).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    let Some(Incoming::Malformed(malformed, _)) = within("it", endpoint.receiver.recv()).await else {
        panic!()
    };
    assert_eq!(malformed.fault(), Fault::TooLarge);
    stream.result(small_id, "1").await;
    assert!(within("the other", small).await.unwrap().is_ok());
}

#[tokio::test]
async fn when_to_come_back_is_not_for_the_server_to_say() {
    const FLOOR: Duration = Duration::from_millis(200);
    let mut server = Scripted::new().await;
    let backoff = Backoff::new(FLOOR, FLOOR, 5);
    let mut dialing = Reconnect::new(server.client(), backoff);
    let mut ended: Option<Instant> = None;
    for wait in ["0", "86400000", "99999999999999999999999", "-1"] {
        let serve = async {
            let get = server.next().await;
            if let Some(ended) = ended {
                assert!(ended.elapsed() >= FLOOR, "{:?}", ended.elapsed());
            }
            let mut stream = get.stream().await;
            stream.say(&format!("retry: {wait}\n\nevent: endpoint\ndata: /m?s=1\n\n")).await;
            stream.message(r#"{"jsonrpc":"2.0","method":"n"}"#).await;
            stream.say(&format!("retry: {wait}\n\n")).await;
        };
        let (connection, ()) = within("a session", async { tokio::join!(dialing.next(), serve) }).await;
        let mut endpoint = connection.unwrap().spawn();
        let Some(Incoming::Notification(..)) = within("it", endpoint.receiver.recv()).await else { panic!() };
        within("the end", endpoint.control.closed()).await;
        ended = Some(Instant::now());
        assert!(server.has_come().is_none(), "{wait}");
    }
}
