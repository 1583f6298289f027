//! How a child's exit is noticed, and what is told about it.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use rustix::process::Pid;

use super::group::{Peek, wait_unreaped};

/// The exit status of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildStatus {
    code: Option<i32>,
    signal: Option<i32>,
}

impl ChildStatus {
    /// For a process whose status nobody can tell.
    pub(super) const UNKNOWN: Self = Self::new(None, None);

    pub(super) const fn new(code: Option<i32>, signal: Option<i32>) -> Self {
        Self { code, signal }
    }

    /// The exit code, 0 to 255, when the child exited by itself.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// The number of the signal that killed the child.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// Whether the child exited by itself with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// `exited with status 3`, `killed by signal 9`.
impl fmt::Display for ChildStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exited with status {code}"),
            (None, Some(signal)) => write!(f, "killed by signal {signal}"),
            (None, None) => f.write_str("ended with unknown status"),
        }
    }
}

/// How a child ended and the last that it said.
///
/// `Debug` and `Display` do not show what the child wrote; see
/// [`stderr_tail`](Self::stderr_tail).
#[derive(Clone, PartialEq, Eq)]
pub struct ChildExit {
    status: ChildStatus,
    stderr_tail: Vec<String>,
}

impl ChildExit {
    pub(super) fn new(status: ChildStatus, stderr_tail: Vec<String>) -> Self {
        Self { status, stderr_tail }
    }

    /// The exit status.
    ///
    /// Neither code nor signal is known when somebody else in this process reaped the child,
    /// when SIGCHLD is ignored in this process, and when even KILL did not end it.
    #[must_use]
    pub fn status(&self) -> ChildStatus {
        self.status
    }

    /// The exit code, 0 to 255, when the child exited by itself.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code
    }

    /// The number of the signal that killed the child.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal
    }

    /// The last lines of stderr, oldest first, each of at most 1 KiB.
    ///
    /// Written by the child: not for a remote peer's eyes, and to be escaped on a terminal.
    #[must_use]
    pub fn stderr_tail(&self) -> &[String] {
        &self.stderr_tail
    }
}

impl fmt::Debug for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildExit")
            .field("code", &self.status.code)
            .field("signal", &self.status.signal)
            .field("stderr_lines", &self.stderr_tail.len())
            .finish()
    }
}

impl fmt::Display for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)
    }
}

/// Notices the exit of one child, without reaping it.
#[derive(Debug)]
pub(super) struct ExitWatch {
    child: Pid,
    seen: Option<ChildStatus>,
    how: How,
}

#[derive(Debug)]
enum How {
    #[cfg(target_os = "linux")]
    Pidfd(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
    Thread(Arc<Mutex<Report>>),
}

/// What the waiting thread has to say, and to whom.
#[derive(Debug, Default)]
struct Report {
    status: Option<ChildStatus>,
    waker: Option<Waker>,
}

impl ExitWatch {
    /// Watches through a pidfd, or through a thread where there is none: other systems, Linux
    /// before 5.3, sandboxes that refuse the call.
    pub(super) fn new(child: Pid) -> io::Result<Self> {
        let how = match Self::pidfd(child) {
            Some(how) => how,
            None => Self::thread(child)?,
        };
        let seen = None;
        Ok(Self { child, seen, how })
    }

    #[cfg(target_os = "linux")]
    fn pidfd(child: Pid) -> Option<How> {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::io::{Interest, unix::AsyncFd};

        let fd = pidfd_open(child, PidfdFlags::empty()).ok()?;
        // tokio 1.54 deprecates every safe way to make an `AsyncFd`, because a type may lie about
        // its descriptor; the successors are `unsafe`. An `OwnedFd` cannot lie: it stays open and
        // the same until the `AsyncFd` drops it.
        #[allow(deprecated, reason = "sound for an `OwnedFd`, and the only way without `unsafe`")]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE).ok()?;
        Some(How::Pidfd(fd))
    }

    #[cfg(not(target_os = "linux"))]
    fn pidfd(_child: Pid) -> Option<How> {
        None
    }

    /// The thread ends with the child.
    fn thread(child: Pid) -> io::Result<How> {
        let report = Arc::new(Mutex::new(Report::default()));
        let theirs = Arc::clone(&report);
        thread::Builder::new().name("mcp-child-wait".into()).spawn(move || {
            let status = match wait_unreaped(child) {
                Peek::Exited(status) => status,
                Peek::Running | Peek::Lost => ChildStatus::UNKNOWN,
            };
            let mut report = lock(&theirs);
            report.status = Some(status);
            let waker = report.waker.take();
            drop(report);
            waker.inspect(Waker::wake_by_ref);
        })?;
        Ok(How::Thread(report))
    }

    /// Resolves with the status once the child has exited, any number of times.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ChildStatus> {
        if let Some(status) = self.seen {
            return Poll::Ready(status);
        }
        let seen = match &mut self.how {
            #[cfg(target_os = "linux")]
            How::Pidfd(fd) => poll_pidfd(self.child, fd, cx),
            How::Thread(report) => poll_report(report, cx),
        };
        if let Poll::Ready(status) = seen {
            self.seen = Some(status);
        }
        seen
    }
}

#[cfg(target_os = "linux")]
fn poll_pidfd(
    child: Pid,
    fd: &tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
    cx: &mut Context<'_>,
) -> Poll<ChildStatus> {
    loop {
        let ready = std::task::ready!(fd.poll_read_ready(cx));
        match super::group::peek(child) {
            Peek::Exited(status) => return Poll::Ready(status),
            Peek::Lost => return Poll::Ready(ChildStatus::UNKNOWN),
            Peek::Running => match ready {
                Ok(mut guard) => guard.clear_ready(),
                // The runtime is shutting down and polls nobody any more; `Drop` is next.
                Err(_) => return Poll::Pending,
            },
        }
    }
}

fn poll_report(report: &Mutex<Report>, cx: &Context<'_>) -> Poll<ChildStatus> {
    let mut report = lock(report);
    if let Some(status) = report.status {
        return Poll::Ready(status);
    }
    report.waker = Some(cx.waker().clone());
    Poll::Pending
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::group::Group;
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_thread_does_what_the_pidfd_does() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (script, code, signal) in
            [("read line; exit 7", Some(7), None), ("read line; kill -9 $$", None, Some(9))]
        {
            runtime.block_on(async {
                // Reaped by `Group`.
                #[allow(clippy::zombie_processes)]
                let mut child =
                    Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
                let stdin = child.stdin.take();
                let pid = Pid::from_child(&child);
                let _group = Group::new(pid);
                let mut watch = ExitWatch { child: pid, seen: None, how: ExitWatch::thread(pid).unwrap() };
                let first = std::future::poll_fn(|cx| Poll::Ready(watch.poll(cx))).await;
                assert!(first.is_pending());
                drop(stdin);
                let expected = ChildStatus::new(code, signal);
                for _ in 0..2 {
                    let status = std::future::poll_fn(|cx| watch.poll(cx)).await;
                    assert_eq!(status, expected);
                }
            });
        }
    }

    #[test]
    fn texts() {
        let tail = vec!["secret".to_owned()];
        let exit = ChildExit::new(ChildStatus::new(Some(3), None), tail);
        assert_eq!(exit.to_string(), "exited with status 3");
        assert!(!format!("{exit:?}").contains("secret"));
        let killed = ChildStatus::new(None, Some(9));
        assert_eq!(killed.to_string(), "killed by signal 9");
        assert_eq!(ChildStatus::UNKNOWN.to_string(), "ended with unknown status");
    }
}
