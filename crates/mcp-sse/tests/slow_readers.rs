//! Clients that do not read.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::time::Duration;

use mcp_http::{RouterOptions, ServerOptions};
use mcp_jsonrpc::{Message, Notification, ScanLimits};
use mcp_sse::SseOptions;
use mcp_transport_core::{CloseReason, Endpoint, Limits};
use tokio::time::timeout;

use raw::{Raw, Said, open};
use served::{Served, tasks, until, within};

const READERS: usize = 10;
const NOTE: usize = 10_000;
/// What the system takes off us for one socket, both sides of the loopback.
const SYSTEM: usize = 8 * 1024 * 1024;

/// Exactly as large in memory as on the wire.
fn note() -> Message {
    let text = format!(r#"{{"jsonrpc":"2.0","method":"note","params":["{}"]}}"#, "x".repeat(NOTE));
    Message::parse(text.into_bytes().into_boxed_slice(), &ScanLimits::default()).unwrap()
}

/// Pushes until there is no more room for a while, and says how many went.
async fn push_until_stuck(session: &Endpoint) -> usize {
    let mut pushed = 0;
    while let Ok(sent) = timeout(Duration::from_millis(250), session.sender.send(note())).await {
        sent.unwrap();
        pushed += 1;
        assert!(pushed * NOTE < SYSTEM, "no end to what is taken for who does not read");
    }
    pushed
}

fn options() -> SseOptions {
    let mut options = SseOptions::default();
    options.limits = Limits::default().with_outbound_bytes(256 * 1024);
    options
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn they_cost_what_their_bounds_say_and_disturb_nobody() {
    let mut served = Served::new(options()).await;
    let (mut quick, _) = open(served.address, "/sse").await;
    let quick_session = served.endpoint().await;
    let mut stuck: Vec<(Raw, Endpoint)> = Vec::new();
    // The first one brings what is there once.
    let (stream, _) = open(served.address, "/sse").await;
    let session = served.endpoint().await;
    push_until_stuck(&session).await;
    stuck.push((stream, session));
    let before = resident();
    for _ in 0..READERS {
        let (stream, _) = open(served.address, "/sse").await;
        let session = served.endpoint().await;
        stuck.push((stream, session));
    }
    let all = stuck[1..].iter().map(|(_, session)| push_until_stuck(session));
    let mut pushed = Vec::new();
    for one in all {
        pushed.push(one.await);
        // Whoever reads is served meanwhile.
        quick_session.sender.send(Notification::new("quick")).await.unwrap();
        assert!(quick.event("message").await.contains("quick"));
    }
    let grown = resident().saturating_sub(before) / READERS;
    let bound = 256 * 1024 + 64 * 1024 + 64 * 1024;
    eprintln!("{} KiB a reader, of at most {}", grown / 1024, bound / 1024);
    assert!(grown <= bound, "{grown} bytes a reader");
    for (_, session) in &stuck {
        let health = session.control.health();
        assert!(health.outbound_bytes <= 256 * 1024 && health.outbound_depth > 0, "{health:?}");
    }
    // It is all still there for who reads after all.
    let (mut stream, session) = stuck.swap_remove(1);
    for _ in 0..pushed[0] {
        assert!(stream.event("message").await.len() > NOTE);
    }
    drop(session);
    assert_eq!(stream.said().await, Said::End);
}

#[tokio::test]
async fn they_are_left_with_a_reason() {
    let server = ServerOptions::default().with_write_stall(Duration::from_millis(300));
    let mut served = Served::with(options(), server, RouterOptions::default()).await;
    let before = tasks();
    let (stuck, _) = open(served.address, "/sse").await;
    let session = served.endpoint().await;
    let pushing = async { while session.sender.send(note()).await.is_ok() {} };
    within("the stall", pushing).await;
    let reason = within("the end", session.control.closed()).await;
    assert!(matches!(*reason, CloseReason::Limit("the peer does not read")), "{reason}");
    drop(session);
    until("the end of its tasks", || served.sse.session_count() == 0 && tasks() == before).await;
    drop(stuck);
}

#[tokio::test]
async fn the_end_of_a_session_does_not_wait_for_them_for_ever() {
    let server = ServerOptions::default().with_write_stall(Duration::from_millis(1500));
    let mut served = Served::with(options(), server, RouterOptions::default()).await;
    let before = tasks();
    let (stuck, _) = open(served.address, "/sse").await;
    let session = served.endpoint().await;
    let (stream, other) = (open(served.address, "/sse").await, served.endpoint().await);
    push_until_stuck(&session).await;
    session.control.close();
    within("the end", session.control.closed()).await;
    drop(session);
    // Its stream is still there, and nothing can be posted to it.
    assert_eq!(served.sse.session_count(), 1);
    until("the end of its tasks", || tasks() <= before + 2 && served.sse.session_count() == 1).await;
    drop((stuck, stream, other));
}
