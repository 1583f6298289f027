//! What is held for clients that do not read: of each stream what may wait in it, and what the store keeps of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod raw;
mod served;

use std::time::Duration;

use allocation_counter::measure;
use mcp_jsonrpc::{Message, Notification};
use mcp_streamable_http::StreamableOptions;
use tokio::time::timeout;

use held::{Held, Session};
use raw::Raw;

const SESSIONS: usize = 2;
const KIB: usize = 1024;
/// What waits in one queue, as `StreamableOptions::limits` says, and what is in the buffers behind it.
const QUEUE: usize = 768 * KIB;
const BUFFERS: usize = 128 * KIB;
/// What a `MemoryEventStore` keeps of one stream at most.
const KEPT: usize = 1024 * KIB;

/// Whose stream is not read.
#[derive(Clone, Copy, Debug)]
enum Stream {
    Get,
    Post,
}

fn note(len: usize) -> Notification {
    Notification::with_params("note", &["x".repeat(len)]).unwrap()
}

/// Says the same until there is no more room for a while.
async fn push_until_stuck(mut push: impl AsyncFnMut()) -> usize {
    let mut pushed = 0;
    while timeout(Duration::from_millis(150), push()).await.is_ok() {
        pushed += 1;
        assert!(pushed < 1_000_000, "no end to what is taken for who does not read");
    }
    pushed
}

/// Bytes that are held for each session with one stream that its client has stopped reading, over those of a silent one.
fn held(stream: Stream, store: bool, len: usize) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut options = StreamableOptions::default();
    if !store {
        options.store = None;
    }
    let mut sessions: Vec<(Session, Raw, Option<mcp_transport_core::Exchange>)> = Vec::new();
    let _served = runtime.block_on(async {
        let mut held = Held::new(options).await;
        for id in 0..SESSIONS {
            let mut session = held.open("2025-11-25").await;
            match stream {
                Stream::Get => {
                    let mut raw = session.client.get("").await;
                    assert_eq!(raw.head().await.0, 200);
                    sessions.push((session, raw, None));
                }
                Stream::Post => {
                    let (raw, exchange, _) = session.streamed(id as u64).await;
                    sessions.push((session, raw, Some(exchange)));
                }
            }
        }
        held
    });
    let mut pushed = Vec::new();
    let measured = measure(|| {
        runtime.block_on(async {
            for (session, _, exchange) in &sessions {
                pushed.push(match exchange {
                    Some(exchange) => {
                        push_until_stuck(async || exchange.responder().notify(note(len)).await.unwrap()).await
                    }
                    None => {
                        let sender = &session.server.sender;
                        push_until_stuck(async || sender.send(Message::from(note(len))).await.unwrap()).await
                    }
                });
            }
        });
    });
    let each = usize::try_from(measured.bytes_current).unwrap() / SESSIONS;
    eprintln!("{stream:?}, store {store}, {len} bytes: {} KiB for each of {pushed:?}", each / KIB);
    each
}

#[test]
fn of_clients_that_do_not_read() {
    for stream in [Stream::Get, Stream::Post] {
        for len in [1_000, 10_000, 100_000] {
            // What a session says of its own waits in its connection first, and then in its stream.
            let queues = match stream {
                Stream::Get => 2,
                Stream::Post => 1,
            };
            let waits = queues * (QUEUE + QUEUE / 10 + len) + BUFFERS;
            let without = held(stream, false, len);
            assert!(without <= waits, "{stream:?} {len}: {without} of {waits}");
            let with = held(stream, true, len);
            assert!(with <= waits + KEPT + KEPT / 10, "{stream:?} {len}: {with} of {waits}");
        }
    }
}
