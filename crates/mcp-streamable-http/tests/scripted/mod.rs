//! A server that does exactly what its test says.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;
use std::time::Duration;

use mcp_jsonrpc::{Notification, Response};
use mcp_streamable_http::StreamableClient;
use mcp_transport_core::{Backoff, Caller, Endpoint, Error, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: what is awaited comes much earlier, or the test fails.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Time enough for what must not come.
pub(crate) const MOMENT: Duration = Duration::from_millis(60);

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";
pub(crate) const EVENTS: &str = "Content-Type: text/event-stream\r\n";
pub(crate) const SESSION: &str = "1868a90c-session";

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

pub(crate) type Call = JoinHandle<Result<Response, Error>>;

impl Scripted {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, requests) = mpsc::channel(512);
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

    pub(crate) fn client(&self) -> StreamableClient {
        let url = format!("http://{}/mcp?tenant=7", self.address).parse().unwrap();
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(5), 4);
        StreamableClient::new(url).with_backoff(backoff)
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Request {
        within("a request", self.requests.recv()).await.unwrap()
    }

    pub(crate) async fn next_is(&mut self, method: &str) -> Request {
        let request = self.next().await;
        assert_eq!(request.line, "POST /mcp?tenant=7", "instead of {method}");
        assert_eq!(request.method(), method);
        request
    }

    pub(crate) async fn next_get(&mut self) -> Request {
        let request = self.next().await;
        assert_eq!(request.line, "GET /mcp?tenant=7", "{}", request.body);
        assert_eq!(request.header("accept"), Some("text/event-stream"));
        request
    }

    /// Nothing comes for a while.
    pub(crate) async fn silence(&mut self) {
        if let Ok(request) = timeout(MOMENT, self.requests.recv()).await {
            let request = request.unwrap();
            panic!("{} {}", request.line, request.body);
        }
    }

    /// Nobody is listening any more.
    pub(crate) async fn stop(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    /// A legacy session without a stream of the server's own.
    pub(crate) async fn session(&mut self) -> Endpoint {
        self.session_of(self.client()).await
    }

    pub(crate) async fn session_of(&mut self, mut client: StreamableClient) -> Endpoint {
        let endpoint = client.dial().await.unwrap().spawn();
        let initialized = initialize(&endpoint);
        self.open_session().await;
        self.next_get().await.answer("405 Method Not Allowed", "", "").await;
        within("the session", initialized).await.unwrap();
        endpoint
    }

    /// A legacy session and the server's own stream.
    pub(crate) async fn session_with_stream(&mut self, mut client: StreamableClient) -> (Endpoint, Stream) {
        let endpoint = client.dial().await.unwrap().spawn();
        let initialized = initialize(&endpoint);
        self.open_session().await;
        let stream = self.next_get().await.stream().await;
        within("the session", initialized).await.unwrap();
        (endpoint, stream)
    }

    /// Answers `initialize` and what follows it.
    pub(crate) async fn open_session(&mut self) {
        let session = format!("Mcp-Session-Id: {SESSION}\r\n");
        let request = self.next_is("initialize").await;
        assert_eq!(request.header("mcp-session-id"), None);
        request.initialized(&session).await;
        self.next_is("notifications/initialized").await.accept().await;
    }
}

/// Sends `initialize` and `notifications/initialized`.
pub(crate) fn initialize(endpoint: &Endpoint) -> JoinHandle<()> {
    let (caller, sender) = (Caller::new(&endpoint.sender), endpoint.sender.clone());
    tokio::spawn(async move {
        caller.request("initialize", &serde_json::json!({ "protocolVersion": "2025-11-25" })).await.unwrap();
        sender.send(Notification::new("notifications/initialized")).await.unwrap();
    })
}

pub(crate) fn call(endpoint: &Endpoint, method: &'static str) -> Call {
    let caller = Caller::new(&endpoint.sender);
    tokio::spawn(async move { caller.request(method, &()).await })
}

/// A call of the modern era.
pub(crate) fn modern(endpoint: &Endpoint, method: &'static str, revision: &'static str) -> Call {
    modern_with(endpoint, method, revision, serde_json::json!({}))
}

pub(crate) fn modern_with(
    endpoint: &Endpoint,
    method: &'static str,
    revision: &'static str,
    mut params: serde_json::Value,
) -> Call {
    params["_meta"] = serde_json::json!({ "io.modelcontextprotocol/protocolVersion": revision });
    let caller = Caller::new(&endpoint.sender);
    tokio::spawn(async move { caller.request(method, &params).await })
}

pub(crate) async fn response(call: Call) -> Response {
    within("a response", call).await.unwrap().unwrap()
}

pub(crate) async fn result(call: Call) -> String {
    String::from_utf8(response(call).await.result_raw().unwrap().to_vec()).unwrap()
}

pub(crate) async fn failure(call: Call) -> Error {
    within("a failure", call).await.unwrap().unwrap_err()
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
        let mut body = read.split_off(end + 4);
        let head = String::from_utf8(read).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
        let lower = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            format!("{}: {}", name.to_ascii_lowercase(), value.trim())
        };
        let headers: Vec<String> = lines.map(lower).collect();
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            if socket.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { line, headers, body: String::from_utf8(body).unwrap(), socket })
    }

    /// The value of a header that stands there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = found.next();
        assert_eq!(found.next(), None, "{name} stands there twice");
        value
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
        self.answer("202 Accepted", "", "").await;
    }

    /// Answers with JSON: the result of the request.
    pub(crate) async fn result(self, result: &str) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.id());
        self.answer("200 OK", JSON, &body).await;
    }

    pub(crate) async fn initialized(self, headers: &str) {
        let result = r#"{"protocolVersion":"2025-06-18","capabilities":{}}"#;
        let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.id());
        self.answer("200 OK", &format!("{JSON}{headers}"), &body).await;
    }

    /// Answers with an error status and an error response.
    pub(crate) async fn refuse(self, status: &str, id: &str, error: &str) {
        self.answer(status, JSON, &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)).await;
    }

    /// Answers with an event stream that ends with its connection.
    pub(crate) async fn stream(self) -> Stream {
        self.open("200 OK", &format!("{EVENTS}Connection: close\r\n")).await
    }

    /// Answers with an event stream in chunks: a connection that ends before the last one broke off.
    pub(crate) async fn chunked(self) -> Stream {
        let mut stream = self.open("200 OK", &format!("{EVENTS}Transfer-Encoding: chunked\r\n")).await;
        stream.chunked = true;
        stream
    }

    pub(crate) async fn open(mut self, status: &str, headers: &str) -> Stream {
        let head = format!("HTTP/1.1 {status}\r\n{headers}\r\n");
        self.socket.write_all(head.as_bytes()).await.unwrap();
        Stream { socket: self.socket, chunked: false }
    }

    /// Waits until the client ends the connection.
    pub(crate) async fn hung_up(mut self) {
        assert_eq!(within("the end", self.socket.read(&mut [0; 16])).await.unwrap_or(0), 0);
    }

    fn message(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.line, self.body))
    }

    /// The id in the message that was posted.
    pub(crate) fn id(&self) -> u64 {
        self.message()["id"].as_u64().unwrap_or_else(|| panic!("{}", self.body))
    }

    pub(crate) fn method(&self) -> String {
        self.message()["method"].as_str().unwrap_or_default().to_owned()
    }
}

/// Ends with its connection when it is dropped.
pub(crate) struct Stream {
    pub(crate) socket: TcpStream,
    chunked: bool,
}

impl Stream {
    pub(crate) async fn say(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        // A chunk of no bytes would be the last.
        let text = if self.chunked && !text.is_empty() { &chunk } else { text };
        within("a write", self.socket.write_all(text.as_bytes())).await.unwrap();
    }

    pub(crate) async fn message(&mut self, json: &str) {
        self.say(&format!("data: {json}\n\n")).await;
    }

    pub(crate) async fn result(&mut self, id: u64, result: &str) {
        self.message(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)).await;
    }

    /// Waits until the client ends the connection.
    pub(crate) async fn hung_up(mut self) {
        assert_eq!(within("the end", self.socket.read(&mut [0; 16])).await.unwrap_or(0), 0);
    }
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing came of it within {SOON:?}"),
    }
}
