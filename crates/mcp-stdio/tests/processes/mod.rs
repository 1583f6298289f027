//! What `/proc` says of processes and groups.

#![allow(dead_code, reason = "each test program takes what it needs")]

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// For everything that should take no time at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// State, parent and group.
pub(crate) fn process(pid: u32) -> Option<(char, u32, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((state, parent, fields.next()?.parse().ok()?))
}

/// Processes of a group that still run.
pub(crate) fn living(group: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| process(*pid).is_some_and(|(state, _, of)| of == group && state != 'Z')).collect()
}

/// Looks until it is so. The kernel tells nobody, so this is the way to wait for it.
pub(crate) async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < DEADLINE, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// No process of the group is left, and its leader, a child of ours, is no zombie.
pub(crate) async fn assert_all_gone(group: u32) {
    eventually("the group to be gone", || living(group).is_empty()).await;
    eventually("the child to be reaped", || {
        !process(group).is_some_and(|(state, parent, _)| state == 'Z' && parent == std::process::id())
    })
    .await;
}

pub(crate) fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}
