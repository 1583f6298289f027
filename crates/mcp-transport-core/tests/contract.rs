//! The in-memory transport, a byte stream and a sink with a stream hold the contract.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod lines;
mod messages;

use mcp_transport_core::{ByteWire, Connection, Limits, Options, SinkWire, contract};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex, split};

fn options(limits: Limits) -> Options {
    Options::default().with_limits(limits)
}

async fn memory(near: Limits, far: Limits) -> (Connection, Connection) {
    Connection::pair(options(near), options(far))
}

async fn bytes(near: Limits, far: Limits) -> (Connection, Connection) {
    lines::pair(64 * 1024, options(near), options(far))
}

async fn one_byte(near: Limits, far: Limits) -> (Connection, Connection) {
    lines::pair(1, options(near), options(far))
}

async fn sinks(near: Limits, far: Limits) -> (Connection, Connection) {
    let ((to_far, from_near), (to_near, from_far)) = (messages::channel(8), messages::channel(8));
    (
        Connection::new(SinkWire::new(from_far, to_far), options(near)),
        Connection::new(SinkWire::new(from_near, to_near), options(far)),
    )
}

#[tokio::test(start_paused = true)]
async fn memory_holds_it() {
    contract::all(memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_holds_it_on_two_threads() {
    contract::all(memory).await;
}

#[tokio::test(start_paused = true)]
async fn byte_streams_hold_it() {
    contract::all(bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn byte_streams_hold_it_on_two_threads() {
    contract::all(bytes).await;
}

#[tokio::test(start_paused = true)]
async fn streams_of_single_bytes_hold_it() {
    contract::bytes_stay(&one_byte).await;
    contract::both_sides_ask(&one_byte).await;
    contract::shutdown_finishes(&one_byte).await;
    contract::close_is_told(&one_byte).await;
}

#[tokio::test(start_paused = true)]
async fn sinks_hold_it() {
    contract::all(sinks).await;
}

#[tokio::test(start_paused = true)]
async fn storms_of_many_seeds() {
    for seed in 2..12 {
        contract::storm(&memory, seed).await;
        contract::storm(&bytes, seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_costs_nothing_else() {
    let (io, peer) = duplex(4096);
    let (reader, writer) = split(io);
    let limits = Limits::default();
    let connection =
        Connection::new(ByteWire::new(reader, writer, lines::Lines::new(&limits)), options(limits));
    let (reader, mut writer) = split(peer);
    let mut reader = BufReader::new(reader);
    contract::malformed(
        connection,
        async |mut text| {
            text.push(b'\n');
            writer.write_all(&text).await.expect("the pipe is open");
        },
        async || {
            let mut line = Vec::new();
            reader.read_until(b'\n', &mut line).await.expect("the pipe is open");
            line
        },
    )
    .await;
}
