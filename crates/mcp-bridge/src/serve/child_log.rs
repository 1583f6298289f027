//! What children say on stderr, in the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Span;

use crate::report::printable;

/// Lines of one child that are logged in a [`PERIOD`]. Logging takes longer than saying, and all sessions share one
/// thread: a child that says more would take the others' time.
const LINES: u32 = 1000;
const PERIOD: Duration = Duration::from_secs(1);

/// The lines of one child.
pub(super) struct ChildLog {
    /// Says whose they are.
    span: Span,
    quota: Mutex<Quota>,
}

struct Quota {
    since: Instant,
    logged: u32,
    left_out: u64,
}

impl ChildLog {
    /// For a child of the session that the current span tells of.
    pub(super) fn new() -> Self {
        let quota = Quota { since: Instant::now(), logged: 0, left_out: 0 };
        Self { span: Span::current(), quota: Mutex::new(quota) }
    }

    pub(super) fn line(&self, line: &str) {
        let mut quota = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        let (logs, left_out) = quota.take(Instant::now);
        drop(quota);
        self.span.in_scope(|| {
            if left_out > 0 {
                tracing::warn!(target: "mcp_bridge::child", left_out, "lines were too many to be logged");
            }
            if logs {
                tracing::info!(target: "mcp_bridge::child", "{}", printable(line));
            }
        });
    }
}

impl Quota {
    /// Whether one more line is logged, and how many were not before it. The time is asked for when it matters.
    fn take(&mut self, now: impl FnOnce() -> Instant) -> (bool, u64) {
        if self.logged < LINES {
            self.logged += 1;
            return (true, 0);
        }
        let now = now();
        if now.saturating_duration_since(self.since) < PERIOD {
            self.left_out += 1;
            return (false, 0);
        }
        let left_out = self.left_out;
        *self = Self { since: now, logged: 1, left_out: 0 };
        (true, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_logged() {
        let start = Instant::now();
        let mut quota = Quota { since: start, logged: 0, left_out: 0 };
        for _ in 0..LINES {
            assert_eq!(quota.take(|| start), (true, 0));
        }
        for _ in 0..5 {
            assert_eq!(quota.take(|| start + PERIOD / 2), (false, 0));
        }
        assert_eq!(quota.take(|| start + PERIOD), (true, 5));
        assert_eq!(quota.take(|| start + PERIOD), (true, 0));
    }
}
