//! Traces: what passes on a connection, for a referee who reads it afterwards.
//!
//! A file for each connection on which something passes, a line of JSON for each message.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use mcp_transport::core::Tap;
use serde_json::{Value, json};

/// The directory for traces, in the environment. Without it there are none.
const DIRECTORY: &str = "MCP_TRACES";

/// Who we are on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We asked for the connection.
    Client,
    /// We were asked.
    Server,
}

/// The rules of which transport the messages follow, in the words of whoever reads the traces.
#[derive(Clone, Copy, Debug)]
pub enum Rules {
    /// Lines on stdin and stdout.
    Stdio,
    /// Streamable HTTP, and HTTP+SSE for want of a word of its own: both post one message at a time.
    StreamableHttp,
}

impl Rules {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::StreamableHttp => "streamable-http",
        }
    }
}

/// Makes the taps of one program.
#[derive(Debug)]
pub struct Traces {
    directory: PathBuf,
    side: Side,
    rules: Rules,
    made: AtomicU32,
}

impl Traces {
    /// If they are wanted.
    pub fn wanted(side: Side, rules: Rules) -> Option<Self> {
        let directory = env::var_os(DIRECTORY).filter(|directory| !directory.is_empty())?;
        Some(Self::new(directory.into(), side, rules))
    }

    fn new(directory: PathBuf, side: Side, rules: Rules) -> Self {
        Self { directory, side, rules, made: AtomicU32::new(0) }
    }

    /// A tap for one more connection. Its file has a name that begins with `kind`.
    pub fn tap(&self, kind: &str) -> Arc<dyn Tap> {
        let number = self.made.fetch_add(1, Relaxed);
        let path = self.directory.join(format!("{kind}-{}-{number}.jsonl", process::id()));
        Arc::new(Trace { path, side: self.side, rules: self.rules, written: Mutex::default() })
    }
}

/// The tap of one connection.
struct Trace {
    path: PathBuf,
    side: Side,
    rules: Rules,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    /// Once there was something to write.
    file: Option<File>,
    lines: u64,
}

impl Tap for Trace {
    fn received(&self, text: &[u8]) {
        self.note(self.side == Side::Server, text);
    }

    fn sent(&self, text: &[u8]) {
        self.note(self.side == Side::Client, text);
    }
}

impl Trace {
    fn note(&self, to_server: bool, text: &[u8]) {
        if let Err(error) = self.write(to_server, text) {
            // Who reads the traces misses it.
            eprintln!("{}: {error}", self.path.display());
        }
    }

    /// A line is written at once, because the program ends when it is killed.
    fn write(&self, to_server: bool, text: &[u8]) -> io::Result<()> {
        // What is no JSON is no message either; as a string it can be in the trace.
        let payload = serde_json::from_slice(text)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(text).into_owned()));
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let event = json!({
            "seq": written.lines,
            "direction": if to_server { "client-to-server" } else { "server-to-client" },
            "transport": self.rules.as_str(),
            "kind": "message",
            "payload": payload,
        });
        written.lines += 1;
        let file = match &mut written.file {
            Some(file) => file,
            none => none.insert(File::create_new(&self.path)?),
        };
        file.write_all(format!("{event}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_connection_has_a_file_once_something_passes() {
        let directory = env::temp_dir().join(format!("mcp-traces-{}", process::id()));
        fs::create_dir(&directory).unwrap();
        let traces = Traces::new(directory.clone(), Side::Server, Rules::Stdio);
        let (_silent, tap) = (traces.tap("session"), traces.tap("session"));
        tap.received(b"{\"jsonrpc\":\"2.0\",\n\"id\":1,\"method\":\"ping\"}");
        tap.sent(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        tap.received(b"no JSON");

        let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files, [directory.join(format!("session-{}-1.jsonl", process::id()))]);
        let text = fs::read_to_string(files.first().unwrap()).unwrap();
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let seen: Vec<_> = events.iter().map(|event| (&event["seq"], &event["direction"])).collect();
        let (up, down) = (&json!("client-to-server"), &json!("server-to-client"));
        assert_eq!(seen, [(&json!(0), up), (&json!(1), down), (&json!(2), up)]);
        assert_eq!(events.last().unwrap()["payload"], "no JSON");
        fs::remove_dir_all(directory).unwrap();
    }
}
