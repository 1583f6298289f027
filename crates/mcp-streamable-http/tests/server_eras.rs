//! Which era a request is of, and servers that have only one, or no sessions.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use std::sync::atomic::Ordering::SeqCst;

use mcp_streamable_http::{Legacy, StreamableOptions};
use serde_json::{Value, json};

use mounted::{Ask, MODERN, Mounted, next, rest};
use raw::{initialize, request};
use served::until;

/// The `MCP-Protocol-Version` headers.
const HEADERS: &[&[&str]] = &[
    &[],
    &["2024-10-07"],
    &["2024-11-05"],
    &["2025-03-26"],
    &["2025-06-18"],
    &["2025-11-25"],
    &["2026-07-28"],
    &["2099-01-01"],
    &[""],
    &["2025-11-25 "],
    &["ü"],
    &["2025-06-18", "2025-06-18"],
    &["2025-06-18", "2026-07-28"],
    &["2026-07-28", "2026-07-28"],
];

/// What `_meta` says of the revision, as JSON.
const METAS: &[Option<&str>] =
    &[None, Some("\"2025-06-18\""), Some("\"2026-07-28\""), Some("\"2099-01-01\""), Some("7"), Some("null")];

const MODES: &[(Legacy, bool)] = &[
    (Legacy::Sessions, true),
    (Legacy::Sessions, false),
    (Legacy::Stateless, true),
    (Legacy::Stateless, false),
    (Legacy::Off, true),
];

fn options(legacy: Legacy, modern: bool) -> StreamableOptions {
    let mut options = StreamableOptions::default();
    (options.legacy, options.modern) = (legacy, modern);
    options
}

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// It is handled, in a session or not, as of a revision.
    Served(bool, Value),
    /// Status, and the code if it is told in JSON.
    Refused(u16, Option<i64>),
}

