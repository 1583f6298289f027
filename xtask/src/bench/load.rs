//! A load client: the same for every server, and as little work of its own as can be.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use crate::Outcome;

/// A server that is started for each measurement.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    program: PathBuf,
    argument: String,
}

impl Server {
    pub(crate) fn new(name: &'static str, program: &Path, argument: &str) -> Self {
        Self { name, program: program.into(), argument: argument.into() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Requests answered each second, with this many in flight.
    pub(crate) fn measure(&self, in_flight: u32, requests: u32) -> Outcome<f64> {
        let mut session = Session::start(self)?;
        session.exchange(requests / 10, in_flight)?; // warm
        let started = Instant::now();
        session.exchange(requests, in_flight)?;
        Ok(f64::from(requests) / started.elapsed().as_secs_f64())
    }
}

/// One running server after its handshake.
struct Session {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    buffer: Vec<u8>,
    sent: u64,
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"load","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

impl Session {
    fn start(server: &Server) -> Outcome<Self> {
        let mut command = Command::new(&server.program);
        let mut child = command.arg(&server.argument).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".into());
        };
        let mut session = Self { child, stdin, stdout, buffer: vec![0; 64 * 1024], sent: 0 };
        session.stdin.write_all(format!("{INITIALIZE}\n").as_bytes())?;
        session.read_lines(1)?;
        session.stdin.write_all(format!("{INITIALIZED}\n").as_bytes())?;
        Ok(session)
    }

    /// Keeps `in_flight` requests going until `requests` were answered.
    fn exchange(&mut self, requests: u32, in_flight: u32) -> Outcome {
        let (mut to_send, mut answered, mut flying) = (requests, 0, 0);
        let mut out = String::new();
        while answered < requests {
            out.clear();
            while flying < in_flight && to_send > 0 {
                self.sent += 1;
                out.push_str(&format!(
                    "{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{{\"text\":\"{}\"}}}}}}\n",
                    self.sent, "0123456789abcdef0123456789abcdef"
                ));
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

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
