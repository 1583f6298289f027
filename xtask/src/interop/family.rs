//! Who is whose child, and who was left behind.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a descendant may live on after whoever it belongs to has ended.
pub(super) const AFTERWARDS: Duration = Duration::from_secs(2);

/// Makes this process the parent of its descendants' orphans, so that [`orphans`] sees what a program leaves behind,
/// also when it left the process group.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// Kills the children that this process has adopted and that do not end by themselves, and says what they were.
///
/// To be called while no program runs: whoever is a child of ours then is an orphan.
pub(crate) fn orphans() -> Vec<String> {
    let left = remaining(rustix::process::getpid());
    left.into_iter()
        .map(|(pid, command)| {
            let _ = kill_process(pid, Signal::KILL);
            command
        })
        .collect()
}

/// The children of `parent` that do not end by themselves.
pub(super) fn remaining(parent: Pid) -> Vec<(Pid, String)> {
    let until = Instant::now() + AFTERWARDS;
    loop {
        let left = children(parent);
        if left.is_empty() || Instant::now() >= until {
            return left;
        }
        // The kernel tells nobody when another's child ends, and of an adopted one only by a signal, which std has no
        // way to await.
        thread::sleep(Duration::from_millis(10));
    }
}

/// Living children of `parent`, from /proc; none where there is no /proc.
fn children(parent: Pid) -> Vec<(Pid, String)> {
    let parent = parent.as_raw_nonzero().get();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // `pid (name) state parent ...`, and a name may hold anything.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let alive = fields.next().is_some_and(|state| state != "Z");
        if alive && fields.next().and_then(|field| field.parse::<i32>().ok()) == Some(parent) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            children.push((pid, line.trim().to_owned()));
        }
    }
    children
}
