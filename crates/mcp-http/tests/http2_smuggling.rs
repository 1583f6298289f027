//! Frames and fields that two parsers could read differently, over TLS: the outcome of each is pinned.
//!
//! Each is followed by a whole second request, on stream 9. Either the connection ends, and it is not served, or it is
//! served as its own. RFC 9113 8.1.1 asks for a stream error where a request is malformed; h2 ends the connection for
//! names and values that HPACK should not have let through, and says PROTOCOL_ERROR where a more exact code exists.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod certified;
mod frames;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use certified::{Authority, Directory};
use frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PUSH_PROMISE,
    RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block, frame, get, headers,
};
use http::{Method, StatusCode};
use mcp_http::{
    Arrived, Payload, Reply, Route, Router, RouterOptions, Server, ServerOptions, ServerTls, Takes,
    text_reply,
};
use mcp_transport_core::BoxFuture;
use tokio::task::JoinHandle;

type Seen = Arc<Mutex<Vec<String>>>;

/// Name, bytes, what comes back, how many bytes of body the first handler saw if it was called.
type Case = (&'static str, Vec<u8>, &'static str, Option<usize>);

/// The first is answered, and so is the second.
const SERVED: &str = "1: 200, 9: 200";
/// A malformed request is reset, and no more than that.
const RESET: &str = "1: reset PROTOCOL_ERROR, 9: 200";
const PROTOCOL: &str = "GOAWAY PROTOCOL_ERROR";

struct Running {
    address: SocketAddr,
    seen: Seen,
    authority: Authority,
    serving: JoinHandle<()>,
    _directory: Directory,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn run() -> Running {
    let seen = Seen::default();
    let handler = || {
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
        Route::new(Method::GET, "/a", handler()),
        Route::new(Method::POST, "/a", handler()).takes(Takes::Bytes),
        Route::new(Method::GET, "/second", handler()),
    ];
    let router = Router::new(RouterOptions::default(), routes);
    let (authority, directory) = (Authority::new(), Directory::new());
    let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
    let server = server.with_tls(ServerTls::from_files(chain, key).unwrap());
    let address = server.local_addr();
    let serving = tokio::spawn(async move { drop(server.serve(router).await) });
    Running { address, seen, authority, serving, _directory: directory }
}

/// A GET on stream 1 with these after its pseudo-fields.
fn plus(fields: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/a")];
    headers(1, END_STREAM, &[&own, fields].concat())
}

/// The same in frames of 10,000 bytes.
fn large(fields: &[(&str, &str)]) -> Vec<u8> {
    let whole = plus(fields);
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for piece in whole[9..].chunks(10_000) {
        frames.push(match frames.is_empty() {
            true => frame(HEADERS, END_STREAM, 1, piece),
            false => frame(CONTINUATION, 0, 1, piece),
        });
    }
    frames.last_mut().unwrap()[4] |= END_HEADERS;
    frames.concat()
}

/// These and no other fields, on stream 1.
fn only(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, END_STREAM, fields)
}

/// A POST on stream 1 with these after its pseudo-fields, and then these frames.
fn post(fields: &[(&str, &str)], then: &[Vec<u8>]) -> Vec<u8> {
    let own = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/a")];
    let mut bytes = headers(1, 0, &[&own, fields].concat());
    bytes.extend(then.concat());
    bytes
}

fn data(bytes: &str, flags: u8) -> Vec<u8> {
    frame(DATA, flags, 1, bytes.as_bytes())
}

