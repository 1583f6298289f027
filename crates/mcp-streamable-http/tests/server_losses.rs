//! Hundreds of clients that are lost: nothing of them is left. Descriptors are those of the process, so it is one test.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::sync::Arc;
use std::time::Duration;

use mcp_streamable_http::{MemoryEventStore, StreamableOptions};

use raw::{Client, request};
use served::{Served, tasks, until};

const LOST: usize = 200;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn served() -> (Served, Arc<MemoryEventStore>) {
    let store = Arc::new(MemoryEventStore::default());
    let mut options = StreamableOptions::default();
    options.store = Some(store.clone());
    options.session_idle = Duration::from_millis(300);
    (Served::new(options).await, store)
}

/// Where a client is when it is lost.
#[derive(Clone, Copy, Debug)]
enum At {
    /// In the middle of a large answer.
    Answer,
    /// A request is in flight, and a stream.
    Silence,
    /// Before anything was decided.
    Request,
    /// In the stream that belongs to no request.
    Get,
}

#[tokio::test]
async fn nothing_is_left_of_clients_that_are_lost() {
    let (served, store) = served().await;
    tokio::task::yield_now().await;
    let start = (tasks(), descriptors());
    for round in 0..LOST {
        let client = Client::initialized(served.address, "2025-11-25").await;
        let at = [At::Answer, At::Silence, At::Request, At::Get][round % 4];
        let lost = match at {
            At::Answer => {
                let mut raw = client.post(&request(1, "count", "[3000]")).await;
                raw.head().await;
                raw
            }
            At::Silence => {
                let mut raw = client.post(&request(1, "count", "[1]")).await;
                raw.head().await;
                client.post(&request(2, "ask", "{}")).await.head().await;
                raw
            }
            At::Request => client.post(&request(1, "ask", "{}")).await,
            At::Get => {
                let mut raw = client.get("").await;
                raw.head().await;
                raw
            }
        };
        if round % 8 < 4 {
            lost.socket.set_zero_linger().unwrap();
        }
        drop(lost);
        if matches!(at, At::Silence | At::Request) {
            // Their handlers wait for an answer that never comes: only the end of the session ends them.
            assert_eq!(client.delete().await.status, 204, "{round}");
        }
    }
    until("the start", || {
        served.server.session_count() == 0
            && (store.bytes(), store.stream_count()) == (0, 0)
            && (tasks(), descriptors()) == start
    })
    .await;
    assert_eq!(Client::initialized(served.address, "2025-11-25").await.delete().await.status, 204);
}
