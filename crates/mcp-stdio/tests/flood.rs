//! Children that write what nobody asked for: floods and garbage.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod processes;
mod programs;

use std::future::Future;
use std::sync::Arc;

use mcp_jsonrpc::Fault;
use mcp_stdio::{CommandSpec, Ladder, StderrMode, StdioClient};
use mcp_transport_core::{Caller, CloseReason, Endpoint, Incoming};
use tokio::sync::Notify;
use tokio::time::timeout;

use processes::DEADLINE;
use programs::{ANSWERS, shell};

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("in time")
}

fn start(spec: CommandSpec) -> (Caller, Endpoint) {
    let spec = spec.ladder(Ladder::default().after_eof(DEADLINE).after_term(DEADLINE));
    let endpoint = StdioClient::new(spec).start().unwrap().spawn();
    (Caller::new(&endpoint.sender), endpoint)
}

/// A mode of stderr, and what is told when a line says `done`.
fn until_done() -> (StderrMode, Arc<Notify>) {
    let done = Arc::new(Notify::new());
    let theirs = done.clone();
    let each = move |line: &str| {
        if line == "done" {
            theirs.notify_one();
        }
    };
    (StderrMode::Lines(Arc::new(each)), done)
}

#[tokio::test]
async fn a_hundred_megabytes_on_stderr_delay_nobody() {
    let script = format!("(head -c 100000000 /dev/zero; echo; echo done) >&2 & {ANSWERS}; wait; exit 6");
    let (mode, done) = until_done();
    let (caller, endpoint) = start(shell(script).stderr(mode));
    for _ in 0..100 {
        assert!(!within(caller.request("ask", &())).await.unwrap().is_error());
    }
    within(done.notified()).await;
    assert!(!within(caller.request("ask", &())).await.unwrap().is_error());
    endpoint.control.shutdown();
    drop(endpoint);
}

/// A child that waits for its stderr to be read writes nothing else, so whoever waits for its stdout waits for ever.
#[tokio::test]
async fn stderr_is_read_while_nobody_receives() {
    let flood = r#"yes '{"jsonrpc":"2.0","method":"flood"}' | head -n 100000"#;
    let script = format!("{flood} & head -c 1000000 /dev/zero >&2; echo >&2; echo done >&2; wait; exit 6");
    let (mode, done) = until_done();
    let (_caller, mut endpoint) = start(shell(script).stderr(mode));
    within(done.notified()).await;
    let mut read = 0;
    while let Some(incoming) = within(endpoint.receiver.recv()).await {
        assert!(matches!(incoming, Incoming::Notification(..)));
        read += 1;
    }
    assert_eq!(read, 100_000);
    let reason = within(endpoint.control.closed()).await;
    assert!(matches!(&*reason, CloseReason::ChildExited(exit) if exit.code == Some(6)), "{reason:?}");
}

#[tokio::test]
async fn stderr_is_read_while_stdout_is_busy() {
    let script = "yes '{\"jsonrpc\":\"2.0\",\"method\":\"flood\"}' & \
                  head -c 10000000 /dev/zero >&2; echo >&2; echo done >&2; read -r line; exit 6";
    let (mode, done) = until_done();
    let (_caller, mut endpoint) = start(shell(script).stderr(mode));
    let reader = tokio::spawn(async move { while endpoint.receiver.recv().await.is_some() {} });
    within(done.notified()).await;
    reader.abort();
}

/// One call after another, with garbage before, between, inside of the stream and after it.
#[tokio::test]
async fn garbage_is_counted_and_never_answered_and_takes_nothing_along() {
    let garbage = [
        "INFO starting up",
        "",
        "{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":",
        "[]",
        "{\\\"a\\\":\\\"\\377\\\"}",
        "null",
        "{\\\"jsonrpc\\\":\\\"2.0\\\"}",
        "{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"method\\\":1}",
    ];
    // As lines of `printf`, of which one is blank and therefore none.
    let garbage_lines = garbage.len() - 1;
    let garbage: String = garbage.iter().map(|line| format!("printf \"{line}\\n\"; ")).collect();
    let script = format!(
        "{garbage} n=0; while read -r line; do n=$((n+1)); {garbage} \
         printf '{{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%d}}\\n' $n $n; done; {garbage} printf 'torn'; exit 6"
    );
    let (caller, mut endpoint) = start(shell(script));
    let calls = 20;
    for call in 1..=calls {
        let response = within(caller.request("ask", &())).await.unwrap();
        assert_eq!(response.result_raw(), Some(call.to_string().as_bytes()));
    }
    let health = endpoint.control.health();
    assert_eq!(health.sent, calls, "nothing was answered");
    assert_eq!(health.malformed, (garbage_lines as u64) * (calls + 1));
    endpoint.control.shutdown();
    let mut faults = Vec::new();
    while let Some(incoming) = within(endpoint.receiver.recv()).await {
        let Incoming::Malformed(malformed, _) = incoming else { panic!("{incoming:?}") };
        assert!(malformed.id().is_none());
        faults.push(malformed.fault());
    }
    let once = [
        Fault::Syntax,
        Fault::Syntax,
        Fault::Batch,
        Fault::Utf8,
        Fault::NotAnObject,
        Fault::Incomplete,
        Fault::Method,
    ];
    assert_eq!(faults[..once.len()], once);
    let health = endpoint.control.health();
    assert_eq!((health.sent, health.malformed), (calls, faults.len() as u64));
    assert_eq!((health.unmatched, health.dropped), (0, 0));
}
