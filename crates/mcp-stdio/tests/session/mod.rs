//! A server over pipes, line by line, as any program would speak to it.

#![allow(dead_code, reason = "each test program takes what it needs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// For everything that should take no time at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running server, killed when a test fails.
pub(crate) struct Session {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// The lines of a stream, read by a thread of its own.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = sync_channel(100_000);
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            if line.map(|line| to.send(line)).is_err() {
                return;
            }
        }
    });
    lines
}

impl Session {
    pub(crate) fn start(program: PathBuf, words: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Self { child, stdin, stdout: lines(stdout.unwrap()), stderr: lines(stderr.unwrap()) }
    }

    /// Sends a line.
    pub(crate) fn send(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(line).unwrap();
        stdin.write_all(b"\n").unwrap();
    }

    /// The next line of stdout.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(DEADLINE).expect("a line")
    }

    /// The next line of stderr.
    pub(crate) fn stderr_line(&self) -> String {
        self.stderr.recv_timeout(DEADLINE).expect("a line of stderr")
    }

    /// Ends the input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Ends the input, and the process with it, successfully and in time; what was left of stdout, which is nothing but
    /// what the test expects, and of stderr.
    pub(crate) fn finish(mut self, limit: Duration) -> (Vec<String>, Vec<String>) {
        self.end_input();
        let ended = Instant::now();
        let rest = |lines: &Receiver<String>| {
            let mut rest = Vec::new();
            // The thread lets go of its end when the process has let go of the stream.
            while let Ok(line) = lines.recv_timeout(limit) {
                rest.push(line);
            }
            rest
        };
        let rest = (rest(&self.stdout), rest(&self.stderr));
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(ended.elapsed() < limit, "the process to end: {rest:?}"),
            }
            // A pause between two looks: the standard library has no wait with a time-out.
            thread::sleep(Duration::from_millis(1));
        };
        assert!(ended.elapsed() < limit, "{:?}", ended.elapsed());
        assert!(status.success(), "{status} {rest:?}");
        rest
    }

    /// As [`Session::finish`], with nothing left on stdout.
    pub(crate) fn end(self) -> Vec<String> {
        let (stdout, stderr) = self.finish(DEADLINE);
        assert!(stdout.is_empty(), "{stdout:?}");
        stderr
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
