//! Heads that two parsers could read differently, over a raw socket: the outcome of each is pinned.
//!
//! Each is followed by a whole second request. It is refused together with the first, or read as RFC 9112 says and only
//! then is the second one served, as its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode};
use mcp_http::{
    Arrived, Payload, Reply, Route, Router, RouterOptions, Server, ServerOptions, Takes, text_reply,
};
use mcp_transport_core::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SECOND: &str = "GET /second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Name, bytes, statuses, how many bytes of body the first handler saw if it was called, whether the second one was.
type Case = (&'static str, String, &'static [u16], Option<usize>, bool);

type Seen = Arc<Mutex<Vec<String>>>;

fn router(seen: &Seen) -> Router {
    let handler = |seen: &Seen| {
        let seen = seen.clone();
        Arc::new(move |arrived: Arrived| -> BoxFuture<'static, Reply> {
            let body = match arrived.payload {
                Payload::Bytes(bytes) => bytes.len(),
                _ => 0,
            };
            let line = format!("{} {} {body}", arrived.parts.method, arrived.parts.uri.path());
            seen.lock().unwrap().push(line);
            Box::pin(async { text_reply(StatusCode::OK, "served\n") })
        })
    };
    let routes = [
        Route::new(Method::GET, "/a", handler(seen)),
        Route::new(Method::POST, "/a", handler(seen)).takes(Takes::Bytes),
        Route::new(Method::GET, "/second", handler(seen)),
    ];
    Router::new(RouterOptions::default(), routes)
}

/// The statuses that come back, and what the handlers saw.
async fn outcome(raw: &[u8]) -> (Vec<u16>, Vec<String>) {
    let seen = Seen::default();
    let options = ServerOptions::default().with_head(Duration::from_millis(200));
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let address = server.local_addr();
    let serving = tokio::spawn(server.serve(router(&seen)));
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = client.split();
    let mut said = Vec::new();
    let writing = async { write.write_all(raw).await };
    let reading = tokio::time::timeout(Duration::from_secs(10), read.read_to_end(&mut said));
    let (_, read) = tokio::join!(writing, reading);
    let _ = read.expect("the connection is still open");
    serving.abort();
    let said = String::from_utf8_lossy(&said).into_owned();
    let statuses = said.split("HTTP/1.1 ").skip(1).map(|rest| rest[..3].parse().unwrap()).collect();
    (statuses, seen.lock().unwrap().clone())
}