fn requests() -> Vec<Case> {
    let (m, s, a, p) =
        ((":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/a"));
    let long = "x".repeat(10_000);
    vec![
        // To whom: ours to refuse, h2 and hyper serve them.
        ("plain", plus(&[]), SERVED, Some(0)),
        ("Host as well", plus(&[("host", "localhost")]), SERVED, Some(0)),
        ("Host as well, with the port of the scheme", plus(&[("host", "localhost:443")]), SERVED, Some(0)),
        ("Host alone", only(&[m, s, p, ("host", "localhost")]), SERVED, Some(0)),
        ("Host that disagrees", plus(&[("host", "evil")]), "1: 400, 9: 200", None),
        ("Host with another port", plus(&[("host", "localhost:444")]), "1: 400, 9: 200", None),
        ("two Hosts", plus(&[("host", "localhost"), ("host", "evil")]), "1: 400, 9: 200", None),
        ("two equal Hosts", plus(&[("host", "localhost"), ("host", "localhost")]), "1: 400, 9: 200", None),
        ("neither", only(&[m, s, p]), "1: 400, 9: 200", None),
        ("foreign authority", only(&[m, s, (":authority", "evil"), p]), "1: 403, 9: 200", None),
        ("foreign Host alone", only(&[m, s, p, ("host", "evil")]), "1: 403, 9: 200", None),
        ("empty authority", only(&[m, s, (":authority", ""), p]), RESET, None),
        (
            "empty authority and a Host",
            only(&[m, s, (":authority", ""), p, ("host", "localhost")]),
            RESET,
            None,
        ),
        ("authority with a user", only(&[m, s, (":authority", "u@localhost"), p]), "1: 400, 9: 200", None),
        ("authority with a path", only(&[m, s, (":authority", "localhost/b"), p]), RESET, None),
        ("two authorities", only(&[m, s, a, (":authority", "evil"), p]), RESET, None),
        ("another scheme", only(&[m, (":scheme", "http"), a, p]), SERVED, Some(0)),
        ("no scheme of the web", only(&[m, (":scheme", "gopher"), a, p]), SERVED, Some(0)),
        // Pseudo-fields.
        ("no method", only(&[s, a, p]), RESET, None),
        ("no scheme", only(&[m, a, p]), RESET, None),
        ("no path", only(&[m, s, a]), RESET, None),
        ("empty path", only(&[m, s, a, (":path", "")]), RESET, None),
        ("path without a slash", only(&[m, s, a, (":path", "a")]), RESET, None),
        ("path that is a URI", only(&[m, s, a, (":path", "https://evil/a")]), RESET, None),
        ("path *", only(&[(":method", "OPTIONS"), s, a, (":path", "*")]), "1: 404, 9: 200", None),
        ("path with a space", only(&[m, s, a, (":path", "/a b")]), RESET, None),
        ("path with a line", only(&[m, s, a, (":path", "/a\r\nx: y")]), RESET, None),
        ("two paths", only(&[m, s, a, p, (":path", "/second")]), RESET, None),
        ("two methods", only(&[m, (":method", "POST"), s, a, p]), RESET, None),
        ("method with a space", only(&[(":method", "GET /b"), s, a, p]), PROTOCOL, None),
        ("empty method", only(&[(":method", ""), s, a, p]), PROTOCOL, None),
        ("pseudo behind a field", only(&[m, s, a, ("x", "y"), p]), RESET, None),
        ("pseudo that is none", plus(&[(":evil", "y")]), PROTOCOL, None),
        ("status", only(&[m, s, a, p, (":status", "200")]), RESET, None),
        ("CONNECT", only(&[(":method", "CONNECT"), a]), "1: 404, 9: 200", None),
        ("CONNECT with a path", only(&[(":method", "CONNECT"), s, a, p]), RESET, None),
        (
            "CONNECT to a protocol",
            only(&[(":method", "CONNECT"), (":protocol", "websocket"), s, a, p]),
            RESET,
            None,
        ),
        // Fields of a connection, RFC 9113 8.2.2.
        ("connection", plus(&[("connection", "close")]), RESET, None),
        ("keep-alive", plus(&[("keep-alive", "1")]), RESET, None),
        ("proxy-connection", plus(&[("proxy-connection", "close")]), RESET, None),
        ("transfer-encoding", plus(&[("transfer-encoding", "chunked")]), RESET, None),
        ("upgrade", plus(&[("upgrade", "h2c")]), RESET, None),
        ("te", plus(&[("te", "gzip")]), RESET, None),
        ("te trailers", plus(&[("te", "trailers")]), SERVED, Some(0)),
        // Names and values, RFC 9113 8.2.1.
        ("upper case", plus(&[("X-Case", "y")]), PROTOCOL, None),
        ("name with a space", plus(&[("x y", "z")]), PROTOCOL, None),
        ("name with a colon", plus(&[("x:y", "z")]), PROTOCOL, None),
        ("name with a line", plus(&[("x\r\ny", "z")]), PROTOCOL, None),
        ("name with NUL", plus(&[("x\0", "z")]), PROTOCOL, None),
        ("empty name", plus(&[("", "z")]), PROTOCOL, None),
        ("value with CR", plus(&[("x", "y\rz")]), PROTOCOL, None),
        ("value with LF", plus(&[("x", "y\nhost: evil")]), PROTOCOL, None),
        ("value with NUL", plus(&[("x", "y\0z")]), PROTOCOL, None),
        ("value with spaces around", plus(&[("x", " y ")]), SERVED, Some(0)),
        ("cookies in pieces", plus(&[("cookie", "a=b"), ("cookie", "c=d")]), SERVED, Some(0)),
        ("30,000 bytes of fields", large(&[("x", &long), ("x", &long), ("x", &long)]), SERVED, Some(0)),
        ("40,000 bytes of fields", large(&[("x", &*long); 4]), "1: 431, 9: 200", None),
        ("as much in small ones", large(&[("x", "y"); 1000]), "1: 431, 9: 200", None),
        // Lengths.
        ("body", post(&[], &[data("AAAAA", END_STREAM)]), SERVED, Some(5)),
        (
            "body in frames",
            post(&[], &[data("AA", 0), data("", 0), data("AAA", END_STREAM)]),
            SERVED,
            Some(5),
        ),
        ("right length", post(&[("content-length", "5")], &[data("AAAAA", END_STREAM)]), SERVED, Some(5)),
        ("length too large", post(&[("content-length", "6")], &[data("AAAAA", END_STREAM)]), RESET, None),
        ("length too small", post(&[("content-length", "4")], &[data("AAAAA", END_STREAM)]), RESET, None),
        ("length without a body", plus(&[("content-length", "5")]), RESET, None),
        (
            "two lengths that differ",
            post(&[("content-length", "5"), ("content-length", "6")], &[data("AAAAA", END_STREAM)]),
            RESET,
            None,
        ),
        (
            "two equal lengths",
            post(&[("content-length", "5"), ("content-length", "5")], &[data("AAAAA", END_STREAM)]),
            SERVED,
            Some(5),
        ),
        ("length +5", post(&[("content-length", "+5")], &[data("AAAAA", END_STREAM)]), RESET, None),
        ("length 0x5", post(&[("content-length", "0x5")], &[data("AAAAA", END_STREAM)]), RESET, None),
        ("length 5,5", post(&[("content-length", "5,5")], &[data("AAAAA", END_STREAM)]), RESET, None),
        ("length -1", post(&[("content-length", "-1")], &[data("AAAAA", END_STREAM)]), RESET, None),
        ("empty length", post(&[("content-length", "")], &[data("AAAAA", END_STREAM)]), RESET, None),
        // Trailers.
        (
            "trailers with Host",
            post(&[], &[data("A", 0), headers(1, END_STREAM, &[("host", "evil")])]),
            SERVED,
            Some(1),
        ),
        ("trailers that go on", post(&[], &[data("A", 0), headers(1, 0, &[("x", "y")])]), RESET, None),
        (
            "trailers with a pseudo-field",
            post(&[], &[data("A", 0), headers(1, END_STREAM, &[p])]),
            SERVED,
            Some(1),
        ),
    ]
}

