//! A server as a child: how it is started, and how it is let go.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod processes;
mod programs;

use std::error::Error as _;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_stdio::{CommandSpec, Ladder, StderrMode, StdioClient};
use mcp_transport_core::{
    Caller, CloseReason, Connection, Endpoint, ErrorKind, Incoming, Options, Receiver, Transport,
};
use tokio::time::timeout;

use processes::{DEADLINE, assert_all_gone, eventually, living};
use programs::{ANSWERS, example, habits, shell};

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("in time")
}

fn connect(spec: CommandSpec) -> Connection {
    StdioClient::new(spec).start().unwrap()
}

fn start(spec: CommandSpec) -> (Caller, Endpoint) {
    let endpoint = connect(spec).spawn();
    (Caller::new(&endpoint.sender), endpoint)
}

/// A ladder that no test climbs to its end.
fn patient() -> Ladder {
    Ladder::default().after_eof(DEADLINE).after_term(DEADLINE)
}

/// Tells the process group in a notification.
const TELL: &str = r#"printf '{"jsonrpc":"2.0","method":"tell","params":[%d]}\n' $$; "#;

async fn group(receiver: &mut Receiver) -> u32 {
    match within(receiver.recv()).await {
        Some(Incoming::Notification(notification, _)) => notification.params::<Vec<u32>>().unwrap()[0],
        other => panic!("{other:?}"),
    }
}

/// A mode of stderr and the lines so far.
fn lines() -> (StderrMode, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let theirs = lines.clone();
    let each = move |line: &str| theirs.lock().unwrap().push(line.to_owned());
    (StderrMode::Lines(Arc::new(each)), lines)
}

#[tokio::test]
async fn directory_and_environment_are_passed() {
    let answer = r#"printf '{"jsonrpc":"2.0","id":1,"result":["%s","%s","%s"]}\n' "$PWD" "$MINE" "$CARGO_MANIFEST_DIR""#;
    let directory = std::env::temp_dir().canonicalize().unwrap();
    let spec = shell(format!("read -r line; {answer}")).current_dir(&directory).env("MINE", "own value");
    let (caller, _endpoint) = start(spec);
    let response = within(caller.request("where", &())).await.unwrap();
    let result: Vec<String> = serde_json::from_slice(response.result_raw().unwrap()).unwrap();
    // Cargo gives us the last one, and nobody allowed it.
    assert_eq!(result, [directory.to_str().unwrap(), "own value", ""]);
}

