//! HTTP/2 over loopback: what only sockets and TLS show.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod certified;
mod frames;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use certified::{Authority, Dials, Directory, Issued};
use frames::{ACK, DATA, PING, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, frame, get, headers};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_http::{
    Arrived, Drained, PeerCertificate, Reply, Route, Router, RouterOptions, Server, ServerControl,
    ServerOptions, ServerTls, json_reply, text_reply,
};
use mcp_transport_core::{BoxFuture, Error};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: what is awaited comes much earlier, or the test fails.
const SOON: Duration = Duration::from_secs(20);
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Handlers that have begun, and those that wait.
#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    waiting: AtomicUsize,
}

struct Waiting(Arc<Counts>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Running {
    address: SocketAddr,
    control: ServerControl,
    counts: Arc<Counts>,
    gate: Arc<Semaphore>,
    authority: Authority,
    friend: Issued,
    serving: JoinHandle<Result<Drained, Error>>,
    _directory: Directory,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Running {
    async fn new() -> Self {
        let (counts, gate) = (Arc::<Counts>::default(), Arc::new(Semaphore::new(0)));
        let held = {
            let (counts, gate) = (counts.clone(), gate.clone());
            move |_: Arrived| -> BoxFuture<'static, Reply> {
                counts.begun.fetch_add(1, Ordering::SeqCst);
                counts.waiting.fetch_add(1, Ordering::SeqCst);
                let (waiting, gate) = (Waiting(counts.clone()), gate.clone());
                Box::pin(async move {
                    let _waiting = waiting;
                    gate.acquire().await.unwrap().forget();
                    text_reply(StatusCode::OK, "held\n")
                })
            }
        };
        let who = |arrived: Arrived| -> BoxFuture<'static, Reply> {
            assert!(arrived.peer.is_some());
            let certificate = arrived.parts.extensions.get::<PeerCertificate>().unwrap().as_der().to_vec();
            Box::pin(async { json_reply(StatusCode::OK, certificate) })
        };
        let routes = [
            Route::new(Method::GET, "/held", Arc::new(held.clone())),
            Route::new(Method::POST, "/held", Arc::new(held)),
            Route::new(Method::GET, "/who", Arc::new(who)),
        ];
        let (authority, directory, clients) = (Authority::new(), Directory::new(), Authority::new());
        let (chain, key) = directory.put_pair(&authority.server("mcp.test"));
        let tls = ServerTls::from_files(chain, key).unwrap();
        let tls = tls.with_optional_client_authorities(directory.put("clients.pem", &clients.pem)).unwrap();
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
        let server = server.with_tls(tls);
        let (address, control) = (server.local_addr(), server.control());
        let serving = tokio::spawn(server.serve(Router::new(RouterOptions::default(), routes)));
        let friend = clients.client("friend");
        Self { address, control, counts, gate, authority, friend, serving, _directory: directory }
    }

    async fn raw(&self) -> Raw {
        Raw::new(&self.authority, self.address).await
    }

    /// Another client's connection, with a request that waits.
    async fn neighbour(&self) -> Raw {
        let mut raw = self.raw().await;
        raw.send(&get(1, "/held")).await;
        self.waiting(1).await;
        raw
    }

    async fn waiting(&self, count: usize) {
        let waiting = async {
            while self.counts.waiting.load(Ordering::SeqCst) != count {
                tokio::task::yield_now().await;
            }
        };
        let now = || self.counts.waiting.load(Ordering::SeqCst);
        timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("{} wait, not {count}", now()));
    }
}

/// The neighbour has noticed nothing.
async fn is_served(server: &Running, mut neighbour: Raw) {
    server.gate.add_permits(1);
    let said = neighbour.until(|said| said.over.contains(&1)).await;
    assert_eq!(said.text(), "1: 200");
}

#[tokio::test]
async fn a_request_over_tls_by_alpn() {
    let server = Running::new().await;
    let dials = Dials {
        own: Some(&server.friend),
        alpn: &[b"h2", b"http/1.1"],
        ..Dials::trusting(&server.authority)
    };
    let stream = dials.to(server.address).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..3 {
        let uri = format!("https://{}/who", server.address);
        let request = Request::get(uri).body(Empty::new()).unwrap();
        let response = timeout(SOON, sender.send_request(request)).await.unwrap().unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, http::Version::HTTP_2));
        let body = timeout(SOON, response.into_body().collect()).await.unwrap().unwrap().to_bytes();
        assert_eq!(&body[..], server.friend.der);
    }
    server.control.shutdown();
    timeout(SOON, connection).await.expect("it was not ended").unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_answers_what_was_asked() {
    let mut server = Running::new().await;
    let mut raw = server.raw().await;
    raw.send(&get(1, "/held")).await;
    server.waiting(1).await;
    server.control.shutdown();
    raw.until(|said| said.goaway.is_some()).await;
    assert_eq!(raw.said.text(), "GOAWAY NO_ERROR");
    // It shows that it has heard, and what it asks from now on is not answered.
    raw.send(&frame(PING, ACK, 0, &[0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54])).await;
    server.gate.add_permits(1);
    raw.until(|said| said.ended).await;
    assert_eq!(raw.said.text(), "1: 200, GOAWAY NO_ERROR");
    assert_eq!(timeout(SOON, &mut server.serving).await.unwrap().unwrap().unwrap().cut, 0);
}

