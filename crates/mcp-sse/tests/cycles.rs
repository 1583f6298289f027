//! Two thousand sessions, one after the other: nothing of them is left.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use mcp_sse::SseOptions;

use raw::{open, post};
use served::{Served, echo, tasks, until};

const CYCLES: usize = 2_000;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
async fn nothing_is_left() {
    let Served { sessions, address, sse, .. } = Served::new(SseOptions::default()).await;
    tokio::spawn(echo(sessions));
    tokio::task::yield_now().await;
    let start = (tasks(), descriptors());
    let cycle = async || {
        let (mut stream, endpoint) = open(address, "/sse").await;
        assert_eq!(post(address, &endpoint, INITIALIZE).await.status, 202);
        assert_eq!(stream.event("message").await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    };
    for _ in 0..CYCLES / 10 {
        tokio::join!(
            cycle(),
            cycle(),
            cycle(),
            cycle(),
            cycle(),
            cycle(),
            cycle(),
            cycle(),
            cycle(),
            cycle()
        );
    }
    until("the start", || sse.session_count() == 0 && (tasks(), descriptors()) == start).await;
    cycle().await;
}
