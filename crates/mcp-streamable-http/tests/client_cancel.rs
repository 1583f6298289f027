//! Calls that are given up: what the server sees of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use mcp_jsonrpc::{Notification, Request};
use mcp_transport_core::{Incoming, Limits, Options, Transport};

use scripted::{Scripted, call, modern, result, within};

const REVISION: &str = "2026-07-28";

#[tokio::test]
async fn legacy_is_told_and_then_its_answer_is_let_go() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    for streamed in [false, true] {
        let waits = call(&endpoint, "waits");
        let request = server.next_is("waits").await;
        let id = request.id();
        waits.abort();
        let cancel = server.next_is("notifications/cancelled").await;
        assert!(cancel.body.contains(&format!(r#""requestId":{id}"#)), "{}", cancel.body);
        assert_eq!(cancel.header("mcp-session-id"), Some(scripted::SESSION));
        if streamed {
            let mut stream = request.stream().await;
            stream.say("id: 1\ndata:\n\n").await;
            cancel.accept().await;
            stream.hung_up().await;
        } else {
            cancel.accept().await;
            request.hung_up().await;
        }
        // It is not resumed.
        server.silence().await;
    }
}

#[tokio::test]
async fn modern_sees_its_stream_end_and_nothing_else() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let endpoint = client.dial().await.unwrap().spawn();
    for streamed in [false, true] {
        let (waits, stays) = (modern(&endpoint, "waits", REVISION), modern(&endpoint, "stays", REVISION));
        let mut both = [server.next().await, server.next().await];
        both.sort_by_key(|request| request.method());
        let [staying, waiting] = both;
        if streamed {
            let mut stream = waiting.stream().await;
            stream.say("data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n").await;
            waits.abort();
            stream.hung_up().await;
        } else {
            waits.abort();
            waiting.hung_up().await;
        }
        server.silence().await;
        staying.result("1").await;
        assert_eq!(result(stays).await, "1");
    }
}

/// All that may fly does, and more waits: a cancellation waits for none of it.
#[tokio::test]
async fn a_cancellation_waits_for_no_room() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let calls: Vec<_> = (0..128).map(|_| call(&endpoint, "work")).collect();
    let mut held = Vec::new();
    for _ in &calls {
        held.push(server.next_is("work").await);
    }
    let late: Vec<_> = (0..8).map(|_| call(&endpoint, "late")).collect();
    server.silence().await;
    // One that was never sent is just forgotten.
    late[0].abort();
    server.silence().await;
    calls[0].abort();
    let cancel = server.next_is("notifications/cancelled").await;
    cancel.accept().await;
    // Its place is free with that.
    server.next_is("late").await.result("1").await;
    for _ in 2..8 {
        server.next_is("late").await.result("1").await;
    }
    server.silence().await;
    for call in late.into_iter().skip(1) {
        assert_eq!(result(call).await, "1");
    }
}

/// A cancellation that overtakes its request would cancel nothing.
#[tokio::test]
async fn a_cancellation_does_not_overtake_its_request() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    for id in 1000..1050_u64 {
        endpoint.sender.send(Request::new(id, "work")).await.unwrap();
        let cancel =
            Notification::with_params("notifications/cancelled", &serde_json::json!({ "requestId": id }));
        endpoint.sender.send(cancel.unwrap()).await.unwrap();
        // Either it was taken back before it was sent, or it was sent and is cancelled, in this order.
        endpoint.sender.send(Notification::new("next")).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let request = server.next().await;
            let method = request.method();
            seen.push(method.clone());
            match &*method {
                "work" => drop(tokio::spawn(request.hung_up())),
                _ => request.accept().await,
            }
            let work = seen.iter().position(|method| method == "work");
            let cancelled = seen.iter().position(|method| method == "notifications/cancelled");
            assert!(cancelled.is_none() || work < cancelled && work.is_some(), "{seen:?}");
            let complete =
                work.is_some() == cancelled.is_some() && seen.iter().any(|method| method == "next");
            if complete {
                break;
            }
        }
    }
}

#[tokio::test]
async fn cancelling_what_is_unknown_sends_nothing() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    for params in [r#"{"requestId":77}"#, "{}", "[]"] {
        let params = mcp_jsonrpc::Json::parse(params).unwrap();
        let cancel = Notification::with_json_params("notifications/cancelled", &params).unwrap();
        endpoint.sender.send(cancel).await.unwrap();
    }
    let works = call(&endpoint, "works");
    server.next_is("works").await.result("1").await;
    assert_eq!(within("it", works).await.unwrap().unwrap().result_raw(), Some(&b"1"[..]));
}

/// More than may wait fails at once, and holds nothing back.
#[tokio::test]
async fn requests_beyond_what_may_wait_fail() {
    let mut server = Scripted::new().await;
    let options = Options::default().with_limits(Limits::default().with_max_pending(2));
    let mut endpoint = server.session_of(server.client().with_options(options)).await;
    // Until it is known that the server has no stream of its own, everything waits.
    let first = call(&endpoint, "first");
    server.next_is("first").await.result("1").await;
    assert_eq!(result(first).await, "1");
    for id in 1000..1135_u64 {
        endpoint.sender.send(Request::new(id, "work")).await.unwrap();
    }
    let mut held = Vec::new();
    for _ in 0..128 {
        held.push(server.next_is("work").await);
    }
    for id in 1130..1135_i64 {
        let Some(Incoming::Response(refused, _)) = endpoint.receiver.recv().await else { panic!() };
        assert_eq!(refused.id().unwrap().as_i64(), Some(id));
        assert!(refused.is_error());
    }
    let params = serde_json::json!({ "requestId": 1000 });
    let cancel = Notification::with_params("notifications/cancelled", &params).unwrap();
    endpoint.sender.send(cancel).await.unwrap();
    server.next_is("notifications/cancelled").await.accept().await;
    server.next_is("work").await.result("1").await;
}
