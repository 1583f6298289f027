//! The modern era: what is looked at, in which order, and what is answered.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use std::sync::Arc;

use mcp_streamable_http::proto::ToolTable;
use mcp_streamable_http::{Answers, StreamableOptions};
use serde_json::{Value, json};

use mounted::{Ask, MODERN, Mounted, next, rest};
use served::until;

/// A server that knows one tool, whose argument `a` is repeated in a header.
async fn mounted() -> Mounted {
    let tools = ToolTable::default();
    let annotated = json!({ "a": { "type": "integer", "x-mcp-header": "A" } });
    let tool = json!({ "name": "tool", "inputSchema": { "type": "object", "properties": annotated } });
    tools.learn(json!({ "tools": [tool] }).to_string().as_bytes());
    assert_eq!(tools.len(), 1);
    let mut options = StreamableOptions::default();
    options.tools = Some(Arc::new(tools));
    Mounted::new(options).await
}

fn call() -> Ask {
    Ask::modern(7, "tools/call", json!({ "name": "tool", "arguments": { "a": 5 } })).with("mcp-param-a", "5")
}

/// What can be wrong, in the order in which it is found: what it does to a request, the code, and a word of the text.
type Fault = (fn(Ask) -> Ask, i64, &'static str);

fn body(ask: Ask, change: impl FnOnce(&mut Value)) -> Ask {
    let mut body = serde_json::from_str(&ask.body).unwrap();
    change(&mut body);
    Ask { body: body.to_string(), ..ask }
}

fn meta(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    value["params"]["_meta"].as_object_mut().unwrap()
}

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

const FAULTS: &[Fault] = &[
    (|ask| ask.without("mcp-method"), -32020, "Mcp-Method is missing"),
    (|ask| ask.without("mcp-method").with("mcp-method", "tools/Call"), -32020, "Mcp-Method does not"),
    (|ask| ask.without("mcp-name"), -32020, "Mcp-Name is missing"),
    (|ask| ask.without("mcp-name").with("mcp-name", "=?base64?dG9vbA?="), -32020, "Mcp-Name is not base64"),
    (|ask| body(ask, |body| drop(meta(body).remove(VERSION))), -32602, "protocolVersion"),
    (
        |ask| {
            body(ask, |body| meta(body).retain(|key, _| key != "io.modelcontextprotocol/clientCapabilities"))
        },
        -32602,
        "clientCapabilities",
    ),
    (|ask| ask.with("mcp-protocol-version", MODERN), -32020, "more than one MCP-Protocol-Version"),
    (
        |ask| {
            let ask = ask.without("mcp-protocol-version").with("mcp-protocol-version", "2099-01-01");
            body(ask, |body| {
                meta(body).entry(VERSION).and_modify(|version| *version = "2099-01-01".into());
            })
        },
        -32022,
        "unsupported",
    ),
    (|ask| ask.without("mcp-param-a"), -32020, "mcp-param-a is missing"),
    (|ask| ask.without("mcp-param-a").with("mcp-param-a", "6"), -32020, "mcp-param-a does not"),
];

/// Those that undo one another.
const NOT_TOGETHER: &[(usize, usize)] = &[(0, 1), (2, 3), (8, 9), (6, 7)];

#[tokio::test]
async fn the_first_thing_that_is_wrong_is_the_answer() {
    let mounted = mounted().await;
    assert_eq!(mounted.told(&call()).await.0, 200);
    for some in 1_u32..1 << FAULTS.len() {
        let has = |fault: usize| some & 1 << fault != 0;
        if NOT_TOGETHER.iter().any(|&(one, other)| has(one) && has(other)) {
            continue;
        }
        let present = || (0..FAULTS.len()).filter(|&fault| has(fault)).map(|fault| FAULTS[fault]);
        let ask = present().fold(call(), |ask, (spoil, ..)| spoil(ask));
        let (_, code, text) = present().next().unwrap();
        let (status, told) = mounted.told(&ask).await;
        assert_eq!((status, &told["id"]), (400, &json!(7)), "{ask:?} {told}");
        assert_eq!(told["error"]["code"], code, "{ask:?} {told}");
        assert!(told["error"]["message"].as_str().unwrap().contains(text), "{ask:?} {told}");
    }
    let health = mounted.alone.health();
    assert_eq!((health.received, health.in_flight), (1, 0), "what is refused reaches nobody");
}

#[tokio::test]
async fn an_unsupported_revision_is_told_those_that_there_are() {
    let mounted = mounted().await;
    let (status, told) = mounted.told(&FAULTS[7].0(call())).await;
    let data = json!({ "supported": [MODERN], "requested": "2099-01-01" });
    assert_eq!((status, &told["error"]["data"]), (400, &data));
}

#[tokio::test]
async fn methods_of_the_legacy_era_are_not_there() {
    let mounted = mounted().await;
    for method in
        ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "no/such"]
    {
        let (status, told) = mounted.told(&Ask::modern(3, method, json!({}))).await;
        assert_eq!((status, &told["id"], &told["error"]["code"]), (404, &json!(3), &json!(-32601)), "{told}");
    }
}

