//! Where the client posts, and where it refuses to.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue};
use mcp_http::credentials::StaticToken;
use mcp_http::proto::Origin;
use mcp_http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_sse::SseClient;
use mcp_transport_core::{Caller, ErrorKind, Transport};

use scripted::{Scripted, within};

#[tokio::test]
async fn every_reference_within_the_origin() {
    let mut server = Scripted::new().await;
    let here = server.address;
    let cases = [
        ("/messages?sessionId=1".to_owned(), "/messages?sessionId=1"),
        ("messages?sessionId=1".into(), "/v1/messages?sessionId=1"),
        ("./messages".into(), "/v1/messages"),
        ("../messages?a=b&c".into(), "/messages?a=b&c"),
        ("?sessionId=1".into(), "/v1/sse?sessionId=1"),
        (format!("http://{here}/m?x"), "/m?x"),
        (format!("HTTP://{here}/m"), "/m"),
        (format!("//{here}/m"), "/m"),
        ("/m?s=1#fragment".into(), "/m?s=1"),
        ("/m%20n".into(), "/m%20n"),
    ];
    for (reference, target) in cases {
        let first = format!(
            ": hello\n\nevent: other\ndata: x\n\ndata: {{}}\n\nretry: 1\nid: 7\nevent: endpoint\ndata: {reference}\n\n"
        );
        let (connection, _stream) = server.dial(&first).await;
        let endpoint = connection.unwrap_or_else(|error| panic!("{reference}: {error}")).spawn();
        endpoint.sender.send(mcp_jsonrpc::Notification::new("a")).await.unwrap();
        let request = server.next().await;
        assert_eq!(request.line, format!("POST {target}"), "{reference}");
        request.accept().await;
        drop(endpoint);
    }
}

