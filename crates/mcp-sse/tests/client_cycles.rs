//! Sessions of our client, one after the other: nothing of them is left.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use mcp_jsonrpc::Notification;
use mcp_sse::SseOptions;
use mcp_transport_core::{Caller, Transport};

use served::{Served, echo, tasks, until};

#[tokio::test]
async fn our_client_leaves_nothing_either() {
    let served = Served::new(SseOptions::default()).await;
    let (mut client, sse) = (served.client(), served.sse.clone());
    tokio::spawn(echo(served.sessions));
    tokio::task::yield_now().await;
    let start = tasks();
    for _ in 0..100 {
        let endpoint = client.dial().await.unwrap().spawn();
        let caller = Caller::new(&endpoint.sender);
        caller.request("initialize", &[1]).await.unwrap();
        endpoint.sender.send(Notification::new("notifications/initialized")).await.unwrap();
    }
    // Connections for posting are kept for a while, by its HTTP client.
    drop(client);
    until("the start", || sse.session_count() == 0 && tasks() == start).await;
}
