//! A client that sends bytes and looks at bytes.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Generous: what is awaited comes much earlier, or the test fails.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// One connection.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    /// What was read, and looked at up to `at`.
    read: Vec<u8>,
    at: usize,
    /// What was in the chunks so far, and not looked at.
    events: Vec<u8>,
}

/// One response, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The whole head in the order and the spelling that it came in, without the line of the date.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The data of its events, or its body if it has none.
    pub(crate) fn messages(&self) -> Vec<&str> {
        match self.header("content-type") {
            Some("text/event-stream") => data(&self.body).collect(),
            _ => vec![&self.body],
        }
    }
}

/// The value of a header in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (written, value) = line.split_once(": ")?;
        written.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The data of events, without those that have none.
fn data(events: &str) -> impl Iterator<Item = &str> {
    events.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| !data.is_empty())
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(within("a connection", TcpStream::connect(address)).await.unwrap())
    }

    /// One that takes little before it has read.
    pub(crate) async fn narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(within("a connection", socket.connect(address)).await.unwrap())
    }

    fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        Self { socket, read: Vec::new(), at: 0, events: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        within("a write", self.socket.write_all(bytes)).await.unwrap();
    }

    /// Sends one byte, if somebody still takes it.
    pub(crate) async fn try_send(&mut self, byte: u8) -> std::io::Result<()> {
        within("a write", self.socket.write_all(&[byte])).await
    }

    /// Reads what there is, after what was read and not looked at; whether the connection goes on.
    pub(crate) async fn read_some(&mut self, into: &mut Vec<u8>) -> bool {
        if self.at < self.read.len() {
            into.extend_from_slice(&self.read[self.at..]);
            self.at = self.read.len();
        }
        self.socket.read_buf(into).await.unwrap_or(0) > 0
    }

    /// Reads more; whether there was more.
    async fn more(&mut self) -> bool {
        if self.at > 0 {
            self.read.drain(..self.at);
            self.at = 0;
        }
        within("bytes", self.socket.read_buf(&mut self.read)).await.unwrap_or(0) > 0
    }

    fn rest(&self) -> &[u8] {
        &self.read[self.at..]
    }

    /// Up to and with the next of these bytes.
    async fn until(&mut self, end: &[u8]) -> String {
        let mut from = 0;
        loop {
            let rest = self.rest();
            let last = end[end.len() - 1];
            while let Some(found) = rest[from..].iter().position(|&byte| byte == last) {
                from += found + 1;
                if rest[..from].ends_with(end) {
                    let text = String::from_utf8(rest[..from].to_vec()).unwrap();
                    self.at += from;
                    return text;
                }
            }
            from = self.rest().len();
            assert!(self.more().await, "it ended: {:?}", String::from_utf8_lossy(self.rest()));
        }
    }

    async fn exactly(&mut self, length: usize, into: &mut Vec<u8>) {
        while self.rest().len() < length {
            assert!(self.more().await, "it ended: {:?}", String::from_utf8_lossy(self.rest()));
        }
        into.extend_from_slice(&self.read[self.at..self.at + length]);
        self.at += length;
    }

    /// Status and head.
    pub(crate) async fn head(&mut self) -> (u16, String) {
        let head = self.until(b"\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let is_date = |line: &&str| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("date:"));
        (status, head.split_inclusive('\n').filter(|line| !is_date(line)).collect())
    }

    /// One response, whole.
    pub(crate) async fn answer(&mut self) -> Answer {
        let (status, head) = self.head().await;
        let mut body = Vec::new();
        if let Some(length) = header(&head, "content-length") {
            self.exactly(length.parse().unwrap(), &mut body).await;
        } else if header(&head, "transfer-encoding").is_some() {
            while self.chunk(&mut body).await {}
        }
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// Takes one chunk; whether it was not the last.
    async fn chunk(&mut self, into: &mut Vec<u8>) -> bool {
        let size = self.until(b"\r\n").await;
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        self.exactly(size, into).await;
        self.until(b"\r\n").await;
        size > 0
    }

    /// The next event of a chunked event stream, comments passed over; `None` at its end.
    pub(crate) async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.events.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.events.drain(..at + 2).collect();
                let event = String::from_utf8(event).unwrap();
                if !event.starts_with(':') {
                    return Some(event);
                }
                continue;
            }
            let mut events = std::mem::take(&mut self.events);
            let is_more = self.chunk(&mut events).await;
            self.events = events;
            if !is_more {
                return None;
            }
        }
    }

    /// The data of the next event that has any.
    pub(crate) async fn data(&mut self) -> String {
        loop {
            let event = self.event().await.expect("the stream goes on");
            if let Some(data) = data(&event).next() {
                return data.to_owned();
            }
        }
    }
}

/// The lines of a POST that its body follows.
pub(crate) fn post(target: &str, headers: &str, json: &str) -> String {
    let length = json.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {length}\r\n\r\n{json}"
    )
}

/// The head of a GET of a stream.
pub(crate) fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{headers}\r\n")
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing came of it within {SOON:?}"),
    }
}

/// Waits for what others do.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    within(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
