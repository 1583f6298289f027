//! The client against servers of a few lines, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod said;

use std::error::Error as _;
use std::time::{Duration, Instant};

use http::header::{HeaderMap, HeaderValue};
use http::{Method, Uri};
use mcp_http::proto::ContentType;
use mcp_http::{FinalUri, HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport_core::ErrorKind;
use said::{Said, get, ok, redirect, status};
use tokio::net::TcpListener;

fn client() -> HttpClient {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::from_static("secret4711"));
    HttpClient::new(HttpClientOptions::default().with_headers(headers))
}

#[tokio::test]
async fn posts_and_reads_whole() {
    let server = Said::new(&[("/a?b=c", ok("answer"))]).await;
    let mut headers = HeaderMap::new();
    headers.insert("mcp-protocol-version", HeaderValue::from_static("2025-06-18"));
    let client = client();
    for _ in 0..2 {
        let response = client.post_json(&server.uri("/a?b=c"), headers.clone(), "{}").await.unwrap();
        assert_eq!(response.body(), "answer");
        assert_eq!(response.extensions().get(), Some(&FinalUri(server.uri("/a?b=c"))));
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for line in [
        "POST /a?b=c HTTP/1.1\r\n".to_owned(),
        "content-type: application/json\r\n".to_owned(),
        "mcp-protocol-version: 2025-06-18\r\n".to_owned(),
        "x-api-key: secret4711\r\n".to_owned(),
        format!("host: {}\r\n", server.address),
        "\r\n\r\n{}".to_owned(),
    ] {
        assert!(asked[1].contains(&line), "{line} in {}", asked[1]);
    }
}

#[tokio::test]
async fn follows_redirects_within_the_origin() {
    for (method, code, location, followed) in [
        (Method::GET, 301, "/here", true),
        (Method::GET, 302, "here", true),
        (Method::GET, 303, "/here?x", true),
        (Method::GET, 307, "http://HOST/here", true),
        (Method::GET, 308, "//HOST/here", true),
        (Method::POST, 307, "/here", true),
        (Method::POST, 308, "/here", true),
        (Method::POST, 301, "/here", false),
        (Method::POST, 302, "/here", false),
        (Method::POST, 303, "/here", false),
        (Method::GET, 300, "/here", false),
        (Method::GET, 304, "/here", false),
    ] {
        let (here, query) = (("/here", ok("arrived")), ("/here?x", ok("arrived")));
        let server = Said::new(&[("/from", redirect(code, location)), here, query]).await;
        let mut request = get(server.uri("/from"));
        *request.method_mut() = method.clone();
        *request.body_mut() = "body".into();
        let result = client().send(request).await;
        assert_eq!(result.is_ok(), followed, "{method} {code} {location}: {result:?}");
        let asked = server.asked();
        assert_eq!(asked.len(), if followed { 2 } else { 1 });
        if followed {
            assert!(asked[1].starts_with(&format!("{method} /here")), "{asked:?}");
            assert!(asked[1].ends_with("body") && asked[1].contains("x-api-key: secret4711"), "{asked:?}");
        }
    }
}

#[tokio::test]
async fn no_bound_on_time() {
    let server = Said::new(&[("/", ok("answer"))]).await;
    let forever = HttpClientOptions::default()
        .with_connect(Duration::MAX)
        .with_head(Duration::MAX)
        .with_body(Duration::MAX)
        .with_pool_idle(Duration::MAX);
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut tasks = Vec::new();
    for options in [HttpClientOptions::default(), forever] {
        let (client, before) = (HttpClient::new(options), alive());
        let response = client.post_json(&server.uri("/"), HeaderMap::new(), "{}").await.unwrap();
        assert_eq!(response.body(), "answer");
        // The task that closes unused connections runs for the first time, and does not panic.
        tokio::task::yield_now().await;
        tasks.push((alive() - before, client));
    }
    assert_eq!(tasks[0].0, tasks[1].0);
}

/// T-CRED: neither headers nor a connection go anywhere else.
#[tokio::test]
async fn never_leaves_the_origin() {
    let other = Said::new(&[("/", ok("stolen")), ("/here", ok("stolen"))]).await;
    let port = other.address.port();
    for location in [
        format!("http://127.0.0.1:{port}/here"),
        format!("//127.0.0.1:{port}/here"),
        format!("http://localhost:{port}/"),
        "https://127.0.0.1/".into(),
        "http://user@127.0.0.1/".into(),
        "http://evil.example/".into(),
        "file:///etc/passwd".into(),
        "javascript:alert(1)".into(),
        "http://[::1]/".into(),
        "http://127.0.0.1/".into(),
        "\\\\evil.example\\".into(),
        "http:///here".into(),
    ] {
        let server = Said::new(&[("/from", redirect(307, &location))]).await;
        let error = client().send(get(server.uri("/from"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{location}: {error}");
        assert!(!format!("{error} {error:?} {:?}", error.source()).contains("secret4711"));
        assert_eq!(server.asked().len(), 1);
    }
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn redirects_end() {
    let server = Said::new(&[
        ("/loop", redirect(302, "/loop")),
        ("/1", redirect(302, "/2")),
        ("/2", redirect(302, "/3")),
        ("/3", redirect(302, "/4")),
        ("/4", redirect(302, "/5")),
        ("/5", redirect(302, "/6")),
        ("/6", ok("arrived")),
        ("/0", redirect(302, "/1")),
        ("/none", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".into()),
        ("/two", "HTTP/1.1 302 Found\r\nLocation: /6\r\nLocation: /5\r\nContent-Length: 0\r\n\r\n".into()),
    ])
    .await;
    for (path, arrives, asked) in
        [("/loop", false, 6), ("/1", true, 6), ("/0", false, 6), ("/none", false, 1), ("/two", false, 1)]
    {
        server.forget();
        let result = client().send(get(server.uri(path))).await;
        assert_eq!(result.is_ok(), arrives, "{path}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Refused);
        }
        assert_eq!(server.asked().len(), asked, "{path}");
    }
    let last = client().send(get(server.uri("/1"))).await.unwrap();
    assert_eq!(last.extensions().get(), Some(&FinalUri(server.uri("/6"))));
}

#[tokio::test]
async fn a_refusal_keeps_status_and_challenge() {
    let challenges = "WWW-Authenticate: Bearer resource_metadata=\"x\"\r\nWWW-Authenticate: Basic\r\n";
    let server = Said::new(&[
        ("/401", status("401 Unauthorized", challenges)),
        ("/403", status("403 Forbidden", "WWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n")),
        ("/404", status("404 Not Found", "")),
        ("/405", status("405 Method Not Allowed", "")),
        ("/429", status("429 Too Many Requests", "Retry-After: 7\r\n")),
        ("/500", status("500 Internal Server Error", "")),
        ("/503", status("503 Service Unavailable", "")),
    ])
    .await;
    for (code, kind, count) in [
        (401, ErrorKind::Refused, 2),
        (403, ErrorKind::Refused, 1),
        (404, ErrorKind::Refused, 0),
        (405, ErrorKind::Refused, 0),
        (429, ErrorKind::Peer, 0),
        (500, ErrorKind::Peer, 0),
        (503, ErrorKind::Peer, 0),
    ] {
        let error =
            client().post_json(&server.uri(&format!("/{code}")), HeaderMap::new(), "{}").await.unwrap_err();
        let refused = HttpRefused::of(&error).unwrap();
        assert_eq!((refused.status().as_u16(), error.kind()), (code, kind));
        assert_eq!(refused.challenges().len(), count);
        assert_eq!(refused.retry_after().is_some(), code == 429);
        assert_eq!(refused.body(), (ContentType::Missing, &"canary".into()));
        let shown = format!("{error} {error:?} {refused} {refused:?}");
        for secret in ["canary", "resource_metadata", "secret4711"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn an_event_stream_comes_bit_by_bit() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = Said::new(&[
        ("/sse", format!("{head}3\r\n: a\r\n1\r\n\n\r\n0\r\n\r\n")),
        ("/open", format!("{head}3\r\n: a\r\n")),
        ("/cut", format!("{head}3\r\n: a\r\n5\r\nConnection: close")),
        ("/json", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".into()),
        ("/204", "HTTP/1.1 204 No Content\r\n\r\n".into()),
    ])
    .await;
    let mut stream = client().event_stream(&server.uri("/sse"), HeaderMap::new()).await.unwrap().into_body();
    let mut all = Vec::new();
    while let Some(chunk) = stream.chunk().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(all, b": a\n");
    let asked = server.asked().pop().unwrap();
    assert!(asked.contains("accept: text/event-stream\r\n") && asked.contains("cache-control: no-cache\r\n"));

    let mut open = client().event_stream(&server.uri("/open"), HeaderMap::new()).await.unwrap().into_body();
    assert_eq!(open.chunk().await.unwrap().unwrap(), ": a");
    assert!(tokio::time::timeout(Duration::from_millis(50), open.chunk()).await.is_err());

    let mut cut = client().event_stream(&server.uri("/cut"), HeaderMap::new()).await.unwrap().into_body();
    let error = loop {
        match cut.chunk().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Io);

    let json = client().event_stream(&server.uri("/json"), HeaderMap::new()).await.unwrap_err();
    assert_eq!(json.kind(), ErrorKind::Peer);
    let nothing = client().event_stream(&server.uri("/204"), HeaderMap::new()).await.unwrap_err();
    assert_eq!(HttpRefused::of(&nothing).unwrap().status(), 204);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let big = "x".repeat(101);
    let chunked = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    let huge = "y".repeat(10 * 1024 * 1024);
    let server = Said::new(&[
        ("/100", ok(&big[1..])),
        ("/101", ok(&big)),
        ("/c100", chunked(&big[1..])),
        ("/c101", chunked(&big)),
        ("/slow", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx".into()),
        ("/error", format!("HTTP/1.1 500 No\r\nContent-Length: {}\r\n\r\n{huge}", huge.len())),
        ("/endless", "HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nx".into()),
    ])
    .await;
    let options = HttpClientOptions::default().with_max_body(100).with_body(Duration::from_millis(100));
    let client = HttpClient::new(options);
    for (path, kind) in [
        ("/100", None),
        ("/101", Some(ErrorKind::Limit)),
        ("/c100", None),
        ("/c101", Some(ErrorKind::Limit)),
        ("/slow", Some(ErrorKind::Timeout)),
        ("/error", Some(ErrorKind::Peer)),
        ("/endless", Some(ErrorKind::Peer)),
    ] {
        let result = client.post_json(&server.uri(path), HeaderMap::new(), "{}").await;
        assert_eq!(result.err().map(|error| error.kind()), kind, "{path}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Said::new(&[("/half", "HTTP/1.1 200 OK\r\nX".into())]).await;
    let client = HttpClient::new(HttpClientOptions::default().with_head(Duration::from_millis(100)));
    let start = Instant::now();
    for path in ["/silent", "/half"] {
        let error = client.send(get(server.uri(path))).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn garbage_is_an_error() {
    let server = Said::new(&[
        ("/garbage", "garbage\r\n\r\n".into()),
        ("/bye", "Connection: close".into()),
        ("/heads", format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(1000))),
        ("/head", format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1_000_000))),
    ])
    .await;
    for path in ["/garbage", "/bye", "/heads", "/head"] {
        let error = client().send(get(server.uri(path))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{path}: {error}");
        assert!(!format!("{error} {error:?} {:?}", error.source()).contains("secret4711"));
    }
}

#[tokio::test]
async fn nobody_there_https_and_other_schemes() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (uri, kind) in [
        (format!("http://{gone}/"), ErrorKind::Io),
        (format!("https://{gone}/"), if cfg!(feature = "tls") { ErrorKind::Io } else { ErrorKind::Refused }),
        ("ftp://127.0.0.1/".into(), ErrorKind::Misuse),
        ("/relative".into(), ErrorKind::Misuse),
        ("http://user:word@127.0.0.1/".into(), ErrorKind::Misuse),
    ] {
        let error = client().send(get(uri.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{uri}: {error}");
        if kind == ErrorKind::Refused {
            assert!(error.to_string().contains("https"));
        }
    }
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let client = client();
    assert!(!format!("{client:?}").contains("secret4711"));
}

#[test]
fn can_be_sent() {
    fn sends<T: Send>(_: T) {}
    let client = client();
    let uri = Uri::from_static("http://localhost/");
    sends(client.event_stream(&uri, HeaderMap::new()));
    sends(client.post_json(&uri, HeaderMap::new(), "{}"));
    sends(client.clone());
}
