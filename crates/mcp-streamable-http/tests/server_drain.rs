//! A shutdown finishes what was accepted, and ends the rest.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod raw;
mod served;

use std::time::Duration;

use mcp_streamable_http::StreamableOptions;
use mcp_transport_core::{Listener, State};

use held::{Held, after, note, numbers};
use raw::{Client, Said, initialize, request};
use served::{until, within};

#[tokio::test]
async fn what_was_accepted_is_finished_and_streams_end() {
    let mut held = Held::new(StreamableOptions::default()).await;
    let mut session = held.open("2025-11-25").await;
    let mut idle = held.open("2025-11-25").await.server;
    let mut general = session.client.get("").await;
    general.head().await;
    let (mut streamed, one, _) = session.streamed(1).await;
    let (mut undecided, two) = session.asked(2).await;
    let (mut asking, three, _) = session.streamed(3).await;
    let caller = three.responder().caller();
    let asked = tokio::spawn(async move { caller.request("roots/list", &()).await });
    let question = asking.event().await.unwrap().data.unwrap();
    held.served.server.shutdown();
    held.served.server.shutdown();
    // Those without anything to finish end at once.
    assert!(within("the end", idle.receiver.recv()).await.is_none());
    until("the drain", || session.server.control.health().state == State::Draining).await;
    let new = Client::new(session.client.address).ask(&initialize("2025-11-25")).await;
    assert_eq!((new.status, new.header("retry-after")), (503, Some("1")), "{new:?}");
    let late = session.client.ask(&request(9, "tools/call", "{}")).await;
    assert!(late.body.contains("shutting_down"), "{late:?}");
    // What is on its way goes on, also questions and their answers, and a client that comes back.
    one.responder().notify(note(2)).await.unwrap();
    assert_eq!(numbers(&mut streamed, 1).await, [2]);
    drop(streamed);
    let mut streamed = session.client.get(&after("2-2")).await;
    assert_eq!(streamed.head().await.0, 200);
    let question: serde_json::Value = serde_json::from_str(&question).unwrap();
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, question["id"]);
    assert_eq!(session.client.ask(&answer).await.status, 202);
    assert!(within("the answer", asked).await.unwrap().is_ok());
    one.finish(&1);
    two.finish(&2);
    three.finish(&3);
    assert!(streamed.event().await.unwrap().data.unwrap().contains(r#""id":1,"result":1"#));
    assert_eq!(streamed.said().await, Said::End);
    assert!(undecided.answer().await.body.contains(r#""id":2,"result":2"#));
    assert!(asking.event().await.unwrap().data.unwrap().contains(r#""id":3,"result":3"#));
    assert_eq!(asking.said().await, Said::End);
    while general.said().await != Said::End {}
    within("the end", session.server.control.closed()).await;
    assert_eq!(held.served.server.session_count(), 0);
    assert_eq!(session.client.get(&after("2-2")).await.head().await.0, 404);
    assert!(within("the end of the listener", held.listener.accept()).await.is_none());
}

#[tokio::test]
async fn what_takes_too_long_is_told_why() {
    let mut options = StreamableOptions::default();
    options.limits = options.limits.with_drain(Duration::from_millis(200));
    let mut held = Held::new(options).await;
    let mut session = held.open("2025-11-25").await;
    let (mut streamed, one, _) = session.streamed(1).await;
    let (mut undecided, two) = session.asked(2).await;
    held.served.server.shutdown();
    within("the end", one.responder().cancelled()).await;
    drop((one, two));
    let answer = undecided.answer().await;
    assert!(answer.body.contains(r#""id":2,"error""#), "{answer:?}");
    let told = streamed.event().await.unwrap();
    assert!(told.data.unwrap().contains(r#""id":1,"error""#));
    assert_eq!(streamed.said().await, Said::End);
}

#[tokio::test]
async fn a_drain_of_the_whole_server_ends_in_time() {
    let mut held = Held::new(StreamableOptions::default()).await;
    let mut session = held.open("2025-11-25").await;
    let mut general = session.client.get("").await;
    general.head().await;
    let (mut streamed, one, _) = session.streamed(1).await;
    held.served.control.shutdown();
    until("the drain", || session.server.control.health().state == State::Draining).await;
    one.finish(&"done");
    assert!(streamed.event().await.unwrap().data.unwrap().contains("done"));
    assert_eq!(streamed.said().await, Said::End);
    while general.said().await != Said::End {}
    let drained = within("the drain", held.served.serving).await.unwrap().unwrap();
    assert_eq!(drained.cut, 0);
}
