//! A program that runs while it is measured, and ends with its value.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;

/// Nothing that is measured takes so long: who does hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed when this is dropped.
///
/// It stays in our process group, so that an interrupt from the terminal ends it too; what it has started itself ends
/// with its input.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
}

impl Running {
    pub(super) fn start(mut command: Command) -> Outcome<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { child })
    }

    /// With pipes for stdin and stdout.
    pub(super) fn with_pipes(mut command: Command) -> Outcome<(Self, ChildStdin, ChildStdout)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Self::start(command)?;
        match (running.child.stdin.take(), running.child.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok((running, stdin, stdout)),
            _ => Err("no pipes".into()),
        }
    }

    /// A server that says on a line of stderr or stdout at which port of `http://127.0.0.1` it listens, and the port.
    pub(super) fn listening(mut command: Command) -> Outcome<(Self, u16)> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Self::start(command)?;
        let (said, ports) = mpsc::channel();
        if let Some(stdout) = running.child.stdout.take() {
            listen(stdout, said.clone());
        }
        if let Some(stderr) = running.child.stderr.take() {
            listen(stderr, said);
        }
        let port = ports.recv_timeout(PATIENCE).map_err(|_| "the server does not say where it listens")?;
        Ok((running, port))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it when the guard is still there after [`PATIENCE`]: then its pipes end, and with them the wait for it.
    pub(super) fn watched(&self) -> Sender<()> {
        let (guard, watch) = mpsc::channel::<()>();
        let pid = self.pid();
        thread::spawn(move || {
            if watch.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                kill(pid);
            }
        });
        guard
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill(self.pid());
        let _ = self.child.wait();
    }
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Reads until the output ends, so that nobody waits for room in the pipe, and sends the port.
fn listen(output: impl std::io::Read + Send + 'static, said: Sender<u16>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            if let Some(port) = port(&line) {
                let _ = said.send(port);
            }
        }
    });
}

fn port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("http://127.0.0.1:")?;
    let length = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..length)?.parse().ok().filter(|port| *port != 0)
}

/// A program that answers each line with a number.
#[derive(Debug)]
pub(super) struct Asked {
    _running: Running,
    stdin: ChildStdin,
    answers: Receiver<String>,
}

impl Asked {
    pub(super) fn start(command: Command) -> Outcome<Self> {
        let (running, stdin, stdout) = Running::with_pipes(command)?;
        let (answer, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                if line.is_ok_and(|line| answer.send(line).is_err()) {
                    break;
                }
            }
        });
        Ok(Self { _running: running, stdin, answers })
    }

    pub(super) fn ask(&mut self, line: &str) -> Outcome<f64> {
        writeln!(self.stdin, "{line}")?;
        let answer = self.answers.recv_timeout(PATIENCE).map_err(|_| format!("no answer to {line:?}"))?;
        Ok(answer.trim().parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_in_a_line() {
        assert_eq!(port("listening on http://127.0.0.1:8808/mcp"), Some(8808));
        assert_eq!(port("http://127.0.0.1:0/"), None);
        assert_eq!(port("ready"), None);
    }

    #[test]
    fn a_program_is_asked() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "while read a; do echo 1.5; done"]);
        let mut asked = Asked::start(shell).unwrap();
        assert_eq!(asked.ask("anything").unwrap(), 1.5);
    }
}
