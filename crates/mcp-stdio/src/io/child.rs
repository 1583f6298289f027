//! A child process and its end.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::net::unix::pipe;
use tokio::time::{Sleep, sleep};

use super::exit::{ChildExit, ChildStatus, ExitWatch};
use super::group::Group;
use super::spec::{CommandSpec, Ladder};
use super::stderr::{Drain, receiver};

/// How long a killed child is waited for.
///
/// Only a process that hangs in the kernel takes longer; a thread then waits on for it.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// A running child: its process group, its pipes, its stderr and its end.
///
/// ```text
///  Running --shutdown--> Eof --2 s--> Term --2 s--> Kill --2 s--> Done
///     |                   |            |             |
///     +------exits--------+---exits----+----exits----+--> Rest --> Done
/// ```
///
/// `Rest` is what the child left behind in its group: it gets TERM, then KILL when stderr has
/// ended or [`Ladder::linger`] has passed.
///
/// # Who polls
///
/// Nothing is spawned, so somebody must poll: whoever moves the bytes of stdin and stdout polls
/// [`poll_exit`](Self::poll_exit) beside them until it resolves, then reads stdout until it ends
/// or [`poll_linger`](Self::poll_linger) resolves, then polls
/// [`poll_shutdown`](Self::poll_shutdown).
/// Each of the three reads stderr as well, so a child never stops for a full stderr while its
/// owner runs; an owner that waits for something else polls [`poll_stderr`](Self::poll_stderr).
///
/// # Dropping
///
/// Drop kills the whole group at once and reaps the child, with or without a runtime.
///
/// # Out of reach
///
/// A descendant that left the group (`setsid`, a shell with job control) is not killed.
/// When this process itself is killed, nothing is killed: the child then sees the end of its
/// input. Nobody else in this process may reap children (`waitpid(-1)`).
pub struct Child {
    stdin: Option<pipe::Sender>,
    stdout: Option<pipe::Receiver>,
    stderr: Drain,
    watch: ExitWatch,
    group: Group,
    ladder: Ladder,
    stage: Stage,
    linger: Option<Pin<Box<Sleep>>>,
}

/// See the drawing at [`Child`]. A timer is the end of its stage.
enum Stage {
    Running,
    Eof(Pin<Box<Sleep>>),
    Term(Pin<Box<Sleep>>),
    Kill(Pin<Box<Sleep>>),
    Rest(ChildStatus, Pin<Box<Sleep>>),
    Done(ChildExit),
}

impl Child {
    /// Starts a child.
    ///
    /// # Errors
    ///
    /// The kind is the system's; the text names the program and says whether it, its
    /// interpreter or the working directory is missing or forbidden, and never shows arguments.
    /// Also when there is no tokio runtime. A child that was started is then killed.
    ///
    /// # Panics
    ///
    /// When called in a tokio runtime whose IO driver is not enabled.
    pub fn spawn(spec: &CommandSpec) -> io::Result<Self> {
        // tokio would panic, after the start.
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let mut process = spec.start()?;
        // Before anything that can fail: from here on a drop ends the child.
        let group = Group::new(Pid::from_child(&process));
        // Ends of pipes that were made just now are descriptions of our own, so making them
        // non-blocking is seen by nobody.
        let stdin = process.stdin.take();
        let stdin = stdin.map(|pipe| pipe::Sender::from_owned_fd(pipe.into()));
        let stdout = process.stdout.take();
        let stdout = stdout.map(|pipe| pipe::Receiver::from_owned_fd(pipe.into()));
        let (mode, lines) = spec.stderr_mode();
        let stderr = receiver(process.stderr.take())?;
        tracing::debug!(pid = process.id(), program = ?spec.program(), "child started");
        Ok(Self {
            stdin: stdin.transpose()?,
            stdout: stdout.transpose()?,
            stderr: Drain::new(stderr, mode, lines),
            watch: ExitWatch::new(group.leader())?,
            group,
            ladder: spec.shutdown_ladder(),
            stage: Stage::Running,
            linger: None,
        })
    }

