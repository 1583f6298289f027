//! A client that sends bytes and looks at bytes.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::served::within;

/// One connection.
pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    /// What was read and not looked at.
    read: Vec<u8>,
    /// What was in the chunks so far, and not looked at.
    body: Vec<u8>,
}

/// One response with a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The names in lower case, sorted, without `date`.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) retry: Option<String>,
}

/// What an event stream says next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Up to its empty line.
    Event(String),
    /// The last chunk.
    End,
    /// The connection ended without one.
    Cut,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, read: Vec::new(), body: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        within("a write", self.socket.write_all(bytes.as_bytes())).await.unwrap();
    }

    async fn more(&mut self) -> bool {
        within("bytes", self.socket.read_buf(&mut self.read)).await.unwrap_or(0) > 0
    }

    /// Status and headers.
    pub(crate) async fn head(&mut self) -> (u16, Vec<String>) {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await, "it ended: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let lower = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            format!("{}: {value}", name.to_ascii_lowercase())
        };
        let mut headers: Vec<String> = lines.map(lower).filter(|line| !line.starts_with("date: ")).collect();
        headers.sort();
        (status, headers)
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let (status, headers) = self.head().await;
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.more().await, "the body ended");
        }
        let body = self.read.drain(..length).collect();
        Answer { status, headers, body: String::from_utf8(body).unwrap() }
    }

    /// What comes next in a chunked event stream.
    pub(crate) async fn said(&mut self) -> Said {
        loop {
            if let Some(at) = self.body.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.body.drain(..at + 2).collect();
                return Said::Event(String::from_utf8(event).unwrap());
            }
            match self.chunk() {
                Some(0) => return Said::End,
                Some(_) => {}
                None if self.more().await => {}
                None => return Said::Cut,
            }
        }
    }

    /// The next event that is no comment.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        // Comments keep it alive for ever.
        within("an event", self.any_event()).await
    }

    async fn any_event(&mut self) -> Option<Event> {
        loop {
            let event = match self.said().await {
                Said::Event(event) => event,
                Said::End | Said::Cut => return None,
            };
            let field =
                |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if event.starts_with(':') {
                continue;
            }
            return Some(Event { id: field("id: "), data: field("data: "), retry: field("retry: ") });
        }
    }

    /// Takes one chunk out of what was read.
    fn chunk(&mut self) -> Option<usize> {
        let line = self.read.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&self.read[..line]).unwrap(), 16).unwrap();
        let end = line + 2 + length + 2;
        if self.read.len() < end {
            return None;
        }
        self.body.extend_from_slice(&self.read[line + 2..line + 2 + length]);
        self.read.drain(..end);
        Some(length)
    }
}

/// What a client asks with, once it has a session, or without one.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// Lines of the head, each with its line end.
    pub(crate) headers: String,
}

pub(crate) const TYPES: &str =
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, headers: String::new() }
    }

    /// Opens a session.
    pub(crate) async fn initialized(address: SocketAddr, version: &str) -> Self {
        let mut client = Self::new(address);
        let answer = client.post(&initialize(version)).await.answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let session = answer.header("mcp-session-id").expect("a session");
        client.headers = format!("Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: {version}\r\n");
        client
    }

    /// Posts one JSON text on a connection of its own.
    pub(crate) async fn post(&self, json: &str) -> Raw {
        let Self { address, headers } = self;
        let len = json.len();
        let head = format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\n{TYPES}{headers}");
        let mut raw = Raw::connect(*address).await;
        raw.send(&format!("{head}Content-Length: {len}\r\n\r\n{json}")).await;
        raw
    }

    /// Opens a stream with GET; `more` are lines of the head.
    pub(crate) async fn get(&self, more: &str) -> Raw {
        let Self { address, headers } = self;
        let mut raw = Raw::connect(*address).await;
        let head = "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n";
        raw.send(&format!("{head}{headers}{more}\r\n")).await;
        raw
    }

    pub(crate) async fn delete(&self) -> Answer {
        let Self { address, headers } = self;
        let mut raw = Raw::connect(*address).await;
        raw.send(&format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        raw.answer().await
    }

    /// Posts one JSON text, and reads its answer whole.
    pub(crate) async fn ask(&self, json: &str) -> Answer {
        self.post(json).await.answer().await
    }
}

pub(crate) fn initialize(version: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}},"clientInfo":{{"name":"t","version":"1"}}}}}}"#
    )
}

pub(crate) fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}
