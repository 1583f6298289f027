//! The ready wires, and what they do when time runs out.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod lines;
mod messages;

use std::time::Duration;

use bytes::BytesMut;
use mcp_jsonrpc::{Message, ScanLimits};
use mcp_transport_core::{
    ByteWire, CloseReason, Codec, Connection, Frame, Incoming, Limits, Options, SinkWire,
};
use tokio::io::{AsyncWriteExt, BufWriter, duplex, split};
use tokio::time::Instant;

const INPUT: &str = concat!(
    "{\"jsonrpc\":\"2.0\",\"method\":\"one\"}\n",
    "\n",
    "not json\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"two ☃\"}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":\"a rather long one, which is above the limit of this test\"}\n",
    "{\"jsonrpc\":\"2.0\",\"method\":\"last\"}",
);

fn shown(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Request(exchange) => format!("request {}", exchange.request().method()),
        Incoming::Notification(notification, _) => format!("notification {}", notification.method()),
        Incoming::Malformed(malformed, _) => format!("malformed {} {:?}", malformed.fault(), malformed.id()),
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_reads_the_same_wherever_it_is_split() {
    let limits = Limits::default().with_max_message(60);
    for at in 0..=INPUT.len() {
        let (io, peer) = duplex(4096);
        let mut connection =
            Connection::new(lines::wire(io, &limits), Options::default().with_limits(limits));
        let (_reader, mut writer) = split(peer);
        let (first, second) = INPUT.as_bytes().split_at(at);
        let reading = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(incoming) = connection.next().await {
                seen.push(shown(&incoming));
            }
            seen
        });
        for part in [first, second] {
            writer.write_all(part).await.expect("open");
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
        }
        writer.shutdown().await.expect("open");
        let seen = reading.await.expect("no panic");
        let want = [
            "notification one",
            "malformed not JSON None",
            "request two ☃",
            "malformed too large Some(\"x\")",
            "notification last",
        ];
        assert_eq!(seen, want, "split at {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_never_says_goodbye_is_left() {
    let (io, _peer) = duplex(8);
    let (reader, writer) = split(io);
    // What a buffer still holds keeps it from shutting down while nobody reads.
    let mut writer = BufWriter::new(writer);
    writer.write_all(&[b'x'; 100]).await.expect("it is a buffer");
    let limits = Limits::default();
    let end = Connection::new(ByteWire::new(reader, writer, lines::Lines::new(&limits)), Options::default());
    let (end, driver) = end.split();
    let begun = Instant::now();
    end.control.close();
    let reason = tokio::time::timeout(Duration::from_secs(60), driver).await.expect("it ends");
    assert!(matches!(*reason, CloseReason::ClosedHere));
    assert!(begun.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_closes_is_left() {
    let ((mut out, _texts), (_out, texts)) = (messages::channel(1), messages::channel(1));
    out.closes = false;
    let (end, driver) = Connection::new(SinkWire::new(texts, out), Options::default()).split();
    end.control.close();
    tokio::time::timeout(Duration::from_secs(60), driver).await.expect("it ends");
}

/// One frame a read, whatever it is.
struct Whole;

impl Codec for Whole {
    fn decode(&mut self, read: &mut BytesMut, _: bool) -> Option<Frame> {
        (!read.is_empty()).then(|| Frame::Text(read.split().freeze()))
    }
    fn encode(&mut self, line: bytes::Bytes, out: &mut mcp_transport_core::Outbox) {
        out.push(line);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wire_that_counts_no_bytes_is_bounded_all_the_same() {
    let (io, mut peer) = duplex(4096);
    let (reader, writer) = split(io);
    let options = Options::default().with_limits(Limits::default().with_max_message(50));
    let mut end = Connection::new(ByteWire::new(reader, writer, Whole), options).spawn();
    let text = r#"{"jsonrpc":"2.0","method":"a long one, above the limit","id":"last"}"#;
    peer.write_all(text.as_bytes()).await.expect("open");
    let Some(Incoming::Malformed(malformed, _)) = end.receiver.recv().await else {
        panic!("it is too large")
    };
    assert_eq!(malformed.id(), Some(&"last".into()));
    assert_eq!(malformed.input_len(), text.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn large_and_small_messages_are_written_whole_through_any_pipe() {
    for holds in [1, 7, 1000, 100_000] {
        let (near, far) = lines::pair(holds, Options::default(), Options::default());
        let (near, mut far) = (near.spawn(), far.spawn());
        let sizes = [0, 10, 16_384, 20_000, 5, 5, 40_000, 16_300];
        let texts: Vec<String> = sizes
            .iter()
            .map(|&size| format!(r#"{{"jsonrpc":"2.0","method":"m","params":["{}"]}}"#, "x".repeat(size)))
            .collect();
        for text in &texts {
            let message = Message::parse(text.clone(), &ScanLimits::default()).expect("well formed");
            near.sender.send(message).await.expect("open");
        }
        for text in &texts {
            let Some(Incoming::Notification(heard, _)) = far.receiver.recv().await else { panic!("open") };
            assert_eq!(heard.as_bytes(), text.as_bytes());
        }
    }
}
