//! One connection in memory, under a paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{io, pin::Pin};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use mcp_transport_core::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::{ConnectionEnd, ConnectionHandle, Peer, ServerOptions, Stage, drive};
use crate::route::Source;
use crate::{
    Arrived, Reply, Route, Router, RouterOptions, Takes, event_stream_reply, json_reply, text_reply,
};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub(super) type Ends = Arc<Mutex<Vec<Option<ConnectionEnd>>>>;

/// Never ends by itself, and writes down why it was dropped.
pub(super) struct Endless {
    pub(super) connection: ConnectionHandle,
    pub(super) ends: Ends,
    pub(super) silent: bool,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.silent {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1024])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let ends = self.ends.lock();
        ends.unwrap_or_else(|poisoned| poisoned.into_inner()).push(self.connection.end());
    }
}

/// Yields these, and waits a second after each; then it ends, or breaks.
struct Pieces {
    pieces: VecDeque<Bytes>,
    waiting: Option<Pin<Box<Sleep>>>,
    broken: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(cx));
        }
        self.waiting = Some(Box::pin(sleep(Duration::from_secs(1))));
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.broken => Poll::Ready(Some(Err(io::ErrorKind::Other.into()))),
            None => Poll::Ready(None),
        }
    }
}

struct Side {
    client: DuplexStream,
    stage: watch::Sender<Stage>,
    ends: Ends,
    start: Instant,
}

pub(super) fn router(ends: &Ends) -> Router {
    let stream = |silent| {
        let ends = ends.clone();
        move |arrived: Arrived| -> BoxFuture<'static, Reply> {
            let (connection, ends) = (arrived.connection.unwrap(), ends.clone());
            Box::pin(async move { event_stream_reply(Endless { connection, ends, silent }) })
        }
    };
    let pieces = |broken: bool| {
        move |_: Arrived| -> BoxFuture<'static, Reply> {
            let pieces = [&b"one"[..], b"", &[b'x'; 300]].map(Bytes::from_static).into();
            Box::pin(async move { event_stream_reply(Pieces { pieces, waiting: None, broken }) })
        }
    };
    let ok = |_: Arrived| -> BoxFuture<'static, Reply> {
        Box::pin(async { text_reply(StatusCode::OK, "served\n") })
    };
    let slow = |_: Arrived| -> BoxFuture<'static, Reply> {
        Box::pin(async {
            sleep(Duration::from_secs(300)).await;
            text_reply(StatusCode::OK, "served\n")
        })
    };
    let large = |_: Arrived| -> BoxFuture<'static, Reply> {
        Box::pin(async { json_reply(StatusCode::OK, vec![b'x'; 100 * 1024]) })
    };
    let routes = [
        Route::new(Method::GET, "/x", Arc::new(ok)),
        Route::new(Method::GET, "/slow", Arc::new(slow)),
        Route::new(Method::GET, "/large", Arc::new(large)),
        Route::new(Method::GET, "/flood", Arc::new(stream(false))),
        Route::new(Method::GET, "/silent", Arc::new(stream(true))),
        Route::new(Method::GET, "/pieces", Arc::new(pieces(false))),
        Route::new(Method::GET, "/broken", Arc::new(pieces(true))),
        Route::new(Method::POST, "/post", Arc::new(ok)).takes(Takes::Bytes).max_body(10),
    ];
    Router::new(RouterOptions::default(), routes)
}

