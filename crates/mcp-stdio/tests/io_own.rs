//! One's own stdin and stdout, as every kind of parent gives them.
//!
//! The example `echo_lines` is the process under test.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};

/// For everything that should take no time at all.
const DEADLINE: Duration = Duration::from_secs(20);
/// From the end of input to the end of the process, which takes some milliseconds.
const PROMPT: Duration = Duration::from_secs(1);

/// The example's program, which cargo builds beside the tests unless it was told to build some
/// tests only.
fn echo_lines() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().unwrap().parent().unwrap();
        let program = profile.join("examples/echo_lines");
        if !program.exists() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "--offline", "--example", "echo_lines"]);
            cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
            cargo.env("CARGO_TARGET_DIR", profile.parent().unwrap());
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success());
        }
        program
    });
    Command::new(program)
}

/// Runs `work` in a thread, and fails when it does not end in time.
fn in_time<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(limit).expect("in time and without panic")
}

/// A running server, killed when a test fails.
struct Server {
    child: std::process::Child,
    stderr: Option<mpsc::Receiver<String>>,
}

impl Server {
    fn start(stdin: impl Into<Stdio>, stdout: impl Into<Stdio>, words: &[&str]) -> Self {
        let mut command = echo_lines();
        command.args(words).stdin(stdin).stdout(stdout);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (done, text) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            done.send(text)
        });
        let stderr = Some(text);
        Self { child, stderr }
    }

    /// Waits for the end of the process; its status and all of its stderr.
    fn end_within(mut self, limit: Duration) -> (ExitStatus, String) {
        // stderr ends when the process does.
        let text = self.stderr.take().unwrap();
        let text = text.recv_timeout(limit).expect("the server to end");
        (self.child.wait().unwrap(), text)
    }

    /// As [`Self::end_within`], successfully, having told of these ways.
    fn end(self, ways: &str) -> String {
        let (status, stderr) = self.end_within(DEADLINE);
        assert!(status.success(), "{status}: {stderr}");
        assert!(stderr.starts_with(&format!("ways: {ways}\n")), "{stderr}");
        stderr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

fn nonblocking(fd: impl AsFd) -> bool {
    let flags = rustix::fs::fcntl_getfl(fd).unwrap();
    flags.contains(OFlags::NONBLOCK)
}

/// Sends lines and reads them back, then ends the input and reads to the end.
fn converse<W: Write + Send + 'static>(mut to: W, from: impl Read + Send + 'static) {
    in_time(DEADLINE, move || {
        let mut from = BufReader::new(from);
        for line in ["first\n", "\n", "last\n"] {
            to.write_all(line.as_bytes()).unwrap();
            let mut back = String::new();
            from.read_line(&mut back).unwrap();
            assert_eq!(back, line);
        }
        drop(to);
        let mut rest = String::new();
        from.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    });
}

#[test]
fn pipes_are_reopened_and_stray_output_goes_to_stderr() {
    let (input, to) = pipe();
    let (from, output) = pipe();
    let theirs = (input.try_clone().unwrap(), output.try_clone().unwrap());
    let server = Server::start(input, output, &["again", "child"]);
    let mut to = File::from(to);
    let mut from = BufReader::new(File::from(from));
    let (to, back) = in_time(DEADLINE, move || {
        to.write_all(b"one\n").unwrap();
        let mut back = String::new();
        from.read_line(&mut back).unwrap();
        (to, back)
    });
    assert_eq!(back, "one\n");
    // While it runs, and through the very descriptions that it was given.
    assert!(!nonblocking(&theirs.0) && !nonblocking(&theirs.1));
    drop(to);
    let stderr = server.end("Pipe Pipe");
    for expected in ["again: AlreadyExists", "stray\n", "stray print\n", "end\n"] {
        assert!(stderr.contains(expected), "{expected:?} in {stderr}");
    }
    assert!(!nonblocking(&theirs.0) && !nonblocking(&theirs.1));
}

#[test]
fn sockets_as_node_gives_them() {
    let (input, to) = UnixStream::pair().unwrap();
    let (output, from) = UnixStream::pair().unwrap();
    let server = Server::start(OwnedFd::from(input), OwnedFd::from(output), &[]);
    converse(to, from);
    server.end("Socket Socket");
}

