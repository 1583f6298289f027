//! What a POST is answered with.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::sync::Arc;

use http::request::Parts;
use mcp_http::{Authenticate, Refusal, RouterOptions, ServerOptions};
use mcp_sse::SseOptions;
use mcp_transport_core::{BoxFuture, Incoming, Limits, Principal};

use raw::{ask, open, post, session_of};
use served::{Served, within};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
/// In every body that is refused, and never in an answer.
const CANARY: &str = "canary-4711";

#[tokio::test]
async fn accepted_is_202() {
    let mut served = Served::new(SseOptions::default()).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    let session = session_of(&endpoint);
    let mut driven = served.endpoint().await;
    let targets = [
        format!("/message?sessionId={session}"),
        format!("/message?session_id={session}"),
        format!("/message?sessionid={session}"),
        format!("/message/?sessionId={session}"),
        format!("/message?tenant=7&sessionId={session}&x"),
        format!("/message?sessionId={}", session.replace('-', "%2D").replace('_', "%5f")),
    ];
    for target in &targets {
        let answer = post(served.address, target, PING).await;
        assert_eq!((answer.status, &*answer.body), (202, "Accepted"), "{target}");
        let expected = [
            "content-length: 8",
            "content-type: text/plain; charset=utf-8",
            "x-content-type-options: nosniff",
        ];
        assert_eq!(answer.headers, expected);
        let Some(Incoming::Request(_)) = within("it", driven.receiver.recv()).await else { panic!() };
    }
    for types in ["application/json; charset=utf-8", "APPLICATION/JSON;charset=\"UTF-8\"", "application/json"]
    {
        let head = format!("POST {} HTTP/1.1\r\ncontent-type: {types}", targets[0]);
        assert_eq!(ask(served.address, &head, PING).await.status, 202, "{types}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_400_and_not_echoed() {
    let mut served = Served::new(SseOptions::default()).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    let mut session = served.endpoint().await;
    for body in [
        "",
        "canary-4711",
        r#"{"canary-4711":"#,
        r#""canary-4711""#,
        r#"{"canary-4711":1}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"canary-4711"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"canary-4711","method":"b"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"canary-4711","error":{"code":1,"message":""}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"canary-4711"}]"#,
        r#"[]"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"canary-4711\",\"x\":\"\u{1}\"}",
        r#"{"jsonrpc":"2.0","id":{"canary-4711":1},"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"canary-4711"}{}"#,
    ] {
        let answer = post(served.address, &endpoint, body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(!format!("{answer:?}").contains(CANARY), "{answer:?}");
        assert!(answer.body.contains(r#""error""#), "{answer:?}");
    }
    // None of it came in, and the session goes on.
    assert_eq!(post(served.address, &endpoint, PING).await.status, 202);
    let Some(Incoming::Request(exchange)) = within("it", session.receiver.recv()).await else { panic!() };
    assert_eq!(exchange.request().method(), "ping");
    assert_eq!(session.control.health().received, 1);
}

#[tokio::test]
async fn every_other_refusal_has_its_status() {
    let mut options = SseOptions::default();
    options.limits = Limits::default().with_max_message(1000);
    let served = Served::new(options).await;
    let (_stream, endpoint) = open(served.address, "/sse").await;
    let session = session_of(&endpoint);
    let (cut, changed) = (&session[..31], session.chars().rev().collect::<String>());
    let json = "Content-Type: application/json";
    let cases = [
        (format!("POST /message HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message? HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?other={session} HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?SESSIONID={session} HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId= HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId={cut} HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId={session}A HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId={cut}%00 HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId={cut}%f HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId={session}&sessionId={session} HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId={session}&session_id={session} HTTP/1.1\r\n{json}"), 400),
        (format!("POST /message?sessionId={changed} HTTP/1.1\r\n{json}"), 404),
        (format!("POST /other?sessionId={session} HTTP/1.1\r\n{json}"), 404),
        (format!("POST {endpoint} HTTP/1.1"), 415),
        (format!("POST {endpoint} HTTP/1.1\r\nContent-Type: text/plain"), 415),
        (format!("POST {endpoint} HTTP/1.1\r\nContent-Type: application/json-patch"), 415),
        (format!("POST {endpoint} HTTP/1.1\r\nContent-Type: application/json; charset=latin1"), 415),
        (format!("POST {endpoint} HTTP/1.1\r\n{json}\r\nOrigin: http://evil.example"), 403),
        (format!("POST {endpoint} HTTP/1.1\r\n{json}\r\nOrigin: null"), 403),
        (format!("POST {endpoint} HTTP/1.1\r\n{json}\r\nSec-Fetch-Site: cross-site"), 403),
        ("GET /sse HTTP/1.1\r\nOrigin: http://evil.example".into(), 403),
        ("GET /sse HTTP/1.1\r\nAccept: application/json".into(), 406),
        ("GET /sse HTTP/1.1\r\nAccept: text/event-stream;q=0".into(), 406),
    ];
    for (head, status) in cases {
        let answer = ask(served.address, &head, PING).await;
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        assert!(!answer.body.contains(&session), "{answer:?}");
    }
    for (head, allow) in [
        ("GET /message HTTP/1.1", "allow: POST"),
        ("PUT /message/ HTTP/1.1", "allow: POST"),
        ("DELETE /message HTTP/1.1", "allow: POST"),
        ("OPTIONS /message HTTP/1.1", "allow: POST"),
        ("POST /sse HTTP/1.1\r\nContent-Type: application/json", "allow: GET"),
        ("DELETE /sse HTTP/1.1", "allow: GET"),
    ] {
        let answer = ask(served.address, head, PING).await;
        assert_eq!(answer.status, 405, "{head}");
        assert!(answer.headers.iter().any(|line| line == allow), "{head}: {answer:?}");
    }
    let sized = |len: usize| format!("{}{}", PING, " ".repeat(len - PING.len()));
    for (len, status) in [(999, 202), (1000, 202), (1001, 413)] {
        assert_eq!(post(served.address, &endpoint, &sized(len)).await.status, status, "{len}");
    }
    assert_eq!(served.sse.session_count(), 1, "no refused GET has opened a session");
}

/// The user is whoever the header says.
struct Believes;

impl Authenticate for Believes {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let user = parts.headers.get("x-user").map(|user| Principal::new(user.to_str().unwrap()));
        Box::pin(async { Ok(user) })
    }
}

#[tokio::test]
async fn a_session_of_somebody_else_is_unknown() {
    let router = RouterOptions::default().authenticate(Arc::new(Believes));
    let mut served = Served::with(SseOptions::default(), ServerOptions::default(), router).await;
    let mut streams = Vec::new();
    for user in [None, Some("ann")] {
        let header = user.map(|user| format!("X-User: {user}\r\n")).unwrap_or_default();
        let mut stream = raw::Raw::connect(served.address).await;
        stream.send(&format!("GET /sse HTTP/1.1\r\nHost: localhost\r\n{header}\r\n")).await;
        stream.head().await;
        let endpoint = stream.event("endpoint").await;
        let mut session = served.endpoint().await;
        let ask = async |user: Option<&str>, target: &str| {
            let header = user.map(|user| format!("\r\nX-User: {user}")).unwrap_or_default();
            let head = format!("POST {target} HTTP/1.1\r\nContent-Type: application/json{header}");
            ask(served.address, &head, PING).await
        };
        let unknown = ask(user, &format!("/message?sessionId={}", "A".repeat(32))).await;
        assert_eq!(unknown.status, 404);
        for other in [None, Some("ann"), Some("ANN"), Some("bob"), Some("")] {
            let answer = ask(other, &endpoint).await;
            if other == user {
                assert_eq!(answer.status, 202);
                within("it", session.receiver.recv()).await.unwrap();
            } else {
                assert_eq!(answer, unknown, "{other:?} into the session of {user:?}");
            }
        }
        assert_eq!(session.control.health().received, 1);
        streams.push((stream, session));
    }
}
