//! Large messages, many at once, byte by byte what they were.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use mcp_jsonrpc::{Json, Request};
use mcp_sse::SseOptions;
use tokio::task::JoinSet;

use served::{Served, echo, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_of_200_kb_there_and_back() {
    let served = Served::new(SseOptions::default()).await;
    let caller = served.caller().await;
    tokio::spawn(echo(served.sessions));
    let mut calls = JoinSet::new();
    for call in 0..20_u64 {
        let caller = caller.clone();
        calls.spawn(async move {
            // Members nobody knows, numbers as written, separators of lines that are none in JSON.
            let text = format!(
                "{{\"z\":1e2,\"a\":[{},12345678901234567890.10,{{\"\\u0061\":\"\u{2028}\u{85}\"}}],\"pad\":\"{}\"}}",
                call,
                "ü\\n".repeat(50_000)
            );
            let params = Json::parse(text.clone()).unwrap();
            let request = Request::with_json_params(call, "echo", &params).unwrap();
            let response = within("an answer", caller.relay(&request)).await.unwrap();
            assert!(response.result_raw() == Some(text.as_bytes()), "call {call} came back as something else");
        });
    }
    let mut done = 0;
    while let Some(call) = calls.join_next().await {
        call.unwrap();
        done += 1;
    }
    assert_eq!(done, 20);
}
