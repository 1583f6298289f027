//! In how many pieces an answer leaves, and that no reader of a stream misses what is said while it comes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod mounted;
mod raw;
mod served;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use mcp_streamable_http::{Answers, StreamableOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use held::{Held, note};
use mounted::{Ask, Mounted};
use raw::request;
use served::{tasks, until, within};

/// Counts what would be system calls.
struct Counting {
    inner: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, SeqCst);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, SeqCst);
        // It takes all at once, as a socket does.
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let written = Pin::new(&mut self.inner).poll_write(&mut context, &all);
        assert!(matches!(written, Poll::Ready(Ok(len)) if len == all.len()), "{written:?}");
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Writes for each of these requests, on one connection; each answer ends with these bytes.
async fn writes(form: Answers, calls: &[(String, &str)]) -> Vec<usize> {
    let mut options = StreamableOptions::default();
    options.answers = form;
    let mounted = Mounted::new(options).await;
    let mut opened = mounted.ask(&Ask::post(raw::initialize("2025-11-25"))).await;
    mounted::rest(opened.body_mut()).await;
    let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let count = Arc::new(AtomicUsize::new(0));
    let io = TokioIo::new(Counting { inner: server, writes: count.clone() });
    tokio::spawn(http1::Builder::new().serve_connection(io, mounted.router.clone()));
    let mut all = Vec::new();
    for (call, end) in calls {
        let before = count.load(SeqCst);
        let ask = Ask::post(call.as_str()).with("mcp-session-id", session.as_str());
        client.write_all(ask.text().as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            assert!(within("bytes", client.read_buf(&mut read)).await.unwrap() > 0);
        }
        assert!(read.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&read));
        all.push(count.load(SeqCst) - before);
    }
    all
}

#[tokio::test]
async fn an_answer_that_comes_at_once_leaves_in_one_write() {
    let json = [
        (request(1, "where", "{}"), "}}"),
        (r#"{"jsonrpc":"2.0","method":"x"}"#.to_owned(), "\r\n\r\n"),
        // As an event stream: its priming event, five messages and its end.
        (request(2, "count", r#"{"to":4}"#), "0\r\n\r\n"),
        (request(3, "count", r#"{"to":100}"#), "0\r\n\r\n"),
    ];
    assert_eq!(writes(Answers::Auto, &json).await, [1, 1, 1, 1]);
    assert_eq!(writes(Answers::Json, &json[..2]).await, [1, 1]);
    let stream =
        [(request(1, "where", "{}"), "0\r\n\r\n"), (request(2, "count", r#"{"to":4}"#), "0\r\n\r\n")];
    // The handler has its turn before the first id goes out by itself.
    assert_eq!(writes(Answers::Stream, &stream).await, [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_something_is_said_misses_nothing() {
    const ROUNDS: u64 = 300;
    const BURST: u64 = 30;
    let mut held = Held::new(StreamableOptions::default()).await;
    // That of the session is one more.
    let quiet = tasks() + 1;
    let session = held.open("2025-11-25").await;
    let mut next = 1;
    let mut former = None;
    let mut last = String::from("0-0");
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            drop(former.take());
            until("the loss of the last one", || tasks() == quiet).await;
        }
        let sender = session.server.sender.clone();
        let saying = tokio::spawn(async move {
            for number in next..next + BURST {
                sender.send(note(number)).await.unwrap();
            }
        });
        // In turns without an id, once nobody reads, and with one, in place of who reads.
        let mut raw = loop {
            let line = if round % 2 == 0 { String::new() } else { held::after(&last) };
            let mut raw = session.client.get(&line).await;
            match raw.head().await.0 {
                200 => break raw,
                status => assert_eq!(status, 409),
            }
        };
        while next <= (round + 1) * BURST {
            let event = raw.event().await.unwrap();
            if let Some(data) = event.data.filter(|data| !data.is_empty()) {
                assert_eq!(held::number(&data), next, "in round {round}");
                next += 1;
            }
            last = event.id.unwrap_or(last);
        }
        saying.await.unwrap();
        assert_eq!(last, format!("0-{}", (round + 1) * BURST));
        former = Some(raw);
    }
}
