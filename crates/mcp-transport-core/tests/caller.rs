//! Asking: outcomes, time-outs, progress, cancellation, and what comes back that nobody waits for.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod raw;

use std::time::Duration;

use mcp_jsonrpc::{Json, Message, Request};
use mcp_transport_core::{CallOptions, Caller, Endpoint, Error, ErrorKind, Incoming, Limits};
use raw::{Peer, once, parse, peer, settle};
use tokio::time::Instant;

fn start(limits: Limits) -> (Endpoint, Caller, Peer) {
    let (connection, peer) = peer(limits);
    let end = connection.spawn();
    let caller = Caller::new(&end.sender);
    (end, caller, peer)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn progress(token: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
    )
}

fn cancel(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_told_once() {
    let (end, caller, mut peer) = start(Limits::default());
    let begun = Instant::now();
    let options = CallOptions::timeout(seconds(5));
    let error = caller.request_with("slow", &(), &options).await.expect_err("nobody answers");
    assert_eq!((error.kind(), begun.elapsed()), (ErrorKind::Timeout, seconds(5)));
    assert!(peer.hear().await.expect("a request").contains("slow"));
    assert_eq!(peer.hear().await, Some(cancel(1)));
    caller.notify("next", &()).await.expect("open");
    assert!(peer.hear().await.expect("a notification").contains("next"));
    assert_eq!(end.control.health().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_told_once_and_initialize_never() {
    let (end, caller, mut peer) = start(Limits::default());
    for (method, told) in [("initialize", false), ("tools/call", true)] {
        let mut call = Box::pin(caller.request(method, &()));
        assert!(once(call.as_mut()).await.is_pending());
        assert!(peer.hear().await.expect("a request").contains(method));
        drop(call);
        let id = 1 + u32::from(told);
        if told {
            assert_eq!(peer.hear().await, Some(cancel(id)));
        }
        assert_eq!(end.control.health().pending, 0);
    }
    caller.notify("last", &()).await.expect("open");
    assert!(peer.hear().await.expect("a notification").contains("last"));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_not_cancelled() {
    let (end, caller, mut peer) = start(Limits::default().with_outbound_count(1));
    let permit = end.sender.reserve(1).await.expect("open");
    let mut call = Box::pin(caller.request("unsent", &()));
    assert!(once(call.as_mut()).await.is_pending());
    assert_eq!(end.control.health().pending, 1);
    drop(call);
    drop(permit);
    caller.notify("last", &()).await.expect("open");
    assert!(peer.hear().await.expect("a notification").contains("last"));
    assert_eq!(end.control.health().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn progress_resets_the_time_out_up_to_the_maximum() {
    let (_end, caller, mut peer) = start(Limits::default());
    let options = CallOptions::timeout(seconds(10)).with_max_total(seconds(35)).with_progress_resets();
    let begun = Instant::now();
    let call = tokio::spawn({
        let caller = caller.clone();
        async move { caller.request_with("slow", &(), &options).await }
    });
    let heard = peer.hear().await.expect("a request");
    assert!(heard.contains(r#""params":{"_meta":{"progressToken":1}}"#), "{heard}");
    for _ in 0..4 {
        tokio::time::advance(seconds(8)).await;
        peer.say(&progress("1")).await;
        settle().await;
        assert!(!call.is_finished(), "after {:?}", begun.elapsed());
    }
    let error = call.await.expect("no panic").expect_err("nobody answers");
    assert_eq!((error.kind(), begun.elapsed()), (ErrorKind::Timeout, seconds(35)));
}

#[tokio::test(start_paused = true)]
async fn progress_of_others_and_without_the_option_resets_nothing() {
    for (options, token) in [
        (CallOptions::timeout(seconds(10)).with_progress_resets(), "2"),
        (CallOptions::timeout(seconds(10)), "1"),
    ] {
        let (_end, caller, mut peer) = start(Limits::default());
        let begun = Instant::now();
        let call = tokio::spawn(async move { caller.request_with("slow", &(), &options).await });
        peer.hear().await.expect("a request");
        tokio::time::advance(seconds(8)).await;
        peer.say(&progress(token)).await;
        assert_eq!(call.await.expect("no panic").expect_err("late").kind(), ErrorKind::Timeout);
        assert_eq!(begun.elapsed(), seconds(10));
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_goes_into_params_of_any_shape() {
    let (_end, caller, mut peer) = start(Limits::default());
    let options = CallOptions::default().with_progress_resets();
    let mut number = 0;
    for (params, sent) in [
        ("null", Some(r#"{"_meta":{"progressToken":#}}"#)),
        ("{}", Some(r#"{"_meta":{"progressToken":#}}"#)),
        (r#"{"a":1e2}"#, Some(r#"{"_meta":{"progressToken":#},"a":1e2}"#)),
        (r#"{"a":1,"_meta":{"x":"}"},"b":2}"#, Some(r#"{"a":1,"_meta":{"progressToken":#,"x":"}"},"b":2}"#)),
        (r#"{"_meta":{}}"#, Some(r#"{"_meta":{"progressToken":#}}"#)),
        (r#"{"_meta":{"progressToken":"mine"}}"#, Some(r#"{"_meta":{"progressToken":"mine"}}"#)),
        ("[1]", None),
        (r#"{"_meta":[]}"#, None),
        (r#"{"_meta":{"progressToken":null}}"#, None),
        (r#"{"_meta":{"progressToken":1.5}}"#, None),
    ] {
        number += 1;
        let value: serde_json::Value = serde_json::from_str(params).expect("JSON");
        let mut call = Box::pin(caller.request_with("m", &value, &options));
        match (sent, once(call.as_mut()).await) {
            (None, std::task::Poll::Ready(Err(error))) => {
                assert_eq!(error.kind(), ErrorKind::Misuse, "{params}")
            }
            (Some(sent), std::task::Poll::Pending) => {
                let heard = peer.hear().await.expect("a request");
                let Message::Request(request) = parse(&heard) else { panic!("{heard}") };
                let got: serde_json::Value = request.params().expect("params");
                let want = sent.replace('#', &number.to_string());
                assert_eq!(got, serde_json::from_str::<serde_json::Value>(&want).expect("JSON"), "{params}");
                drop(call);
                assert_eq!(peer.hear().await, Some(cancel(number)));
            }
            (_, outcome) => panic!("{params}: {outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_waits_for_go_to_the_receiver_and_are_counted() {
    let (mut end, caller, mut peer) = start(Limits::default());
    let call = tokio::spawn({
        let caller = caller.clone();
        async move { caller.request("m", &()).await }
    });
    peer.hear().await.expect("a request");
    for unmatched in [
        r#"{"jsonrpc":"2.0","id":99,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":"1","result":1}"#,
        r#"{"jsonrpc":"2.0","id":-1,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551617,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#,
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}"#,
    ] {
        peer.say(unmatched).await;
        let incoming = end.receiver.recv().await;
        let Some(Incoming::Response(response, _)) = incoming else { panic!("{incoming:?} for {unmatched}") };
        assert_eq!(response.as_bytes(), unmatched.as_bytes());
    }
    peer.say(r#"{"jsonrpc":"2.0","id":1,"result":"first"}"#).await;
    peer.say(r#"{"jsonrpc":"2.0","id":1,"result":"second"}"#).await;
    let answer = call.await.expect("no panic").expect("answered");
    assert_eq!(answer.result_raw(), Some(&br#""first""#[..]));
    assert!(matches!(end.receiver.recv().await, Some(Incoming::Response(..))));
    assert_eq!(end.control.health().unmatched, 7);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_answer_fails_its_call_and_answers_nobody() {
    for (answer, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":1,"error":2}"#, ErrorKind::Peer),
        (r#"{"jsonrpc":"1.0","id":1,"result":1}"#, ErrorKind::Peer),
        (r#"{"id":1}"#, ErrorKind::Peer),
        (r#"{"jsonrpc":"2.0","id":1,"error":"text"}"#, ErrorKind::Peer),
    ] {
        let (mut end, caller, mut peer) = start(Limits::default());
        let call = tokio::spawn(async move { caller.request("m", &()).await });
        peer.hear().await.expect("a request");
        peer.say(answer).await;
        let error = call.await.expect("no panic").expect_err("malformed");
        assert_eq!(error.kind(), kind, "{answer}");
        assert!(std::error::Error::source(&error).is_some());
        assert!(matches!(end.receiver.recv().await, Some(Incoming::Malformed(..))));
        end.control.shutdown();
        assert_eq!(peer.hear().await, None, "{answer} was answered");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_fails_its_call() {
    let (_end, caller, mut peer) = start(Limits::default().with_max_message(100));
    let call = tokio::spawn(async move { caller.request("m", &()).await });
    peer.hear().await.expect("a request");
    peer.say(&format!(r#"{{"jsonrpc":"2.0","result":"{}","id":1}}"#, "x".repeat(1000))).await;
    assert_eq!(call.await.expect("no panic").expect_err("too large").kind(), ErrorKind::Limit);
}

#[tokio::test(start_paused = true)]
async fn one_more_than_the_limit_fails_at_once() {
    const MOST: u32 = 3;
    let (end, caller, mut peer) = start(Limits::default().with_max_pending(MOST));
    let mut calls = Vec::new();
    for _ in 0..MOST {
        let mut call = Box::pin(caller.request("m", &()));
        assert!(once(call.as_mut()).await.is_pending());
        calls.push(call);
    }
    let error = caller.request("m", &()).await.expect_err("one too many");
    assert_eq!((error.kind(), end.control.health().pending), (ErrorKind::Limit, 3));
    calls.pop();
    let mut call = Box::pin(caller.request("again", &()));
    assert!(once(call.as_mut()).await.is_pending());
    let mut heard = String::new();
    while !heard.contains("again") {
        heard = peer.hear().await.expect("requests");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_is_refused_and_leaves_nothing() {
    let (end, caller, _peer) = start(Limits::default().with_max_message(100));
    let error = caller.request("m", &["x".repeat(100)]).await.expect_err("too large");
    assert_eq!((error.kind(), end.control.health().pending), (ErrorKind::Limit, 0));
    let error = caller.request("m", &5).await.expect_err("no params");
    assert_eq!((error.kind(), end.control.health().pending), (ErrorKind::Misuse, 0));
}

#[tokio::test(start_paused = true)]
async fn a_relayed_request_keeps_its_bytes_and_id() {
    let (_end, caller, mut peer) = start(Limits::default());
    let given = r#"{ "x":[1.0], "method":"m", "id":"a\u0062", "params":{"n":1e2}, "jsonrpc":"2.0"}"#;
    let Message::Request(request) = parse(given) else { panic!("{given}") };
    let relaying = tokio::spawn(async move { caller.relay(&request).await });
    assert_eq!(peer.hear().await, Some(given.replace(r#""a\u0062""#, "1")));
    peer.say(r#"{ "result":{"y":1.0}, "id":1, "jsonrpc":"2.0", "z":[]}"#).await;
    let answer = relaying.await.expect("no panic").expect("answered");
    assert_eq!(answer.as_bytes(), br#"{ "result":{"y":1.0}, "id":"a\u0062", "jsonrpc":"2.0", "z":[]}"#);
}

#[tokio::test(start_paused = true)]
async fn progress_keeps_a_relayed_request_alive() {
    let (_end, caller, mut peer) = start(Limits::default());
    let caller = caller.with_options(CallOptions::timeout(seconds(10)).with_progress_resets());
    let request =
        Request::with_json_params(5, "m", &Json::parse(r#"{"_meta":{"progressToken":"t"}}"#).expect("JSON"))
            .expect("a request");
    let relaying = tokio::spawn(async move { caller.relay(&request).await });
    peer.hear().await.expect("a request");
    for _ in 0..3 {
        tokio::time::advance(seconds(8)).await;
        peer.say(&progress("\"t\"")).await;
        settle().await;
    }
    peer.say(r#"{"jsonrpc":"2.0","id":1,"result":1}"#).await;
    relaying.await.expect("no panic").expect("answered, because there was progress");
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_with_the_connection() {
    let (end, caller, mut peer) = start(Limits::default());
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.request("m", &()).await })
        })
        .collect();
    for _ in 0..10 {
        peer.hear().await.expect("a request");
    }
    drop(peer);
    for call in calls {
        let error: Error = call.await.expect("no panic").expect_err("nobody is there");
        assert!(error.is_closed() && error.close_reason().is_some());
    }
    assert!(caller.request("late", &()).await.expect_err("closed").is_closed());
    assert_eq!(end.control.health().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn waits_without_an_end_do_not_overflow() {
    let (_end, caller, mut peer) =
        start(Limits::default().with_drain(Duration::MAX).with_linger(Duration::MAX));
    let options = CallOptions::timeout(Duration::MAX).with_max_total(Duration::MAX);
    let call = tokio::spawn(async move { caller.request_with("m", &(), &options).await });
    peer.hear().await.expect("a request");
    peer.say(r#"{"jsonrpc":"2.0","id":1,"result":1}"#).await;
    call.await.expect("no panic").expect("answered");
}
