//! Hostile event streams through the client: what it holds of them, what else it does meanwhile, and that it goes on
//! behind them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::sync::mpsc;
use std::time::Instant;

use allocation_counter::measure;
use mcp_jsonrpc::{Fault, Form, Malformed, Notification};
use mcp_sse::SseClient;
use mcp_transport_core::{Caller, CloseReason, Endpoint, ErrorKind, Incoming, Limits, Options, Transport};
use tokio::runtime::Builder;

use scripted::{Scripted, Stream, within};

const MIB: u64 = 1024 * 1024;
const BEGUN: &str = r#"{"jsonrpc":"2.0","method":"begun"}"#;
const BEHIND: &str = r#"{"jsonrpc":"2.0","method":"behind"}"#;

/// Runs a server on a thread of its own, where nothing is counted, and a client of it; returns what the client held at
/// most.
fn peak(
    what: &str,
    limits: Limits,
    serve: impl AsyncFnOnce(&mut Scripted, Stream) + Send + 'static,
    client: impl AsyncFnOnce(Endpoint),
) -> u64 {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let (told, address) = mpsc::channel();
    let server = std::thread::spawn(move || {
        runtime().block_on(async {
            let mut server = Scripted::new().await;
            told.send(server.address).unwrap();
            let mut stream = server.next().await.stream().await;
            stream.say("event: endpoint\ndata: /m?s=1\n\n").await;
            serve(&mut server, stream).await;
            assert!(server.has_come().is_none(), "something else was asked");
        });
    });
    let url = format!("http://{}/sse", address.recv().unwrap()).parse().unwrap();
    let mut sse = SseClient::new(url).with_options(Options::default().with_limits(limits));
    let start = Instant::now();
    let held = measure(|| {
        runtime().block_on(async { client(within("a session", sse.dial()).await.unwrap().spawn()).await });
    });
    eprintln!("{what}: {} bytes at most, {:?}", held.bytes_max, start.elapsed());
    server.join().unwrap();
    held.bytes_max
}

/// So much of the same, and until something is posted: the client has its turns in between.
async fn pour(server: &mut Scripted, stream: &mut Stream, piece: &str, times: u32) {
    for _ in 0..times {
        stream.say(piece).await;
    }
    let post = within("a message of the client", async {
        loop {
            match server.has_come() {
                Some(post) => break post,
                None => stream.say(piece).await,
            }
        }
    });
    post.await.accept().await;
}

async fn comes(endpoint: &mut Endpoint, method: &str) {
    let came = within(method, endpoint.receiver.recv()).await;
    let Some(Incoming::Notification(notification, _)) = came else { panic!("{came:?}") };
    assert_eq!(notification.method(), method);
}

/// What was sent before has begun by now; something is said into it.
async fn speaks(endpoint: &mut Endpoint) {
    comes(endpoint, "begun").await;
    endpoint.sender.send(Notification::new("meanwhile")).await.unwrap();
}

async fn malformed(endpoint: &mut Endpoint) -> Malformed {
    let came = within("a report", endpoint.receiver.recv()).await;
    let Some(Incoming::Malformed(malformed, _)) = came else { panic!("{came:?}") };
    malformed
}

#[test]
fn ten_million_comments_and_other_lines_that_say_nothing() {
    for line in [":\n", "retry: 0\n\n", "id: 1\n\nid: 2\n\n"] {
        let held = peak(
            &format!("{line:?}"),
            Limits::default(),
            async move |server, mut stream| {
                let lines = line.repeat(200_000 / line.len());
                stream.message(BEGUN).await;
                pour(server, &mut stream, &lines, if line == ":\n" { 100 } else { 10 }).await;
                stream.message(BEHIND).await;
                server.posted().await.accept().await;
            },
            async |mut endpoint| {
                speaks(&mut endpoint).await;
                comes(&mut endpoint, "behind").await;
                assert_eq!(endpoint.control.health().malformed, 0);
                endpoint.sender.send(Notification::new("there")).await.unwrap();
                within("the end", endpoint.control.closed()).await;
            },
        );
        assert!(held < MIB, "{line}: {held}");
    }
}

#[test]
fn lines_without_an_end() {
    const BEGINNINGS: [&str; 7] = ["x", ":", "event: ", "id:", "retry: ", "", "data: "];
    let held = peak(
        "lines without an end",
        Limits::default().with_max_message(64 * 1024),
        async |server, mut stream| {
            let piece = "9".repeat(100_000);
            for begin in BEGINNINGS {
                stream.message(BEGUN).await;
                stream.say(begin).await;
                pour(server, &mut stream, &piece, 100).await;
                stream.say("\n\n").await;
                stream.message(BEHIND).await;
            }
            // And one that ends with everything else.
            stream.message(BEGUN).await;
            stream.say("data: ").await;
            pour(server, &mut stream, &piece, 100).await;
        },
        async |mut endpoint| {
            for begin in BEGINNINGS {
                speaks(&mut endpoint).await;
                if begin == "data: " {
                    let malformed = malformed(&mut endpoint).await;
                    assert_eq!(malformed.fault(), Fault::TooLarge);
                    assert!(malformed.input_len() >= 10_000_000, "{}", malformed.input_len());
                }
                comes(&mut endpoint, "behind").await;
            }
            speaks(&mut endpoint).await;
            let reason = within("the end", endpoint.control.closed()).await;
            assert!(matches!(*reason, CloseReason::PeerClosed), "{reason}");
            assert_eq!(endpoint.control.health().malformed, 1);
        },
    );
    assert!(held < MIB, "{held}");
}

#[test]
fn an_answer_of_a_hundred_megabytes() {
    let held = peak(
        "an answer of a hundred megabytes",
        Limits::default(),
        async |server, mut stream| {
            let (one, other) = (server.posted().await, server.posted().await);
            let (large, small) = if one.method() == "large" { (one, other) } else { (other, one) };
            let (large_id, small_id) = (large.id(), small.id());
            large.accept().await;
            small.accept().await;
            stream.message(BEGUN).await;
            stream.say("data: {\"jsonrpc\":\"2.0\",\"result\":{\"text\":\"").await;
            pour(server, &mut stream, &"a".repeat(100_000), 1000).await;
            // Its id comes last, as the TypeScript SDK writes it.
            stream.say(&format!("\"}},\"id\":{large_id}}}\n\n")).await;
            stream.result(small_id, "1").await;
            server.posted().await.accept().await;
        },
        async |mut endpoint| {
            let (one, other) = (Caller::new(&endpoint.sender), Caller::new(&endpoint.sender));
            let large = tokio::spawn(async move { one.request("large", &()).await });
            let small = tokio::spawn(async move { other.request("small", &()).await });
            speaks(&mut endpoint).await;
            let error = within("the failure", large).await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
            let malformed = malformed(&mut endpoint).await;
            assert_eq!((malformed.fault(), malformed.form()), (Fault::TooLarge, Form::Response));
            assert!(malformed.id().is_some() && malformed.input_len() > 100_000_000, "{malformed:?}");
            assert!(within("the other", small).await.unwrap().is_ok());
            endpoint.sender.send(Notification::new("there")).await.unwrap();
            within("the end", endpoint.control.closed()).await;
        },
    );
    // Up to the limit of a message, 16 MiB, it is collected, and a buffer that grows counts twice; what was read and
    // not looked at yet comes on top, and depends on who runs when.
    assert!(held < 36 * MIB, "{held}");
}
