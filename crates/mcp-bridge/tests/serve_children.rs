//! The children of `serve`: one for each session, gone with it, and with the bridge.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use common::bridge::{Bridge, children_of};
use common::{bridge, kill, legacy, lives, run, server};
use serde_json::{Value, json};

const ASK: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ask/me"}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;

/// Processes with this in their arguments.
fn running(word: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let words = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    words.filter(|words| String::from_utf8_lossy(words).contains(word)).count()
}

fn until(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30));
        // Nothing tells when a process of somebody else's is gone.
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_child_comes_and_goes_with_its_session() {
    let bridge = Bridge::script(&[], &legacy("result 1"));
    let mut streams: Vec<_> = (0..20).map(|_| bridge.open()).collect();
    bridge.until_children(20);
    for (stream, number) in streams.iter_mut().zip(0..) {
        if number % 3 == 0 {
            assert_eq!(stream.ask(ASK)["result"], 1);
        }
    }
    for (stream, number) in streams.into_iter().zip(0..) {
        match number % 2 {
            0 => stream.finish(),
            // Something that was not read makes it a reset.
            _ => {
                stream.try_post(ASK);
                drop(stream);
            }
        }
    }
    bridge.until_children(0);
    assert_eq!(bridge.hello().ask(ASK)["result"], 1);
    bridge.until_children(0);
    assert!(!bridge.said().iter().any(|line| line.contains("ERROR")), "{:#?}", bridge.said());
}

#[test]
fn clients_that_come_and_go_leave_nothing() {
    let bridge = Bridge::script(&["--max-sessions", "4"], &legacy("result 1"));
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", bridge.pid)).unwrap().count();
    bridge.hello().finish();
    bridge.until_children(0);
    until(|| descriptors() < 20);
    let before = descriptors();
    for _ in 0..50 {
        let mut stream = bridge.hello();
        assert_eq!(stream.ask(ASK)["result"], 1);
        stream.finish();
    }
    bridge.until_children(0);
    until(|| descriptors() <= before);
}

/// The bridge may have more descriptors than it was started with; its children may not.
#[test]
fn many_sessions_need_many_descriptors() {
    let script = format!(
        "ulimit -Sn 256; exec {} serve --listen 127.0.0.1:0 \"$@\"",
        env!("CARGO_BIN_EXE_mcp-bridge")
    );
    let child = server(&legacy("result \"$(ulimit -Sn)\""));
    let bridge = Bridge::from(Command::new("sh").args(["-c", &script, "sh", "--", "sh", "-c", &child]));
    let mut streams: Vec<_> = (0..100).map(|_| bridge.open()).collect();
    for stream in &mut streams {
        assert_eq!(stream.ask(ASK)["result"], 256);
    }
}

#[test]
fn a_stubborn_child_is_ended_too() {
    let bridge =
        Bridge::script(&[], &legacy("trap '' TERM; sleep 4321 & result 1; while :; do sleep 1; done"));
    let mut stream = bridge.open();
    assert_eq!(stream.ask(ASK)["result"], 1);
    stream.finish();
    let started = Instant::now();
    bridge.until_children(0);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn the_death_of_a_child_is_the_end_of_its_session_and_of_no_other() {
    let bridge = Bridge::script(
        &[],
        &legacy("case $line in *die*) echo 'se\u{1b}cret' >&2; kill -9 $$;; esac; result 1"),
    );
    let (mut dies, mut lives) = (bridge.hello(), bridge.hello());
    let answer = dies.ask(r#"{"jsonrpc":"2.0","id":"d","method":"ask/me","params":{"x":"die"}}"#);
    assert_eq!(answer["id"], "d");
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["data"]["reason"]),
        (&json!(-32603), &json!("child_exited"))
    );
    assert!(!answer.to_string().contains("cret"), "{answer}");
    assert_eq!(dies.message(), None);
    assert_eq!(dies.try_post(ASK).0, 404);
    assert_eq!(lives.ask(ASK)["result"], 1);
    bridge.until_children(1);
    let line = bridge.line("ended: the child was ended by signal 9");
    assert!(line.contains(r"se\u001bcret"), "{line}");
}

