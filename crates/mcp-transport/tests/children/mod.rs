//! Scripts of a shell as children, and whether they are gone.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mcp_transport::CommandSpec;

use crate::odd::SOON;

/// Those that were started: a file with the id of each, which goes when this does.
pub(crate) struct Children(PathBuf);

impl Default for Children {
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("children-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A script that says who it is.
pub(crate) fn shell(children: &Children, script: &str) -> CommandSpec {
    let script = format!("echo $$ >> '{}'; {script}", children.0.display());
    CommandSpec::new("sh").args(["-c", &script])
}

/// State and group of a process.
fn process(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}

fn living(group: u32) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.any(|pid| process(pid).is_some_and(|(state, of)| of == group && state != 'Z'))
}

impl Children {
    fn started(&self) -> Vec<u32> {
        let list = std::fs::read_to_string(&self.0).unwrap_or_default();
        list.lines().map(|pid| pid.parse().unwrap()).collect()
    }

    /// So many were heard of, and none of their groups is left.
    pub(crate) async fn all_gone(&self, count: usize) {
        assert_eq!(self.started().len(), count);
        self.none_left().await;
    }

    /// No child of this program is left, whether or not it was heard of.
    pub(crate) async fn none_at_all(&self) {
        let of_ours = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
            let state = fields.next();
            state != Some("Z") && fields.next() == Some(&std::process::id().to_string())
        };
        let start = Instant::now();
        loop {
            let entries = std::fs::read_dir("/proc").unwrap().flatten();
            let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            let left: Vec<u32> = pids.filter(|pid| of_ours(*pid)).collect();
            if left.is_empty() {
                break;
            }
            assert!(start.elapsed() < SOON, "{left:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.none_left().await;
    }

    /// The kernel tells nobody, so looking is the way to wait for it.
    pub(crate) async fn none_left(&self) {
        let start = Instant::now();
        let pids = self.started();
        while pids.iter().any(|pid| living(*pid)) {
            assert!(start.elapsed() < SOON, "{pids:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