impl Side {
    fn new(buffer: usize) -> Self {
        let ends = Ends::default();
        let router = router(&ends);
        let (client, server) = duplex(buffer);
        let stage = watch::Sender::new(Stage::Serving);
        let seen = stage.subscribe();
        tokio::spawn(
            async move { drive(server, Peer::default(), router, &ServerOptions::default(), seen).await },
        );
        Self { client, stage, ends, start: Instant::now() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
    }

    /// What comes until the end, and when that was, in seconds.
    async fn rest(&mut self) -> (String, u64) {
        let mut all = Vec::new();
        let read = timeout(Duration::from_secs(10_000), self.client.read_to_end(&mut all)).await;
        let _ = read.expect("the connection is still open");
        (String::from_utf8(all).unwrap(), self.start.elapsed().as_secs())
    }

    /// One short reply.
    async fn reply(&mut self) -> String {
        let mut all = Vec::new();
        while !all.ends_with(b"served\n") {
            assert_ne!(self.client.read_buf(&mut all).await.unwrap(), 0);
        }
        String::from_utf8(all).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_byte_ends() {
    assert_eq!(Side::new(1024).rest().await, (String::new(), 15));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_ends() {
    for pause in [1, 4, 14] {
        let mut side = Side::new(1024);
        sleep(Duration::from_secs(10)).await;
        for byte in GET {
            if side.client.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(pause)).await;
        }
        let (said, _) = side.rest().await;
        assert_eq!(said, "", "{pause}");
        let (elapsed, last) = (side.start.elapsed().as_secs(), 25 + pause);
        assert!((25..=last).contains(&elapsed), "{pause}: {elapsed}");
    }
}

#[tokio::test(start_paused = true)]
async fn head_and_idle_time_are_two() {
    let mut side = Side::new(1024);
    side.send(GET).await;
    side.reply().await;
    sleep(Duration::from_secs(59)).await;
    side.send(GET).await;
    side.reply().await;
    assert_eq!(side.rest().await.1, 59 + 60);

    let mut side = Side::new(1024);
    side.send(GET).await;
    side.reply().await;
    sleep(Duration::from_secs(59)).await;
    side.send(&GET[..10]).await;
    assert_eq!(side.rest().await.1, 59 + 15);
}

#[tokio::test(start_paused = true)]
async fn half_a_head_behind_a_request_is_not_forgotten() {
    let mut side = Side::new(1024);
    side.send(&[GET, &GET[..10]].concat()).await;
    side.reply().await;
    assert_eq!(side.rest().await.1, 60);
}

#[tokio::test(start_paused = true)]
async fn a_handler_has_all_the_time_it_wants() {
    let mut side = Side::new(1024);
    side.send(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    side.reply().await;
    assert_eq!(side.start.elapsed().as_secs(), 300);
    let mut side = Side::new(1024);
    side.send(b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    sleep(Duration::from_secs(86_400)).await;
    assert!(side.ends.lock().unwrap().is_empty(), "a silent stream was ended");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_left_and_the_stream_knows_why() {
    let mut side = Side::new(4096);
    side.send(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    sleep(Duration::from_secs(29)).await;
    assert!(side.ends.lock().unwrap().is_empty());
    sleep(Duration::from_secs(2)).await;
    assert_eq!(*side.ends.lock().unwrap(), [Some(ConnectionEnd::WriteStalled)]);
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_served() {
    let mut side = Side::new(4096);
    side.send(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    for _ in 0..100 {
        sleep(Duration::from_secs(25)).await;
        assert_ne!(side.client.read(&mut [0; 512]).await.unwrap(), 0);
    }
    assert!(side.ends.lock().unwrap().is_empty());
    drop(side.client);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*side.ends.lock().unwrap(), [None], "the peer ended it");
}

/// hyper has all of the reply, and nothing more to ask for; that is no idle time.
#[tokio::test(start_paused = true)]
async fn who_reads_a_large_reply_slowly_is_not_idle() {
    let mut side = Side::new(4096);
    side.send(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut read = 0;
    while read < 100 * 1024 {
        sleep(Duration::from_secs(10)).await;
        let came = side.client.read(&mut [0; 4096]).await.unwrap();
        assert_ne!(came, 0, "{read} after {:?}", side.start.elapsed());
        read += came;
    }
    assert!(side.start.elapsed() > Duration::from_secs(200));
    // Who stops in the middle is left.
    side = Side::new(4096);
    side.send(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    sleep(Duration::from_secs(31)).await;
    assert!(side.client.write_all(b"x").await.is_err());
}

/// hyper writes the head, and parts with the body at its first pause: at every size of the peer's buffer, so that the
/// head goes out in pieces too.
#[tokio::test(start_paused = true)]
async fn a_stream_is_one_whoever_writes_it() {
    let piece = "x".repeat(300);
    let whole = format!("3\r\none\r\n12C\r\n{piece}\r\n");
    for (request, version, body) in [
        ("GET /pieces HTTP/1.1", "HTTP/1.1 200 ", format!("{whole}0\r\n\r\n")),
        ("GET /pieces HTTP/1.0", "HTTP/1.0 200 ", format!("one{piece}")),
        ("GET /broken HTTP/1.1", "HTTP/1.1 200 ", whole.clone()),
    ] {
        for buffer in (1..20).chain([100, 300, 4096]) {
            let mut side = Side::new(buffer);
            // What comes behind the request is nobody's.
            let request = format!("{request}\r\nHost: localhost\r\n\r\nGET /x HTTP/1.1\r\n");
            let (mut read, mut write) = tokio::io::split(&mut side.client);
            let mut all = Vec::new();
            let ((), result) = tokio::join!(
                async { write.write_all(request.as_bytes()).await.unwrap() },
                timeout(Duration::from_secs(10), read.read_to_end(&mut all)),
            );
            result.expect("the connection is still open").unwrap();
            let said = String::from_utf8(all).unwrap();
            let (head, rest) = said.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(version) && head.contains("connection: close"), "{head}");
            assert_eq!(
                head.contains("transfer-encoding: chunked"),
                version.starts_with("HTTP/1.1"),
                "{head}"
            );
            assert_eq!(rest, body, "{request} {buffer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_on_behind_a_request_for_a_stream_is_left() {
    let mut side = Side::new(4096);
    side.send(b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    side.send(&[b'x'; 4096]).await;
    sleep(Duration::from_secs(1)).await;
    assert!(side.ends.lock().unwrap().is_empty());
    for _ in 0..1000 {
        if side.client.write_all(&[b'x'; 4096]).await.is_err() {
            break;
        }
    }
    assert_eq!(*side.ends.lock().unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_peer_leaves_is_dropped_at_once() {
    let mut side = Side::new(4096);
    side.send(b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    sleep(Duration::from_millis(1)).await;
    // Also one that has said something since.
    side.send(GET).await;
    sleep(Duration::from_millis(1)).await;
    drop(side.client);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(*side.ends.lock().unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_head_up_to_the_limit() {
    let head = |length: usize| {
        let fixed = "GET /x HTTP/1.1\r\nHost: localhost\r\nX: \r\n\r\n".len();
        format!("GET /x HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(length - fixed))
    };
    let max = ServerOptions::default().max_head;
    for (length, status) in [(max - 1, "200"), (max, "200"), (max + 1, "431"), (2 * max, "431")] {
        let mut side = Side::new(1024 * 1024);
        side.send(head(length).as_bytes()).await;
        let mut start = [0; 12];
        side.client.read_exact(&mut start).await.unwrap();
        assert_eq!(std::str::from_utf8(&start).unwrap(), format!("HTTP/1.1 {status}"), "{length}");
    }
    for (headers, status) in [(99, "200"), (100, "431")] {
        let mut side = Side::new(1024 * 1024);
        let lines = "X: y\r\n".repeat(headers);
        side.send(format!("GET /x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").as_bytes()).await;
        let mut start = [0; 12];
        side.client.read_exact(&mut start).await.unwrap();
        assert_eq!(std::str::from_utf8(&start).unwrap(), format!("HTTP/1.1 {status}"), "{headers}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_not_overtaken_by_its_end() {
    let mut side = Side::new(4096);
    side.send(b"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n").await;
    // It goes on sending, as most clients do, and has to be able to.
    side.send(&[b'x'; 100_000]).await;
    let (said, seconds) = side.rest().await;
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("connection: close"), "{said}");
    assert_eq!(said.matches("HTTP/1.1").count(), 1);
    assert_eq!(seconds, 0);
    // It ends all the same when the client does not.
    sleep(Duration::from_secs(2)).await;
    assert!(side.client.write_all(b"x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_request_and_not_for_the_next() {
    let mut idle = Side::new(4096);
    idle.send(GET).await;
    idle.reply().await;
    let mut busy = Side::new(4096);
    busy.send(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    sleep(Duration::from_secs(5)).await;
    for side in [&idle, &busy] {
        side.stage.send_replace(Stage::Closing);
    }
    assert_eq!(idle.rest().await, (String::new(), 5));
    let (said, seconds) = busy.rest().await;
    assert!(said.ends_with("served\n") && said.contains("connection: close"), "{said}");
    assert_eq!(seconds, 300);
}

#[tokio::test(start_paused = true)]
async fn the_cut_waits_for_nothing() {
    let mut side = Side::new(4096);
    side.send(b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    sleep(Duration::from_secs(1)).await;
    side.stage.send_replace(Stage::Closing);
    sleep(Duration::from_secs(100)).await;
    assert!(side.ends.lock().unwrap().is_empty());
    side.stage.send_replace(Stage::Cut);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(*side.ends.lock().unwrap(), [Some(ConnectionEnd::Cut)]);
}

/// A task that has had its turn when it first asks for the stage still hears of it.
#[tokio::test(start_paused = true)]
async fn the_cut_reaches_a_task_whose_budget_was_spent() {
    let stage = watch::Sender::new(Stage::Serving);
    let (_client, server) = duplex(1024);
    let router = Router::new(RouterOptions::default(), []);
    let driving = drive(server, Peer::default(), router, &ServerOptions::default(), stage.subscribe());
    let driving = tokio::spawn(async move {
        let mut driving = pin!(driving);
        let mut spent = false;
        poll_fn(|cx| {
            while !spent {
                spent = pin!(consume_budget()).poll(cx).is_pending();
            }
            driving.as_mut().poll(cx)
        })
        .await
    });
    sleep(Duration::from_secs(1)).await;
    stage.send_replace(Stage::Cut);
    let cut = Instant::now();
    assert_eq!(driving.await.unwrap(), Some(ConnectionEnd::Cut));
    assert_eq!(cut.elapsed(), Duration::ZERO);
}

#[test]
fn a_connection_is_small() {
    let router = Router::new(RouterOptions::default(), []);
    let stage = watch::Sender::new(Stage::Serving);
    let (_client, server) = duplex(1);
    let options = ServerOptions::default();
    let future = drive(server, Peer::default(), router, &options, stage.subscribe());
    // hyper's connection and its buffers come on top, for as long as it is there.
    assert!(size_of_val(&future) <= 1040, "{} bytes", size_of_val(&future));
}

/// One is allocated for each request. glibc keeps blocks of up to 1,032 bytes at hand for each thread; what is larger
/// took twice the time.
#[test]
fn an_answer_is_small() {
    fn size<F>(_: impl Fn(Router, Request<Incoming>, Source) -> F) -> usize {
        size_of::<F>()
    }
    let size = size(crate::pipeline::answer::<Incoming>);
    assert!(size <= 1032, "{size} bytes");
}
