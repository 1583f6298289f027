//! How a child's end reaches those who wait for its answers.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod processes;
mod programs;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_stdio::{CommandSpec, Ladder, StdioClient};
use mcp_transport_core::{
    CallOptions, Caller, CloseReason, Endpoint, Error, ErrorKind, Incoming, ProcessExit, Receiver, State,
};
use tokio::time::timeout;

use processes::{DEADLINE, assert_all_gone, eventually, kill, process};
use programs::{habits, shell};

/// What takes a tenth of a second or two when all is well.
const AT_ONCE: Duration = Duration::from_secs(3);

async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> T {
    timeout(limit, what).await.expect("in time")
}

fn start(spec: CommandSpec) -> (Caller, Endpoint) {
    let endpoint = StdioClient::new(spec).start().unwrap().spawn();
    (Caller::new(&endpoint.sender), endpoint)
}

/// A ladder that no test climbs to its end.
fn patient() -> Ladder {
    Ladder::default().after_eof(DEADLINE).after_term(DEADLINE)
}

/// The first number in the params of the next notification.
async fn number(receiver: &mut Receiver) -> u32 {
    match within(DEADLINE, receiver.recv()).await {
        Some(Incoming::Notification(notification, _)) => notification.params::<Vec<u32>>().unwrap()[0],
        other => panic!("{other:?}"),
    }
}

/// A command of a shell that tells a number in a notification.
fn tell(number: &str) -> String {
    format!(r#"printf '{{"jsonrpc":"2.0","method":"tell","params":[%d]}}\n' {number}"#)
}

#[track_caller]
fn exit_of(error: &Error) -> &ProcessExit {
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    match error.close_reason() {
        Some(CloseReason::ChildExited(exit)) => exit,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_exited(reason: &Arc<CloseReason>, code: i32) {
    assert!(matches!(&**reason, CloseReason::ChildExited(exit) if exit.code == Some(code)), "{reason:?}");
}

/// Kills the child while three calls run; `before` is what its script does first.
async fn killed_while_calls_run(before: &str) {
    let script = format!(
        "{before} {}; echo first >&2; read -r line; echo last >&2; {}; while :; do sleep 1000; done",
        tell("$$"),
        tell("1")
    );
    let (caller, mut endpoint) = start(shell(script).ladder(patient()));
    let group = number(&mut endpoint.receiver).await;
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.request("never", &()).await })
        })
        .collect();
    // It has read a request.
    number(&mut endpoint.receiver).await;
    let killed = Instant::now();
    kill(group);
    for call in calls {
        let error = within(AT_ONCE, call).await.unwrap().unwrap_err();
        let exit = exit_of(&error);
        assert_eq!((exit.code, exit.signal), (None, Some(9)));
        assert_eq!(exit.stderr_tail, ["first", "last"]);
        assert_eq!(error.to_string(), "the child was ended by signal 9");
    }
    let reason = within(AT_ONCE, endpoint.control.closed()).await;
    assert!(killed.elapsed() < AT_ONCE);
    assert!(matches!(&*reason, CloseReason::ChildExited(exit) if exit.signal == Some(9)), "{reason:?}");
    assert!(within(AT_ONCE, endpoint.receiver.recv()).await.is_none());
    // Later calls end likewise.
    assert_eq!(exit_of(&caller.request("late", &()).await.unwrap_err()).signal, Some(9));
    let health = endpoint.control.health();
    assert_eq!((health.state, health.pending, health.in_flight), (State::Closed, 0, 0));
    assert_all_gone(group).await;
}

#[tokio::test]
async fn kill_ends_running_calls_with_signal_and_last_words() {
    killed_while_calls_run("").await;
}

#[tokio::test]
async fn kill_ends_running_calls_when_a_grandchild_keeps_the_pipes() {
    killed_while_calls_run("sleep 1000 & ").await;
}

#[tokio::test]
async fn kill_ends_running_calls_when_a_deaf_grandchild_keeps_the_pipes() {
    killed_while_calls_run("(trap '' TERM; while :; do sleep 1000; done) & ").await;
}

