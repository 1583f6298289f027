//! Our client and our server, both eras, and what is left of many sessions.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use std::time::Duration;

use mcp_jsonrpc::Notification;
use mcp_streamable_http::{StreamableClient, StreamableOptions};
use mcp_transport_core::{Caller, CloseReason, Endpoint, Incoming, Transport};
use serde_json::json;
use tokio::runtime::Handle;

use served::{Served, until, within};

fn client(served: &Served) -> StreamableClient {
    StreamableClient::new(format!("http://{}/mcp", served.address).parse().unwrap())
}

async fn session(client: &mut StreamableClient) -> Endpoint {
    let endpoint = client.dial().await.unwrap().spawn();
    let caller = Caller::new(&endpoint.sender);
    caller.request("initialize", &json!({ "protocolVersion": "2025-11-25" })).await.unwrap();
    endpoint.sender.send(Notification::new("notifications/initialized")).await.unwrap();
    endpoint
}

async fn count(endpoint: &mut Endpoint, params: &serde_json::Value, to: u64) {
    let caller = Caller::new(&endpoint.sender);
    let counting = tokio::spawn({
        let params = params.clone();
        async move { caller.request("count", &params).await }
    });
    for number in 1..=to {
        let Some(Incoming::Notification(note, _)) = endpoint.receiver.recv().await else { panic!() };
        assert_eq!(note.params::<Vec<u64>>().unwrap(), [number]);
    }
    let answer = within("the answer", counting).await.unwrap().unwrap();
    assert_eq!(answer.result_raw(), Some(to.to_string().as_bytes()));
}

#[tokio::test]
async fn a_legacy_session() {
    let served = Served::new(StreamableOptions::default()).await;
    let mut endpoint = session(&mut client(&served)).await;
    let caller = Caller::new(&endpoint.sender);
    count(&mut endpoint, &json!([30]), 30).await;
    let place = caller.request("where", &()).await.unwrap();
    assert_eq!(place.result_raw(), Some(&br#"{"revision":"2025-11-25","session":true}"#[..]));
    // The server asks in the middle of a call.
    let asking = tokio::spawn(async move { caller.request("ask", &()).await });
    let Some(Incoming::Request(exchange)) = endpoint.receiver.recv().await else { panic!() };
    exchange.finish(&json!({ "roots": [] }));
    assert_eq!(within("it", asking).await.unwrap().unwrap().result_raw(), Some(&b"12"[..]));
    // A call that is given up is given up there.
    let caller = Caller::new(&endpoint.sender);
    let hanging = tokio::spawn(async move { caller.request("hang", &()).await });
    until("the call", || endpoint.control.health().pending == 1).await;
    hanging.abort();
    assert_eq!(served.server.session_count(), 1);
    endpoint.control.shutdown();
    within("the end", endpoint.control.closed()).await;
    until("DELETE", || served.server.session_count() == 0).await;
}

#[tokio::test]
async fn a_session_that_the_server_has_ended() {
    let served = Served::new(StreamableOptions::default()).await;
    let mut client = client(&served);
    let (ours, theirs) = (session(&mut client).await, session(&mut client).await);
    // What a server that starts again does to all of its sessions.
    served.server.shutdown();
    let caller = Caller::new(&ours.sender);
    let outcome = within("an outcome", caller.request("where", &())).await;
    assert!(outcome.is_err() || outcome.unwrap().is_error());
    let why = within("the end", theirs.control.closed()).await;
    assert!(matches!(*why, CloseReason::SessionExpired), "{why}");
}

#[tokio::test]
async fn the_modern_era() {
    let served = Served::new(StreamableOptions::default()).await;
    let mut endpoint = client(&served).dial().await.unwrap().spawn();
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {} });
    let caller = Caller::new(&endpoint.sender);
    let place = caller.request("where", &json!({ "_meta": meta })).await.unwrap();
    assert_eq!(place.result_raw(), Some(&br#"{"revision":"2026-07-28","session":false}"#[..]));
    let hanging = {
        let (caller, meta) = (caller.clone(), meta.clone());
        tokio::spawn(async move { caller.request("hang", &json!({ "_meta": meta })).await })
    };
    until("the call", || endpoint.control.health().pending == 1).await;
    hanging.abort();
    let unknown = json!({ "io.modelcontextprotocol/protocolVersion": "2027-01-01",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {} });
    let place = caller.request("where", &json!({ "_meta": unknown })).await.unwrap();
    assert_eq!(place.result_raw(), Some(&br#"{"revision":"2026-07-28","session":false}"#[..]));
    endpoint.control.shutdown();
    assert!(within("the end", endpoint.receiver.recv()).await.is_none());
}

#[tokio::test]
async fn sessions_leave_nothing() {
    let served = Served::new(StreamableOptions::default()).await;
    let mut client = client(&served);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    tokio::task::yield_now().await;
    let start = tasks();
    for round in 0..60 {
        let mut endpoint = session(&mut client).await;
        count(&mut endpoint, &json!([3]), 3).await;
        if round % 2 == 0 {
            endpoint.control.shutdown();
            within("the end", endpoint.control.closed()).await;
        }
    }
    // The client's connections that wait for another request end with it.
    drop(client);
    until("the start", || tasks() <= start).await;
}

/// Calls that are answered, counted and given up, all at once: each has one outcome, and nothing is left of any.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once() {
    let served = Served::new(StreamableOptions::default()).await;
    let Endpoint { sender, mut receiver, control } = session(&mut client(&served)).await;
    let notes = tokio::spawn(async move {
        let mut notes = 0;
        while let Some(incoming) = receiver.recv().await {
            notes += u64::from(matches!(incoming, Incoming::Notification(..)));
        }
        notes
    });
    let calls: Vec<_> = (0..300_u64)
        .map(|number| {
            let caller = Caller::new(&sender);
            tokio::spawn(async move {
                match number % 3 {
                    0 => drop(caller.request("where", &()).await.unwrap()),
                    1 => {
                        let answer = caller.request("count", &[number % 7]).await.unwrap();
                        assert_eq!(answer.result_raw(), Some((number % 7).to_string().as_bytes()));
                    }
                    _ => {
                        let given_up = Duration::from_millis(number % 20);
                        let hanging = tokio::time::timeout(given_up, caller.request("hang", &())).await;
                        assert!(hanging.is_err());
                    }
                }
            })
        })
        .collect();
    for call in calls {
        within("an outcome", call).await.unwrap();
    }
    assert_eq!(control.health().pending, 0);
    assert_eq!((control.health().unmatched, control.health().malformed), (0, 0));
    drop(sender);
    control.shutdown();
    within("the end", control.closed()).await;
    let expected: u64 = (0..300).filter(|number| number % 3 == 1).map(|number| number % 7).sum();
    assert_eq!(notes.await.unwrap(), expected);
    until("DELETE", || served.server.session_count() == 0).await;
}