/// The writing side of a socket whose other side is still read.
struct HalfClose<S: Write>(S, fn(&S));

impl<S: Write> Write for HalfClose<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl<S: Write> Drop for HalfClose<S> {
    fn drop(&mut self) {
        (self.1)(&self.0);
    }
}

#[test]
fn one_socket_for_both_directions() {
    let (theirs, ours) = UnixStream::pair().unwrap();
    let theirs = OwnedFd::from(theirs);
    let server = Server::start(theirs.try_clone().unwrap(), theirs, &[]);
    let to = HalfClose(ours.try_clone().unwrap(), |socket: &UnixStream| {
        socket.shutdown(std::net::Shutdown::Write).unwrap();
    });
    converse(to, ours);
    server.end("Socket Socket");
}

#[test]
fn a_tcp_connection_as_inetd_gives_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let theirs = OwnedFd::from(listener.accept().unwrap().0);
    let server = Server::start(theirs.try_clone().unwrap(), theirs, &[]);
    let to = HalfClose(ours.try_clone().unwrap(), |socket: &TcpStream| {
        socket.shutdown(std::net::Shutdown::Write).unwrap();
    });
    converse(to, ours);
    server.end("Socket Socket");
}

#[test]
fn a_socket_that_is_stderr_too_is_left_blocking() {
    let (input, to) = pipe();
    let (output, from) = UnixStream::pair().unwrap();
    let kept = output.try_clone().unwrap();
    let output = OwnedFd::from(output);
    let mut command = echo_lines();
    command.stdin(input).stdout(output.try_clone().unwrap());
    let mut child = command.stderr(output).spawn().unwrap();
    drop(command);
    File::from(to).write_all(b"line\n").unwrap();
    let status = in_time(DEADLINE, move || child.wait().unwrap());
    assert!(status.success());
    assert!(!nonblocking(&kept));
    drop(kept);
    let mut text = String::new();
    BufReader::new(from).read_to_string(&mut text).unwrap();
    assert_eq!(text, "ways: Pipe Blocking\nstray print\nline\nend\n");
}

#[test]
fn nothing_to_read() {
    let (from, output) = pipe();
    let server = Server::start(Stdio::null(), output, &[]);
    server.end("Blocking Pipe");
    assert_eq!(std::io::read_to_string(File::from(from)).unwrap(), "");
}

/// A directory of a test's own, removed with it.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("mcp-stdio-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn from_a_file_to_a_file() {
    let directory = Directory::new("files");
    let (input, output) = (directory.0.join("in"), directory.0.join("out"));
    // More than the thread may hold, so that it has to wait for room.
    let text: String = (0..10_000).map(|n| format!("line {n:0100}\n")).collect();
    std::fs::write(&input, &text).unwrap();
    let stdout = File::create(&output).unwrap();
    let server = Server::start(File::open(&input).unwrap(), stdout, &[]);
    server.end("Blocking Blocking");
    assert!(std::fs::read_to_string(&output).unwrap() == text);
}

fn flooded() -> String {
    (0..100_000).map(|n| format!("{n:07}\n")).collect()
}

#[test]
fn a_flood_into_a_file_is_whole_and_in_order() {
    let directory = Directory::new("flood");
    let output = directory.0.join("out");
    let stdout = File::create(&output).unwrap();
    let stderr = Server::start(Stdio::null(), stdout, &["flood"]).end("Blocking Blocking");
    assert!(stderr.ends_with("flood: all\n"), "{stderr}");
    assert!(std::fs::read_to_string(&output).unwrap() == flooded());
}

#[test]
fn a_flood_into_a_pipe_is_whole_and_in_order() {
    let (from, output) = pipe();
    let server = Server::start(Stdio::null(), output, &["flood"]);
    let text = in_time(DEADLINE, || std::io::read_to_string(File::from(from)));
    server.end("Blocking Pipe");
    assert!(text.unwrap() == flooded());
}

#[test]
fn a_full_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let stderr = Server::start(Stdio::null(), full, &["flood"]).end("Blocking Blocking");
    assert!(stderr.ends_with("flood: StorageFull\n"), "{stderr}");
}

