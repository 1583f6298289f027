//! How often one message asks the allocator on its way from line to line, and what an idle endpoint holds: the numbers
//! that are promised.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use allocation_counter::{AllocationInfo, measure};
use mcp_stdio::connection;
use mcp_transport_core::{CloseReason, Connection, Incoming, Options, serve};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A call of a usual size.
const CALL: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\",\"params\":{\"name\":\"weather\",\"arguments\":{\"city\":\"Uster on the lake\",\"days\":3},\"_meta\":{\"progressToken\":\"p-42\"}}}\n";

/// How a peer writes.
#[derive(Clone, Copy)]
enum Pace {
    /// All at once: a read gets as much as it takes.
    Torrent,
    /// The next one when the answer to the last has been read.
    OneByOne,
}

/// A peer in memory that allocates nothing: it says the same line so many times, and counts what it gets.
struct Peer {
    pace: Pace,
    /// Bytes that it has still to say.
    left: usize,
    paused: bool,
    heard: Arc<AtomicUsize>,
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if matches!(self.pace, Pace::OneByOne) && !std::mem::replace(&mut self.paused, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.paused = false;
        let most = match self.pace {
            Pace::Torrent => self.left,
            Pace::OneByOne => self.left.min(CALL.len()),
        };
        let mut room = buf.remaining().min(most);
        self.left -= room;
        while room > 0 {
            // Where in the line it stands, counted from the end of all.
            let rest = (self.left + room) % CALL.len();
            let from = if rest == 0 { 0 } else { CALL.len() - rest };
            let piece = &CALL[from..CALL.len().min(from + room)];
            buf.put_slice(piece);
            room -= piece.len();
        }
        Poll::Ready(Ok(()))
    }
}

struct Ear(Arc<AtomicUsize>);

impl AsyncWrite for Ear {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.fetch_add(bytes.iter().filter(|byte| **byte == b'\n').count(), Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn peer(pace: Pace, messages: usize) -> (Connection, Arc<AtomicUsize>) {
    let heard = Arc::new(AtomicUsize::new(0));
    let peer = Peer { pace, left: messages * CALL.len(), paused: false, heard: heard.clone() };
    let ear = Ear(peer.heard.clone());
    (connection(peer, ear, Options::new("peer")), heard)
}

/// Serves so many messages with a small result each.
fn allocations(pace: Pace, messages: usize) -> AllocationInfo {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (connection, heard) = peer(pace, messages);
    let info = measure(|| {
        let reason = runtime.block_on(serve(connection, |incoming| async move {
            if let Incoming::Request(exchange) = incoming {
                exchange.finish("sunny");
            }
        }));
        assert!(matches!(*reason, CloseReason::PeerClosed));
    });
    assert_eq!(heard.load(Relaxed), messages);
    info
}

/// In steady state: what so many more messages cost, each.
fn per_message(pace: Pace) -> f64 {
    let (few, many) = (1_000, 11_000);
    // What the first of all allocates once.
    let _ = allocations(pace, few);
    let once = allocations(pace, few).count_total;
    let more = allocations(pace, many).count_total;
    (more - once) as f64 / (many - few) as f64
}

/// The answer, and nothing else: it is built in one piece, and read buffers hold many lines.
#[test]
fn one_allocation_for_each_message_that_comes_with_others() {
    let each = per_message(Pace::Torrent);
    assert!((1.0..1.01).contains(&each), "{each}");
}

/// The answer, and nothing else: an idle connection keeps no buffer, and its thread keeps one for all of them.
#[test]
fn one_allocation_for_each_message_that_comes_alone() {
    let each = per_message(Pace::OneByOne);
    assert_eq!(each, 1.0);
}

/// Nothing grows with the number of messages.
#[test]
fn memory_is_steady() {
    for pace in [Pace::Torrent, Pace::OneByOne] {
        let _ = allocations(pace, 1_000);
        let (few, many) = (allocations(pace, 5_000).bytes_max, allocations(pace, 50_000).bytes_max);
        assert!(many <= few + few / 4, "{few} {many}");
    }
}

/// Neither the connection nor its thread keeps a buffer that a large message has grown, however much of it is left.
#[test]
fn what_a_large_message_was_read_into_is_given_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for behind in (0..20).map(|of| of * 8 * 1024) {
        let text = "x".repeat((1 << 20) - behind - 64);
        let held = measure(|| {
            runtime.block_on(async {
                let (mut client, server) = tokio::io::duplex(64 * 1024);
                let (read, write) = tokio::io::split(server);
                let (endpoint, driver) = connection(read, write, Options::new("large")).split();
                let driver = tokio::spawn(driver);
                let line = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[\"{text}\"]}}\n");
                client.write_all(line.as_bytes()).await.unwrap();
                let mut endpoint = endpoint;
                assert!(endpoint.receiver.recv().await.is_some());
                drop(line);
                // The driver reads on, and finds nothing.
                for _ in 0..9 {
                    tokio::task::yield_now().await;
                }
                driver.abort();
                assert!(driver.await.unwrap_err().is_cancelled());
            });
        });
        assert!(held.bytes_current < 200_000, "{behind}: {} bytes", held.bytes_current);
    }
}

/// What a connection holds that waits for its first message, and after some, wire excluded.
#[test]
fn an_idle_endpoint_is_small() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut kept = Vec::with_capacity(2);
        let born = measure(|| {
            let (one, other) = (tokio::io::empty(), tokio::io::sink());
            kept.push(connection(one, other, Options::new("idle")).split());
        })
        .bytes_current;
        eprintln!("an idle endpoint holds {born} bytes");
        assert!(born <= 1_536, "{born} bytes");

        let (connection, _heard) = peer(Pace::OneByOne, 100_000);
        let (mut endpoint, mut driver) = connection.split();
        let held = |rounds: usize| {
            for _ in 0..rounds {
                let mut polled = false;
                while !polled {
                    let cx = &mut Context::from_waker(std::task::Waker::noop());
                    polled = Pin::new(&mut driver).poll(cx).is_pending();
                    while let Some(incoming) = endpoint.receiver.try_recv() {
                        if let Incoming::Request(exchange) = incoming {
                            exchange.finish(&());
                        }
                    }
                }
            }
        };
        let mut held = held;
        held(10);
        // Nothing is kept by the thousandth that was not there by the tenth.
        let grown = measure(|| held(1_000)).bytes_current;
        assert!(grown <= 0, "{grown} bytes");
        drop(kept);
    });
}
