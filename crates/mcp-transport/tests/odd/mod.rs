//! A server that answers each request as its test wants, and keeps a list of them.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Generous: what is awaited comes much earlier, or the test fails.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Odd {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Asked {
    /// `GET`, `DELETE`, or `POST` and the method in the message.
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) message: Value,
    raw: Vec<u8>,
}

#[derive(Clone)]
pub(crate) enum Says {
    /// A whole answer; then the connection ends.
    Whole(String),
    /// The beginning of one; then silence.
    Held(String),
    /// Nothing.
    Never,
    /// The connection ends.
    HangsUp,
    /// What the server there says.
    Forward(SocketAddr),
}

pub(crate) fn says(status: &str, headers: &str, body: &str) -> Says {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    Says::Whole(head + body)
}

pub(crate) fn text(status: &str) -> Says {
    says(status, "Content-Type: text/plain\r\n", "what the server says\n")
}

pub(crate) fn json(status: &str, headers: &str, body: &Value) -> Says {
    says(status, &format!("Content-Type: application/json\r\n{headers}"), &body.to_string())
}

/// An event stream that goes on.
pub(crate) fn stream(headers: &str, events: &str) -> Says {
    Says::Held(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{headers}\r\n{events}"))
}

pub(crate) fn endpoint() -> Says {
    stream("", "event: endpoint\ndata: /message\n\n")
}

impl Asked {
    /// An error response to it.
    pub(crate) fn error(&self, status: &str, code: i64) -> Says {
        let error = serde_json::json!({ "code": code, "message": "what the server says" });
        json(status, "", &serde_json::json!({ "jsonrpc": "2.0", "id": self.message["id"], "error": error }))
    }

    pub(crate) fn result(&self, headers: &str, result: Value) -> Says {
        let id = &self.message["id"];
        json("200 OK", headers, &serde_json::json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }

    /// The same under another id.
    pub(crate) fn with_id(&self, id: Value) -> Self {
        Self { message: serde_json::json!({ "id": id }), ..self.clone() }
    }

    async fn read(socket: &mut TcpStream) -> Option<Self> {
        let mut raw = Vec::new();
        let end = loop {
            if let Some(at) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if socket.read_buf(&mut raw).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(raw[..end].to_vec()).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while raw.len() < end + length {
            if socket.read_buf(&mut raw).await.ok()? == 0 {
                return None;
            }
        }
        let line = String::from_utf8(raw[..end].to_vec()).unwrap();
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?.to_owned());
        let message: Value = serde_json::from_slice(&raw[end..]).unwrap_or_default();
        let what = format!("{method} {}", message["method"].as_str().unwrap_or_default());
        Some(Self { what: what.trim_end().to_owned(), target, head, message, raw })
    }
}

impl Odd {
    pub(crate) async fn new(answer: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let list = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (list, answer) = (list.clone(), answer.clone());
                tokio::spawn(async move {
                    let Some(asked) = Asked::read(&mut socket).await else { return };
                    list.lock().unwrap().push(asked.what.clone());
                    match answer(&asked) {
                        Says::Whole(text) => drop(socket.write_all(text.as_bytes()).await),
                        Says::Held(text) => {
                            let _ = socket.write_all(text.as_bytes()).await;
                            let _ = socket.read(&mut [0]).await;
                        }
                        Says::Never => drop(socket.read(&mut [0]).await),
                        Says::HangsUp => {}
                        Says::Forward(there) => {
                            let mut there = TcpStream::connect(there).await.unwrap();
                            there.write_all(&asked.raw).await.unwrap();
                            let _ = copy_bidirectional(&mut socket, &mut there).await;
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }

    /// With a secret in its query.
    pub(crate) fn url(&self) -> http::Uri {
        format!("http://{}/mcp?token=hunter2", self.address).parse().unwrap()
    }

    /// The requests since the last time.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing came of it within {SOON:?}"),
    }
}
