//! A running `serve`, and sessions with it by hand: a socket, and nothing of ours that could be wrong in the same way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{bridge, kill, status};

/// What does not happen for so long does not happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bridge that listens, and everything that it has said.
pub(crate) struct Bridge {
    child: Option<Child>,
    pub(crate) pid: u32,
    pub(crate) url: String,
    said: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Bridge {
    /// `mcp-bridge serve --listen 127.0.0.1:0 ARGS`
    pub(crate) fn serve(args: &[&str]) -> Self {
        Self::serve_with(args, &[])
    }

    pub(crate) fn serve_with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = bridge();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).envs(env.iter().copied());
        Self::from(&mut command)
    }

    /// A command that becomes a bridge.
    pub(crate) fn from(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (stderr, theirs) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in stderr.lines() {
                theirs.0.lock().unwrap().push(line.unwrap());
                theirs.1.notify_all();
            }
        });
        let mut this = Self { pid: child.id(), child: Some(child), url: String::new(), said };
        let line = this.line("listening on ");
        let url = line.rsplit("listening on ").next().unwrap().split("/mcp and ").nth(1).unwrap();
        let url = url.trim_end_matches("\"}");
        this.url = url.to_owned();
        this
    }

    /// A script as the child, as [`server`](super::server) has it.
    pub(crate) fn script(args: &[&str], script: &str) -> Self {
        Self::serve(&[args, &["--", "sh", "-c", &super::server(script)]].concat())
    }

    /// Waits for a line on stderr.
    pub(crate) fn line(&self, words: &str) -> String {
        let (lines, changed) = &*self.said;
        let found = |lines: &[String]| lines.iter().find(|line| line.contains(words)).cloned();
        let lines = lines.lock().unwrap();
        let (lines, waited) = changed.wait_timeout_while(lines, PATIENCE, |l| found(l).is_none()).unwrap();
        assert!(!waited.timed_out(), "no {words:?} in {lines:#?}");
        found(&lines).unwrap()
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.said.0.lock().unwrap().clone()
    }

    pub(crate) fn address(&self) -> String {
        self.url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned()
    }

    pub(crate) fn path(&self) -> String {
        self.url.split_once(&self.address()).unwrap().1.to_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// Opens a session.
    pub(crate) fn open(&self) -> Stream {
        Stream::open(self, &self.path(), "").unwrap_or_else(|status| panic!("no session: {status}"))
    }

    /// Opens a session and says hello.
    pub(crate) fn hello(&self) -> Stream {
        let mut stream = self.open();
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {} });
        let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        assert_eq!(stream.ask(&hello.to_string())["id"], 0);
        stream.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        stream
    }

    /// One request on a connection of its own: the status and the body.
    pub(crate) fn request(&self, head: &str, body: &str) -> (u16, String) {
        send(&mut self.connect(), head, body)
    }

    /// `GET path` with the headers, each ending in CRLF.
    pub(crate) fn get(&self, path: &str, headers: &str) -> u16 {
        let host = format!("Host: {}\r\n", self.address());
        let host = if headers.contains("Host:") { "" } else { &host };
        let mut socket = self.connect();
        write!(socket, "GET {path} HTTP/1.1\r\n{host}{headers}\r\n").unwrap();
        head(&mut BufReader::new(socket)).0
    }

    /// Processes that the bridge has started, zombies too.
    pub(crate) fn children(&self) -> Vec<String> {
        children_of(self.pid)
    }

    /// Waits until there are so many children.
    pub(crate) fn until_children(&self, number: usize) {
        let started = Instant::now();
        while self.children().len() != number {
            assert!(
                started.elapsed() < PATIENCE,
                "{:?}, and not {number}: {:#?}",
                self.children(),
                self.said()
            );
            // Nothing tells when a child of somebody else's is gone.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(signal, self.pid);
    }

    /// Waits for the end.
    pub(crate) fn status(&mut self) -> Option<i32> {
        status(self.child.take().unwrap()).code()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

pub(crate) fn children_of(pid: u32) -> Vec<String> {
    let pid = pid.to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let stat = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let is_child = |stat: &String| stat.rsplit(") ").next().unwrap().split(' ').nth(1) == Some(&pid);
    stat.filter(is_child).map(|stat| stat.split(' ').next().unwrap().to_owned()).collect()
}

fn send(socket: &mut TcpStream, head_line: &str, body: &str) -> (u16, String) {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    write!(socket, "{head_line}{length}\r\n{body}").unwrap();
    let mut reader = BufReader::new(socket);
    let (status, headers) = head(&mut reader);
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn head(reader: &mut impl BufRead) -> (u16, Vec<String>) {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_ascii_lowercase());
    }
    let status = lines.first().and_then(|line| line.split(' ').nth(1)).map(|status| status.parse().unwrap());
    (status.unwrap_or_else(|| panic!("no head: {lines:?}")), lines)
}

/// One session.
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    /// What came and was not taken.
    text: String,
    address: String,
    pub(crate) endpoint: String,
}

impl Stream {
    pub(crate) fn open(bridge: &Bridge, path: &str, headers: &str) -> Result<Self, u16> {
        let mut socket = bridge.connect();
        let address = bridge.address();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n").unwrap();
        let mut reader = BufReader::new(socket);
        let (status, _) = head(&mut reader);
        if status != 200 {
            return Err(status);
        }
        let mut this = Self { reader, text: String::new(), address, endpoint: String::new() };
        let first = this.block().unwrap();
        this.endpoint = first.strip_prefix("event: endpoint\ndata: ").unwrap().to_owned();
        Ok(this)
    }

    /// The next event or comment, without the empty line; `None` at the end of the stream.
    pub(crate) fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let mut size = String::new();
            // A connection that was cut is an end as well.
            if self.reader.read_line(&mut size).is_err() || size.is_empty() {
                return None;
            }
            let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                return None;
            }
            chunk.truncate(size);
            // Frames are cut anywhere, but the messages of these tests are ASCII.
            self.text += &String::from_utf8(chunk).unwrap();
        }
    }

    /// The next message as it was sent; `None` at the end of the stream.
    pub(crate) fn message(&mut self) -> Option<String> {
        loop {
            let block = self.block()?;
            if let Some(message) = block.strip_prefix("event: message\ndata: ") {
                return Some(message.to_owned());
            }
            assert!(block.starts_with(':'), "{block}");
        }
    }

    pub(crate) fn value(&mut self) -> Value {
        serde_json::from_str(&self.message().unwrap_or_else(|| panic!("the stream has ended"))).unwrap()
    }

    pub(crate) fn try_post(&self, body: &str) -> (u16, String) {
        let (endpoint, address) = (&self.endpoint, &self.address);
        let mut socket = TcpStream::connect(address).unwrap();
        let head =
            format!("POST {endpoint} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
        send(&mut socket, &head, body)
    }

    pub(crate) fn post(&self, body: &str) {
        assert_eq!(self.try_post(body), (202, "Accepted".into()));
    }

    pub(crate) fn ask(&mut self, body: &str) -> Value {
        self.post(body);
        self.value()
    }

    /// Ends the session with a FIN.
    pub(crate) fn finish(self) {
        self.reader.get_ref().shutdown(Shutdown::Both).unwrap();
    }
}
