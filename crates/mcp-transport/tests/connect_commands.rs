//! Children: which era they have, and that none is left.
#![cfg(all(target_os = "linux", feature = "connect"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod children;
mod odd;

use std::time::{Duration, Instant};

use mcp_transport::stdio::Ladder;
use mcp_transport::{
    Binding, Caller, Connected, Connector, Era, Error, ErrorKind, Incoming, Limits, Options, connect,
};
use serde_json::{Value, json};

use children::{Children, shell};
use odd::{SOON, within};

/// Answers the question with this, and then what a `Caller` asks.
fn answers(answer: &str) -> String {
    let rest = r#"n=0; while read -r line; do n=$((n+1)); printf '{"jsonrpc":"2.0","id":%d,"result":{}}\n' $n; done"#;
    format!("read -r line; {answer}; {rest}")
}

fn says(message: &Value) -> String {
    format!("printf '%s\\n' '{message}'")
}

fn result(result: Value) -> String {
    says(&json!({ "jsonrpc": "2.0", "id": "mcp-transport-probe", "result": result }))
}

fn error(code: i64, data: Value) -> String {
    let error = json!({ "code": code, "message": "no", "data": data });
    says(&json!({ "jsonrpc": "2.0", "id": "mcp-transport-probe", "error": error }))
}

async fn works(connected: Connected) {
    let endpoint = connected.connection.spawn();
    let caller = Caller::new(&endpoint.sender);
    for method in ["initialize", "tools/list"] {
        let answer = within(method, caller.request(method, &())).await.unwrap();
        assert!(!answer.is_error());
    }
}

#[tokio::test]
async fn what_an_answer_tells() {
    let no_id = says(&json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "" } }));
    let cases = [
        (result(json!({ "supportedVersions": ["2026-07-28"], "capabilities": {} })), Some(Era::Modern)),
        (result(json!({ "supportedVersions": ["2025-11-25"], "capabilities": {} })), Some(Era::Legacy)),
        (result(json!({ "supportedVersions": ["2099-01-01"], "capabilities": {} })), None),
        (result(json!({})), Some(Era::Legacy)),
        (error(-32601, json!(null)), Some(Era::Legacy)),
        (error(-32602, json!(null)), Some(Era::Legacy)),
        (error(-32000, json!(null)), Some(Era::Legacy)),
        (error(-32022, json!({ "supported": ["2026-07-28"], "requested": "" })), Some(Era::Modern)),
        (error(-32022, json!({ "supported": ["2025-06-18"], "requested": "" })), Some(Era::Legacy)),
        (error(-32022, json!({ "supported": ["2099-01-01"], "requested": "" })), None),
        (error(-32022, json!(null)), None),
        (error(-32021, json!(null)), Some(Era::Modern)),
        (no_id, Some(Era::Legacy)),
    ];
    for (answer, era) in cases {
        let children = Children::default();
        let connected = within("it", connect(shell(&children, &answers(&answer)))).await;
        match era {
            Some(era) => {
                let connected = connected.unwrap_or_else(|error| panic!("{answer}: {error}"));
                assert_eq!((connected.binding, connected.era), (Binding::Stdio, Some(era)), "{answer}");
                assert_eq!(connected.connection.control().context().transport, "stdio");
                works(connected).await;
            }
            None => {
                let error = connected.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Refused, "{answer}: {error}");
            }
        }
        children.all_gone(1).await;
    }
}

/// What comes before the answer, on both outputs, does not count, and a ping is answered.
#[tokio::test]
async fn noise_before_the_answer() {
    let children = Children::default();
    let noise = r#"echo oh >&2; echo ready; echo '{"jsonrpc":"2.0","method":"a"}'; echo '{"jsonrpc":"2.0","id":1,"result":1}'
        echo '{"jsonrpc":"2.0","id":7,"method":"ping"}'; while read -r line; do case "$line" in
        *'"id":7'*) break;; esac; done; "#;
    let script = answers(&format!("{noise} {}", result(json!({ "supportedVersions": ["2026-07-28"] }))));
    let connected = within("it", connect(shell(&children, &script))).await.unwrap();
    assert_eq!(connected.era, Some(Era::Modern));
    works(connected).await;
    children.all_gone(1).await;
}

