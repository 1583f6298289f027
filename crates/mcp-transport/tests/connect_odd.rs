//! URLs of servers that say something else than they should, or what they should in other words.
#![cfg(all(unix, feature = "connect"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod odd;

use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use mcp_transport::http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport::{Binding, Connected, Connector, Era, Error, ErrorKind, Target, connect};
use serde_json::json;
use tokio::time::Instant;

use odd::{Asked, Odd, Says, endpoint, json, says, stream, text, within};

const DISCOVER: &str = "POST server/discover";
const INITIALIZE: &str = "POST initialize";

/// Who answers questions with this, and GET as an HTTP+SSE server does.
async fn asked(answer: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> (Result<Connected, Error>, Odd) {
    let server = Odd::new(move |asked| if asked.what == "GET" { endpoint() } else { answer(asked) }).await;
    (within("it", connect(server.url())).await, server)
}

fn found(connected: Result<Connected, Error>, case: &str) -> (Binding, Era) {
    let connected = connected.unwrap_or_else(|error| panic!("{case}: {error}"));
    (connected.binding, connected.era.unwrap())
}

#[tokio::test]
async fn http_and_sse_whatever_it_says_to_a_post() {
    let cases: [fn(&Asked) -> Says; 13] = [
        |asked| if asked.what == INITIALIZE { Says::HangsUp } else { text("404 Not Found") },
        |_| text("404 Not Found"),
        |_| text("405 Method Not Allowed"),
        |_| text("400 Bad Request"),
        |_| text("501 Not Implemented"),
        |_| text("500 Oh"),
        |_| says("202 Accepted", "", ""),
        |_| says("200 OK", "Content-Type: text/html\r\n", "<html>"),
        |_| json("404 Not Found", "", &json!({ "error": "not found" })),
        |_| json("200 OK", "", &json!({ "status": "ok" })),
        // Whoever says so in JSON-RPC is not the one who was asked.
        |asked| asked.with_id(json!(null)).error("404 Not Found", -32601),
        |asked| asked.error("405 Method Not Allowed", -32000),
        // The same for every method.
        |_| endpoint(),
    ];
    for (number, answer) in cases.into_iter().enumerate() {
        let (connected, server) = asked(answer).await;
        assert_eq!(found(connected, &number.to_string()), (Binding::Sse, Era::Legacy), "case {number}");
        assert_eq!(server.seen(), [DISCOVER, INITIALIZE, "GET"], "case {number}");
    }
}

/// A single answer is enough, and no session is opened: some servers bear one `initialize` in their life.
#[tokio::test]
async fn an_error_in_json_rpc_tells_the_era() {
    for (status, code, era) in [
        ("200 OK", -32601, Era::Legacy),
        ("400 Bad Request", -32601, Era::Legacy),
        ("400 Bad Request", -32600, Era::Legacy),
        ("400 Bad Request", -32000, Era::Legacy),
        ("200 OK", -32602, Era::Legacy),
        ("406 Not Acceptable", -32000, Era::Legacy),
        ("422 Unprocessable", 7, Era::Legacy),
        // A server of the modern era without `server/discover`.
        ("404 Not Found", -32601, Era::Modern),
        // What is wrong is said in the words of the modern era.
        ("400 Bad Request", -32020, Era::Modern),
        ("400 Bad Request", -32021, Era::Modern),
        ("200 OK", -32021, Era::Modern),
    ] {
        let case = format!("{status} {code}");
        let (connected, server) = asked(move |asked| asked.error(status, code)).await;
        assert_eq!(found(connected, &case), (Binding::StreamableHttp, era), "{case}");
        assert_eq!(server.seen(), [DISCOVER], "{case}");
    }
    // Of the Python SDK, which makes up an id.
    let made_up = |asked: &Asked| asked.with_id(json!("server-error")).error("400 Bad Request", -32600);
    let (connected, server) = asked(made_up).await;
    assert_eq!(found(connected, "made up"), (Binding::StreamableHttp, Era::Legacy));
    assert_eq!(server.seen(), [DISCOVER]);
}

#[tokio::test]
async fn revisions_that_a_server_names() {
    let refusal = |supported: serde_json::Value| {
        move |asked: &Asked| {
            let error = json!({ "code": -32022, "message": "no", "data": { "supported": supported } });
            let body = json!({ "jsonrpc": "2.0", "id": asked.message["id"], "error": error });
            json("400 Bad Request", "", &body)
        }
    };
    let described = |supported: serde_json::Value| {
        move |asked: &Asked| asked.result("", json!({ "supportedVersions": supported, "capabilities": {} }))
    };
    for (supported, era) in [
        (json!(["2026-07-28"]), Some(Era::Modern)),
        (json!(["2025-11-25", "2026-07-28", "2099-01-01"]), Some(Era::Modern)),
        (json!(["2025-11-25", "2025-06-18"]), Some(Era::Legacy)),
        (json!(["2099-01-01"]), None),
        (json!([]), None),
    ] {
        for (connected, server) in
            [asked(refusal(supported.clone())).await, asked(described(supported.clone())).await]
        {
            match era {
                Some(era) => assert_eq!(found(connected, ""), (Binding::StreamableHttp, era), "{supported}"),
                None => {
                    let error = connected.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Refused, "{supported}: {error}");
                    assert!(error.to_string().contains("no revision in common"), "{error}");
                }
            }
            assert_eq!(server.seen(), [DISCOVER]);
        }
    }
}

