//! A stdio server as a process: how it serves, and how it ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod programs;
mod session;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use programs::example;
use session::{DEADLINE, Session};

/// From the end of its last work to the end of the process, which takes some milliseconds.
const PROMPT: Duration = Duration::from_secs(1);

fn habits(words: &[&str]) -> Command {
    let mut command = Command::new(example("habits"));
    command.args(words).stderr(Stdio::null());
    command
}

/// Runs `work` in a thread, and fails when it does not end in time.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(DEADLINE).expect("in time and without panic")
}

/// Waits for the end of a process, which has to be successful.
fn ended(mut child: Child) {
    let status = in_time(move || child.wait().unwrap());
    assert!(status.success(), "{status}");
}

fn request(id: usize, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

#[test]
fn the_end_of_input_finishes_what_was_accepted_and_then_the_process() {
    for words in [&[][..], &["ticker"], &["multi"], &["multi", "ticker"]] {
        let mut session = Session::start(example("habits"), words);
        for id in 0..20 {
            session.send(request(id, "late", "[200]").as_bytes());
        }
        session.send(request(20, "echo", "[1]").as_bytes());
        session.end_input();
        assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":20,"result":[1]}"#);
        let mut answered = Vec::new();
        for _ in 0..20 {
            let answer: serde_json::Value = serde_json::from_str(&session.line()).unwrap();
            assert_eq!(answer["result"], "late");
            answered.push(answer["id"].as_u64().unwrap());
        }
        answered.sort_unstable();
        assert!(answered.into_iter().eq(0..20));
        let (stdout, stderr) = session.finish(PROMPT);
        assert!(stdout.is_empty());
        assert_eq!(stderr[0], "end: the peer closed the connection");
        assert!(
            stderr[1].starts_with("health: in flight 0, malformed 0, refused 0, unmatched 0"),
            "{stderr:?}"
        );
    }
}

#[test]
fn a_handler_that_never_ends_is_waited_for_within_bounds() {
    let mut session = Session::start(example("habits"), &["hasty"]);
    session.send(request(1, "stubborn", "[1000000]").as_bytes());
    session.send(request(2, "never", "[]").as_bytes());
    session.send(request(3, "echo", "[]").as_bytes());
    assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":3,"result":[]}"#);
    let (_, stderr) = session.finish(PROMPT);
    assert_eq!(stderr[0], "end: the peer closed the connection");
}

#[test]
fn what_a_handler_prints_is_no_part_of_the_protocol() {
    let mut session = Session::start(example("habits"), &[]);
    session.send(request(1, "print", "[]").as_bytes());
    assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":1,"result":"printed"}"#);
    assert_eq!(session.stderr_line(), "stray print");
    session.end();
}

#[test]
fn a_last_line_without_its_end_is_answered() {
    let mut child = habits(&[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request(1, "echo", "[]").as_bytes()).unwrap();
    let stdout = child.stdout.take().unwrap();
    let text = in_time(|| std::io::read_to_string(stdout).unwrap());
    assert_eq!(text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}\n");
    ended(child);
}

#[test]
fn a_broken_stdout_ends_it() {
    for words in [&[][..], &["multi", "ticker"]] {
        let mut child = habits(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        drop(child.stdout.take());
        // Accepted, and never answered by itself: nothing of this keeps it.
        writeln!(stdin, "{}", request(1, "never", "[]")).unwrap();
        // More than one, because a program that another test has just forked may hold our end for a moment.
        in_time(move || while writeln!(stdin, "{}", request(2, "echo", "[]")).is_ok() {});
        ended(child);
    }
}

/// A peer that reads nothing and is gone: what cannot be written is given up when its time has passed.
#[test]
fn a_stdout_that_nobody_reads_holds_nothing_up_for_ever() {
    let large = format!("[\"{}\"]", "x".repeat(1 << 20));
    // A pipe; a socket; and a terminal, to which only a thread can write.
    for kind in 0..3 {
        let (theirs, ours) = UnixStream::pair().unwrap();
        let (unread, typed) = terminal();
        let mut command = habits(&["hasty"]);
        command.stdin(Stdio::piped());
        match kind {
            0 => command.stdout(Stdio::piped()),
            1 => command.stdout(OwnedFd::from(theirs)),
            _ => command.stdout(typed),
        };
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", request(1, "echo", &large)).unwrap();
        drop(stdin);
        let pipe = child.stdout.take();
        let mut waiting = child;
        let status = in_time(move || {
            let begun = Instant::now();
            while begun.elapsed() < DEADLINE / 2 {
                if let Some(status) = waiting.try_wait().unwrap() {
                    return Some(status);
                }
                // A pause between two looks: the standard library has no wait with a time-out.
                thread::sleep(Duration::from_millis(2));
            }
            waiting.kill().unwrap();
            waiting.wait().unwrap();
            None
        });
        assert!(status.is_some_and(|status| status.success()), "kind {kind}: {status:?}");
        drop((pipe, ours, unread));
    }
}

#[test]
fn nothing_to_read() {
    let child = habits(&[]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let output = in_time(|| child.wait_with_output().unwrap());
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(begun.elapsed() < PROMPT + PROMPT);
}

#[test]
fn from_a_file_to_a_file() {
    let directory = std::env::temp_dir();
    let name = |what: &str| directory.join(format!("mcp-stdio-server-{what}-{}", std::process::id()));
    let (input, output) = (name("in"), name("out"));
    let lines: String = (0..2000).map(|id| request(id, "echo", "[\"from a file\"]") + "\n").collect();
    std::fs::write(&input, lines).unwrap();
    let stdout = File::create(&output).unwrap();
    ended(habits(&[]).stdin(File::open(&input).unwrap()).stdout(stdout).spawn().unwrap());
    let text = std::fs::read_to_string(&output).unwrap();
    assert_eq!(text.lines().count(), 2000);
    for (id, line) in text.lines().enumerate() {
        assert_eq!(line, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":["from a file"]}}"#));
    }
    std::fs::remove_file(input).unwrap();
    std::fs::remove_file(output).unwrap();
}

/// A terminal: our side and theirs.
fn terminal() -> (OwnedFd, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let theirs = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    (ours, theirs)
}

#[test]
fn a_terminal_and_its_end_of_input() {
    let (ours, theirs) = terminal();
    let child = habits(&[]).stdin(theirs.try_clone().unwrap()).stdout(theirs).spawn().unwrap();
    let mut ours = File::from(ours);
    let mut reader = BufReader::new(ours.try_clone().unwrap());
    writeln!(ours, "{}", request(1, "echo", "[]")).unwrap();
    in_time(move || {
        // Once as the terminal's echo, then the answer.
        for expected in [request(1, "echo", "[]"), r#"{"jsonrpc":"2.0","id":1,"result":[]}"#.to_owned()] {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), expected);
        }
    });
    // Control-D.
    ours.write_all(b"\x04").unwrap();
    ended(child);
}

/// Writes 10,000 requests without waiting, and reads their answers in order.
fn pipelined(mut to: impl Write + Send + 'static, from: impl Read + Send + 'static) {
    const COUNT: usize = 10_000;
    let writer = thread::spawn(move || {
        let lines: String = (0..COUNT).map(|id| request(id, "echo", "{\"x\":1e2}") + "\n").collect();
        to.write_all(lines.as_bytes()).unwrap();
        // The end of input, with most answers still to come.
        drop(to);
    });
    in_time(move || {
        let mut lines = BufReader::new(from).lines();
        for id in 0..COUNT {
            assert_eq!(
                lines.next().unwrap().unwrap(),
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":1e2}}}}"#)
            );
        }
        assert!(lines.next().is_none());
    });
    writer.join().unwrap();
}

#[test]
fn ten_thousand_pipelined_requests_over_pipes() {
    for words in [&[][..], &["multi"]] {
        let mut child = habits(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        pipelined(child.stdin.take().unwrap(), child.stdout.take().unwrap());
        ended(child);
    }
}

#[test]
fn ten_thousand_pipelined_requests_over_sockets_as_node_gives_them() {
    let (stdin, to) = UnixStream::pair().unwrap();
    let (stdout, from) = UnixStream::pair().unwrap();
    let child = habits(&[]).stdin(OwnedFd::from(stdin)).stdout(OwnedFd::from(stdout)).spawn().unwrap();
    pipelined(to, from);
    ended(child);
}

/// For programs that treat all bindings alike.
#[test]
fn the_listener_accepts_once() {
    let mut session = Session::start(example("habits"), &["listener"]);
    assert_eq!(
        session.stderr_line(),
        "own: stdin and stdout cannot be taken: stdin and stdout of this process are taken already"
    );
    assert_eq!(session.stderr_line(), "second: Misuse");
    session.send(request(1, "echo", "[]").as_bytes());
    assert_eq!(session.line(), r#"{"jsonrpc":"2.0","id":1,"result":[]}"#);
    session.end();
}