/// The rule, said again as plainly as can be. Every request has a session, capabilities, and the right `Mcp-Method`.
fn expected(headers: &[&str], meta: Option<&str>, (legacy, modern): (Legacy, bool)) -> Outcome {
    let known = ["2024-10-07", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
    if headers.iter().any(|header| !known.contains(header)) || meta.is_some() {
        if !modern {
            // No code by which a client would take this for a modern server.
            return Outcome::Refused(400, Some(-32600));
        }
        return modern_expected(headers, meta);
    }
    match legacy {
        Legacy::Off if headers.is_empty() => Outcome::Refused(400, Some(-32602)),
        Legacy::Off => Outcome::Refused(400, Some(-32022)),
        _ if headers.len() > 1 => Outcome::Refused(400, None),
        Legacy::Sessions => Outcome::Served(true, json!("2025-11-25")),
        _ => Outcome::Served(false, json!(headers.first())),
    }
}

fn modern_expected(headers: &[&str], meta: Option<&str>) -> Outcome {
    let Some(version) = meta.and_then(|meta| meta.strip_prefix('"')?.strip_suffix('"')) else {
        return Outcome::Refused(400, Some(-32602));
    };
    if headers != [version] {
        return Outcome::Refused(400, Some(-32020));
    }
    match version {
        MODERN => Outcome::Served(false, json!(MODERN)),
        _ => Outcome::Refused(400, Some(-32022)),
    }
}

fn ask(headers: &[&'static str], meta: Option<&str>, session: &str) -> Ask {
    let params = meta.map_or(json!({}), |meta| {
        json!({ "_meta": {
            "io.modelcontextprotocol/protocolVersion": serde_json::from_str::<Value>(meta).unwrap(),
            "io.modelcontextprotocol/clientCapabilities": {},
        } })
    });
    let ask = Ask::post(request(5, "where", &params.to_string()));
    let ask = ask.with("mcp-method", "where").with("mcp-session-id", session);
    headers.iter().fold(ask, |ask, header| ask.with("mcp-protocol-version", *header))
}

#[tokio::test]
async fn each_request_says_which_era_it_is_of() {
    for &mode in MODES {
        let mounted = Mounted::new(options(mode.0, mode.1)).await;
        let session =
            if mode.0 == Legacy::Sessions { mounted.session("2025-11-25").await } else { "x".to_owned() };
        for headers in HEADERS {
            for &meta in METAS {
                let (status, told) = mounted.told(&ask(headers, meta, &session)).await;
                let found = match told.get("result") {
                    Some(result) => {
                        assert_eq!((status, &told["id"]), (200, &json!(5)));
                        Outcome::Served(result["session"] == true, result["revision"].clone())
                    }
                    None => Outcome::Refused(status, told["error"]["code"].as_i64()),
                };
                let case = format!("{mode:?} {headers:?} {meta:?} {told}");
                assert_eq!(found, expected(headers, meta, mode), "{case}");
                if told.is_object() {
                    assert_eq!(told["id"], 5, "{case}");
                }
            }
        }
        let sessions = usize::from(mode.0 == Legacy::Sessions);
        assert_eq!((mounted.server.session_count(), mounted.alone.health().in_flight), (sessions, 0));
    }
}

#[tokio::test]
async fn get_and_delete_say_their_era_in_the_header() {
    for &(legacy, modern) in MODES {
        for method in ["GET", "DELETE"] {
            for headers in HEADERS {
                let mounted = Mounted::new(options(legacy, modern)).await;
                let mut ask = Ask::new(method).with("accept", "text/event-stream");
                if legacy == Legacy::Sessions {
                    ask = ask.with("mcp-session-id", mounted.session("2025-11-25").await);
                }
                let ask = headers.iter().fold(ask, |ask, header| ask.with("mcp-protocol-version", *header));
                let known = ["2024-10-07", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
                let expected = match headers {
                    _ if legacy != Legacy::Sessions => 405,
                    [MODERN] if modern => 405,
                    [] if method == "GET" => 200,
                    [] => 204,
                    [version] if known.contains(version) && method == "GET" => 200,
                    [version] if known.contains(version) => 204,
                    _ => 400,
                };
                let reply = mounted.ask(&ask).await;
                let case = format!("{legacy:?} {modern} {method} {headers:?}");
                assert_eq!(reply.status(), expected, "{case}");
                let allow = reply.headers().get("allow").map(|allow| allow.to_str().unwrap());
                assert_eq!(allow, (expected == 405).then_some("POST"), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn without_sessions_a_get_is_not_allowed_whatever_it_accepts() {
    for legacy in [Legacy::Stateless, Legacy::Off] {
        let mounted = Mounted::new(options(legacy, true)).await;
        let reply = mounted.ask(&Ask::new("GET").with("accept", "application/json")).await;
        assert_eq!((reply.status().as_u16(), reply.headers()["allow"].to_str().unwrap()), (405, "POST"));
    }
}

#[tokio::test]
async fn without_sessions_every_legacy_request_stands_alone() {
    let mut options = options(Legacy::Stateless, true);
    options.answer_wait = std::time::Duration::from_millis(1);
    let mounted = Mounted::new(options).await;
    let reply = mounted.ask(&Ask::post(initialize("2025-06-18"))).await;
    assert_eq!(reply.status(), 200);
    assert!(!reply.headers().contains_key("mcp-session-id"));
    assert_eq!(mounted.server.session_count(), 0);

    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
    ] {
        let mut reply = mounted.ask(&Ask::post(body).with("mcp-protocol-version", "2025-06-18")).await;
        assert_eq!((reply.status().as_u16(), rest(reply.body_mut()).await.as_str()), (202, ""));
    }
    let seen = &mounted.seen;
    until("both", || (seen.notifications.load(SeqCst), seen.responses.load(SeqCst)) == (1, 1)).await;

    // Its notifications come with its answer, without ids to come back by, and nobody is asked.
    let mut reply = mounted.ask(&Ask::post(request(2, "count", r#"{"to":1}"#))).await;
    let text = rest(reply.body_mut()).await;
    assert_eq!(text.matches("data: ").count(), 2);
    assert!(!text.contains("id: "), "{text}");
    let asked = mounted.told(&Ask::post(request(3, "ask", "{}"))).await.1;
    assert_eq!(asked["result"], "Misuse");

    // An unknown method is an answer like any other.
    let (status, told) = mounted.told(&Ask::post(request(4, "no/such", "{}"))).await;
    assert_eq!((status, &told["error"]["code"]), (200, &json!(-32601)));

    // Without a session nobody can come back for an answer, so a closed stream gives the request up in this era too.
    let mut reply = mounted.ask(&Ask::post(request(5, "wait", r#"{"for":1}"#))).await;
    assert!(next(reply.body_mut()).await.starts_with(':'));
    drop(reply);
    until("the end", || (seen.cancelled(), mounted.alone.health().in_flight) == (1, 0)).await;
}

#[tokio::test]
async fn without_sessions_a_batch_of_2025_03_26_is_answered() {
    let mounted = Mounted::new(options(Legacy::Stateless, true)).await;
    let (one, note, two) =
        (request(1, "where", "{}"), r#"{"jsonrpc":"2.0","method":"note"}"#, request(2, "no/such", "{}"));
    let body = format!("[{one},{note},7,{two},{}]", initialize("2025-03-26"));
    for ask in [Ask::post(body.as_str()), Ask::post(body.as_str()).with("mcp-protocol-version", "2025-03-26")]
    {
        let mut reply = mounted.ask(&ask).await;
        assert_eq!(reply.status(), 200);
        let text = rest(reply.body_mut()).await;
        for part in
            [r#""id":1,"result":"#, r#""id":2,"error":{"code":-32601"#, r#""id":0,"error":{"code":-32600"#]
        {
            assert_eq!(text.matches(part).count(), 1, "{part} {text}");
        }
    }
    let notes = format!("[{note},{note}]");
    let mut reply = mounted.ask(&Ask::post(notes)).await;
    assert_eq!((reply.status().as_u16(), rest(reply.body_mut()).await.as_str()), (202, ""));
    for version in ["2025-06-18", "2025-11-25"] {
        let (status, told) =
            mounted.told(&Ask::post(body.as_str()).with("mcp-protocol-version", version)).await;
        assert_eq!((status, &told["error"]["code"]), (400, &json!(-32600)));
    }
    assert_eq!(mounted.alone.health().in_flight, 0);
}

#[tokio::test]
async fn a_server_of_one_era_names_its_revisions_to_the_other() {
    let mounted = Mounted::new(options(Legacy::Off, true)).await;
    let (status, told) = mounted.told(&Ask::post(initialize("2025-11-25"))).await;
    assert_eq!((status, &told["id"], &told["error"]["code"]), (400, &json!(0), &json!(-32022)));
    assert_eq!(told["error"]["data"], json!({ "supported": [MODERN], "requested": "2025-11-25" }));
    // Without any revision, its mistake is named, and so are the revisions.
    let bare = r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#;
    let (status, told) = mounted.told(&Ask::post(bare)).await;
    assert_eq!((status, &told["error"]["data"]["supported"]), (400, &json!([MODERN])), "{told}");
    assert!(told["error"]["message"].as_str().unwrap().contains(MODERN));

    let legacy = ["2025-11-25", "2025-06-18", "2025-03-26"];
    for mode in [Legacy::Sessions, Legacy::Stateless] {
        let mounted = Mounted::new(options(mode, false)).await;
        let (status, told) = mounted.told(&Ask::modern(6, "where", json!({}))).await;
        assert_eq!((status, &told["id"]), (400, &json!(6)));
        assert_eq!(told["error"]["data"]["supported"], json!(legacy), "{told}");
        let text = told["error"]["message"].as_str().unwrap();
        assert!(legacy.iter().all(|name| text.contains(name)), "{text}");
        // A client of both eras falls back to `initialize` only if this is no modern error.
        assert!(![-32020, -32021, -32022].contains(&told["error"]["code"].as_i64().unwrap()));
        assert_eq!(mounted.ask(&Ask::post(initialize("2025-11-25"))).await.status(), 200);
    }
}
