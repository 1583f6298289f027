//! Runs a program to its end or its deadline, and looks for what it left behind.

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Most bytes kept of one output: a table of tools is 20 KB.
const KEPT: usize = 1 << 20;

/// How long output may stay open, and then descendants alive, after the program has ended.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Lines of each output that a failure shows.
const LINES: usize = 30;

/// What was seen of a program.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The deadline passed, and its process group was killed.
    late: Option<Duration>,
}

impl Seen {
    /// It ended in time.
    pub(super) fn orderly(&self) -> Result<(), String> {
        if let Some(deadline) = self.late {
            return Err(format!("not done after {} s", deadline.as_secs()));
        }
        Ok(())
    }

    /// How it ended, and its last lines.
    pub(super) fn report(&self) -> String {
        format!("{}\nstdout:\n{}\nstderr:\n{}", self.status, tail(&self.stdout), tail(&self.stderr))
    }

    #[cfg(test)]
    pub(super) fn ended(status: ExitStatus, stdout: &str, stderr: &str) -> Self {
        let (stdout, stderr) = (stdout.into(), stderr.into());
        Self { status, stdout, stderr, late: None }
    }
}

/// Makes this process the parent of its descendants' orphans, so that [`orphans`] sees what a program leaves behind,
/// also when it left the process group.
pub(super) fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// Runs `command` without input, in a process group of its own, until it ends or `deadline` has passed.
pub(super) fn run(mut command: Command, deadline: Duration) -> io::Result<Seen> {
    let end = Instant::now() + deadline;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let stdout = Capture::start(child.stdout.take());
    let stderr = Capture::start(child.stderr.take());
    let exit = exit_of(child);

    let mut late = None;
    let status = match exit.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(status) => status?,
        Err(_) => {
            late = Some(deadline);
            kill_group(group);
            exit.recv().map_err(io::Error::other)??
        }
    };
    let patience = Instant::now() + AFTERWARDS;
    stdout.finished(patience);
    stderr.finished(patience);
    kill_group(group);
    Ok(Seen { status, stdout: stdout.text(), stderr: stderr.text(), late })
}

fn exit_of(mut child: Child) -> Receiver<io::Result<ExitStatus>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    receiver
}

fn kill_group(group: Option<Pid>) {
    if let Some(group) = group {
        // Nobody left in it is what is hoped for.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// One output, read by a thread of its own, which a descendant that keeps the pipe may hold for ever.
#[derive(Debug)]
struct Capture {
    kept: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Capture {
    fn start(pipe: Option<impl Read + Send + 'static>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, end) = mpsc::channel();
        if let Some(mut pipe) = pipe {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                let mut chunk = [0; 16 << 10];
                while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(chunk.get(..length).unwrap_or_default());
                    let excess = kept.len().saturating_sub(KEPT);
                    kept.drain(..excess);
                }
                drop(sender);
            });
        }
        Self { kept, end }
    }

    fn finished(&self, until: Instant) {
        // Nothing is ever sent: the sender's end is the pipe's.
        let _ = self.end.recv_timeout(until.saturating_duration_since(Instant::now()));
    }

    fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

/// Kills the children that this process has adopted and that do not end by themselves, and says what they were.
///
/// To be called while no program runs: whoever is a child of ours then is an orphan.
pub(super) fn orphans() -> Vec<String> {
    let until = Instant::now() + AFTERWARDS;
    loop {
        let left = children();
        if left.is_empty() || Instant::now() >= until {
            return left
                .into_iter()
                .map(|(pid, command)| {
                    let _ = kill_process(pid, Signal::KILL);
                    command
                })
                .collect();
        }
        // The kernel tells nobody when an adopted child ends but by a signal, which std has no way to await.
        thread::sleep(Duration::from_millis(10));
    }
}

/// Living children of this process, from /proc; none where there is no /proc.
fn children() -> Vec<(Pid, String)> {
    let parent = rustix::process::getpid().as_raw_nonzero().get();
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

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    let mut shown = String::new();
    for line in lines.get(from..).unwrap_or_default() {
        shown.push_str("  ");
        shown.extend(line.chars().take(400));
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> Seen {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, deadline).unwrap()
    }

    #[test]
    fn output_and_status_are_seen() {
        let seen = shell("echo out; echo err >&2; exit 3", Duration::from_secs(20));
        assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(seen.status.code(), Some(3));
        assert!(seen.report().contains("  err\n"));
    }

    #[test]
    fn the_group_is_killed_at_the_deadline() {
        let start = Instant::now();
        let seen = shell("echo first; sleep 600 & sleep 600", Duration::from_millis(200));
        assert_eq!(seen.stdout, "first\n");
        assert_eq!(seen.orderly(), Err("not done after 0 s".into()));
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
