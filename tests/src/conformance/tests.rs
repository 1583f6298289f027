//! Our client against our server, in memory: what the suite's verdicts are about, without the suite.

use std::sync::Arc;
use std::time::Duration;

use mcp_transport::{Caller, CloseReason, Connection, Endpoint, Incoming, Options, Revision};
use serde_json::{Value, json};

use super::client::{Scenario, play};
use super::server::{Fixture, serve_on};

fn scenario(name: &str, revision: Revision) -> Scenario {
    Scenario { name: name.into(), revision, context: Value::Null }
}

#[tokio::test]
async fn the_client_plays_with_the_server_in_both_eras() {
    for revision in [Revision::V2025_03_26, Revision::V2025_11_25, Revision::V2026_07_28] {
        let (client, server) = Connection::pair(Options::default(), Options::default());
        let serving = tokio::spawn(serve_on(server, Arc::default()));
        play(client, &scenario("http-standard-headers", revision)).await.unwrap();
        assert!(matches!(*serving.await.unwrap(), CloseReason::PeerClosed), "{revision}");
    }
}

/// A client of the modern era, and what it receives.
fn modern(fixture: &Arc<Fixture>) -> Endpoint {
    let (client, server) = Connection::pair(Options::default(), Options::default());
    tokio::spawn(serve_on(server, Arc::clone(fixture)));
    client.spawn()
}

fn meta(capabilities: Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

async fn call(client: &Caller, params: Value) -> Value {
    let response = client.request("tools/call", &params).await.unwrap();
    serde_json::from_slice(response.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_state_that_was_changed_is_refused() {
    let endpoint = modern(&Arc::default());
    let client = Caller::new(&endpoint.sender);
    let name = "test_input_required_result_tampered_state";
    let meta = meta(json!({ "elicitation": {} }));
    let asked = call(&client, json!({ "name": name, "_meta": meta })).await;
    let state = asked.pointer("/result/requestState").and_then(Value::as_str).unwrap();
    let answers = json!({ "confirm": { "action": "accept", "content": { "ok": true } } });
    let retry = |state: String| json!({ "name": name, "_meta": meta, "inputResponses": answers, "requestState": state });

    let done = call(&client, retry(state.to_owned())).await;
    assert_eq!(done.pointer("/result/content/0/text"), Some(&json!("state-ok")));
    let refused = call(&client, retry(format!("{state}-TAMPERED"))).await;
    assert_eq!(refused.pointer("/error/code"), Some(&json!(-32602)));
}

#[tokio::test]
async fn who_listens_hears_what_was_asked_for() {
    let fixture = Arc::default();
    let mut listener = modern(&fixture);
    let listening = Caller::new(&listener.sender);
    let params = json!({ "notifications": { "promptsListChanged": true }, "_meta": meta(json!({})) });
    let subscription = tokio::spawn(async move { listening.request("subscriptions/listen", &params).await });
    let mut heard = async || {
        let received = tokio::time::timeout(Duration::from_secs(20), listener.receiver.recv()).await;
        match received.unwrap() {
            Some(Incoming::Notification(notification, _)) => notification.method().into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(heard().await, "notifications/subscriptions/acknowledged");

    let other = modern(&fixture);
    let client = Caller::new(&other.sender);
    for tool in ["test_trigger_tool_change", "test_trigger_prompt_change"] {
        call(&client, json!({ "name": tool, "_meta": meta(json!({})) })).await;
    }
    assert_eq!(heard().await, "notifications/prompts/list_changed");
    subscription.abort();
}
