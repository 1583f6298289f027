//! Bodies that are too large, too slow, or not there: on the wire, and under a clock that stands still.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use mcp_streamable_http::StreamableOptions;
use mcp_transport_core::Limits;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::{Sleep, sleep};

use mounted::{Ask, MODERN, Mounted};
use raw::{Client, Raw, initialize, request};
use served::{Served, until};

const MAX: usize = 2000;

fn options() -> StreamableOptions {
    let mut options = StreamableOptions::default();
    options.limits = Limits::default().with_max_message(MAX);
    options
}

/// A request of each era that is exactly so long.
fn asks(session: &str, len: usize) -> [Ask; 2] {
    let pad = |ask: Ask| {
        let blanks = " ".repeat(len - ask.body.len());
        Ask { body: format!("{}{blanks}", ask.body), ..ask }
    };
    let legacy = Ask::post(request(1, "where", "{}")).with("mcp-session-id", session);
    [pad(legacy), pad(Ask::modern(1, "where", json!({})))]
}

async fn session_of(served: &Served) -> (Client, String) {
    let client = Client::initialized(served.address, "2025-11-25").await;
    let session = client.headers.lines().next().unwrap().split(": ").nth(1).unwrap().to_owned();
    (client, session)
}

#[tokio::test]
async fn the_bound_is_the_same_however_the_body_comes() {
    let served = Served::new(options()).await;
    let (client, session) = session_of(&served).await;
    for (len, status) in [(MAX - 1, 200), (MAX, 200), (MAX + 1, 413), (4 * MAX, 413)] {
        for ask in asks(&session, len) {
            let mut whole = Raw::connect(served.address).await;
            whole.send(&ask.text()).await;
            assert_eq!(whole.answer().await.status, status, "{len}");

            // The same in chunks.
            let (head, body) =
                ask.text().split_once("\r\n\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            let head = head.replace(&format!("Content-Length: {len}"), "Transfer-Encoding: chunked");
            let mut chunks = String::new();
            for chunk in body.as_bytes().chunks(300) {
                chunks += &format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap());
            }
            let mut raw = Raw::connect(served.address).await;
            raw.send(&format!("{head}\r\n\r\n{chunks}0\r\n\r\n")).await;
            let answer = raw.answer().await;
            assert_eq!(answer.status, status, "{len}");
            assert_eq!(answer.header("connection"), (status == 413).then_some("close"));
        }
    }
    // Declared, and never sent.
    for declared in [MAX as u64 + 1, u64::MAX / 2] {
        for ask in asks(&session, 500) {
            let text = ask.text().replace("Content-Length: 500", &format!("Content-Length: {declared}"));
            let mut raw = Raw::connect(served.address).await;
            raw.send(text.split_inclusive("\r\n\r\n").next().unwrap()).await;
            assert_eq!(raw.answer().await.status, 413);
        }
    }
    let answer = client.ask(&request(9, "where", "{}")).await;
    assert!(answer.body.contains("\"session\":true"), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_message() {
    let served = Served::new(options()).await;
    let (client, session) = session_of(&served).await;
    for ask in asks(&session, 500) {
        let text = ask.text();
        let cut = text.len() - ask.body.trim_end().len().max(1);
        let mut raw = Raw::connect(served.address).await;
        raw.send(&text[..cut]).await;
        raw.socket.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut raw.socket, &mut rest);
        served::within("the end", read).await.unwrap();
        let rest = String::from_utf8(rest).unwrap();
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400 "), "{rest}");
    }
    // So does one that opens a session.
    let mut raw = Raw::connect(served.address).await;
    let text = Ask::post(initialize("2025-11-25")).text();
    raw.send(&text[..text.len() - 1]).await;
    drop(raw);
    let answer = client.ask(&request(9, "where", "{}")).await;
    assert!(answer.body.contains("\"session\":true"), "{answer:?}");
    assert_eq!(served.server.session_count(), 1);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_before_anything_else() {
    let served = Served::new(options()).await;
    let (client, session) = session_of(&served).await;
    let long = "x".repeat(64 * 1024);
    for name in ["last-event-id", "mcp-session-id", "mcp-name", "mcp-param-a", "mcp-protocol-version"] {
        for ask in asks(&session, 500) {
            let mut raw = Raw::connect(served.address).await;
            // The server may be gone before all of it is written.
            let _ = raw.socket.write_all(ask.with(name, &long).text().as_bytes()).await;
            assert_eq!(raw.head().await.0, 431, "{name}");
        }
    }
    assert!(client.ask(&request(9, "where", "{}")).await.body.contains("\"session\":true"));
}

/// Pieces of a text, each some seconds after the one before; then the end, or silence, or an error.
struct Trickle {
    pieces: VecDeque<(u64, Bytes)>,
    timer: Option<Pin<Box<Sleep>>>,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Good,
    Never,
    Broken,
}

impl Trickle {
    fn new(text: &str, piece: usize, seconds: u64, end: End) -> Self {
        let pieces = text.as_bytes().chunks(piece).map(|part| (seconds, Bytes::copy_from_slice(part)));
        Self { pieces: pieces.collect(), timer: None, end }
    }
}

impl Body for Trickle {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let Some((after, _)) = this.pieces.front() else {
            return match this.end {
                End::Good => Poll::Ready(None),
                End::Never => Poll::Pending,
                End::Broken => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            };
        };
        let after = Duration::from_secs(*after);
        ready!(this.timer.get_or_insert_with(|| Box::pin(sleep(after))).as_mut().poll(cx));
        this.timer = None;
        let (_, piece) = this.pieces.pop_front().unwrap();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_not_waited_for() {
    let mounted = Mounted::new(StreamableOptions::default()).await;
    let session = mounted.session("2025-11-25").await;
    // How long a piece is, seconds before each, what comes behind the last one; the status, and after how long.
    for (piece, seconds, end, status, after) in [
        (1000, 0, End::Good, 200, 0),
        (1, 0, End::Good, 200, 0),
        (100, 1, End::Good, 200, 6),
        (1, 1, End::Good, 408, 10),
        (600, 0, End::Never, 408, 10),
        (600, 20, End::Good, 408, 10),
        (600, 0, End::Broken, 400, 0),
        (100, 1, End::Broken, 400, 6),
    ] {
        for ask in asks(&session, 600) {
            let start = tokio::time::Instant::now();
            let body = Trickle::new(&ask.body, piece, seconds, end);
            let request = ask.request().map(|_| body);
            let reply = mounted.router.answer(request).await;
            assert_eq!(
                (reply.status().as_u16(), start.elapsed().as_secs()),
                (status, after),
                "{piece} {seconds}"
            );
            assert_eq!(reply.headers().contains_key("connection"), status != 200);
        }
    }
    // Whoever waits for such a body is not in the way of others, and holds no session open.
    let legacy = mounted.told(&asks(&session, 500)[0]).await.1;
    let modern = mounted.told(&asks(&session, 500)[1]).await.1;
    assert_eq!((&legacy["result"]["session"], &modern["result"]["revision"]), (&json!(true), &json!(MODERN)));
    until("the end", || mounted.alone.health().in_flight == 0).await;
}
