//! The modern era: each request stands alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use mcp_jsonrpc::{ErrorCode, Notification, Outcome, Response};
use mcp_transport_core::{Endpoint, ErrorKind, Transport};

use scripted::{Scripted, failure, modern, modern_with, response, result};

const REVISION: &str = "2026-07-28";
const UNSUPPORTED: &str =
    r#"{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":"2027-01-01"}}"#;

async fn connected(server: &Scripted) -> Endpoint {
    server.client().dial().await.unwrap().spawn()
}

#[tokio::test]
async fn every_post_says_what_it_is() {
    let mut server = Scripted::new().await;
    let endpoint = connected(&server).await;
    let list = modern(&endpoint, "tools/list", REVISION);
    let request = server.next_is("tools/list").await;
    assert_eq!(request.header("mcp-protocol-version"), Some(REVISION));
    assert_eq!(request.header("mcp-method"), Some("tools/list"));
    assert_eq!(request.header("accept"), Some("application/json, text/event-stream"));
    // A session that nobody asked for is none.
    let id = request.id();
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[]}}}}"#);
    request.answer("200 OK", &format!("{}Mcp-Session-Id: s\r\n", scripted::JSON), &body).await;
    assert_eq!(result(list).await, r#"{"tools":[]}"#);
    endpoint.sender.send(Notification::new("notifications/initialized")).await.unwrap();
    let note = server.next_is("notifications/initialized").await;
    assert_eq!(note.header("mcp-protocol-version"), Some(REVISION));
    assert_eq!(note.header("mcp-session-id"), None);
    note.accept().await;
    // No response, no stream of the server's own, no DELETE.
    endpoint.sender.send(Response::result(&"s".into(), &1).unwrap()).await.unwrap();
    server.silence().await;
    endpoint.control.shutdown();
    server.silence().await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_lost() {
    let mut server = Scripted::new().await;
    let endpoint = connected(&server).await;
    for chunked in [false, true] {
        let lost = modern(&endpoint, "tools/call", REVISION);
        let request = server.next_is("tools/call").await;
        let mut stream = if chunked { request.chunked().await } else { request.stream().await };
        stream.say("id: 1\nretry: 1\ndata:\n\n").await;
        drop(stream);
        let kind = if chunked { ErrorKind::Io } else { ErrorKind::Peer };
        assert_eq!(failure(lost).await.kind(), kind);
    }
    server.silence().await;
}

#[tokio::test]
async fn a_revision_that_the_server_has_is_tried_once() {
    let mut server = Scripted::new().await;
    let endpoint = connected(&server).await;
    // Also the very same.
    for asked in ["2027-01-01", REVISION] {
        let discover = modern(&endpoint, "server/discover", asked);
        let request = server.next_is("server/discover").await;
        assert_eq!(request.header("mcp-protocol-version"), Some(asked));
        let id = request.id();
        request.refuse("400 Bad Request", &id.to_string(), UNSUPPORTED).await;
        let again = server.next_is("server/discover").await;
        assert_eq!(again.header("mcp-protocol-version"), Some(REVISION));
        assert!(again.body.contains(REVISION) && !again.body.contains("2027"), "{}", again.body);
        assert_eq!((again.id(), again.header("mcp-method")), (id, Some("server/discover")));
        again.result("1").await;
        assert_eq!(result(discover).await, "1");
    }
    // Not twice, and not for something that we do not have.
    let discover = modern(&endpoint, "server/discover", REVISION);
    for _ in 0..2 {
        server.next_is("server/discover").await.refuse("400 Bad Request", "null", UNSUPPORTED).await;
    }
    let answer = response(discover).await;
    let Outcome::Error(error) = answer.outcome() else { panic!() };
    assert_eq!(error.code(), ErrorCode::UNSUPPORTED_PROTOCOL_VERSION);
    let discover = modern(&endpoint, "server/discover", REVISION);
    let other = UNSUPPORTED.replace(REVISION, "1999-01-01");
    server.next_is("server/discover").await.refuse("400 Bad Request", "null", &other).await;
    assert!(response(discover).await.is_error());
    server.silence().await;
}

#[tokio::test]
async fn a_method_that_is_not_found_is_a_response() {
    let mut server = Scripted::new().await;
    let endpoint = connected(&server).await;
    let asks = modern(&endpoint, "unknown", REVISION);
    let request = server.next_is("unknown").await;
    let id = request.id().to_string();
    request.refuse("404 Not Found", &id, r#"{"code":-32601,"message":"no"}"#).await;
    assert!(response(asks).await.is_error());
    let works = modern(&endpoint, "works", REVISION);
    server.next_is("works").await.result("1").await;
    assert_eq!(result(works).await, "1");
}

#[tokio::test]
async fn parameters_are_mirrored_and_bad_tools_left_out() {
    let mut server = Scripted::new().await;
    let mut client = server.client().with_tools(std::sync::Arc::default());
    let endpoint = client.dial().await.unwrap().spawn();
    for streamed in [false, true] {
        let list = modern(&endpoint, "tools/list", REVISION);
        let request = server.next_is("tools/list").await;
        let good = r#"{"name":"good","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}"#;
        let bad = r#"{"name":"bad","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":""}}}}"#;
        let tools = format!(r#"{{"tools":[{bad},{good}],"nextCursor":"c"}}"#);
        if streamed {
            let id = request.id();
            request.stream().await.result(id, &tools).await;
        } else {
            request.result(&tools).await;
        }
        assert_eq!(result(list).await, format!(r#"{{"tools":[{good}],"nextCursor":"c"}}"#));
    }
    for (region, header) in [
        (serde_json::json!("us-west1"), Some("us-west1")),
        (serde_json::json!(" padded "), Some("=?base64?IHBhZGRlZCA=?=")),
        (serde_json::json!(null), None),
    ] {
        let params = serde_json::json!({ "name": "good", "arguments": { "region": region } });
        let calls = modern_with(&endpoint, "tools/call", REVISION, params);
        let request = server.next_is("tools/call").await;
        assert_eq!((request.header("mcp-param-region"), request.header("mcp-name")), (header, Some("good")));
        request.result("1").await;
        assert_eq!(result(calls).await, "1");
    }
}
