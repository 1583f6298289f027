//! What the revisions with sessions ask of a server, clause by clause.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::collections::HashSet;

use mcp_streamable_http::StreamableOptions;

use raw::{Answer, Client, Raw, TYPES, initialize, request};
use served::Served;

const REVISIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const RESPONSE: &str = r#"{"jsonrpc":"2.0","id":"nobody asked","result":{}}"#;

/// Sends a request with these lines of the head, and reads what has a length.
async fn send(served: &Served, method: &str, lines: &str, body: &str) -> Answer {
    let mut raw = Raw::connect(served.address).await;
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    raw.send(&format!("{method} /mcp HTTP/1.1\r\nHost: localhost\r\n{lines}{length}\r\n{body}")).await;
    raw.answer().await
}

#[tokio::test]
async fn each_clause_in_each_revision() {
    let served = Served::new(StreamableOptions::default()).await;
    let call = request(7, "where", "{}");
    let again = initialize("2025-06-18");
    for revision in REVISIONS {
        let client = Client::initialized(served.address, revision).await;
        let (id_line, _) = client.headers.split_once("\r\n").unwrap();
        let id = format!("{id_line}\r\n");
        let version = format!("MCP-Protocol-Version: {revision}\r\n");
        let gone = "Mcp-Session-Id: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
        let short = "Mcp-Session-Id: x\r\n";
        let garbage = "MCP-Protocol-Version: 1999-01-01\r\n";
        let bytes = "MCP-Protocol-Version: \u{fc}\r\n";
        let stream = "Accept: text/event-stream\r\n";
        let twice = format!("{version}MCP-Protocol-Version: 2025-06-18\r\n");
        let table: &[(&str, &str, String, &str, u16)] = &[
            ("HTTP-9: a notification", "POST", format!("{TYPES}{id}{version}"), NOTE, 202),
            ("HTTP-9: a response", "POST", format!("{TYPES}{id}{version}"), RESPONSE, 202),
            ("HTTP-10: a request", "POST", format!("{TYPES}{id}{version}"), &call, 200),
            (
                "VER-4: another version",
                "POST",
                format!("{TYPES}{id}MCP-Protocol-Version: 2025-06-18\r\n"),
                &call,
                200,
            ),
            ("VER-5: no version", "POST", format!("{TYPES}{id}"), &call, 200),
            ("VER-6: POST", "POST", format!("{TYPES}{id}{garbage}"), &call, 400),
            ("VER-6: POST of a notification", "POST", format!("{TYPES}{id}{garbage}"), NOTE, 400),
            ("VER-6: POST, no text", "POST", format!("{TYPES}{id}{bytes}"), &call, 400),
            ("VER-6: POST, twice", "POST", format!("{TYPES}{id}{twice}"), &call, 400),
            ("VER-6: GET", "GET", format!("{stream}{id}{garbage}"), "", 400),
            ("VER-6: GET, no text", "GET", format!("{stream}{id}{bytes}"), "", 400),
            ("VER-6: GET, empty", "GET", format!("{stream}{id}MCP-Protocol-Version:\r\n"), "", 400),
            ("VER-6: GET, twice", "GET", format!("{stream}{id}{twice}"), "", 400),
            ("VER-6: DELETE", "DELETE", format!("{id}{garbage}"), "", 400),
            (
                "HTTP-27: a modern GET",
                "GET",
                format!("{stream}{id}MCP-Protocol-Version: 2026-07-28\r\n"),
                "",
                405,
            ),
            (
                "HTTP-27: a modern DELETE",
                "DELETE",
                format!("{id}MCP-Protocol-Version: 2026-07-28\r\n"),
                "",
                405,
            ),
            ("HTTP-1: another method", "PUT", format!("{TYPES}{id}{version}"), &call, 405),
            (
                "HTTP-7: no JSON",
                "POST",
                format!("Content-Type: application/json\r\n{stream}{id}"),
                &call,
                406,
            ),
            ("HTTP-19: no event stream", "GET", format!("Accept: application/json\r\n{id}"), "", 406),
            ("SES-5: POST", "POST", format!("{TYPES}{version}"), &call, 400),
            ("SES-5: POST of a notification", "POST", format!("{TYPES}{version}"), NOTE, 400),
            ("SES-5: GET", "GET", format!("{stream}{version}"), "", 400),
            ("SES-5: DELETE", "DELETE", version.clone(), "", 400),
            ("SES-5: two of them", "POST", format!("{TYPES}{id}{gone}{version}"), &call, 400),
            ("SES-6: POST", "POST", format!("{TYPES}{gone}{version}"), &call, 404),
            ("SES-6: POST of a notification", "POST", format!("{TYPES}{gone}{version}"), NOTE, 404),
            ("SES-6: GET", "GET", format!("{stream}{gone}{version}"), "", 404),
            (
                "SES-6: GET, of an event",
                "GET",
                format!("{stream}{gone}{version}Last-Event-ID: 0-0\r\n"),
                "",
                404,
            ),
            ("SES-6: DELETE", "DELETE", format!("{gone}{version}"), "", 404),
            ("SES-6: no id of ours", "POST", format!("{TYPES}{short}{version}"), &call, 404),
            (
                "HTTP-26: no event of ours",
                "GET",
                format!("{stream}{id}{version}Last-Event-ID: x\r\n"),
                "",
                400,
            ),
            ("a second initialize", "POST", format!("{TYPES}{id}{version}"), &again, 400),
            ("an initialize in a session that is gone", "POST", format!("{TYPES}{gone}"), &again, 404),
        ];
        for (clause, method, lines, body, status) in table {
            let answer = send(&served, method, lines, body).await;
            assert_eq!(answer.status, *status, "{revision}: {clause}: {answer:?}");
            match answer.status {
                202 => {
                    assert_eq!((answer.body.as_str(), answer.header("content-type")), ("", None), "{clause}")
                }
                200 => {
                    assert_eq!(answer.header("content-type"), Some("application/json"), "{clause}");
                    let known = format!(
                        r#"{{"jsonrpc":"2.0","id":7,"result":{{"revision":"{revision}","session":true}}}}"#
                    );
                    assert_eq!(answer.body, known, "{clause}: the session knows its revision");
                }
                405 => {
                    assert!(answer.header("allow").is_some_and(|allow| allow.contains("POST")), "{clause}")
                }
                _ => {}
            }
            assert_eq!(answer.header("mcp-session-id"), None, "{clause}");
        }
        assert_eq!(send(&served, "POST", &format!("{TYPES}{id}"), &again).await.body, second(), "{revision}");
        // None of it has ended the session, and GET still opens its stream.
        let mut raw = client.get("").await;
        let (status, headers) = raw.head().await;
        assert_eq!(status, 200);
        assert!(headers.contains(&"content-type: text/event-stream".to_owned()), "HTTP-20: {headers:?}");
        assert!(headers.contains(&"x-accel-buffering: no".to_owned()), "{headers:?}");
        assert_eq!(client.delete().await.status, 204, "SES-8");
        for method in ["POST", "GET", "DELETE"] {
            let lines = format!("{TYPES}{id}{version}");
            let body = if method == "POST" { call.as_str() } else { "" };
            assert_eq!(send(&served, method, &lines, body).await.status, 404, "SES-6: {method}");
        }
    }
}