#[tokio::test]
async fn another_origin_is_refused_before_anything_is_sent_there() {
    let mut server = Scripted::new().await;
    let mut other = Scripted::new().await;
    let (here, there) = (server.address, other.address);
    let cases = [
        (format!("http://{there}/m"), ErrorKind::Refused),
        (format!("//{there}/m"), ErrorKind::Refused),
        (format!("https://{here}/m"), ErrorKind::Refused),
        (format!("http://localhost:{}/m", here.port()), ErrorKind::Refused),
        (format!("http://[::1]:{}/m", here.port()), ErrorKind::Refused),
        (format!("http://[::ffff:127.0.0.1]:{}/m", here.port()), ErrorKind::Refused),
        ("http://127.0.0.1:80/m".into(), ErrorKind::Refused),
        ("http://127.0.0.1/m".into(), ErrorKind::Refused),
        ("//evil.example/m".into(), ErrorKind::Refused),
        (format!("http://user@{here}/m"), ErrorKind::Peer),
        (format!("http://{here}@evil.example/m"), ErrorKind::Peer),
        ("/\\evil.example/m".into(), ErrorKind::Peer),
        ("file:///etc/passwd".into(), ErrorKind::Peer),
        ("javascript:alert(1)".into(), ErrorKind::Peer),
        ("http://".into(), ErrorKind::Peer),
        ("/m with a space".into(), ErrorKind::Peer),
        (format!("/{}", "x".repeat(9000)), ErrorKind::Peer),
    ];
    for (reference, kind) in cases {
        let client = server.client().with_http(with_secrets(server.address));
        let first = format!("event: endpoint\ndata: {reference}\n\n");
        let (connection, mut stream) = server.dial_with(client, &first).await;
        let error = connection.unwrap_err();
        assert_eq!(error.kind(), kind, "{reference}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("evil.example") && !shown.contains("canary"), "{shown}");
        // The stream is let go, and nothing was asked of anybody.
        within("the end", tokio::io::AsyncReadExt::read(&mut stream.socket, &mut [0; 1])).await.ok();
        assert!(server.has_come().is_none() && other.has_come().is_none(), "{reference}");
    }
}

/// A header for everybody whom this client speaks to, and a token for the server.
fn with_secrets(server: SocketAddr) -> HttpClient {
    let origin = Origin::parse(format!("http://{server}").as_bytes()).unwrap();
    let token = Arc::new(StaticToken::new(origin, "canary-4711").unwrap());
    let mut headers = HeaderMap::new();
    headers.insert("x-tenant", HeaderValue::from_static("7"));
    HttpClient::new(HttpClientOptions::default().with_headers(headers).with_credentials(token))
}

#[tokio::test]
async fn a_stream_that_does_not_say_where() {
    let mut server = Scripted::new().await;
    let short = server.client().with_endpoint_wait(Duration::from_millis(200));
    let (connection, _stream) =
        server.dial_with(short, ": only a comment\n\nevent: message\ndata: {}\n\n").await;
    let error = connection.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");

    let mut client = server.client();
    let ends = async {
        let mut stream = server.next().await.stream().await;
        // An event without its empty line is none.
        stream.say("event: endpoint\ndata: /m\n").await;
    };
    let (connection, ()) = tokio::join!(within("the end", client.dial()), ends);
    assert_eq!(connection.unwrap_err().kind(), ErrorKind::Peer);

    // Data of nothing is no event at all.
    let short = server.client().with_endpoint_wait(Duration::from_millis(200));
    let (connection, _stream) = server.dial_with(short, "event: endpoint\n\nevent: endpoint\n\n").await;
    assert_eq!(connection.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_server_that_never_answers_the_get() {
    let mut server = Scripted::new().await;
    let http = HttpClient::new(HttpClientOptions::default().with_head(Duration::from_millis(200)));
    let mut client = server.client().with_http(http);
    let (connection, _request) = tokio::join!(client.dial(), server.next());
    assert_eq!(connection.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_get_that_is_refused_says_how() {
    let mut server = Scripted::new().await;
    let cases = [
        ("401 Unauthorized", 401, ErrorKind::Refused),
        ("403 Forbidden", 403, ErrorKind::Refused),
        ("404 Not Found", 404, ErrorKind::Refused),
        ("405 Method Not Allowed", 405, ErrorKind::Refused),
        ("500 Internal Server Error", 500, ErrorKind::Peer),
        ("503 Service Unavailable", 503, ErrorKind::Peer),
        ("204 No Content", 204, ErrorKind::Peer),
    ];
    for (line, status, kind) in cases {
        let challenge = "WWW-Authenticate: Bearer realm=\"a\"\r\nWWW-Authenticate: Basic\r\n";
        let mut client = server.client();
        let (connection, ()) =
            tokio::join!(client.dial(), async { server.next().await.answer(line, challenge, "").await });
        let error = connection.unwrap_err();
        assert_eq!(error.kind(), kind, "{line}: {error}");
        let refused = HttpRefused::of(&error).unwrap();
        assert_eq!(refused.status(), status);
        assert_eq!(refused.challenges(), ["Bearer realm=\"a\"", "Basic"]);
    }
    for types in ["", "Content-Type: application/json\r\n", "Content-Type: text/html\r\n"] {
        let mut client = server.client();
        let (connection, ()) =
            tokio::join!(client.dial(), async { server.next().await.answer("200 OK", types, "{}").await });
        assert_eq!(connection.unwrap_err().kind(), ErrorKind::Peer, "{types}");
    }
}

#[tokio::test]
async fn nobody_there() {
    let mut server = Scripted::new().await;
    server.stop().await;
    assert_eq!(server.client().dial().await.unwrap_err().kind(), ErrorKind::Io);
    let mut secure = SseClient::new("https://127.0.0.1:1/sse".parse().unwrap());
    let error = secure.dial().await.unwrap_err();
    // Whether there is TLS depends on who else is built.
    assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::Io), "{error}");
}

#[tokio::test]
async fn its_headers_go_to_its_origin_and_no_further() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer canary-4711"));
    headers.insert("x-tenant", HeaderValue::from_static("7"));
    let by_headers = HttpClient::new(HttpClientOptions::default().with_headers(headers));
    no_further(|_| by_headers.clone()).await;
    no_further(with_secrets).await;
}

async fn no_further(http: impl Fn(SocketAddr) -> HttpClient) {
    let mut server = Scripted::new().await;
    let mut other = Scripted::new().await;
    let http = http(server.address);
    let has_both = |headers: &[String]| {
        let has = |wanted: &str| headers.iter().filter(|line| *line == wanted).count() == 1;
        has("authorization: Bearer canary-4711") && has("x-tenant: 7")
    };

    // Within the origin they go along, and the endpoint is relative to where the stream came from.
    let mut client = server.client().with_http(http.clone());
    let shown = format!("{client:?}");
    let dialing = tokio::spawn(async move { client.dial().await });
    server.next().await.answer("307 Temporary Redirect", "Location: /v2/sse\r\n", "").await;
    let get = server.next().await;
    assert_eq!(get.line, "GET /v2/sse");
    assert!(has_both(&get.headers), "{:?}", get.headers);
    assert!(get.headers.contains(&"accept: text/event-stream".into()), "{:?}", get.headers);
    let mut stream = get.stream().await;
    stream.say("event: endpoint\ndata: m?s=1\n\n").await;
    let endpoint = dialing.await.unwrap().unwrap().spawn();
    let caller = Caller::new(&endpoint.sender);
    let call = tokio::spawn(async move { caller.request("a", &()).await });
    let post = server.next().await;
    assert_eq!(post.line, "POST /v2/m?s=1");
    assert!(has_both(&post.headers), "{:?}", post.headers);
    assert!(post.headers.contains(&"content-type: application/json".into()), "{:?}", post.headers);

    // A redirect elsewhere is not followed, and costs that call.
    let away = format!("Location: http://{}/m\r\n", other.address);
    post.answer("307 Temporary Redirect", &away, "").await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    let mut client = server.client().with_http(http);
    let redirect = async { server.next().await.answer("302 Found", &away, "").await };
    let (connection, ()) = tokio::join!(client.dial(), redirect);
    assert_eq!(connection.unwrap_err().kind(), ErrorKind::Refused);
    assert!(other.has_come().is_none());
    assert!(!format!("{shown}{error:?}{endpoint:?}").contains("canary"), "{shown}");
}