#[tokio::test]
async fn silence_is_of_the_legacy_era() {
    let children = Children::default();
    let script = answers(":");
    let connector = Connector::new().with_probe(Duration::from_millis(50));
    let start = Instant::now();
    let connected = within("it", connector.connect(shell(&children, &script))).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert_eq!(connected.era, Some(Era::Legacy));
    works(connected).await;
    children.all_gone(1).await;
}

/// Who waits for nothing but this sees it, and its id is nobody else's.
#[tokio::test]
async fn an_answer_that_comes_late() {
    let children = Children::default();
    let late = result(json!({ "supportedVersions": ["2026-07-28"] }));
    let script = format!("read -r line; read -r line; {late}; {}", answers(":"));
    let connector = Connector::new().with_probe(Duration::from_millis(50));
    let connected = within("it", connector.connect(shell(&children, &script))).await.unwrap();
    assert_eq!(connected.era, Some(Era::Legacy));
    let mut connection = connected.connection;
    connection.sender().try_send(mcp_transport::Notification::new("a")).unwrap();
    match within("it", connection.next()).await {
        Some(Incoming::Response(response, _)) => {
            assert_eq!(response.id(), Some("mcp-transport-probe".into()))
        }
        other => panic!("{other:?}"),
    }
    drop(connection);
    children.all_gone(1).await;
}

/// Some servers bear nothing before `initialize`.
#[tokio::test]
async fn a_child_that_the_question_ends_is_started_afresh() {
    let serves = answers(":");
    // By its end, by that of its output, and by that of both; those that live on are not waited for.
    for dies in ["exit 3", "kill -9 $$", "exec >&-; while :; do sleep 1000; done", "exec <&- >&-; sleep 1000"]
    {
        let children = Children::default();
        let script = format!(
            r#"read -r line; case "$line" in *server/discover*) {dies};; esac
            printf '{{"jsonrpc":"2.0","id":1,"result":{{}}}}\n'
            read -r line; printf '{{"jsonrpc":"2.0","id":2,"result":{{}}}}\n'; {serves}"#
        );
        let limits = Limits::default().with_linger(Duration::from_millis(20));
        let options = Options::default().with_limits(limits);
        let connector = Connector::new().with_options(options).with_probe(Duration::from_secs(3));
        let spec = shell(&children, &script).ladder(Ladder::default().after_eof(SOON));
        let connected = within(dies, connector.connect(spec)).await.unwrap();
        assert_eq!((connected.binding, connected.era), (Binding::Stdio, Some(Era::Legacy)), "{dies}");
        works(connected).await;
        children.all_gone(2).await;
    }
}

/// What is wrong with it shows when it is used, with what it wrote.
#[tokio::test]
async fn a_child_that_never_works() {
    let children = Children::default();
    let connected = within("it", connect(shell(&children, "echo why >&2; exit 4"))).await.unwrap();
    let endpoint = connected.connection.spawn();
    let error: Error = within("it", Caller::new(&endpoint.sender).request("a", &())).await.unwrap_err();
    assert!(error.is_closed() && error.to_string().contains("status 4"), "{error}");
    children.all_gone(2).await;
}

#[tokio::test]
async fn what_cannot_be_started_or_asked() {
    let error = connect(mcp_transport::CommandSpec::new("no-such-program").arg("hunter2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let children = Children::default();
    let connector =
        Connector::new().with_options(Options::default().with_limits(Limits::default().with_max_message(64)));
    let error = within("it", connector.connect(shell(&children, "cat"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
}
