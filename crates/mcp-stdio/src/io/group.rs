//! The process group of a child, from its start until its leader is reaped.

use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpid};

use super::exit::ChildStatus;

/// A process group whose leader is an unreaped child of ours.
///
/// A process id is free for reuse once its process was reaped and its group is empty.
/// So the group is signalled only as long as the leader is unreaped, and a signal can never
/// hit a stranger. This holds unless somebody else in this process reaps our children.
#[derive(Debug)]
pub(super) struct Group {
    leader: Pid,
    reaped: bool,
}

impl Group {
    pub(super) fn new(leader: Pid) -> Self {
        Self { leader, reaped: false }
    }

    pub(super) fn leader(&self) -> Pid {
        self.leader
    }

    /// Sends `signal` to every process of the group, unless the leader was reaped.
    pub(super) fn signal(&self, signal: Signal) {
        if self.reaped || matches!(peek(self.leader), Peek::Lost) {
            return;
        }
        // Nobody left to hear it is all that can go wrong.
        let _ = kill_process_group(self.leader, signal);
    }

    /// Kills the rest of the group and reaps the leader.
    ///
    /// A leader that has not exited is reaped by a thread that lives until it has; KILL makes
    /// that a moment. Not a task: this runs in `Drop`, where there may be no runtime.
    pub(super) fn end(&mut self) {
        if self.reaped {
            return;
        }
        self.signal(Signal::KILL);
        self.reaped = true;
        let leader = self.leader;
        match insist(|| waitpid(Some(leader), WaitOptions::NOHANG)) {
            Ok(None) => {}
            // Reaped here, or by somebody else.
            Ok(Some(_)) | Err(_) => return,
        }
        let wait = move || {
            let _ = insist(|| waitpid(Some(leader), WaitOptions::empty()));
        };
        let reaper = thread::Builder::new().name("mcp-reaper".into());
        if reaper.spawn(wait).is_err() {
            // No thread to be had; the process is dying, so the wait is short.
            wait();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is known of a child without reaping it.
#[derive(Debug)]
pub(super) enum Peek {
    Running,
    Exited(ChildStatus),
    /// Somebody else reaped it, or SIGCHLD is ignored in this process, so that the kernel did.
    Lost,
}

/// Looks at a child without waiting and without reaping.
pub(super) fn peek(child: Pid) -> Peek {
    look(child, WaitIdOptions::NOHANG)
}

/// Waits in this thread until a child has exited, without reaping it.
pub(super) fn wait_unreaped(child: Pid) -> Peek {
    look(child, WaitIdOptions::empty())
}

fn look(child: Pid, how: WaitIdOptions) -> Peek {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | how;
    match insist(|| waitid(WaitId::Pid(child), options)) {
        Ok(None) => Peek::Running,
        Ok(Some(status)) => Peek::Exited(ChildStatus::new(status.exit_status(), status.terminating_signal())),
        Err(_) => Peek::Lost,
    }
}

/// Calls `op` again when a signal came.
fn insist<T>(mut op: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match op() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}
