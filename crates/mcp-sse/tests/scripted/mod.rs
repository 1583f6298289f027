//! A server that does exactly what its test says.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;
use std::time::Duration;

use mcp_sse::SseClient;
use mcp_transport_core::{Connection, Endpoint, Error, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: what is awaited comes much earlier, or the test fails.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    requests: mpsc::Receiver<Request>,
    accepting: JoinHandle<()>,
}

/// A request that waits for what the test does with it.
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    /// The names in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
    socket: TcpStream,
}

impl Scripted {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, requests) = mpsc::channel(256);
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    if let Some(request) = Request::read(socket).await {
                        let _ = seen.send(request).await;
                    }
                });
            }
        });
        Self { address, requests, accepting }
    }

    pub(crate) fn client(&self) -> SseClient {
        SseClient::new(format!("http://{}/v1/sse?tenant=7", self.address).parse().unwrap())
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Request {
        within("a request", self.requests.recv()).await.unwrap()
    }

    /// The next request, which posts to `/m`.
    pub(crate) async fn posted(&mut self) -> Request {
        let request = self.next().await;
        assert_eq!(request.line, "POST /m?s=1");
        request
    }

    /// A request that has come already.
    pub(crate) fn has_come(&mut self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Nobody is listening any more.
    pub(crate) async fn stop(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    /// Dials, and answers with a stream that says this first.
    pub(crate) async fn dial(&mut self, first: &str) -> (Result<Connection, Error>, Stream) {
        self.dial_with(self.client(), first).await
    }

    pub(crate) async fn dial_with(
        &mut self,
        mut client: SseClient,
        first: &str,
    ) -> (Result<Connection, Error>, Stream) {
        let serve = async {
            let request = self.next().await;
            assert_eq!(request.line, "GET /v1/sse?tenant=7");
            let mut stream = request.stream().await;
            stream.say(first).await;
            stream
        };
        let (connection, stream) = tokio::join!(client.dial(), serve);
        (connection, stream)
    }

    /// A session whose messages are posted to `/m`.
    pub(crate) async fn session(&mut self) -> (Endpoint, Stream) {
        self.session_with(self.client()).await
    }

    pub(crate) async fn session_with(&mut self, client: SseClient) -> (Endpoint, Stream) {
        let (connection, stream) = self.dial_with(client, "event: endpoint\ndata: /m?s=1\n\n").await;
        (connection.unwrap().spawn(), stream)
    }
}

impl Request {
    async fn read(mut socket: TcpStream) -> Option<Self> {
        let mut read = Vec::new();
        let end = loop {
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if socket.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        };
        let body = read.split_off(end + 4);
        let head = String::from_utf8(read).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
        let lower = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            format!("{}: {value}", name.to_ascii_lowercase())
        };
        let headers: Vec<String> = lines.map(lower).collect();
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = body;
        while body.len() < length {
            if socket.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { line, headers, body: String::from_utf8(body).unwrap(), socket })
    }

    /// Answers, and ends the connection.
    pub(crate) async fn answer(mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        );
        let _ = self.socket.write_all(response.as_bytes()).await;
    }

    pub(crate) async fn accept(self) {
        self.answer("202 Accepted", "", "Accepted").await;
    }

    /// Answers with an event stream.
    pub(crate) async fn stream(self) -> Stream {
        self.open("200 OK", "Content-Type: text/event-stream\r\n").await
    }

    /// Answers with a body that goes on until the connection ends.
    pub(crate) async fn open(mut self, status: &str, headers: &str) -> Stream {
        let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
        self.socket.write_all(head.as_bytes()).await.unwrap();
        Stream { socket: self.socket }
    }

    /// The id in the message that was posted.
    pub(crate) fn id(&self) -> u64 {
        let message: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        message["id"].as_u64().unwrap_or_else(|| panic!("{}", self.body))
    }

    pub(crate) fn method(&self) -> String {
        let message: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        message["method"].as_str().unwrap_or_default().to_owned()
    }
}

/// Ends with its connection when it is dropped.
pub(crate) struct Stream {
    pub(crate) socket: TcpStream,
}

impl Stream {
    pub(crate) async fn say(&mut self, text: &str) {
        within("a write", self.socket.write_all(text.as_bytes())).await.unwrap();
    }

    pub(crate) async fn message(&mut self, json: &str) {
        self.say(&format!("event: message\ndata: {json}\n\n")).await;
    }

    pub(crate) async fn result(&mut self, id: u64, result: &str) {
        self.message(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)).await;
    }
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing came of it within {SOON:?}"),
    }
}
