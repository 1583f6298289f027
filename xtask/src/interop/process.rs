//! Runs a program to its end or its deadline.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::capture::{Capture, tail};
use super::family::AFTERWARDS;

/// What was seen of a program.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The deadline passed, and its process group was killed.
    late: Option<Duration>,
}

impl Seen {
    /// It ended in time.
    pub(crate) fn orderly(&self) -> Result<(), String> {
        if let Some(deadline) = self.late {
            return Err(format!("not done after {} s", deadline.as_secs()));
        }
        Ok(())
    }

    /// How it ended, and its last lines.
    pub(crate) fn report(&self) -> String {
        format!("{}\nstdout:\n{}\nstderr:\n{}", self.status, tail(&self.stdout), tail(&self.stderr))
    }

    #[cfg(test)]
    pub(super) fn ended(status: ExitStatus, stdout: &str, stderr: &str) -> Self {
        let (stdout, stderr) = (stdout.into(), stderr.into());
        Self { status, stdout, stderr, late: None }
    }
}

/// A program that runs, without input, in a process group of its own.
#[derive(Debug)]
pub(crate) struct Process {
    started: Instant,
    /// Its own id, and its group's.
    pid: Pid,
    exit: Receiver<io::Result<ExitStatus>>,
    status: Option<io::Result<ExitStatus>>,
    stdout: Capture,
    stderr: Capture,
    /// A token when there is new output.
    news: Receiver<()>,
}

/// Runs `command` until it ends or `deadline` has passed.
pub(crate) fn run(command: Command, deadline: Duration) -> io::Result<Seen> {
    Process::start(command)?.end(Instant::now() + deadline)
}

impl Process {
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let started = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a process id that is none"))?;
        let (sender, news) = mpsc::sync_channel(1);
        let stdout = Capture::start(child.stdout.take(), sender.clone());
        let stderr = Capture::start(child.stderr.take(), sender);
        Ok(Self { started, pid, exit: exit_of(child), status: None, stdout, stderr, news })
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// What `look` makes of the first line, of either output, that it makes something of.
    ///
    /// Nothing when there is no such line until then, or both outputs have ended without one.
    pub(crate) fn said<T>(&self, until: Instant, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        loop {
            for text in [self.stdout.text(), self.stderr.text()] {
                // The last line may be half a line.
                let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
                if let Some(found) = whole.lines().find_map(&look) {
                    return Some(found);
                }
            }
            self.news.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
        }
    }

    /// Whether it has ended, waiting for that until then.
    pub(crate) fn has_ended(&mut self, until: Instant) -> bool {
        if self.status.is_none() {
            self.status = match self.exit.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(status) => Some(status),
                Err(RecvTimeoutError::Timeout) => None,
                Err(error) => Some(Err(io::Error::other(error))),
            };
        }
        self.status.is_some()
    }

    /// Asks it, and nobody else in its group, to end.
    pub(crate) fn terminate(&mut self) {
        // Its id is its own only until its end has been seen.
        if !self.has_ended(Instant::now()) {
            let _ = kill_process(self.pid, Signal::TERM);
        }
    }

    /// Waits for its end until then, and kills whoever is left of its group.
    pub(crate) fn end(mut self, until: Instant) -> io::Result<Seen> {
        let mut late = None;
        if !self.has_ended(until) {
            late = Some(self.started.elapsed());
            self.kill_group();
        }
        let status = match self.status.take() {
            Some(status) => status?,
            None => self.exit.recv().map_err(io::Error::other)??,
        };
        let patience = Instant::now() + AFTERWARDS;
        self.stdout.finished(patience);
        self.stderr.finished(patience);
        self.kill_group();
        Ok(Seen { status, stdout: self.stdout.text(), stderr: self.stderr.text(), late })
    }

    fn kill_group(&self) {
        // Nobody left in it is what is hoped for.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

fn exit_of(mut child: Child) -> Receiver<io::Result<ExitStatus>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_status_are_seen() {
        let seen = run(shell("echo out; echo err >&2; exit 3"), Duration::from_secs(20)).unwrap();
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(seen.status.code(), Some(3));
        assert!(seen.report().contains("  err\n"));
    }

    #[test]
    fn the_group_is_killed_at_the_deadline() {
        let start = Instant::now();
        let seen = run(shell("echo first; sleep 600 & sleep 600"), Duration::from_millis(200)).unwrap();
        assert_eq!(seen.stdout, "first\n");
        assert_eq!(seen.orderly(), Err("not done after 0 s".into()));
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_line_is_seen_while_the_program_runs() {
        let until = Instant::now() + Duration::from_secs(20);
        let number = |line: &str| line.strip_prefix("port ").map(str::to_owned);
        let mut process =
            Process::start(shell("echo first; printf port >&2; echo ' 17' >&2; exec sleep 600")).unwrap();
        assert_eq!(process.said(until, number), Some("17".into()));
        process.terminate();
        let seen = process.end(until).unwrap();
        assert!(seen.orderly().is_ok() && !seen.status.success(), "{seen:?}");

        let silent = Process::start(shell("echo first; echo port; printf 'port 17'")).unwrap();
        assert_eq!(silent.said(until, number), None);
        silent.end(until).unwrap();
        assert!(Instant::now() < until);
    }
}
