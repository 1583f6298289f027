//! Two thousand sessions, one after the other: nothing of them is left. Descriptors are those of the process, so it is
//! one test.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::sync::Arc;

use mcp_streamable_http::{MemoryEventStore, StreamableOptions};

use raw::{Client, request};
use served::{Served, tasks, until};

const CYCLES: usize = 2_000;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn served() -> (Served, Arc<MemoryEventStore>) {
    let store = Arc::new(MemoryEventStore::default());
    let mut options = StreamableOptions::default();
    options.store = Some(store.clone());
    (Served::new(options).await, store)
}

#[tokio::test]
async fn nothing_is_left_of_two_thousand_sessions() {
    let (served, store) = served().await;
    tokio::task::yield_now().await;
    let start = (tasks(), descriptors());
    let cycle = async || {
        let client = Client::initialized(served.address, "2025-11-25").await;
        let mut raw = client.post(&request(1, "count", "[3]")).await;
        raw.head().await;
        for _ in 0..5 {
            raw.event().await.unwrap();
        }
        assert_eq!(client.delete().await.status, 204);
    };
    for _ in 0..CYCLES / 5 {
        tokio::join!(cycle(), cycle(), cycle(), cycle(), cycle());
    }
    until("the start", || {
        served.server.session_count() == 0
            && (store.bytes(), store.stream_count()) == (0, 0)
            && (tasks(), descriptors()) == start
    })
    .await;
    cycle().await;
}
