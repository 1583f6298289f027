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

    /// The data of the next event, which has this name.
    pub(crate) async fn event(&mut self, name: &str) -> String {
        let Said::Event(event) = self.said().await else { panic!("the stream ended") };
        let data =
            event.strip_prefix(&format!("event: {name}\ndata: ")).unwrap_or_else(|| panic!("{event:?}"));
        data.strip_suffix("\n\n").unwrap().to_owned()
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

/// Opens an event stream, and returns where to post.
pub(crate) async fn open(address: SocketAddr, target: &str) -> (Raw, String) {
    let mut raw = Raw::connect(address).await;
    raw.send(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let (status, _) = raw.head().await;
    assert_eq!(status, 200);
    let endpoint = raw.event("endpoint").await;
    (raw, endpoint)
}

/// One request on a connection of its own; the head is everything but the length.
pub(crate) async fn ask(address: SocketAddr, head: &str, body: &str) -> Answer {
    let mut raw = Raw::connect(address).await;
    raw.send(&format!("{head}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    raw.answer().await
}

/// Posts one JSON text.
pub(crate) async fn post(address: SocketAddr, target: &str, json: &str) -> Answer {
    ask(address, &format!("POST {target} HTTP/1.1\r\nContent-Type: application/json"), json).await
}

pub(crate) fn session_of(endpoint: &str) -> String {
    endpoint.split_once("sessionId=").unwrap().1.to_owned()
}
