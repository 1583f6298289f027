//! Whoever does not read holds up nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod raw;
mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mcp_jsonrpc::{Message, Notification};
use mcp_streamable_http::StreamableOptions;
use mcp_transport_core::{CallOptions, Caller, Incoming};

use held::Held;
use raw::request;
use served::{until, within};

const CALLS: u64 = 200;

fn large() -> Notification {
    Notification::with_params("note", &["x".repeat(10_000)]).unwrap()
}

/// Answers each call as it comes, the large ones with more than any buffer takes.
fn answer_all(mut server: mcp_transport_core::Receiver) {
    tokio::spawn(async move {
        while let Some(incoming) = server.recv().await {
            let Incoming::Request(exchange) = incoming else { continue };
            tokio::spawn(async move {
                if exchange.request().method() == "large" {
                    while exchange.responder().notify(large()).await.is_ok() {}
                }
                exchange.finish(&"answered");
            });
        }
    });
}

#[tokio::test]
async fn calls_are_answered_while_a_get_stream_is_flooded_and_not_read() {
    for store in [true, false] {
        let mut options = StreamableOptions::default();
        if !store {
            options.store = None;
        }
        let mut held = Held::new(options).await;
        let session = held.open("2025-11-25").await;
        let mut stuck = session.client.get("").await;
        stuck.head().await;
        let flooded = Arc::new(AtomicUsize::new(0));
        let (sender, count) = (session.server.sender.clone(), flooded.clone());
        let flood = tokio::spawn(async move {
            while sender.send(Message::from(large())).await.is_ok() {
                count.fetch_add(1, Relaxed);
            }
        });
        // Somebody waits for an answer of the one who does not read, too.
        let caller = Caller::new(&session.server.sender);
        let asked = tokio::spawn(async move {
            let caller = caller.with_options(CallOptions::timeout(std::time::Duration::from_secs(3600)));
            caller.request("ping", &()).await
        });
        until("the flood", || flooded.load(Relaxed) > 50).await;
        let control = session.server.control.clone();
        answer_all(session.server.receiver);
        let calls = async {
            for id in 1..=CALLS {
                let answer = session.client.ask(&request(id, "tools/call", "{}")).await;
                assert!(answer.status == 200 && answer.body.contains("answered"), "{id}: {answer:?}");
            }
        };
        within("the calls", calls).await;
        assert!(control.close_reason().is_none());
        let health = control.health();
        assert!(health.outbound_bytes <= 768 * 1024, "{health:?}");
        // The stuck one does not hold up the end, nor the one who asks it.
        assert_eq!(session.client.delete().await.status, 204);
        within("the end", control.closed()).await;
        assert!(within("the one who asked", asked).await.unwrap().is_err());
        within("the flood", flood).await.unwrap();
        assert_eq!(held.served.server.session_count(), 0);
    }
}

#[tokio::test]
async fn calls_are_answered_while_an_answer_is_not_read() {
    let mut held = Held::new(StreamableOptions::default()).await;
    let session = held.open("2025-11-25").await;
    let mut stuck = Vec::new();
    answer_all(session.server.receiver);
    for id in 0..5 {
        let mut raw = session.client.post(&request(1000 + id, "large", "{}")).await;
        raw.head().await;
        stuck.push(raw);
    }
    let calls = async {
        for id in 1..=CALLS {
            let answer = session.client.ask(&request(id, "tools/call", "{}")).await;
            assert!(answer.status == 200 && answer.body.contains("answered"), "{id}: {answer:?}");
        }
    };
    within("the calls", calls).await;
}
