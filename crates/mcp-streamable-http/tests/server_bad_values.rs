//! Event ids and batches that are bad.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use mcp_streamable_http::StreamableOptions;

use mounted::{Ask, Mounted, rest};

/// In no answer.
const CANARY: &str = "canary4711";

/// Values of `Last-Event-ID` that are no place of this session.
fn event_ids() -> Vec<String> {
    let mut ids: Vec<String> = [
        "",
        "0",
        "-",
        "0-",
        "-0",
        "0-0-0",
        "00-0",
        "0-00",
        "+0-0",
        "0--1",
        "0-1",
        "1-9",
        "9-0",
        "a-b",
        CANARY,
        "18446744073709551616-0",
        "0-18446744073709551616",
        "18446744073709551615-18446744073709551615",
        "0 -0",
        "0-0,0-0",
        "\u{e9}-0",
    ]
    .map(str::to_owned)
    .into();
    ids.extend([CANARY.repeat(6400), "9".repeat(64 * 1024), "0-".repeat(32 * 1024)]);
    ids
}

#[tokio::test]
async fn an_event_id_that_is_none() {
    let mounted = Mounted::new(StreamableOptions::default()).await;
    let session = mounted.session("2025-11-25").await;
    let get = Ask::new("GET").with("accept", "text/event-stream").with("mcp-session-id", &session);
    let open = mounted.ask(&get).await;
    assert_eq!(open.status(), 200);
    for id in event_ids() {
        let mut reply = mounted.ask(&get.clone().with("last-event-id", &id)).await;
        let text = rest(reply.body_mut()).await;
        assert_eq!(reply.status(), 400, "{id:.80}");
        assert!(text.len() < 200 && !text.contains(CANARY) && !text.contains(&session), "{text}");
    }
    let two = get.clone().with("last-event-id", "0-0").with("last-event-id", "0-0");
    assert_eq!(mounted.ask(&two).await.status(), 400);
    // The stream is still that of the client who had it.
    assert_eq!(mounted.ask(&get).await.status(), 409);
    drop(open);
    assert_eq!(mounted.ask(&get).await.status(), 200);
    mounted.still_works(&session).await;
}

#[tokio::test]
async fn batches_of_2025_03_26_that_are_bad() {
    let mounted = Mounted::new(StreamableOptions::default()).await;
    let session = mounted.session("2025-03-26").await;
    let post = |body: String| Ask::post(body).with("mcp-session-id", &session);
    let (call, note) = (raw::request(5, "where", "{}"), r#"{"jsonrpc":"2.0","method":"note"}"#);
    let id_only = format!(r#"{{"jsonrpc":"2.0","id":6,"{CANARY}":1}}"#);
    let many = vec![note; 5000].join(",");
    // What it is, the status, and what of its answers there is.
    let table: [(String, u16, &[&str]); 9] = [
        ("[]".into(), 400, &[r#""code":-32600"#]),
        ("[".into(), 400, &[r#""code":-32700"#]),
        (format!("[{call}"), 400, &[r#""code":-32700"#]),
        ("[7]".into(), 400, &[r#""code":-32600"#]),
        ("[7,[],null]".into(), 400, &[r#""code":-32600"#]),
        (format!("[7,{note}]"), 202, &[]),
        (format!("[{id_only}]"), 200, &[r#""id":6,"error":{"code":-32600"#]),
        (format!("[{id_only},7,{call},[{call}]]"), 200, &[r#""id":6,"error":"#, r#""id":5,"result":"#]),
        (format!("[{many}]"), 400, &[r#""code":-32600"#]),
    ];
    for (body, status, parts) in table {
        let mut reply = mounted.ask(&post(body.clone())).await;
        let text = rest(reply.body_mut()).await;
        assert_eq!(reply.status(), status, "{body:.100} {text}");
        assert!(parts.iter().all(|part| text.matches(part).count() == 1), "{body:.100} {text}");
        assert_eq!(text.matches("jsonrpc").count(), parts.len(), "{body:.100} {text}");
        assert!(!text.contains(CANARY), "{text}");
    }
    mounted.still_works(&session).await;
}
