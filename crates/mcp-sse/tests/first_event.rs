//! What a stream begins with.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::collections::HashSet;

use mcp_http::{RouterOptions, ServerOptions};
use mcp_sse::SseOptions;

use raw::{Raw, open, post, session_of};
use served::Served;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn paths(sse: &str, message: &str, public: &str) -> SseOptions {
    let mut options = SseOptions::default();
    (options.sse_path, options.message_path, options.public_prefix) =
        (sse.into(), message.into(), public.into());
    options
}

#[tokio::test]
async fn it_is_the_endpoint() {
    let cases = [
        (paths("/sse", "/message", ""), "", "/sse", "/message?sessionId="),
        (paths("/sse", "/message", ""), "", "/sse/", "/message?sessionId="),
        (paths("/sse", "/message", ""), "", "/sse?", "/message?sessionId="),
        (paths("/sse", "/message", ""), "", "/sse?tenant=7&x=%20", "/message?tenant=7&x=%20&sessionId="),
        // Only the server says which session it is.
        (paths("/sse", "/message", ""), "", "/sse?session_id=a&y&sessionId=b", "/message?y&sessionId="),
        (paths("/sse", "/message", ""), "/mcp", "/mcp/sse?x=1", "/mcp/message?x=1&sessionId="),
        (paths("/sse", "/message", ""), "/a/b/", "/a/b/sse/", "/a/b/message?sessionId="),
        (paths("/sse", "/message", "/outer"), "", "/sse", "/outer/message?sessionId="),
        (paths("/sse", "/message", "/outer"), "/mcp", "/mcp/sse", "/outer/mcp/message?sessionId="),
        (paths("/mcp", "/mcp", ""), "", "/mcp?x", "/mcp?x&sessionId="),
        (paths("/sse", "/messages/", ""), "", "/sse", "/messages/?sessionId="),
        (paths("/", "/message", ""), "", "/", "/message?sessionId="),
        (paths("/", "/", ""), "/mcp", "/mcp", "/mcp/?sessionId="),
        (paths("/", "/", ""), "", "/", "/?sessionId="),
        // However a path is spelled in the settings.
        (paths("sse", "message", ""), "mcp", "/mcp/sse", "/mcp/message?sessionId="),
        (paths("sse", "/message", ""), "/mcp", "/mcp/sse", "/mcp/message?sessionId="),
        (paths("/sse", "message", ""), "/mcp", "/mcp/sse", "/mcp/message?sessionId="),
        (paths("/sse", "/message", "/outer/"), "", "/sse", "/outer/message?sessionId="),
        (paths("/sse/", "message", "outer/"), "", "/sse", "/outer/message?sessionId="),
    ];
    for (options, prefix, target, expected) in cases {
        let public = options.public_prefix.clone();
        let router = RouterOptions::default().prefix(prefix);
        let served = Served::with(options, ServerOptions::default(), router).await;
        let (_stream, endpoint) = open(served.address, target).await;
        let session = session_of(&endpoint);
        assert_eq!(endpoint, format!("{expected}{session}"), "{prefix} {target}");
        // It is true, as far as no proxy is needed to get there.
        if public.is_empty() {
            assert_eq!(post(served.address, &endpoint, PING).await.status, 202, "{endpoint}");
        }
    }
}

#[tokio::test]
async fn it_comes_with_the_headers_that_keep_it_moving() {
    let served = Served::new(SseOptions::default()).await;
    for accept in ["", "Accept: text/event-stream\r\n", "Accept: */*\r\n", "Accept: text/*;q=0.1, a/b\r\n"] {
        let mut raw = Raw::connect(served.address).await;
        raw.send(&format!("GET /sse HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n")).await;
        let (status, headers) = raw.head().await;
        assert_eq!(status, 200);
        let expected = [
            "cache-control: no-cache, no-transform",
            "connection: close",
            "content-type: text/event-stream",
            "transfer-encoding: chunked",
            "x-accel-buffering: no",
            "x-content-type-options: nosniff",
        ];
        assert_eq!(headers, expected, "{accept}");
        // At once: nobody has even taken the session.
        assert!(raw.event("endpoint").await.starts_with("/message?sessionId="));
    }
}

#[tokio::test]
async fn its_session_is_another_each_time() {
    let served = Served::new(SseOptions::default()).await;
    let mut seen = HashSet::new();
    let mut streams = Vec::new();
    for _ in 0..50 {
        let (stream, endpoint) = open(served.address, "/sse").await;
        let session = session_of(&endpoint);
        assert!(
            session.len() == 32
                && session.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        seen.insert(session);
        streams.push(stream);
    }
    assert_eq!(seen.len(), 50);
}

#[tokio::test]
async fn the_session_knows_where_it_came_from() {
    let mut served = Served::new(SseOptions::default()).await;
    let (stream, endpoint) = open(served.address, "/sse?tenant=7").await;
    let connection = served.connection().await;
    let context = connection.control().context().clone();
    assert_eq!(context.transport, "sse");
    assert_eq!(context.session.as_deref(), Some(&*session_of(&endpoint)));
    assert_eq!(context.peer, Some(stream.socket.local_addr().unwrap()));
    let parts = context.get::<http::request::Parts>().unwrap();
    assert_eq!((parts.uri.query(), parts.uri.path()), (Some("tenant=7"), "/sse"));
    assert_eq!(parts.headers.get("host").unwrap(), "localhost");
    assert_eq!(parts.headers.len(), 1);
    for shown in [format!("{connection:?}"), format!("{:?}", served.sse)] {
        assert!(!shown.contains(&session_of(&endpoint)), "{shown}");
    }
}