fn second() -> String {
    r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32600,"message":"the session is initialized"}}"#.to_owned()
}

#[tokio::test]
async fn an_id_is_of_visible_ascii_and_never_the_same() {
    let served = Served::new(StreamableOptions::default()).await;
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let answer = Client::new(served.address).ask(&initialize("2025-11-25")).await;
        let id = answer.header("mcp-session-id").unwrap().to_owned();
        // SES-1, SES-2: 24 bytes of the system's randomness.
        assert!(id.len() >= 32 && id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{id}");
        assert!(seen.insert(id));
    }
    assert_eq!(served.server.session_count(), 100);
}

#[tokio::test]
async fn an_initialize_that_fails_opens_no_session() {
    let (served, mut listener) = Served::bare(StreamableOptions::default()).await;
    tokio::spawn(async move {
        use mcp_transport_core::{Incoming, Listener, serve};
        while let Some(connection) = listener.accept().await {
            tokio::spawn(serve(connection.unwrap(), |incoming| async move {
                if let Incoming::Request(exchange) = incoming {
                    let (request, _, responder) = exchange.into_parts();
                    match request.params::<serde_json::Value>().unwrap()["protocolVersion"].as_str() {
                        Some("error") => responder.fail(&mcp_jsonrpc::ErrorObject::new(
                            mcp_jsonrpc::ErrorCode::INVALID_PARAMS,
                            "no such version",
                        )),
                        // Not answered at all.
                        _ => drop(responder),
                    }
                }
            }));
        }
    });
    for version in ["error", "silence"] {
        let answer = Client::new(served.address).ask(&initialize(version)).await;
        assert_eq!((answer.status, answer.header("mcp-session-id")), (200, None), "{answer:?}");
        assert!(answer.body.contains(r#""id":0,"error""#), "{answer:?}");
        assert_eq!(served.server.session_count(), 0);
    }
}

#[tokio::test]
async fn a_stream_is_primed_from_2025_11_25_on_and_only_where_there_is_a_store() {
    for store in [true, false] {
        let mut options = StreamableOptions::default();
        options.retry = Some(std::time::Duration::from_millis(1500));
        if !store {
            options.store = None;
        }
        let served = Served::new(options).await;
        for revision in REVISIONS {
            let client = Client::initialized(served.address, revision).await;
            let primed = store && revision == "2025-11-25";
            for of_get in [false, true] {
                let mut raw = match of_get {
                    true => client.get("").await,
                    false => client.post(&request(1, "count", "[1]")).await,
                };
                assert_eq!(raw.head().await.0, 200);
                if of_get && !primed {
                    assert_eq!(raw.said().await, raw::Said::Event(": open\n\n".into()));
                    continue;
                }
                let mut event = raw.event().await.unwrap();
                let stream = if of_get { 0 } else { 2 };
                if primed {
                    // HTTP-11, HTTP-12: each in an event of its own, or both in one.
                    let retry = event.retry.take();
                    if event.id.is_none() {
                        event = raw.event().await.unwrap();
                    }
                    assert_eq!(retry.as_deref(), Some("1500"));
                    assert_eq!((event.id, event.data.as_deref()), (Some(format!("{stream}-0")), Some("")));
                    if of_get {
                        continue;
                    }
                    event = raw.event().await.unwrap();
                }
                let place = store.then(|| "2-1".to_owned());
                assert_eq!((event.id, event.retry), (place, None), "{revision}, store: {store}");
                assert!(event.data.unwrap().contains("note"));
                assert!(raw.event().await.unwrap().data.unwrap().contains("result"));
                // HTTP-16: and that is its end.
                assert_eq!(raw.said().await, raw::Said::End);
            }
        }
    }
}
