//! What a message and an idle endpoint cost, as counts that may not grow unseen.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod lines;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use mcp_jsonrpc::{Message, Notification, ScanLimits};
use mcp_transport_core::{ByteWire, Caller, Connection, Incoming, Limits, Options, Wire, serve};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

const LINE: &[u8] =
    b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{}}}\n";

/// Allocations a message when so many are in the pipe at once, from line in to line out.
fn per_message(at_once: u64) -> f64 {
    const ROUNDS: u64 = 200;
    let runtime = runtime();
    let (io, peer) = duplex(1024 * 1024);
    let options = Options::default();
    let connection = Connection::new(lines::wire(io, &options.limits), options);
    let answer = Message::parse(&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"[..], &ScanLimits::default());
    let Ok(Message::Response(answer)) = answer else { panic!("a response") };
    let length = answer.len() + 1;
    runtime.spawn(serve(connection, move |incoming| {
        let answer = answer.clone();
        async move {
            if let Incoming::Request(exchange) = incoming {
                let (_, _, responder) = exchange.into_parts();
                responder.respond(answer);
            }
        }
    }));
    let (mut reader, mut writer) = split(peer);
    let input = LINE.repeat(at_once as usize);
    let mut output = vec![0; length * at_once as usize];
    let mut round = || {
        runtime.block_on(async {
            writer.write_all(&input).await.expect("open");
            reader.read_exact(&mut output).await.expect("open");
        });
    };
    // Steady state: tables and queues have their size.
    (0..20).for_each(|_| round());
    let counted = measure(|| (0..ROUNDS).for_each(|_| round()));
    counted.count_total as f64 / (ROUNDS * at_once) as f64
}

#[test]
fn a_message_in_a_batch_of_64_costs_less_than_one_allocation() {
    let count = per_message(64);
    println_stderr(&format!("{count:.2} allocations a message with 64 at once"));
    assert!(count < 1.0, "{count}");
}

#[test]
fn a_message_alone_costs_what_its_read_buffer_costs() {
    let count = per_message(1);
    println_stderr(&format!("{count:.2} allocations a message, one at a time"));
    assert!(count <= 5.0, "{count}");
}

/// Figures for people; libtest shows them with `--nocapture`.
fn println_stderr(text: &str) {
    eprintln!("{text}");
}

#[test]
fn an_idle_endpoint_is_small() {
    const PAIRS: usize = 100;
    let runtime = runtime();
    let mut kept = Vec::with_capacity(PAIRS);
    let counted = measure(|| {
        runtime.block_on(async {
            for _ in 0..PAIRS {
                let (near, far) = Connection::pair(Options::default(), Options::default());
                let (near, far) = (near.split(), far.split());
                kept.push((near, far));
            }
        });
    });
    let fresh = counted.bytes_current / (2 * PAIRS as i64);
    let inline = size_of::<mcp_transport_core::Driver>();
    println_stderr(&format!("{fresh} bytes on the heap an endpoint, and {inline} in its driver"));
    assert!(fresh <= 2048 && inline <= 512, "{fresh} and {inline}");
}

/// Takes one piece and then wants to be asked again.
struct Slow(bool);

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0 = !self.0;
        if self.0 { Poll::Ready(Ok(bytes.len().min(8000))) } else { Poll::Pending }
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_writer_that_is_never_done_is_not_remembered() {
    let limits = Limits::default();
    let mut wire = ByteWire::new(tokio::io::empty(), Slow(false), lines::Lines::new(&limits));
    // With its line feed a message is exactly one piece of the writer's.
    let of = |text: &str| Notification::with_params("x", &[text]).expect("serializes");
    let message = Message::from(of(&"x".repeat(7_999 - of("").len())));
    let mut cx = Context::from_waker(Waker::noop());
    let counted = measure(|| {
        wire.start_send(message.clone()).expect("open");
        for _ in 0..2000 {
            wire.start_send(message.clone()).expect("open");
            assert!(wire.poll_flush(&mut cx).is_pending(), "it is never done");
        }
    });
    println_stderr(&format!("{} bytes at most for a writer that is 8 KB behind", counted.bytes_max));
    assert!(counted.bytes_max < 200_000, "16 MB passed, {} are held", counted.bytes_max);
}

#[test]
fn an_endpoint_that_has_worked_and_rests_is_small() {
    let runtime = runtime();
    let run = || {
        runtime.block_on(async {
            let (near, far) = Connection::pair(Options::default(), Options::default());
            let near = near.spawn();
            tokio::spawn(serve(far, |incoming| async move {
                if let Incoming::Request(exchange) = incoming {
                    exchange.finish(&["x".repeat(10_000)]);
                }
            }));
            let caller = Caller::new(&near.sender);
            for _ in 0..100 {
                let params = ["x".repeat(10_000)];
                caller.request("m", &params).await.expect("answered");
            }
            tokio::task::yield_now().await;
            near
        })
    };
    // What a thread keeps for building and reading messages is not an endpoint's.
    drop(run());
    let mut kept = None;
    let counted = measure(|| kept = Some(run()));
    let each = counted.bytes_current / 2;
    println_stderr(&format!("{each} bytes an endpoint with its task that has passed 100 messages of 10 KB"));
    assert!((1..=4096).contains(&each), "{each}");
}