/// Who answers everything has not understood what was asked.
#[tokio::test]
async fn a_result_that_describes_no_server_is_of_the_legacy_era() {
    for result in [json!({}), json!(null), json!("ok"), json!({ "supportedVersions": "2026-07-28" })] {
        let (connected, server) = asked(move |asked| asked.result("", result.clone())).await;
        assert_eq!(found(connected, ""), (Binding::StreamableHttp, Era::Legacy));
        assert_eq!(server.seen(), [DISCOVER]);
    }
}

#[tokio::test]
async fn redirects_within_the_origin() {
    let (connected, server) = asked(|asked| match &*asked.target {
        "/mcp?token=hunter2" => says("307 Temporary Redirect", "Location: /there\r\n", ""),
        _ => asked.result("", json!({ "supportedVersions": ["2026-07-28"] })),
    })
    .await;
    assert_eq!(found(connected, ""), (Binding::StreamableHttp, Era::Modern));
    assert_eq!(server.seen(), [DISCOVER, DISCOVER]);
}

/// Who asks for something else is told that at once.
#[tokio::test]
async fn refusals_that_end_the_search() {
    let challenge = "WWW-Authenticate: Bearer resource_metadata=\"x\"\r\nRetry-After: 7\r\n";
    for status in ["401 Unauthorized", "403 Forbidden", "429 Too Many Requests", "503 Unavailable"] {
        // In JSON-RPC too.
        for body in
            ["", r#"{"jsonrpc":"2.0","id":"mcp-transport-probe","error":{"code":-32601,"message":""}}"#]
        {
            let headers = format!("Content-Type: application/json\r\n{challenge}");
            let (connected, server) = asked(move |_| says(status, &headers, body)).await;
            let error = connected.unwrap_err();
            let refused = HttpRefused::of(&error).unwrap();
            assert!(status.starts_with(refused.status().as_str()), "{status}: {error}");
            assert_eq!(refused.challenges().len(), 1);
            assert_eq!(refused.retry_after().unwrap(), "7");
            assert_eq!(server.seen(), [DISCOVER], "{status}");
        }
    }
    // From each step.
    for last in [INITIALIZE, "GET"] {
        let answer =
            move |asked: &Asked| text(if asked.what == last { "401 Unauthorized" } else { "404 Not Found" });
        let server = Odd::new(answer).await;
        let error = within("it", connect(server.url())).await.unwrap_err();
        assert_eq!(HttpRefused::of(&error).unwrap().status(), 401);
        assert_eq!(server.seen().last().unwrap(), last);
    }
}

#[tokio::test]
async fn nothing_there_says_what_was_tried_and_keeps_secrets() {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"));
    type Case = (fn(&Asked) -> Says, ErrorKind, &'static str);
    let cases: [Case; 5] = [
        (|_| text("404 Not Found"), ErrorKind::Refused, "(404 Not Found)"),
        (|_| text("500 Oh"), ErrorKind::Peer, "(500 Internal Server Error)"),
        (|_| says("200 OK", "Content-Type: text/html\r\n", "<html>"), ErrorKind::Peer, "event stream"),
        (|asked| asked.error("404 Not Found", -32000), ErrorKind::Peer, "error -32000 (404 Not Found)"),
        (|_| stream("", "data: hunter2\n\n"), ErrorKind::Peer, "does not"),
    ];
    for (answer, kind, said) in cases {
        // An `initialize` that succeeds with a stream would be enough.
        let server = Odd::new(
            move |asked| if asked.what == INITIALIZE { text("404 Not Found") } else { answer(asked) },
        );
        let server = server.await;
        let connector = Connector::new()
            .with_http(HttpClient::new(HttpClientOptions::default().with_headers(headers.clone())))
            .with_probe(Duration::from_millis(100));
        let error = within("it", connector.connect(server.url())).await.unwrap_err();
        assert_eq!(server.seen(), [DISCOVER, INITIALIZE, "GET"]);
        let text = error.to_string();
        for attempt in [DISCOVER, INITIALIZE] {
            assert!(text.contains(&attempt.replace(' ', " of ")), "{text}");
        }
        assert!(text.contains("GET of an event stream: ") && text.contains(said), "{text}");
        assert_eq!(error.kind(), kind, "{error}");
        let url = Target::from(server.url());
        let shown =
            format!("{error:?} {error} {:?} {connector:?} {url:?}", std::error::Error::source(&error));
        assert!(!shown.contains("hunter2") && !shown.contains("what the server says"), "{shown}");
        assert!(format!("{url:?}").contains("/mcp"), "{url:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_no_longer_than_each_question_may_take() {
    let server = Odd::new(|_| Says::Never).await;
    let start = Instant::now();
    let error = Connector::new().connect(server.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!((30..=40).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert!(error.to_string().contains("POST of initialize"), "{error}");
}

/// A child behind a proxy takes its time to start.
#[tokio::test]
async fn a_session_that_takes_its_time_to_open() {
    let (connected, server) = {
        let server = Odd::new(|asked| match &*asked.what {
            INITIALIZE => stream("Mcp-Session-Id: abc\r\n", ": wait\n\n"),
            "DELETE" if asked.head.contains("mcp-session-id: abc\r\n") => says("204 No Content", "", ""),
            _ => text("400 Bad Request"),
        })
        .await;
        let connector = Connector::new().with_probe(Duration::from_millis(100));
        (within("it", connector.connect(server.url())).await, server)
    };
    assert_eq!(found(connected, ""), (Binding::StreamableHttp, Era::Legacy));
    assert_eq!(server.seen(), [DISCOVER, INITIALIZE, "DELETE"]);
}

#[tokio::test]
async fn nobody_is_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp?token=hunter2", listener.local_addr().unwrap());
    drop(listener);
    let error = within("it", connect(Target::url(&url).unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    for (url, kind) in [("ftp://a/", ErrorKind::Misuse), ("http://u:hunter2@127.0.0.1:1/", ErrorKind::Misuse)]
    {
        let target = Target::url(url).unwrap();
        assert!(!format!("{target:?}").contains("hunter2"), "{target:?}");
        let error = connect(target).await.unwrap_err();
        assert!(error.kind() == kind && !format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    assert_eq!(Target::url("http://a b/").unwrap_err().kind(), ErrorKind::Misuse);
}
