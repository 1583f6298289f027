//! `serve` at `/mcp`: sessions with a child each, and requests without a session in front of one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::time::Duration;

use common::bridge::Bridge;
use common::{DISCOVERED, call, legacy};
use mcp_transport::{Caller, Connection, Endpoint, Incoming, Outcome, Receiver, StreamableClient, Transport};
use serde_json::{Value, json};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

fn mcp(bridge: &Bridge) -> String {
    bridge.url.replace("/sse", "/mcp")
}

/// The demo as a child.
fn demo(flags: &[&str]) -> Bridge {
    Bridge::serve(&[flags, &["--", env!("CARGO_BIN_EXE_mcp-bridge"), "demo"]].concat())
}

async fn dial(bridge: &Bridge) -> Connection {
    StreamableClient::new(mcp(bridge).parse().unwrap()).dial().await.unwrap()
}

async fn initialized(bridge: &Bridge) -> Endpoint {
    let endpoint = dial(bridge).await.spawn();
    let caller = Caller::new(&endpoint.sender);
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {} });
    assert!(!caller.request("initialize", &hello).await.unwrap().is_error());
    caller.notify("notifications/initialized", &()).await.unwrap();
    endpoint
}

fn meta(more: Value) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    meta.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    meta
}

async fn next(receiver: &mut Receiver) -> Incoming {
    timeout(SOON, receiver.recv()).await.expect("in time").expect("something")
}

// The counting of children blocks its thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_has_a_child_and_delete_ends_it() {
    let bridge = demo(&[]);
    let (one, two) = (initialized(&bridge).await, initialized(&bridge).await);
    bridge.until_children(2);
    one.control.shutdown();
    one.control.closed().await;
    bridge.until_children(1);
    let caller = two.into_caller();
    let tools = caller.request("tools/list", &()).await.unwrap();
    assert!(matches!(tools.outcome(), Outcome::Result(_)));
    drop(caller);
    bridge.until_children(0);
}

/// All of them use the same ids and the same token, and each hears of its own progress alone.
#[tokio::test]
async fn requests_without_a_session_share_a_child_and_nothing_else() {
    let bridge = demo(&[]);
    let mut clients = tokio::task::JoinSet::new();
    for steps in 1..=40_u64 {
        let connection = dial(&bridge).await;
        clients.spawn(async move {
            let mut endpoint = connection.spawn();
            let caller = Caller::new(&endpoint.sender);
            let params = json!({
                "name": "progress",
                "arguments": { "steps": steps % 5 + 1 },
                "_meta": meta(json!({ "progressToken": "p" })),
            });
            let answer = timeout(SOON, caller.request("tools/call", &params)).await.unwrap().unwrap();
            let Outcome::Result(answer) = answer.outcome() else { panic!("{answer:?}") };
            assert!(!answer.is_empty());
            for step in 1..=steps % 5 + 1 {
                let Incoming::Notification(told, _) = next(&mut endpoint.receiver).await else { panic!() };
                let told: Value = told.params().unwrap();
                assert_eq!((&told["progressToken"], told["progress"].as_u64()), (&json!("p"), Some(step)));
            }
            assert!(endpoint.receiver.try_recv().is_none());
        });
    }
    clients.join_all().await;
    assert_eq!(bridge.children().len(), 1);
}

/// A server of the modern era that keeps subscriptions: `change` tells all of them, `stray` says something that is
/// nobody's, `end` ends them.
fn subscriptions(flags: &[&str]) -> Bridge {
    let script = r#"note() { printf '{"jsonrpc":"2.0","method":"notifications/%s","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%s}}}\n' "$1" "$2"; }
while read -r line; do
  id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
  case $line in
    *notifications/cancelled*) echo "told $line" >&2; continue;;
    *'"silent"'*) continue;;
    *server/discover*) printf '{"jsonrpc":"2.0","id":%s,"result":DISCOVERED}\n' "$id"; continue;;
    *subscriptions/listen*) note subscriptions/acknowledged "$id"; all="$all $id"; continue;;
    *'"change"'*) for one in $all; do note tools/list_changed "$one"; done;;
    *'"stray"'*) printf '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///private"}}\n';;
    *'"cancel"'*) for one in $all; do printf '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}\n' "$one"; done;;
    *'"finish"'*) for one in $all; do printf '{"jsonrpc":"2.0","id":%s,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":%s}}}\n' "$one" "$one"; done;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "$id"