#[tokio::test]
async fn what_cannot_be_started_is_refused_and_says_why() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let cases = [
        (CommandSpec::new("no-such-program"), ErrorKind::Refused, "no such program in PATH"),
        (CommandSpec::new("/no/such/program"), ErrorKind::Refused, "no such program"),
        (CommandSpec::new(&file), ErrorKind::Refused, "not executable"),
        (CommandSpec::new("cat").current_dir("/no/such"), ErrorKind::Refused, "does not exist"),
        (CommandSpec::new("cat").current_dir(&file), ErrorKind::Refused, "is not a directory"),
        (CommandSpec::new("a\0b"), ErrorKind::Io, "cannot start"),
    ];
    for (spec, kind, text) in cases {
        let mut transport = StdioClient::new(spec.arg("--token=hunter2"));
        let error = transport.dial().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{text:?} in {error}");
        assert!(error.source().is_some());
        assert!(!format!("{error:?} {error} {transport:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn one_transport_starts_a_child_for_each_connection() {
    let mut transport = StdioClient::new(shell(format!("{TELL}{ANSWERS}")).ladder(patient()))
        .with_options(Options::default().with_context(|context| context.session = Some("s".into())));
    let mut groups = Vec::new();
    for _ in 0..2 {
        let mut endpoint = transport.dial().await.unwrap().spawn();
        assert_eq!(endpoint.control.context().transport, "stdio");
        assert_eq!(endpoint.control.context().session.as_deref(), Some("s"));
        groups.push(group(&mut endpoint.receiver).await);
        assert!(within(Caller::new(&endpoint.sender).request("ask", &())).await.is_ok());
    }
    assert_ne!(groups[0], groups[1]);
}

#[tokio::test]
async fn dropping_the_connection_kills_the_group_at_once() {
    let script = format!("{TELL} trap '' TERM HUP; sleep 1000 & {ANSWERS}; while :; do sleep 1000; done");
    // By hand, while nothing runs; and in a driver, while a call does.
    let mut connection = connect(shell(&script).ladder(patient()));
    let Some(Incoming::Notification(told, _)) = within(connection.next()).await else { panic!() };
    let leader = told.params::<Vec<u32>>().unwrap()[0];
    eventually("a grandchild", || living(leader).len() >= 2).await;
    drop(connection);
    assert_all_gone(leader).await;

    let (mut endpoint, driver) = connect(shell(&script).ladder(patient())).split();
    let driver = tokio::spawn(driver);
    let leader = group(&mut endpoint.receiver).await;
    let caller = Caller::new(&endpoint.sender);
    assert!(within(caller.request("ask", &())).await.is_ok());
    driver.abort();
    let error = within(caller.request("ask", &())).await.unwrap_err();
    assert!(matches!(error.close_reason(), Some(CloseReason::ClosedHere)), "{error}");
    assert_all_gone(leader).await;
}

#[tokio::test]
async fn letting_go_of_every_handle_ends_the_input_and_waits() {
    let (mode, lines) = lines();
    let script = format!("{TELL}{ANSWERS}; echo end of input >&2; sleep 0.1; echo cleaned up >&2; exit 0");
    let (mut endpoint, driver) = connect(shell(script).ladder(patient()).stderr(mode)).split();
    let driver = tokio::spawn(driver);
    let leader = group(&mut endpoint.receiver).await;
    let caller = Caller::new(&endpoint.sender);
    drop(endpoint);
    // A caller is a handle too.
    assert!(within(caller.request("ask", &())).await.is_ok());
    drop(caller);
    let reason = within(driver).await.unwrap();
    assert!(matches!(*reason, CloseReason::ClosedHere), "{reason:?}");
    // The driver is done when the child is.
    assert!(living(leader).is_empty());
    assert_eq!(*lines.lock().unwrap(), ["end of input", "cleaned up"]);
    assert_all_gone(leader).await;
}

#[tokio::test]
async fn a_child_that_ignores_everything_is_killed_in_time() {
    let wait = Duration::from_millis(50);
    let script = format!("trap '' TERM; {TELL} sleep 1000 & while :; do sleep 1000; done");
    let ladder = Ladder::default().after_eof(wait).after_term(wait);
    let (mut endpoint, driver) = connect(shell(script).ladder(ladder)).split();
    let driver = tokio::spawn(driver);
    let leader = group(&mut endpoint.receiver).await;
    let begun = Instant::now();
    endpoint.control.close();
    let reason = within(endpoint.control.closed()).await;
    assert!(matches!(*reason, CloseReason::ClosedHere), "{reason:?}");
    within(driver).await.unwrap();
    assert!(begun.elapsed() >= 2 * wait && begun.elapsed() < DEADLINE);
    assert!(living(leader).is_empty());
    assert_all_gone(leader).await;
}

/// Its stdout is full, so it would never see the end of its input if nobody closed that too.
#[tokio::test]
async fn a_child_that_is_stuck_in_a_write_sees_the_end() {
    let script = format!(r#"{TELL} yes '{{"jsonrpc":"2.0","method":"flood"}}'; exit 3"#);
    let (mut endpoint, driver) = connect(shell(script).ladder(patient())).split();
    let driver = tokio::spawn(driver);
    let leader = group(&mut endpoint.receiver).await;
    endpoint.control.close();
    within(driver).await.unwrap();
    assert_all_gone(leader).await;
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_asked() {
    let (mut endpoint, driver) = connect(habits(&[]).ladder(patient())).split();
    let driver = tokio::spawn(driver);
    let caller = Caller::new(&endpoint.sender);
    assert!(within(caller.request("echo", &())).await.is_ok());
    let pending: Vec<_> = (0..10)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.request("late", &[100]).await })
        })
        .collect();
    while endpoint.control.health().pending < 10 {
        tokio::task::yield_now().await;
    }
    endpoint.control.shutdown();
    for call in pending {
        assert_eq!(within(call).await.unwrap().unwrap().result_raw(), Some(&b"\"late\""[..]));
    }
    let reason = within(driver).await.unwrap();
    assert!(matches!(*reason, CloseReason::ClosedHere), "{reason:?}");
    assert!(within(endpoint.receiver.recv()).await.is_none());
    assert!(within(caller.request("echo", &())).await.unwrap_err().is_closed());
}

#[tokio::test]
async fn the_child_asks_and_is_answered_while_it_is_asked() {
    let (caller, mut endpoint) = start(habits(&[]));
    let calling = tokio::spawn(async move { caller.request("ask", &()).await });
    let Some(Incoming::Request(exchange)) = within(endpoint.receiver.recv()).await else { panic!() };
    assert_eq!(exchange.request().method(), "question");
    exchange.finish(&());
    assert_eq!(within(calling).await.unwrap().unwrap().result_raw(), Some(&b"false"[..]));
}

#[test]
fn a_start_outside_a_runtime_is_an_error() {
    let error = StdioClient::new(CommandSpec::new("cat")).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
}

/// The example that teaches, with the other one as its server.
#[tokio::test]
async fn the_examples_speak_to_each_other() {
    let output = std::process::Command::new(example("client")).args(["echo"]).arg(example("server")).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{text}");
    assert_eq!(text, "result: null\nthe connection was closed here\n");

    let output = std::process::Command::new(example("unix_socket")).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(text, "\"hello\"\n");
}

#[test]
fn handles_can_be_sent_and_are_shown_without_secrets() {
    fn sent<T: Send + 'static>() {}
    sent::<StdioClient>();
    sent::<mcp_stdio::StdioListener>();
    sent::<mcp_stdio::SocketClient>();
    sent::<mcp_stdio::SocketListener>();
    let shown = format!("{:?}", StdioClient::new(CommandSpec::new("cat").arg("secret").env("A", "hidden")));
    assert!(shown.contains("cat") && !shown.contains("secret") && !shown.contains("hidden"), "{shown}");
}
