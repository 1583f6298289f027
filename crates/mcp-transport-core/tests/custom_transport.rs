//! The example passes the contract tests, and runs.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

#[path = "../examples/custom_transport.rs"]
mod example;

use mcp_transport_core::{Options, contract};

#[test]
fn it_runs() {
    example::main().expect("the example works");
}

#[tokio::test(start_paused = true)]
async fn it_holds_the_contract() {
    contract::all(|near, far| async move {
        example::connect(Options::default().with_limits(near), Options::default().with_limits(far))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_holds_the_contract_on_two_threads() {
    contract::all(|near, far| async move {
        example::connect(Options::default().with_limits(near), Options::default().with_limits(far))
    })
    .await;
}

#[test]
fn it_is_short() {
    let lines = include_str!("../examples/custom_transport.rs").lines().count();
    assert!(lines < 60, "{lines} lines");
}