#[test]
fn a_command_that_cannot_be_started() {
    run(bridge().args(["serve", "--", "no-such-program"])).failed(&["no-such-program", "PATH"]);
    run(bridge().args(["serve", "--cwd", "/no-such", "--", "cat"])).failed(&["`cat`", "/no-such"]);

    // It was there when the bridge started, and is gone when a client comes.
    let program = format!("{}/vanishes-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    fs::write(&program, "#!/bin/sh\nexec cat\n").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let bridge = Bridge::serve(&["--", &program]);
    let mut stream = bridge.open();
    assert_eq!(stream.ask(PING), serde_json::from_str::<Value>(PING).unwrap());
    fs::remove_file(&program).unwrap();
    let mut stream = bridge.open();
    let answer = stream.ask(ASK);
    assert_eq!((&answer["id"], &answer["error"]["data"]["reason"]), (&json!(1), &json!("child_exited")));
    assert_eq!(stream.message(), None);
    assert!(bridge.line("cannot start").contains(&program));

    // The system finds out what we cannot see before.
    fs::write(&program, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let _stream = bridge.open();
    bridge.line("exited with status 127");
    fs::remove_file(&program).unwrap();
}

#[test]
fn a_signal_drains() {
    let ready = "echo asked >&2; read -r go; result '\"late\"'";
    for signal in ["TERM", "INT"] {
        let mut bridge = Bridge::script(&[], &legacy(ready));
        let (mut busy, mut idle) = (bridge.hello(), bridge.hello());
        busy.post(ASK);
        // A connection that is there already can still ask how it stands.
        let mut probe = bridge.connect();
        let ask = |probe: &mut std::net::TcpStream| {
            write!(probe, "GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", bridge.address()).unwrap();
            let mut lines = BufReader::new(&*probe).lines().map(Result::unwrap);
            let status = lines.next().unwrap();
            // The body has no line end, so the head is all that can be read by lines.
            lines.find(String::is_empty);
            status
        };
        assert!(ask(&mut probe).contains("200"));
        bridge.line("asked");
        bridge.signal(signal);
        bridge.line("draining");
        assert_eq!(idle.message(), None, "an idle session ends at once");
        assert!(ask(&mut probe).contains("503"));
        assert!(std::net::TcpStream::connect(bridge.address()).is_err());
        assert_eq!(bridge.children().len(), 1);
        // The child gets its line, from whoever: it is the end of its wait.
        let pid: u32 = bridge.children()[0].parse().unwrap();
        fs::write(format!("/proc/{pid}/fd/0"), "go\n").unwrap();
        assert_eq!(busy.value()["result"], "late");
        assert_eq!(busy.message(), None);
        assert_eq!(bridge.status(), Some(0), "{signal}: {:#?}", bridge.said());
        assert!(!lives(&pid.to_string()));
    }
}

#[test]
fn what_is_not_finished_in_time_is_answered_with_an_error() {
    let mut bridge = Bridge::script(&["--shutdown-grace", "0.3"], &legacy("echo asked >&2; read -r never"));
    let mut stream = bridge.hello();
    stream.post(ASK);
    bridge.line("asked");
    bridge.signal("TERM");
    assert_eq!(stream.value()["error"]["data"]["reason"], "shutting_down");
    assert_eq!(stream.message(), None);
    assert_eq!(bridge.status(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let stubborn = "trap '' TERM; sleep 4322 & echo asked >&2; while :; do sleep 1; done";
    let mut bridge = Bridge::script(&["--shutdown-grace", "60"], &legacy(stubborn));
    let stream = bridge.hello();
    stream.post(ASK);
    bridge.line("asked");
    bridge.signal("TERM");
    bridge.line("draining");
    let started = Instant::now();
    bridge.signal("TERM");
    assert_eq!(bridge.status(), Some(143));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // The whole group is killed, and not just the child.
    until(|| running("sleep\u{0}4322") == 0);
}

#[test]
fn a_bridge_that_is_killed_leaves_no_child() {
    // Children that heed neither the end of their input nor TERM.
    let mut bridge = Bridge::script(&[], &legacy("trap '' TERM; exec sleep 4323"));
    let streams: Vec<_> = (0..3).map(|_| bridge.hello()).collect();
    streams.iter().for_each(|stream| stream.post(ASK));
    until(|| running("sleep\u{0}4323") == 3);
    bridge.signal("KILL");
    assert_eq!(bridge.status(), None);
    let started = Instant::now();
    until(|| running("sleep\u{0}4323") == 0);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_call_that_is_killed_leaves_no_child() {
    let script = server(&legacy("echo asked >&2; exec sleep 4324"));
    let mut call = bridge().args(["call", "ask/me", "--", "sh", "-c", &script]).spawn().unwrap();
    until(|| running("sleep\u{0}4324") == 1);
    assert_eq!(children_of(call.id()).len(), 1);
    kill("KILL", call.id());
    call.wait().unwrap();
    until(|| running("sleep\u{0}4324") == 0);
}

#[test]
fn what_takes_too_long_is_answered_and_cancelled() {
    let bridge = Bridge::script(
        &["--request-timeout", "0.3"],
        &legacy(
            "read -r told; echo \"$told\" >&2; read -r next; printf '%s\\n' '{\"jsonrpc\":\"2.0\",\"method\":\"n\"}'",
        ),
    );
    let mut stream = bridge.hello();
    stream.post(ASK);
    assert_eq!(stream.value()["error"]["data"]["reason"], "timeout");
    let told = bridge.line("notifications/cancelled");
    assert!(told.contains("requestId"), "{told}");
    // The session goes on.
    stream.post(ASK);
    assert_eq!(stream.value()["method"], "n");
}