done"#;
    Bridge::serve(&[flags, &["--", "sh", "-c", &script.replace("DISCOVERED", DISCOVERED)]].concat())
}

/// A client that listens: where it hears, its call, and the params of the first thing that it heard.
async fn listener(bridge: &Bridge) -> (Endpoint, tokio::task::JoinHandle<Option<Value>>, Value) {
    let mut endpoint = dial(bridge).await.spawn();
    let caller = Caller::new(&endpoint.sender);
    let listening = tokio::spawn(async move {
        let params = json!({ "_meta": meta(json!({})) });
        let answer = caller.request("subscriptions/listen", &params).await.ok()?;
        serde_json::from_slice(answer.result_raw()?).ok()
    });
    let Incoming::Notification(first, _) = next(&mut endpoint.receiver).await else { panic!() };
    assert_eq!(first.method(), "notifications/subscriptions/acknowledged");
    let first: Value = first.params().unwrap();
    // Each client numbers its requests from 1.
    assert_eq!(first["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
    (endpoint, listening, first)
}

async fn say(bridge: &Bridge, method: &str) -> (Endpoint, mcp_transport::Response) {
    let endpoint = dial(bridge).await.spawn();
    let caller = Caller::new(&endpoint.sender);
    let answer = timeout(SOON, caller.request(method, &json!({ "_meta": meta(json!({})) }))).await;
    (endpoint, answer.unwrap().unwrap())
}

/// What was subscribed to comes back under the id that its client gave it.
#[tokio::test]
async fn subscriptions_find_their_way_back() {
    let bridge = subscriptions(&[]);
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(listener(&bridge).await);
    }
    say(&bridge, "change").await;
    for (endpoint, listening, first) in &mut listeners {
        let Incoming::Notification(told, _) = next(&mut endpoint.receiver).await else { panic!() };
        assert_eq!(told.method(), "notifications/tools/list_changed");
        assert_eq!(told.params::<Value>().unwrap(), *first);
        listening.abort();
    }
}

#[tokio::test]
async fn subscriptions_that_the_child_ends_are_answered() {
    for how in ["cancel", "finish"] {
        let bridge = subscriptions(&[]);
        let (_endpoint, listening, _) = listener(&bridge).await;
        say(&bridge, how).await;
        let ended = timeout(SOON, listening).await.unwrap().unwrap().expect("a result");
        assert_eq!(ended["_meta"]["io.modelcontextprotocol/subscriptionId"], 1, "{how}: {ended}");
    }
}

/// A request that takes too long is given up; a subscription may last.
#[tokio::test]
async fn what_takes_too_long_is_answered_and_cancelled() {
    let bridge = subscriptions(&["--request-timeout", "0.3"]);
    let (_endpoint, listening, _) = listener(&bridge).await;
    let (_other, answer) = say(&bridge, "silent").await;
    let Outcome::Error(error) = answer.outcome() else { panic!("{answer:?}") };
    assert_eq!(error.reason().as_deref(), Some("timeout"));
    bridge.line("told ");
    assert!(!say(&bridge, "finish").await.1.is_error());
    assert!(timeout(SOON, listening).await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn what_is_nobodys_goes_to_nobody() {
    let bridge = subscriptions(&[]);
    let (mut endpoint, listening, _) = listener(&bridge).await;
    let (mut other, answer) = say(&bridge, "stray").await;
    assert!(!answer.is_error());
    say(&bridge, "change").await;
    let Incoming::Notification(told, _) = next(&mut endpoint.receiver).await else { panic!() };
    assert_eq!(told.method(), "notifications/tools/list_changed", "and not what came before");
    assert!(other.receiver.try_recv().is_none());
    listening.abort();
}

/// It would reach the child as it is, which may read it as the number of somebody else's request.
#[tokio::test]
async fn a_progress_token_that_is_none_is_refused() {
    let bridge = subscriptions(&[]);
    for token in ["1.0", "1e0", "[1]", "null"] {
        let address = bridge.url.strip_prefix("http://").unwrap().strip_suffix("/sse").unwrap();
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":5,"method":"x","params":{{"_meta":{{"progressToken":{token},"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        );
        let (_, answer) = post_with(address, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: x\r\n", &body);
        assert!(answer.contains("-32602") && answer.contains("\"id\":5"), "{token}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_of_the_older_era_is_reached_by_clients_of_both() {
    let bridge = Bridge::script(&[], &legacy("result '[\"yes\"]'"));
    assert_eq!(call(&[&mcp(&bridge), "ask/me"]).value(), json!(["yes"]));
    let caller = dial(&bridge).await.spawn().into_caller();
    let refused = caller.request("tools/list", &json!({ "_meta": meta(json!({})) })).await.unwrap();
    let Outcome::Error(error) = refused.outcome() else { panic!("{refused:?}") };
    assert_eq!(error.code(), mcp_transport::ErrorCode::UNSUPPORTED_PROTOCOL_VERSION);
    let supported: Value = error.data().unwrap().decode().unwrap();
    assert_eq!(supported["supported"][0], "2025-11-25");
    bridge.until_children(0);
}

#[tokio::test]
async fn a_child_that_dies_ends_its_session_with_a_reason() {
    let bridge = Bridge::script(&[], &legacy("exit 3"));
    let endpoint = initialized(&bridge).await;
    let caller = Caller::new(&endpoint.sender);
    let answer = timeout(SOON, caller.request("ask/me", &())).await.unwrap();
    match answer {
        Ok(answer) => {
            let Outcome::Error(error) = answer.outcome() else { panic!("{answer:?}") };
            assert_eq!(error.reason().as_deref(), Some("child_exited"));
        }
        Err(error) => panic!("{error}"),
    }
    // The next one finds nobody.
    let error = timeout(SOON, caller.request("ask/me", &())).await.unwrap().unwrap_err();
    assert!(error.is_closed(), "{error}");
}

#[tokio::test]
async fn without_sessions_one_child_is_there_for_everybody() {
    let bridge = demo(&["--stateless"]);
    let address = bridge.url.strip_prefix("http://").unwrap().strip_suffix("/sse").unwrap().to_owned();
    for id in [1, 1, 2] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#);
        let (status, answer) = post(&address, &body);
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains(&format!("\"id\":{id}")) && answer.contains("echo"), "{answer}");
    }
    let hello = r#"{"jsonrpc":"2.0","id":"h","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}}"#;
    let (status, answer) = post(&address, hello);
    assert!(status == 200 && answer.contains("mcp-bridge-demo"), "{answer}");
    // Each client is answered in the revision that it speaks.
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let (_, answer) = post(&address, &hello.replace("2025-11-25", version));
        assert!(answer.contains(&format!("\"protocolVersion\":\"{version}\"")), "{answer}");
    }
    assert_eq!(bridge.children().len(), 1);
}

/// Every byte of a request and of an answer, but for what the bridge has to change and changes back.
#[tokio::test]
async fn bytes_pass_unchanged() {
    let answer = r#"{ "z":1e2,"x":{"é":12345678901234567890},"s":"\u00e9\/" }"#;
    let script = legacy(&format!("result '{answer}'"));
    let bridge = Bridge::script(&[], &script);
    let endpoint = initialized(&bridge).await;
    let caller = Caller::new(&endpoint.sender);
    let seen = caller.request("ask/me", &()).await.unwrap();
    assert_eq!(seen.result_raw().unwrap(), answer.as_bytes());
}

#[tokio::test]
async fn answers_in_json_only() {
    let bridge = demo(&["--json-response"]);
    let endpoint = initialized(&bridge).await;
    let caller = Caller::new(&endpoint.sender);
    let params = json!({ "name": "progress", "arguments": { "steps": 2 }, "_meta": { "progressToken": 1 } });
    assert!(!caller.request("tools/call", &params).await.unwrap().is_error());
}

fn post(address: &str, body: &str) -> (u16, String) {
    post_with(address, "", body)
}

/// One POST on a connection of its own.
fn post_with(address: &str, headers: &str, body: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    write!(
        socket,
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}
