//! What is held for clients that do not read: at most what `SseOptions::limits` promises for each.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod blocking;
mod served;

use std::time::Duration;

use allocation_counter::measure;
use mcp_jsonrpc::{Message, Notification};
use mcp_sse::SseOptions;
use mcp_transport_core::{CallOptions, Caller, Connection, Endpoint};
use tokio::sync::oneshot;
use tokio::time::timeout;

use blocking::Blocking;
use served::{Served, within};

const READERS: usize = 4;
const KIB: usize = 1024;
/// About 1 MiB, as the options say.
const PROMISED: usize = 1024 * KIB;

/// Pushes until there is no more room for a while, and says how many messages went.
async fn push_until_stuck(session: &Endpoint, note: &dyn Fn() -> Message) -> usize {
    let mut pushed = 0;
    while let Ok(sent) = timeout(Duration::from_millis(250), session.sender.send(note())).await {
        sent.unwrap();
        pushed += 1;
        assert!(pushed < 1_000_000, "no end to what is taken for who does not read");
    }
    pushed
}

/// Bytes that are held for each session whose client has stopped reading, over those of a silent one.
fn held(what: &str, note: &dyn Fn() -> Message) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut served = runtime.block_on(Served::new(SseOptions::default()));
    let address = served.address;
    let (done, opened) = oneshot::channel();
    std::thread::spawn(move || {
        let open = || {
            let mut stream = Blocking::connect(address);
            stream.get("/sse");
            stream.data();
            stream
        };
        let _ = done.send((0..READERS).map(|_| open()).collect::<Vec<_>>());
    });
    let (clients, sessions) = runtime.block_on(async {
        let mut sessions = Vec::new();
        for _ in 0..READERS {
            sessions.push(served.endpoint().await);
        }
        (within("the clients", opened).await.unwrap(), sessions)
    });
    let mut pushed = Vec::new();
    let measured = measure(|| {
        runtime.block_on(async {
            for session in &sessions {
                pushed.push(push_until_stuck(session, note).await);
            }
        });
    });
    drop(clients);
    let each = usize::try_from(measured.bytes_current).unwrap() / READERS;
    eprintln!("{what}: {} KiB for each, {pushed:?} messages of which the system took some", each / KIB);
    each
}

#[test]
fn of_messages_of_any_size() {
    for len in [1_000, 10_000, 100_000, 700_000] {
        let text = "x".repeat(len);
        let note = || Notification::with_params("note", std::slice::from_ref(&text)).unwrap().into();
        let each = held(&format!("{len} bytes"), &note);
        // What was begun may be one message more than the bound of its queue.
        assert!(each <= PROMISED + if len > 100_000 { len } else { 0 }, "{len}: {each}");
    }
    // One that is larger than all that may wait passes alone.
    let large = "x".repeat(4_000_000);
    let note = || Notification::with_params("note", std::slice::from_ref(&large)).unwrap().into();
    let each = held("a large one", &note);
    assert!(each <= 2 * (large.len() + 64 * KIB), "{each}");
}

/// Nor do requests: those of the server have a bound of their own.
#[test]
fn of_requests_to_a_client_that_says_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut served = Served::new(SseOptions::default()).await;
        let address = served.address;
        let (done, opened) = oneshot::channel();
        std::thread::spawn(move || {
            let mut stream = Blocking::connect(address);
            stream.get("/sse");
            let _ = done.send(stream);
        });
        let connection: Connection = served.connection().await;
        let session = connection.spawn();
        let _stream = within("the client", opened).await.unwrap();
        let caller = Caller::new(&session.sender);
        let caller = caller.with_options(CallOptions::timeout(Duration::from_secs(3600)));
        let mut calls = Vec::new();
        for _ in 0..1024 {
            let caller = caller.clone();
            calls.push(tokio::spawn(async move { caller.request("ping", &()).await }));
            tokio::task::yield_now().await;
        }
        served::until("all of them", || session.control.health().pending == 1024).await;
        let error = caller.request("ping", &()).await.unwrap_err();
        assert_eq!(error.kind(), mcp_transport_core::ErrorKind::Limit);
        calls.iter().for_each(tokio::task::JoinHandle::abort);
    });
}
