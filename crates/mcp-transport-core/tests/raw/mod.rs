//! A peer that writes and reads lines by hand, and says what it likes.
#![allow(clippy::expect_used, reason = "a test says what it expects")]
#![allow(dead_code, reason = "each test takes what it needs")]

#[path = "../lines/mod.rs"]
mod lines;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use mcp_jsonrpc::{Message, Outcome, Response, ScanLimits};
use mcp_transport_core::{Connection, Exchange, Incoming, Limits, Options, Receiver};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};

pub(crate) struct Peer {
    reader: Option<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
}

/// A connection, and the raw end of its pipe, which holds so many bytes each way.
pub(crate) fn peer_holding(bytes: usize, limits: Limits) -> (Connection, Peer) {
    peer_with(bytes, Options::new("raw").with_limits(limits))
}

pub(crate) fn peer_with(bytes: usize, options: Options) -> (Connection, Peer) {
    let (io, peer) = duplex(bytes);
    let (reader, writer) = split(peer);
    let connection = Connection::new(lines::wire(io, &options.limits), options);
    (connection, Peer { reader: Some(BufReader::new(reader)), writer })
}

pub(crate) fn peer(limits: Limits) -> (Connection, Peer) {
    peer_holding(64 * 1024, limits)
}

impl Peer {
    pub(crate) async fn say(&mut self, line: &str) {
        self.writer.write_all(line.as_bytes()).await.expect("the pipe is open");
        self.writer.write_all(b"\n").await.expect("the pipe is open");
    }

    pub(crate) async fn request(&mut self, id: impl std::fmt::Display, method: &str) {
        self.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#)).await;
    }

    /// The next line; `None` at the end.
    pub(crate) async fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        let reader = self.reader.as_mut().expect("it listens");
        match reader.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    pub(crate) async fn hear_message(&mut self) -> Message {
        parse(&self.hear().await.expect("there is a line"))
    }

    pub(crate) async fn hear_response(&mut self) -> Response {
        match self.hear_message().await {
            Message::Response(response) => response,
            other => panic!("{other:?} is no response"),
        }
    }

    /// Whatever comes until the end.
    pub(crate) async fn hear_all(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.hear().await {
            lines.push(line);
        }
        lines
    }

    /// Ends its side of the conversation and goes on listening.
    pub(crate) async fn stop_talking(&mut self) {
        self.writer.shutdown().await.expect("the pipe is open");
    }
}

pub(crate) fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes().to_vec(), &ScanLimits::default()).expect("well formed")
}

pub(crate) async fn exchange(receiver: &mut Receiver) -> Exchange {
    match receiver.recv().await {
        Some(Incoming::Request(exchange)) => exchange,
        other => panic!("{other:?} is no request"),
    }
}

/// The code and `data.reason` of an error response.
pub(crate) fn error(response: &Response) -> (i64, Option<String>) {
    match response.outcome() {
        Outcome::Error(error) => (error.code().0, error.reason()),
        Outcome::Result(result) => panic!("{} is no error", String::from_utf8_lossy(result)),
    }
}

/// Lets everything else run until nothing moves any more, under a paused clock.
pub(crate) async fn settle() {
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
}

/// Polls once.
pub(crate) async fn once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Polls once, drops.
pub(crate) async fn try_once<F: Future>(future: F) -> Option<F::Output> {
    match once(pin!(future)).await {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
