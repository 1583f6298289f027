//! Batches, which only 2025-03-26 has.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use mcp_streamable_http::{Answers, StreamableOptions};
use serde_json::{Value, json};

use raw::{Client, initialize};
use served::Served;

const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
const RESPONSE: &str = r#"{"jsonrpc":"2.0","id":9,"result":{}}"#;
/// With an id that can be read, so that its sender is told.
const BROKEN_REQUEST: &str = r#"{"jsonrpc":"2.0","id":5,"method":7}"#;
/// Nobody is told of these.
const BROKEN_RESPONSE: &str = r#"{"jsonrpc":"2.0","id":6,"result":{},"error":{}}"#;

fn call(id: u64) -> String {
    raw::request(id, "where", "{}")
}

fn batch(members: &[&str]) -> String {
    format!("[{}]", members.join(","))
}

/// Ids of answers, and whether each is an error.
fn answers(messages: &[Value]) -> Vec<(u64, bool)> {
    let mut answers: Vec<(u64, bool)> = messages
        .iter()
        .map(|message| (message["id"].as_u64().unwrap(), message.get("error").is_some()))
        .collect();
    answers.sort_unstable();
    answers
}

#[tokio::test]
async fn all_that_is_in_one_is_answered() {
    let (one, two) = (call(1), call(2));
    let again = initialize("2025-03-26");
    let (one, two, again) = (one.as_str(), two.as_str(), again.as_str());
    let table = [
        ("one request", vec![one], vec![(1, false)]),
        ("two requests", vec![one, two], vec![(1, false), (2, false)]),
        ("mixed", vec![NOTE, one, RESPONSE, two, NOTE], vec![(1, false), (2, false)]),
        ("a broken request among them", vec![one, BROKEN_REQUEST], vec![(1, false), (5, true)]),
        ("nothing but a broken request", vec![BROKEN_REQUEST], vec![(5, true)]),
        ("initialize", vec![again, two], vec![(0, true), (2, false)]),
        ("nothing but initialize", vec![again], vec![(0, true)]),
        ("a broken response among them", vec![one, BROKEN_RESPONSE], vec![(1, false)]),
    ];
    for form in [Answers::Auto, Answers::Json, Answers::Stream] {
        let mut options = StreamableOptions::default();
        options.answers = form;
        let served = Served::new(options).await;
        let client = match form {
            Answers::Stream => streamed(&served).await,
            _ => Client::initialized(served.address, "2025-03-26").await,
        };
        for (what, members, expected) in &table {
            let mut raw = client.post(&batch(members)).await;
            let messages: Vec<Value> = if form == Answers::Json {
                let answer = raw.answer().await;
                assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
                serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{what}: {answer:?}"))
            } else {
                assert_eq!(raw.head().await.0, 200, "{what}");
                let mut messages = Vec::new();
                while let Some(event) = raw.event().await {
                    messages.push(serde_json::from_str(&event.data.unwrap()).unwrap());
                }
                messages
            };
            assert_eq!(&answers(&messages), expected, "{form:?}: {what}: {messages:?}");
        }
        for members in [vec![NOTE], vec![RESPONSE], vec![NOTE, RESPONSE, NOTE]] {
            let answer = client.ask(&batch(&members)).await;
            assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{form:?}: {members:?}");
        }
        // What is nothing but garbage is not accepted, and nobody waits for an answer.
        let answer = client.ask(&batch(&[BROKEN_RESPONSE])).await;
        assert_eq!(answer.status, 400, "{form:?}: {answer:?}");
        assert_eq!(client.ask(&batch(&[NOTE, BROKEN_RESPONSE])).await.status, 202, "{form:?}");
        for empty in ["[]", " [ ] "] {
            let answer = client.ask(empty).await;
            assert_eq!(answer.status, 400);
            let error: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(error["error"]["code"], json!(-32600), "{answer:?}");
        }
        assert_eq!(client.ask(&call(3)).await.status, 200, "the session is as it was");
    }
}

/// A session whose `initialize` was answered with a stream.
async fn streamed(served: &Served) -> Client {
    let mut raw = Client::new(served.address).post(&initialize("2025-03-26")).await;
    let (status, headers) = raw.head().await;
    assert_eq!(status, 200);
    let id = headers.iter().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let headers = format!("Mcp-Session-Id: {id}\r\n");
    assert!(raw.event().await.unwrap().data.unwrap().contains("2025-03-26"));
    assert_eq!(raw.said().await, raw::Said::End);
    Client { address: served.address, headers }
}

#[tokio::test]
async fn later_revisions_have_none() {
    let served = Served::new(StreamableOptions::default()).await;
    for revision in ["2025-06-18", "2025-11-25"] {
        let client = Client::initialized(served.address, revision).await;
        let (id, _) = client.headers.split_once("\r\n").unwrap();
        // Also when the header is not there, or says that it is another revision: the session knows better.
        for version in ["", "MCP-Protocol-Version: 2025-03-26\r\n"] {
            let client = Client { headers: format!("{id}\r\n{version}"), ..client.clone() };
            for members in [vec![call(1)], vec![NOTE.to_owned()], vec![call(1), call(2)]] {
                let answer = client.ask(&format!("[{}]", members.join(","))).await;
                assert_eq!(answer.status, 400, "{revision}: {answer:?}");
                assert!(answer.body.contains("-32600"), "{answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn none_opens_a_session() {
    let served = Served::new(StreamableOptions::default()).await;
    for members in [vec![initialize("2025-03-26")], vec![initialize("2025-03-26"), call(1)]] {
        let answer = Client::new(served.address).ask(&format!("[{}]", members.join(","))).await;
        assert_eq!((answer.status, answer.header("mcp-session-id")), (400, None), "{answer:?}");
    }
    assert_eq!(served.server.session_count(), 0);
}