fn connections() -> Vec<Case> {
    let head =
        block(&[(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/a")]);
    let (one, rest) = head.split_at(20);
    let flood: Vec<Vec<u8>> = (0..10_000).map(|_| frame(CONTINUATION, 0, 1, &block(&[("x", "y")]))).collect();
    let empty: Vec<Vec<u8>> = (0..10_000).map(|_| frame(CONTINUATION, 0, 1, b"")).collect();
    // One entry of the table, and then a thousand times its index: RFC 7541 7.3.
    let bomb = |times: usize| {
        let value = "x".repeat(3000);
        let mut bomb = [&head[..], &[0x40], &block(&[("x", &value)])[1..]].concat();
        bomb.extend(vec![0xbe; times]);
        frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)
    };
    let hpack = |extra: &[u8]| frame(HEADERS, END_STREAM | END_HEADERS, 1, &[&head, extra].concat());
    let open = post(&[], &[]);
    vec![
        (
            "head in two frames",
            [frame(HEADERS, END_STREAM, 1, one), frame(CONTINUATION, END_HEADERS, 1, rest)].concat(),
            SERVED,
            Some(0),
        ),
        ("frame of no known kind", [frame(0x42, 0xff, 0, b"x"), plus(&[])].concat(), SERVED, Some(0)),
        (
            "padded",
            frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, &[&[3], &head[..], b"\0\0\0"].concat()),
            SERVED,
            Some(0),
        ),
        ("PING", [frame(PING, 0, 0, b"12345678"), plus(&[])].concat(), SERVED, Some(0)),
        ("PRIORITY", [frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]), plus(&[])].concat(), SERVED, Some(0)),
        // The state of a stream, RFC 9113 5.1.
        ("DATA on no stream", frame(DATA, 0, 0, b"A"), PROTOCOL, None),
        ("DATA before HEADERS", data("A", END_STREAM), PROTOCOL, None),
        (
            "DATA behind the end",
            [post(&[], &[data("A", END_STREAM)]), data("A", END_STREAM)].concat(),
            PROTOCOL,
            None,
        ),
        ("HEADERS on no stream", headers(0, END_STREAM, &[]), PROTOCOL, None),
        ("HEADERS on a stream of ours", get(2, "/a"), PROTOCOL, None),
        ("RST_STREAM before HEADERS", frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), PROTOCOL, None),
        ("RST_STREAM on no stream", frame(RST_STREAM, 0, 0, &[0, 0, 0, 8]), PROTOCOL, None),
        (
            "RST_STREAM too short",
            [open.clone(), frame(RST_STREAM, 0, 1, &[0, 0, 8])].concat(),
            PROTOCOL,
            None,
        ),
        (
            "PUSH_PROMISE",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], &head[..]].concat()),
            PROTOCOL,
            None,
        ),
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL, None),
        // Header blocks, RFC 9113 6.10.
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, rest), PROTOCOL, None),
        (
            "CONTINUATION of another",
            [frame(HEADERS, END_STREAM, 1, one), frame(CONTINUATION, END_HEADERS, 3, rest)].concat(),
            PROTOCOL,
            None,
        ),
        (
            "a frame in between",
            [
                frame(HEADERS, END_STREAM, 1, one),
                frame(PING, 0, 0, b"12345678"),
                frame(CONTINUATION, END_HEADERS, 1, rest),
            ]
            .concat(),
            PROTOCOL,
            None,
        ),
        (
            "flood of CONTINUATION",
            [&frame(HEADERS, END_STREAM, 1, &head)[..], &flood.concat()].concat(),
            "GOAWAY ENHANCE_YOUR_CALM",
            None,
        ),
        (
            "flood of empty CONTINUATION",
            [&frame(HEADERS, END_STREAM, 1, &head)[..], &empty.concat()].concat(),
            "GOAWAY ENHANCE_YOUR_CALM",
            None,
        ),
        // HPACK.
        ("index 0", hpack(&[0x80]), PROTOCOL, None),
        ("index of nothing", hpack(&[0xff, 0x7f]), PROTOCOL, None),
        ("integer without end", hpack(&[0xff; 20]), PROTOCOL, None),
        ("Huffman that is none", hpack(&[0, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xff]), PROTOCOL, None),
        ("table size in between", hpack(&[0x20]), PROTOCOL, None),
        ("string that goes on", hpack(&[0, 1, b'x', 0x7e]), PROTOCOL, None),
        ("small bomb", bomb(20), "1: 431, 9: 200", None),
        ("bomb", bomb(1000), "GOAWAY ENHANCE_YOUR_CALM", None),
        // Sizes and windows.
        ("frame too large", frame(DATA, 0, 1, &[0; 16_385]), "GOAWAY FRAME_SIZE_ERROR", None),
        (
            "padding that is longer than the frame",
            [open.clone(), frame(DATA, PADDED | END_STREAM, 1, &[9, 0])].concat(),
            PROTOCOL,
            None,
        ),
        ("window of 0", [open.clone(), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat(), PROTOCOL, None),
        ("window of 0 for all", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), PROTOCOL, None),
        (
            "window that overflows",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            "GOAWAY FLOW_CONTROL_ERROR",
            None,
        ),
        // Settings.
        ("settings on a stream", frame(SETTINGS, 0, 1, b""), PROTOCOL, None),
        ("settings in half", frame(SETTINGS, 0, 0, &[0, 4, 0]), PROTOCOL, None),
        ("acknowledged with settings", frame(SETTINGS, ACK, 0, &[0, 4, 0, 0, 0, 0]), PROTOCOL, None),
        ("push of 2", frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]), PROTOCOL, None),
        ("window too large", frame(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]), PROTOCOL, None),
        ("frame size too small", frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]), PROTOCOL, None),
        ("PING too short", frame(PING, 0, 0, b"1234567"), PROTOCOL, None),
        ("PING on a stream", frame(PING, 0, 1, b"12345678"), PROTOCOL, None),
        // Another protocol.
        ("HTTP/1.1", b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), "GOAWAY FRAME_SIZE_ERROR", None),
    ]
}

#[tokio::test]
async fn every_form_has_its_outcome() {
    let server = run().await;
    let mut wrong = Vec::new();
    for (name, raw, outcome, body) in requests().into_iter().chain(connections()) {
        server.seen.lock().unwrap().clear();
        let mut client = Raw::new(&server.authority, server.address).await;
        client.send(&raw).await;
        client.send(&get(9, "/second")).await;
        let said = client.until(|said| said.over.contains(&1) && said.over.contains(&9)).await;
        let said = said.text();
        let mut seen = server.seen.lock().unwrap().clone();
        seen.sort();
        let method = if raw.windows(4).any(|four| four == b"POST") { "POST" } else { "GET" };
        let mut expected = Vec::new();
        if outcome.contains("9: 200") {
            expected.push("GET /second 0".to_owned());
        }
        expected.extend(body.map(|length| format!("{method} /a {length}")));
        expected.sort();
        if (&said[..], &seen) != (outcome, &expected) {
            wrong.push(format!("{name}: {said} {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
