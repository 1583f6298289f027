//! Sessions over real sockets: how they begin, what goes through them, how they end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use mcp_streamable_http::StreamableOptions;

use raw::{Client, request};
use served::{Served, until};

async fn served() -> Served {
    Served::new(StreamableOptions::default()).await
}

#[tokio::test]
async fn a_session_from_initialize_to_delete() {
    let served = served().await;
    let client = Client::initialized(served.address, "2025-11-25").await;
    let note = client.ask(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    assert_eq!((note.status, note.body.as_str()), (202, ""));
    let asked = client.ask(&request(1, "where", "{}")).await;
    assert_eq!(asked.status, 200);
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.body, r#"{"jsonrpc":"2.0","id":1,"result":{"revision":"2025-11-25","session":true}}"#);
    assert_eq!(served.server.session_count(), 1);
    assert_eq!(client.delete().await.status, 204);
    assert_eq!(client.ask(&request(2, "where", "{}")).await.status, 404);
    assert_eq!(client.delete().await.status, 404);
    until("the end", || served.server.session_count() == 0).await;
}

#[tokio::test]
async fn what_comes_before_the_answer_makes_it_a_stream() {
    let served = served().await;
    let client = Client::initialized(served.address, "2025-11-25").await;
    let mut stream = client.post(&request(1, "count", "[2]")).await;
    assert_eq!(stream.head().await.0, 200);
    let mut seen = Vec::new();
    while let Some(event) = stream.event().await {
        seen.push((event.id.unwrap(), event.data.unwrap()));
    }
    let ids: Vec<&str> = seen.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["2-0", "2-1", "2-2", "2-3"], "{seen:?}");
    assert_eq!(seen[0].1, "");
    assert_eq!(seen[3].1, r#"{"jsonrpc":"2.0","id":1,"result":2}"#);
}

#[tokio::test]
async fn a_question_of_the_server_is_answered_by_another_post() {
    let served = served().await;
    let client = Client::initialized(served.address, "2025-06-18").await;
    let mut stream = client.post(&request(7, "ask", "{}")).await;
    stream.head().await;
    let question = stream.event().await.unwrap().data.unwrap();
    let id: serde_json::Value = serde_json::from_str(&question).unwrap();
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id["id"]);
    assert_eq!(client.ask(&answer).await.status, 202);
    assert_eq!(stream.event().await.unwrap().data.unwrap(), r#"{"jsonrpc":"2.0","id":7,"result":2}"#);
    assert_eq!(stream.event().await, None);
}
