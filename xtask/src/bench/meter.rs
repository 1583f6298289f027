//! What a process has cost, and on which processors we run.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;

/// Puts this thread, and with it what it starts from now on, on one processor until it is dropped.
///
/// What is measured then is work, and not how fast an idle processor wakes up.
#[derive(Debug)]
pub(super) struct Pinned(CpuSet);

impl Pinned {
    pub(super) fn new() -> Outcome<Self> {
        let all = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        let first = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).ok_or("no processor")?;
        one.set(first);
        sched_setaffinity(None, &one)?;
        Ok(Self(all))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.0);
    }
}

/// Thousands of sessions are as many descriptors, here and in the servers.
pub(super) fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Nanoseconds of processor time that the living threads of a process have had.
pub(super) fn cpu(pid: u32) -> Outcome<f64> {
    let mut sum = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has just ended has no figure any more.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        sum += text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(sum)
}

/// A figure of `/proc/PID/status` in KiB: `VmRSS` is what is resident, `VmHWM` the most that ever was.
pub(super) fn memory(pid: u32, key: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("no {key} of {pid}"))?.parse()?)
}

/// How many times something has to be done so that it takes about `budget`; `done` does it that often.
///
/// What is done on the way warms it up: for at least four budgets, and as long as it still gets faster, since compilers
/// that work while a program runs take thousands of calls to notice that it is worth their while.
pub(super) fn enough(budget: Duration, mut done: impl FnMut(u32) -> Outcome) -> Outcome<u32> {
    let (mut times, mut each) = (1u32, f64::INFINITY);
    let warm = Instant::now();
    loop {
        let started = Instant::now();
        done(times)?;
        let took = started.elapsed();
        let before = std::mem::replace(&mut each, took.as_secs_f64() / f64::from(times));
        // Twice as many at most: the first ones say little about those that follow.
        let wanted = (budget.as_secs_f64() / each).clamp(1.0, f64::from(times) * 2.0) as u32;
        let settled = each > before * 0.9 && took >= budget / 2;
        let warmed = warm.elapsed();
        if (settled && warmed >= budget * 4) || warmed >= budget * 16 {
            return Ok(wanted);
        }
        times = wanted;
    }
}