#[tokio::test]
async fn every_form_has_its_outcome() {
    let post = |headers: &str, body: &str| {
        format!("POST /a HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}{SECOND}")
    };
    let te = "Transfer-Encoding: chunked";
    let get = |line: &str, headers: &str| format!("{line}\r\n{headers}\r\n{SECOND}");
    let (first, second) = ("POST /a", "GET /second 0");
    let long = "x".repeat(70_000);
    let flood = format!("1;{}\r\nA\r\n0\r\n\r\n", "e".repeat(20_000));
    let trailers = format!("1\r\nA\r\n0\r\nX: {}\r\n\r\n", "t".repeat(40_000));
    let cases: Vec<Case> = vec![
        // Refused, and the connection with it.
        ("TE xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), &[400], None, false),
        ("TE not last", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), &[400], None, false),
        ("TE before colon", post("Transfer-Encoding : chunked", "0\r\n\r\n"), &[400], None, false),
        ("obs-fold", post("X: a\r\n b\r\nContent-Length: 0", ""), &[400], None, false),
        ("two lengths that differ", post("Content-Length: 0\r\nContent-Length: 5", ""), &[400], None, false),
        ("length +5", post("Content-Length: +5", "AAAAA"), &[400], None, false),
        ("length 0x5", post("Content-Length: 0x5", "AAAAA"), &[400], None, false),
        ("length 5,5", post("Content-Length: 5,5", "AAAAA"), &[400], None, false),
        ("length -1", post("Content-Length: -1", ""), &[400], None, false),
        ("NUL in a header", post("X: a\0b\r\nContent-Length: 0", ""), &[400], None, false),
        ("CR in a header", post("X: a\rb\r\nContent-Length: 0", ""), &[400], None, false),
        ("HTTP/0.9", "GET /a\r\n".into(), &[400], None, false),
        ("h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0".into(), &[], None, false),
        ("long target", get(&format!("GET /{long} HTTP/1.1"), "Host: localhost\r\n"), &[431], None, false),
        // Broken bodies: the handler is never called.
        ("chunk size of 17 digits", post(te, "10000000000000001\r\nA\r\n0\r\n\r\n"), &[400], None, false),
        ("chunk size that is none", post(te, "x\r\nA\r\n0\r\n\r\n"), &[400], None, false),
        ("flood of chunk extensions", post(te, &flood), &[400], None, false),
        ("flood of trailers", post(te, &trailers), &[400], None, false),
        // Ours to refuse: hyper serves them.
        ("no Host", get("GET /a HTTP/1.1", ""), &[400, 200], None, true),
        ("two Hosts", get("GET /a HTTP/1.1", "Host: localhost\r\nHost: evil\r\n"), &[400, 200], None, true),
        (
            "two equal Hosts",
            get("GET /a HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n"),
            &[400, 200],
            None,
            true,
        ),
        (
            "foreign absolute form",
            get("GET http://evil/a HTTP/1.1", "Host: localhost\r\n"),
            &[400, 200],
            None,
            true,
        ),
        ("foreign Host", get("GET /a HTTP/1.1", "Host: evil\r\n"), &[403, 200], None, true),
        // Legal, if unusual: read as RFC 9112 says.
        (
            "own absolute form",
            get("GET http://localhost/a HTTP/1.1", "Host: localhost\r\n"),
            &[200, 200],
            Some(0),
            true,
        ),
        ("two equal lengths", post("Content-Length: 0\r\nContent-Length: 0", ""), &[200, 200], Some(0), true),
        ("bare LF", format!("GET /a HTTP/1.1\nHost: localhost\n\n{SECOND}"), &[200, 200], Some(0), true),
        (
            "GET with a body",
            get("GET /a HTTP/1.1", "Host: localhost\r\nContent-Length: 5\r\n\r\nAAAAA").replacen(
                "AAAAA\r\n",
                "AAAAA",
                1,
            ),
            &[200, 200],
            Some(0),
            true,
        ),
        (
            "upgrade to h2c",
            get(
                "GET /a HTTP/1.1",
                "Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
            ),
            &[200, 200],
            Some(0),
            true,
        ),
        ("trailers with Host", post(te, "1\r\nA\r\n0\r\nHost: evil\r\n\r\n"), &[200, 200], Some(1), true),
    ];
    let mut wrong = Vec::new();
    for (name, raw, statuses, body, second_is_served) in cases {
        let (said, seen) = outcome(raw.as_bytes()).await;
        let method = &raw[..raw.find(' ').unwrap()];
        let mut expected: Vec<String> =
            body.map(|length| format!("{method} /a {length}")).into_iter().collect();
        if second_is_served {
            expected.push(second.into());
        }
        if (&said[..], &seen) != (statuses, &expected) {
            wrong.push(format!("{name}: {said:?} {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // The length is dropped, the chunks count, and the connection ends with the answer: RFC 9112 6.3.
    for (name, raw) in [
        ("TE.CL", post(&format!("Content-Length: 4\r\n{te}"), "0\r\n\r\n")),
        ("CL.TE", post(&format!("{te}\r\nContent-Length: 60"), "0\r\n\r\n")),
    ] {
        let (said, seen) = outcome(raw.as_bytes()).await;
        assert_eq!(said, [200], "{name}");
        assert_eq!(seen, [format!("{first} 0")], "{name}");
    }
}

#[tokio::test]
async fn half_a_request_is_not_served() {
    for raw in
        ["GET /a HTTP/1.1\r\nHo", "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-", "\r\n\r\n\r\n", "\r"]
    {
        let (said, seen) = outcome(raw.as_bytes()).await;
        assert!(said.is_empty() && seen.is_empty(), "{raw}: {said:?} {seen:?}");
    }
}