/// What the grandchild writes is always there to be read, so nothing but counting gets beyond it.
#[tokio::test]
async fn a_grandchild_that_never_stops_writing_hides_no_exit() {
    let (caller, mut endpoint) = start(habits(&["torrent"]).ladder(patient()));
    let mut read = 0;
    let reader = tokio::spawn(async move {
        while endpoint.receiver.recv().await.is_some() {
            read += 1;
        }
        read
    });
    let error = within(DEADLINE, caller.request("exit", &())).await.unwrap_err();
    assert_eq!(exit_of(&error).code, Some(3));
    assert!(within(DEADLINE, reader).await.unwrap() > 0);
}

/// The last answer is never lost, with and without its line feed, whatever comes first: the end of the pipe or the
/// news of the exit.
#[tokio::test]
async fn the_answer_of_a_child_that_exits_right_after_it_arrives() {
    for round in 0..200 {
        let feed = if round % 2 == 0 { "\\n" } else { "" };
        let background = if round % 4 < 2 { "" } else { "sleep 1000 & " };
        let code = round % 3;
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":"#;
        let script = format!("{background}read -r line; printf '{answer}{round}}}{feed}'; exit {code}");
        let (caller, endpoint) = start(shell(script).ladder(patient().linger(Duration::from_millis(20))));
        let response = within(DEADLINE, caller.request("last", &())).await.unwrap();
        assert_eq!(response.result_raw(), Some(round.to_string().as_bytes()));
        assert_exited(&within(DEADLINE, endpoint.control.closed()).await, code);
    }
}