#[tokio::test]
async fn a_reset_ends_the_handler() {
    let server = Running::new().await;
    let mut raw = server.raw().await;
    for stream in [1, 3, 5] {
        raw.send(&get(stream, "/held")).await;
    }
    server.waiting(3).await;
    raw.send(&frame(RST_STREAM, 0, 3, &CANCEL)).await;
    server.waiting(2).await;
    server.gate.add_permits(2);
    let said = raw.until(|said| said.over.len() == 2).await;
    assert_eq!(said.text(), "1: 200, 5: 200");
    // Who leaves takes all of it along.
    raw.send(&[get(7, "/held"), get(9, "/held")].concat()).await;
    server.waiting(2).await;
    drop(raw);
    server.waiting(0).await;
}

#[tokio::test]
async fn a_client_that_counts_not_is_refused() {
    let server = Running::new().await;
    let neighbour = server.neighbour().await;
    let mut raw = server.raw().await;
    let many: Vec<u8> = (0..120).flat_map(|n| get(2 * n + 1, "/held")).collect();
    raw.send(&many).await;
    raw.until(|said| said.over.len() == 20).await;
    assert!(raw.said.streams.values().all(|outcome| outcome == "reset REFUSED_STREAM"), "{:?}", raw.said);
    assert_eq!(raw.said.goaway, None);
    server.waiting(101).await;
    drop(raw);
    server.waiting(1).await;
    is_served(&server, neighbour).await;
}

/// CVE-2023-44487: requests that are reset as soon as they are sent.
#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_alone() {
    let server = Running::new().await;
    let neighbour = server.neighbour().await;
    let pairs = |from: u32| -> Vec<u8> {
        let pair = |n: u32| [get(2 * n + 1, "/held"), frame(RST_STREAM, 0, 2 * n + 1, &CANCEL)].concat();
        (from..from + 500).flat_map(pair).collect()
    };
    let mut raw = server.raw().await;
    for from in [0, 500, 1000, 1500] {
        raw.send(&pairs(from)).await;
    }
    raw.until(|said| said.ended).await;
    assert_eq!(raw.said.goaway, Some("ENHANCE_YOUR_CALM"), "{:?}", raw.said);
    server.waiting(1).await;
    let begun = server.counts.begun.load(Ordering::SeqCst);
    assert!(begun < 1000, "{begun} handlers were begun");
    is_served(&server, neighbour).await;
}

/// CVE-2019-9512 and those that came with it, and CVE-2024-27316.
#[tokio::test]
async fn floods_of_little_frames_cost_one_connection() {
    let server = Running::new().await;
    let post = headers(
        1,
        0,
        &[(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/held")],
    );
    for (name, before, one, ends) in [
        ("PING", vec![], frame(PING, 0, 0, b"12345678"), false),
        ("SETTINGS", vec![], frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]), false),
        ("PRIORITY", vec![], frame(2, 0, 3, &[0, 0, 0, 1, 9]), false),
        ("WINDOW_UPDATE", vec![], frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), false),
        ("unknown", vec![], frame(0x42, 0, 0, b""), false),
        ("empty DATA", post.clone(), frame(DATA, 0, 1, b""), true),
        ("resets of nothing", post, frame(RST_STREAM, 0, 1, &CANCEL), false),
    ] {
        let neighbour = server.neighbour().await;
        let mut raw = server.raw().await;
        raw.send(&before).await;
        let flood: Vec<u8> = std::iter::repeat_n(one, 20_000).flatten().collect();
        // Who floods reads nothing, so it may be stuck; that is its own matter.
        let _ = timeout(Duration::from_secs(1), raw.send(&flood)).await;
        if ends {
            raw.until(|said| said.ended).await;
            assert_eq!(raw.said.goaway, Some("ENHANCE_YOUR_CALM"), "{name}: {:?}", raw.said);
        }
        is_served(&server, neighbour).await;
        drop(raw);
        server.waiting(0).await;
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_waits_at_the_client() {
    let server = Running::new().await;
    let mut raw = server.raw().await;
    let fields = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/held")];
    raw.send(&headers(1, 0, &fields)).await;
    // What is promised before the settings are acknowledged: RFC 9113 6.9.2.
    for length in [16_384, 16_384, 16_384, 16_383] {
        raw.send(&frame(DATA, 0, 1, &vec![b'x'; length])).await;
    }
    raw.send(&frame(PING, 0, 0, b"12345678")).await;
    raw.until(|said| !said.pongs.is_empty()).await;
    assert_eq!(raw.said.text(), "");
    raw.send(&frame(DATA, 0, 1, b"x")).await;
    raw.until(|said| said.ended || !said.over.is_empty()).await;
    assert!(raw.said.text().contains("FLOW_CONTROL_ERROR"), "{:?}", raw.said);
    server.waiting(0).await;
}