#[test]
fn a_reader_that_has_gone_is_an_error() {
    let (from, output) = pipe();
    drop(from);
    let stderr = Server::start(Stdio::null(), output, &["flood"]).end("Blocking Pipe");
    assert!(stderr.ends_with("flood: BrokenPipe\n"), "{stderr}");

    let (output, from) = UnixStream::pair().unwrap();
    drop(from);
    let output = OwnedFd::from(output);
    let stderr = Server::start(Stdio::null(), output, &["flood"]).end("Blocking Socket");
    assert!(stderr.ends_with("flood: BrokenPipe\n"), "{stderr}");
}

#[test]
fn a_reader_that_goes_in_the_middle_is_an_error() {
    let (from, output) = pipe();
    let server = Server::start(Stdio::null(), output, &["flood"]);
    let mut from = BufReader::new(File::from(from));
    in_time(DEADLINE, move || from.read_line(&mut String::new()).unwrap());
    let stderr = server.end("Blocking Pipe");
    assert!(stderr.ends_with("flood: BrokenPipe\n"), "{stderr}");
}

#[test]
fn a_named_pipe_ends_with_its_writer() {
    let directory = Directory::new("fifo");
    let path = directory.0.join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let writing = path.clone();
    let writer = thread::spawn(move || std::fs::write(writing, "through\n").unwrap());
    let input = in_time(DEADLINE, move || File::open(path).unwrap());
    // The writer has gone before the server looks.
    writer.join().unwrap();
    let (from, output) = pipe();
    let server = Server::start(input, output, &[]);
    server.end("PipeInPlace Pipe");
    let text = std::io::read_to_string(File::from(from)).unwrap();
    assert_eq!(text, "through\n");
}

#[test]
fn the_process_ends_promptly_after_its_input_whatever_else_runs() {
    for words in [&[][..], &["ticker"]] {
        for sockets in [false, true] {
            let (input, mut to): (OwnedFd, Box<dyn Write>) = if sockets {
                let (input, to) = UnixStream::pair().unwrap();
                (input.into(), Box::new(to))
            } else {
                let (input, to) = pipe();
                (input, Box::new(File::from(to)))
            };
            let (from, output) = pipe();
            let server = Server::start(input, output, words);
            to.write_all(b"up\n").unwrap();
            let mut from = BufReader::new(File::from(from));
            in_time(DEADLINE, move || {
                let mut line = String::new();
                from.read_line(&mut line).unwrap();
                assert_eq!(line, "up\n");
            });
            let ended = Instant::now();
            drop(to);
            let (status, stderr) = server.end_within(PROMPT);
            assert!(status.success(), "{stderr}");
            assert!(ended.elapsed() < PROMPT);
        }
    }
}

/// A terminal: our side and theirs.
fn terminal() -> (File, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    (File::from(ours), theirs)
}

#[test]
fn a_terminal_and_its_end_of_input() {
    let (mut ours, theirs) = terminal();
    // Node does this to terminals that it shares with us.
    let flags = rustix::fs::fcntl_getfl(&theirs).unwrap();
    for extra in [OFlags::empty(), OFlags::NONBLOCK] {
        rustix::fs::fcntl_setfl(&theirs, flags | extra).unwrap();
        let stdin = theirs.try_clone().unwrap();
        let server = Server::start(stdin, theirs.try_clone().unwrap(), &[]);
        let mut reader = BufReader::new(ours.try_clone().unwrap());
        ours.write_all(b"typed\n").unwrap();
        in_time(DEADLINE, move || {
            // Once as the terminal's echo, once from the server.
            for _ in 0..2 {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                assert_eq!(line, "typed\r\n");
            }
        });
        // Control-D.
        ours.write_all(b"\x04").unwrap();
        server.end("Blocking Blocking");
    }
}

#[test]
fn a_read_of_a_terminal_keeps_no_process_alive() {
    let (ours, theirs) = terminal();
    let server = Server::start(theirs, Stdio::null(), &["flood"]);
    let stderr = server.end("Blocking Blocking");
    assert!(stderr.ends_with("flood: all\n"), "{stderr}");
    drop(ours);
}

#[test]
fn a_stdin_that_cannot_be_read_is_refused() {
    let (_from, not_for_reading) = pipe();
    let server = Server::start(not_for_reading, Stdio::null(), &[]);
    let (status, stderr) = server.end_within(DEADLINE);
    assert!(!status.success());
    assert!(stderr.contains("stdin is not open for reading"), "{stderr}");
}