/// Much is still in the pipe when the child has gone, and its reader takes its time.
#[tokio::test]
async fn what_a_child_left_in_the_pipe_is_read_by_a_slow_reader() {
    let line = format!(r#"{{"jsonrpc":"2.0","method":"tell","params":[0,"{}"]}}"#, "x".repeat(1000));
    for background in ["", "sleep 1000 & "] {
        let script = format!(
            "{background}for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6; do echo '{line}'; done; done; exit 4"
        );
        let ladder = patient().linger(Duration::from_millis(1));
        let limits = mcp_transport_core::Limits::default().with_inbound_count(1);
        let options = mcp_transport_core::Options::default().with_limits(limits);
        let mut endpoint =
            StdioClient::new(shell(script).ladder(ladder)).with_options(options).start().unwrap().spawn();
        let mut read = 0;
        while let Some(incoming) = within(DEADLINE, endpoint.receiver.recv()).await {
            assert!(matches!(incoming, Incoming::Notification(..)), "{incoming:?}");
            read += 1;
            // Its own pace: longer than the linger.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(read, 60);
        assert_exited(&within(DEADLINE, endpoint.control.closed()).await, 4);
    }
}

#[tokio::test]
async fn a_child_that_exits_at_once_says_how() {
    let (caller, endpoint) = start(shell("echo 'no such option' >&2; exit 64").ladder(patient()));
    let error = within(DEADLINE, caller.request("initialize", &())).await.unwrap_err();
    assert_eq!(exit_of(&error).code, Some(64));
    assert_eq!(exit_of(&error).stderr_tail, ["no such option"]);
    assert_exited(&within(DEADLINE, endpoint.control.closed()).await, 64);
}

#[tokio::test]
async fn a_child_that_closes_its_stdout_and_lives_has_closed() {
    let script = format!("{}; exec 1>&-; read -r line; read -r line; exit 5", tell("$$"));
    let (caller, mut endpoint) = start(shell(script).ladder(patient()));
    let group = number(&mut endpoint.receiver).await;
    let error = within(DEADLINE, caller.request("never", &())).await.unwrap_err();
    assert!(matches!(error.close_reason(), Some(CloseReason::PeerClosed)), "{error}");
    let reason = within(DEADLINE, endpoint.control.closed()).await;
    assert!(matches!(&*reason, CloseReason::PeerClosed), "{reason:?}");
    // The end of its input ended it.
    assert_all_gone(group).await;
}

/// A write that fails tells nothing, so for a moment the input may tell more.
#[tokio::test]
async fn a_child_that_closes_its_stdin_and_exits_is_told_by_its_exit() {
    let script = format!("exec 0<&-; {}; sleep 0.1; echo last >&2; exit 7", tell("$$"));
    let (caller, mut endpoint) = start(shell(script).ladder(patient()));
    let group = number(&mut endpoint.receiver).await;
    let error = within(DEADLINE, caller.request("never", &())).await.unwrap_err();
    assert_eq!(exit_of(&error).code, Some(7));
    assert_eq!(exit_of(&error).stderr_tail, ["last"]);
    assert_exited(&within(DEADLINE, endpoint.control.closed()).await, 7);
    assert_all_gone(group).await;
}

#[tokio::test]
async fn a_child_that_closes_its_stdin_and_lives_is_a_broken_pipe() {
    let script = format!("exec 0<&-; {}; while :; do sleep 1000; done", tell("$$"));
    let ladder = Ladder::default().after_eof(Duration::from_millis(20));
    let (caller, mut endpoint) = start(shell(script).ladder(ladder));
    let group = number(&mut endpoint.receiver).await;
    let error = within(DEADLINE, caller.request("never", &())).await.unwrap_err();
    let Some(CloseReason::Io(io)) = error.close_reason() else { panic!("{error:?}") };
    assert_eq!(io.kind(), std::io::ErrorKind::BrokenPipe);
    within(DEADLINE, endpoint.control.closed()).await;
    assert_all_gone(group).await;
}

/// A question of the child's that is being answered is no reason to wait for anything.
#[tokio::test]
async fn an_exit_ends_the_exchanges_too() {
    let ask = r#"echo '{"jsonrpc":"2.0","id":"q","method":"question"}'"#;
    for background in ["", "sleep 1000 & "] {
        let script = format!("{background}{}; {ask}; read -r line; exit 3", tell("$$"));
        let (caller, mut endpoint) = start(shell(script).ladder(patient()));
        let group = number(&mut endpoint.receiver).await;
        let Some(Incoming::Request(exchange)) = within(DEADLINE, endpoint.receiver.recv()).await else {
            panic!()
        };
        let error = within(AT_ONCE, caller.request("never", &())).await.unwrap_err();
        assert_eq!(exit_of(&error).code, Some(3));
        // Nobody is there to be answered, so nobody has to be waited for.
        within(AT_ONCE, exchange.responder().cancelled()).await;
        assert_exited(&within(AT_ONCE, endpoint.control.closed()).await, 3);
        assert_all_gone(group).await;
    }
}

#[tokio::test]
async fn no_end_is_mistaken_for_a_late_answer() {
    let (caller, endpoint) = start(habits(&[]).ladder(patient()));
    let options = CallOptions::timeout(Duration::from_millis(50));
    let error = caller.request_with("stubborn", &[200], &options).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    // In order: by now the late answer is here, or was never sent because of the cancellation.
    let response = within(DEADLINE, caller.request("late", &[400])).await.unwrap();
    assert_eq!(response.result_raw(), Some(&b"\"late\""[..]));
    assert!(endpoint.control.health().unmatched <= 1);
    endpoint.control.shutdown();
    within(DEADLINE, endpoint.control.closed()).await;
}

#[tokio::test]
async fn a_hundred_ends_leave_no_zombie() {
    let before = zombies();
    for _ in 0..100 {
        let (caller, endpoint) = start(shell("exit 0").ladder(patient()));
        let _ = within(DEADLINE, caller.request("never", &())).await.unwrap_err();
        drop(endpoint);
    }
    eventually("no zombie", || zombies() <= before).await;
}

fn zombies() -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        process(*pid).is_some_and(|(state, parent, _)| state == 'Z' && parent == std::process::id())
    })
    .count()
}
