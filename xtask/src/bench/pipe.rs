//! The load client for stdio: the same for every server, and as little work of its own as can be.

use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout, Command};
use std::time::{Duration, Instant};

use super::meter;
use super::running::{Asked, Running};
use super::station::{Sample, Station, Unit};
use crate::Outcome;

pub(super) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"load","version":"1"}}}"#;
pub(super) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
/// What is said where its size does not matter.
pub(super) const WORDS: &str = "0123456789abcdef0123456789abcdef";

/// A call of the echo tool, without its line end.
pub(super) fn call(id: u64, text: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{text}"}}}}}}"#
    )
}

/// How much is in flight, how large it is, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) in_flight: u32,
    /// Bytes of the text that is echoed.
    pub(super) bytes: usize,
    pub(super) budget: Duration,
}

/// One running server after its handshake.
pub(super) struct Stdio {
    running: Running,
    stdin: ChildStdin,
    stdout: ChildStdout,
    buffer: Vec<u8>,
    text: String,
    sent: u64,
    load: Load,
    requests: u32,
}

impl Stdio {
    pub(super) fn open(command: Command, load: Load) -> Outcome<Self> {
        let (running, stdin, stdout) = Running::with_pipes(command)?;
        let text = if load.bytes <= WORDS.len() { WORDS.to_owned() } else { "x".repeat(load.bytes) };
        let buffer = vec![0; 64 * 1024];
        let mut stdio = Self { running, stdin, stdout, buffer, text, sent: 0, load, requests: 0 };
        let guard = stdio.running.watched();
        stdio.stdin.write_all(format!("{INITIALIZE}\n").as_bytes())?;
        stdio.read_lines(1)?;
        stdio.stdin.write_all(format!("{INITIALIZED}\n").as_bytes())?;
        stdio.check()?;
        stdio.requests = meter::enough(load.budget, |requests| stdio.exchange(requests))?;
        drop(guard);
        Ok(stdio)
    }

    /// One call, whose answer is looked at.
    fn check(&mut self) -> Outcome {
        self.sent += 1;
        self.stdin.write_all(format!("{}\n", call(self.sent, WORDS)).as_bytes())?;
        let mut answer = String::new();
        while !answer.ends_with('\n') {
            let read = self.stdout.read(&mut self.buffer)?;
            answer.push_str(&String::from_utf8_lossy(self.buffer.get(..read).unwrap_or_default()));
            if read == 0 {
                return Err(format!("the server has ended: {answer}").into());
            }
        }
        // An answer to a notification (as an echo of everything gives) may stand before it.
        if answer.contains(WORDS) || answer.contains("initialized") {
            if !answer.contains(WORDS) {
                self.read_lines(1)?;
            }
            return Ok(());
        }
        Err(format!("the answer is {answer}").into())
    }

    /// Keeps as many requests going as should be until `requests` were answered.
    fn exchange(&mut self, requests: u32) -> Outcome {
        let (mut to_send, mut answered, mut flying) = (requests, 0, 0);
        let mut out = String::new();
        while answered < requests {
            out.clear();
            while flying < self.load.in_flight && to_send > 0 {
                self.sent += 1;
                out.push_str(&call(self.sent, &self.text));
                out.push('\n');
                (flying, to_send) = (flying + 1, to_send - 1);
            }
            self.stdin.write_all(out.as_bytes())?;
            let lines = self.read_lines(1)?;
            answered += lines;
            flying -= lines;
        }
        Ok(())
    }

    /// Reads until at least this many lines have ended; says how many.
    fn read_lines(&mut self, least: u32) -> Outcome<u32> {
        let mut lines = 0;
        while lines < least {
            let read = self.stdout.read(&mut self.buffer)?;
            if read == 0 {
                return Err("the server has ended".into());
            }
            let ends =
                self.buffer.get(..read).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count();
            lines += u32::try_from(ends)?;
        }
        Ok(lines)
    }
}

impl Station for Stdio {
    fn measure(&mut self) -> Outcome<Sample> {
        let guard = self.running.watched();
        let pid = self.running.pid();
        let (cpu, started) = (meter::cpu(pid)?, Instant::now());
        self.exchange(self.requests)?;
        let (took, cpu) = (started.elapsed(), meter::cpu(pid)? - cpu);
        let peak = meter::memory(pid, "VmHWM")? * 1024.0;
        drop(guard);
        Ok(sample(self.load, self.requests, took, Some(cpu), Some(peak)))
    }
}

/// The figures of so many requests.
fn sample(load: Load, requests: u32, took: Duration, cpu: Option<f64>, peak: Option<f64>) -> Sample {
    let rate = f64::from(requests) / took.as_secs_f64();
    let bytes = load.bytes as f64;
    let large = load.bytes > 64 * 1024;
    let mut sample = vec![(Unit::Rate, rate)];
    sample.extend(cpu.map(|cpu| (Unit::Cpu, cpu / 1e3 / f64::from(requests))));
    if large {
        sample.push((Unit::Throughput, 2.0 * bytes * rate / 1e6));
        sample.extend(peak.map(|peak| (Unit::Peak, peak / bytes)));
    }
    sample
}

/// A client of an SDK with the server that it has started.
#[derive(Debug)]
pub(super) struct Native {
    asked: Asked,
    load: Load,
    requests: u32,
}

impl Native {
    pub(super) fn open(command: Command, load: Load) -> Outcome<Self> {
        let mut native = Self { asked: Asked::start(command)?, load, requests: 0 };
        native.requests = meter::enough(load.budget, |requests| native.exchange(requests).map(drop))?;
        Ok(native)
    }

    fn exchange(&mut self, requests: u32) -> Outcome<Duration> {
        let Load { in_flight, bytes, .. } = self.load;
        Ok(Duration::try_from_secs_f64(self.asked.ask(&format!("{in_flight} {requests} {bytes}"))?)?)
    }
}

impl Station for Native {
    fn measure(&mut self) -> Outcome<Sample> {
        let took = self.exchange(self.requests)?;
        Ok(sample(self.load, self.requests, took, None, None))
    }
}

/// How long a server takes from its start to its first answer.
pub(super) struct ColdStart(pub(super) Box<dyn Fn() -> Command>);

impl Station for ColdStart {
    fn measure(&mut self) -> Outcome<Sample> {
        let started = Instant::now();
        let (running, mut stdin, mut stdout) = Running::with_pipes((self.0)())?;
        let guard = running.watched();
        stdin.write_all(format!("{INITIALIZE}\n").as_bytes())?;
        let mut buffer = [0; 16 * 1024];
        let read = stdout.read(&mut buffer)?;
        let took = started.elapsed();
        drop(guard);
        if read == 0 {
            return Err("the server has ended".into());
        }
        Ok(vec![(Unit::Start, took.as_secs_f64() * 1e3)])
    }
}