    /// The process id, which is also the id of the process group.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.group.leader().as_raw_nonzero().get().unsigned_abs()
    }

    /// The write end of the child's stdin, once.
    ///
    /// Dropping it is the end of the child's input.
    pub fn take_stdin(&mut self) -> Option<pipe::Sender> {
        self.stdin.take()
    }

    /// The read end of the child's stdout, once.
    pub fn take_stdout(&mut self) -> Option<pipe::Receiver> {
        self.stdout.take()
    }

    /// The last complete lines of stderr so far, oldest first, each of at most 1 KiB.
    #[must_use]
    pub fn stderr_tail(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// Reads stderr; resolves when it has ended or is not ours.
    ///
    /// One call reads at most 128 KiB and then lets others have their turn.
    pub fn poll_stderr(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stderr.poll(cx)
    }

    /// Resolves when the child has exited, any number of times. Reads stderr on the way.
    ///
    /// The child is not reaped and what it left in its group lives on, until
    /// [`poll_shutdown`](Self::poll_shutdown) resolves or the `Child` is dropped.
    pub fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<ChildStatus> {
        let _ = self.stderr.poll(cx);
        self.watch.poll(cx)
    }

    /// Resolves when [`Ladder::linger`] has passed since the child's exit was noticed.
    ///
    /// Until then stdout is worth reading, whoever holds it: what the child wrote last is in
    /// the pipe. Afterwards only the end of the group ends it.
    ///
    /// # Panics
    ///
    /// In a tokio runtime whose timer is not enabled.
    pub fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_exit(cx));
        let wait = self.ladder.linger;
        let timer = self.linger.get_or_insert_with(|| Box::pin(sleep(wait)));
        timer.as_mut().poll(cx)
    }

    /// Ends the child: end of input, TERM, KILL, each to be survived for as long as the
    /// [`Ladder`] says; then kills what is left in its group, reaps it and tells how it ended.
    ///
    /// The input ends when the caller has dropped what [`take_stdin`](Self::take_stdin) gave;
    /// a stdin that was not taken is dropped here.
    /// Resolves within the sum of the ladder's waits and 2 s, and any number of times.
    /// Once begun it can be left and taken up again; the waits are counted from its first poll.
    ///
    /// # Panics
    ///
    /// In a tokio runtime whose timer is not enabled.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<ChildExit> {
        self.stdin = None;
        loop {
            if let Stage::Done(exit) = &self.stage {
                return Poll::Ready(exit.clone());
            }
            let stderr = self.stderr.poll(cx);
            self.stage = match (&mut self.stage, self.watch.poll(cx)) {
                (Stage::Done(_), _) => continue,
                (Stage::Rest(status, timer), _) => {
                    if stderr.is_pending() && timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let status = *status;
                    self.finish(status)
                }
                (_, Poll::Ready(status)) => {
                    tracing::debug!(pid = self.id(), %status, "child exited");
                    if stderr.is_pending() {
                        self.group.signal(Signal::TERM);
                    }
                    Stage::Rest(status, Box::pin(sleep(self.ladder.linger)))
                }
                (Stage::Running, _) => Stage::Eof(Box::pin(sleep(self.ladder.after_eof))),
                (Stage::Eof(timer), _) => {
                    ready!(timer.as_mut().poll(cx));
                    tracing::debug!(pid = self.id(), "child outlived its input: TERM");
                    self.group.signal(Signal::TERM);
                    Stage::Term(Box::pin(sleep(self.ladder.after_term)))
                }
                (Stage::Term(timer), _) => {
                    ready!(timer.as_mut().poll(cx));
                    tracing::warn!(pid = self.id(), "child ignored TERM: KILL");
                    self.group.signal(Signal::KILL);
                    Stage::Kill(Box::pin(sleep(AFTER_KILL)))
                }
                (Stage::Kill(timer), _) => {
                    ready!(timer.as_mut().poll(cx));
                    tracing::error!(pid = self.id(), "child outlived KILL");
                    self.finish(ChildStatus::UNKNOWN)
                }
            };
        }
    }

    /// The last stage: nobody of the group is left, and stderr is read to its end.
    fn finish(&mut self, status: ChildStatus) -> Stage {
        self.group.end();
        self.stderr.finish();
        Stage::Done(ChildExit::new(status, self.stderr.lines()))
    }

    /// As [`poll_shutdown`](Self::poll_shutdown).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a later call goes on where this one was.
    pub async fn shutdown(&mut self) -> ChildExit {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    /// Kills the whole group now.
    ///
    /// The exit is then noticed and told as any other.
    pub fn kill(&mut self) {
        self.group.signal(Signal::KILL);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Running => "running",
            Stage::Eof(_) => "input ended",
            Stage::Term(_) => "terminated",
            Stage::Kill(_) => "killed",
            Stage::Rest(..) => "exited",
            Stage::Done(_) => "reaped",
        };
        f.debug_struct("Child").field("id", &self.id()).field("stage", &stage).finish_non_exhaustive()
    }
}