/// Codes of errors, and the status of a response that begins with one.
const STATUSES: &[(i64, u16)] = &[
    (-32601, 404),
    (-32020, 400),
    (-32021, 400),
    (-32022, 400),
    (-32600, 400),
    (-32700, 400),
    (-32602, 200),
    (-32603, 200),
    (-32000, 200),
    (-32002, 200),
    (1, 200),
];

#[tokio::test]
async fn an_error_has_its_status_as_long_as_there_is_no_stream() {
    for answers in [Answers::Auto, Answers::Stream, Answers::Json] {
        let mut options = StreamableOptions::default();
        options.answers = answers;
        let mounted = Mounted::new(options).await;
        for &(code, status) in STATUSES {
            let at_once = Ask::modern(9, "count", json!({ "code": code }));
            let mut reply = mounted.ask(&at_once).await;
            let case = format!("{answers:?} {code}");
            assert_eq!(reply.status(), status, "{case}");
            let text = rest(reply.body_mut()).await;
            assert!(text.contains(&format!(r#""id":9,"error":{{"code":{code}"#)), "{case} {text}");
            let is_stream = reply.headers()["content-type"] == "text/event-stream";
            assert_eq!(is_stream, answers == Answers::Stream && status == 200, "{case}");

            let later = Ask::modern(9, "count", json!({ "to": 1, "code": code }));
            let mut reply = mounted.ask(&later).await;
            let expected = if answers == Answers::Json { status } else { 200 };
            assert_eq!(reply.status(), expected, "{case}");
            let text = rest(reply.body_mut()).await;
            assert!(text.contains(&format!(r#""id":9,"error":{{"code":{code}"#)), "{case} {text}");
            assert_eq!(text.contains("note"), answers != Answers::Json, "{case} {text}");
        }
        assert_eq!(mounted.alone.health().in_flight, 0);
    }
}

#[tokio::test]
async fn notifications_responses_and_batches() {
    let mounted = mounted().await;
    let post = |body: &str| Ask::post(body).with("mcp-protocol-version", MODERN);
    let note = post(r#"{"jsonrpc":"2.0","method":"note"}"#);
    for ask in [note.clone(), note.clone().with("mcp-method", "note")] {
        let mut reply = mounted.ask(&ask).await;
        assert_eq!((reply.status().as_u16(), rest(reply.body_mut()).await.as_str()), (202, ""));
        assert!(!reply.headers().contains_key("content-type"), "{reply:?}");
    }
    until("notifications", || mounted.seen.notifications.load(std::sync::atomic::Ordering::SeqCst) == 2)
        .await;
    let refused = [
        (note.with("mcp-method", "other"), -32020),
        (post(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), -32600),
        (post(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#), -32600),
        (post(r#"[{"jsonrpc":"2.0","id":1,"method":"where"}]"#), -32600),
        (post(r#"[{"jsonrpc":"2.0","method":"note"}]"#), -32600),
        (post("[]"), -32600),
        (post("["), -32700),
    ];
    for (ask, code) in refused {
        let (status, told) = mounted.told(&ask).await;
        assert_eq!((status, &told["error"]["code"]), (400, &json!(code)), "{ask:?} {told}");
        // An id of a response is one of the server's, and none of a request.
        assert_eq!(told.get("id"), None, "{ask:?} {told}");
    }
    assert_eq!(mounted.alone.health().received, 2);
}

#[tokio::test]
async fn there_is_no_get_and_no_delete() {
    let mounted = mounted().await;
    let session = mounted.session("2025-11-25").await;
    for method in ["GET", "DELETE"] {
        let ask = Ask::new(method).with("accept", "text/event-stream").with("mcp-session-id", &session);
        let reply = mounted.ask(&ask.with("mcp-protocol-version", MODERN)).await;
        assert_eq!(reply.status(), 405);
        assert_eq!(reply.headers()["allow"], "POST");
    }
    assert_eq!(mounted.server.session_count(), 1);
}

#[tokio::test]
async fn session_and_event_id_are_nothing() {
    let mounted = mounted().await;
    let session = mounted.session("2025-11-25").await;
    for (name, value) in [
        ("mcp-session-id", session.as_str()),
        ("mcp-session-id", "nobody's"),
        ("last-event-id", "1-1"),
        ("last-event-id", "\u{7f}"),
    ] {
        let Ok(_) = http::HeaderValue::from_str(value) else { continue };
        let mut reply = mounted.ask(&call().with(name, value)).await;
        assert_eq!(reply.status(), 200, "{name}");
        let told: Value = serde_json::from_str(&rest(reply.body_mut()).await).unwrap();
        assert_eq!(told["result"], json!({ "session": false, "revision": MODERN }), "{name}");
        assert!(!reply.headers().contains_key("mcp-session-id"));

        let ask = Ask::modern(1, "count", json!({ "to": 2 })).with(name, value);
        let mut reply = mounted.ask(&ask).await;
        let headers = reply.headers();
        assert_eq!(headers["content-type"], "text/event-stream");
        assert_eq!(headers["x-accel-buffering"], "no");
        assert!(!headers.contains_key("mcp-session-id"));
        let text = rest(reply.body_mut()).await;
        let events = [
            r#"{"jsonrpc":"2.0","method":"note","params":[1]}"#,
            r#"{"jsonrpc":"2.0","method":"note","params":[2]}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":2}"#,
        ];
        let expected: String =
            events.iter().map(|event| format!("event: message\ndata: {event}\n\n")).collect();
        assert_eq!(text, expected, "no ids, no priming, {name}");
    }
}

#[tokio::test]
async fn what_is_said_at_once_is_one_frame() {
    let mounted = mounted().await;
    let mut reply = mounted.ask(&Ask::modern(1, "count", json!({ "to": 20 }))).await;
    let frame = next(reply.body_mut()).await;
    assert_eq!(frame.matches("data: ").count(), 21, "{frame}");
    assert!(http_body::Body::is_end_stream(reply.body()));
}

#[tokio::test]
async fn nobody_can_be_asked() {
    let mounted = mounted().await;
    let (status, told) = mounted.told(&Ask::modern(1, "ask", json!({}))).await;
    assert_eq!((status, &told["result"]), (200, &json!("Misuse")));
}

#[tokio::test]
async fn tools_that_are_known_have_their_headers() {
    let mounted = mounted().await;
    let ask = |arguments: &str, header: Option<&str>| {
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let ask = Ask::modern(7, "tools/call", json!({ "name": "tool", "arguments": arguments }));
        header.map_or(ask.clone(), |header| ask.with("mcp-param-a", header))
    };
    for (arguments, header, status) in [
        (r#"{"a":5}"#, Some("5"), 200),
        (r#"{"a":5}"#, Some("5.0"), 200),
        (r#"{"a":5}"#, Some(" 5\t"), 200),
        (r#"{"a":5}"#, Some("=?base64?NQ==?="), 200),
        (r#"{"a":5}"#, Some("=?base64?NQ?="), 400),
        (r#"{"a":5}"#, Some("=?BASE64?NQ==?="), 400),
        (r#"{"a":5}"#, Some("ö"), 400),
        (r#"{"a":5}"#, None, 400),
        (r#"{"a":null}"#, None, 200),
        (r#"{"a":null}"#, Some("null"), 400),
        ("{}", None, 200),
        ("{}", Some("5"), 400),
    ] {
        let (found, told) = mounted.told(&ask(arguments, header)).await;
        assert_eq!(found, status, "{arguments} {header:?} {told}");
        if status == 400 {
            assert_eq!((&told["id"], &told["error"]["code"]), (&json!(7), &json!(-32020)));
        }
    }
    let unknown = Ask::modern(7, "tools/call", json!({ "name": "other", "arguments": { "a": 5 } }));
    assert_eq!(mounted.told(&unknown.with("mcp-param-a", "6")).await.0, 200);
}
