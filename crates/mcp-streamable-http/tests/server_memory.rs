//! What is held of the server's memory by what is idle: a session, its stream, a stream of the modern era.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use mcp_http::{Router, RouterOptions, Server, ServerOptions};
use mcp_streamable_http::{StreamableOptions, StreamableServer};
use serde_json::json;
use tokio::sync::oneshot;

use mounted::{Ask, serve_all};
use raw::initialize;
use served::within;

const CLIENTS: u64 = 200;
/// What is there once, and the first sizes of tables.
const BEFORE: u64 = 300;

/// A client without a runtime, on a thread of its own: what it allocates is not counted.
struct Blocking(BufReader<TcpStream>);

impl Blocking {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(socket))
    }

    /// Sends a request, and gives the headers of its answer.
    fn ask(&mut self, ask: &Ask) -> Vec<String> {
        self.0.get_mut().write_all(ask.text().as_bytes()).unwrap();
        let lines = self.0.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        let lines: Vec<_> = lines.collect();
        assert!(lines[0].starts_with("HTTP/1.1 20"), "{lines:?}");
        lines
    }

    /// The same, with a body that has a length.
    fn whole(&mut self, ask: &Ask) -> Vec<String> {
        let lines = self.ask(ask);
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        self.0.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
        lines
    }

    /// A session that was used; its id.
    fn session(&mut self) -> String {
        let lines = self.whole(&Ask::post(initialize("2025-11-25")));
        let id = lines.iter().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
        let note = Ask::post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        self.whole(&note.with("mcp-session-id", id));
        id.to_owned()
    }

    /// What an event stream says first.
    fn first(&mut self) {
        let mut line = String::new();
        while !line.starts_with(':') && !line.starts_with("id:") && !line.starts_with("data:") {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0);
        }
    }
}

/// Bytes that are held after so many more clients, for each of them.
fn bytes_each(
    runtime: &tokio::runtime::Runtime,
    address: SocketAddr,
    open: fn(SocketAddr) -> Option<Blocking>,
) -> i64 {
    let many = |count: u64| {
        let (done, opened) = oneshot::channel();
        std::thread::spawn(move || {
            let clients: Vec<_> = (0..count).map(|_| open(address)).collect();
            let _ = done.send(clients);
        });
        runtime.block_on(async { within("the clients", opened).await.unwrap() })
    };
    let _before = many(BEFORE);
    let mut clients = None;
    let held = measure(|| clients = Some(many(CLIENTS)));
    drop(clients);
    held.bytes_current / CLIENTS as i64
}

#[test]
fn what_is_idle_costs_little() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let (endpoint, listener) = StreamableServer::new(StreamableOptions::default());
        let router = Router::new(RouterOptions::default(), endpoint.routes());
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
        let address = server.local_addr();
        tokio::spawn(server.serve(router));
        serve_all(listener, Arc::default()).await;
        address
    });
    let session = bytes_each(&runtime, address, |address| {
        Blocking::connect(address).session();
        None
    });
    let listening = bytes_each(&runtime, address, |address| {
        let id = Blocking::connect(address).session();
        let mut stream = Blocking::connect(address);
        let get = Ask::new("GET").with("accept", "text/event-stream").with("mcp-session-id", id);
        stream.ask(&get);
        stream.first();
        Some(stream)
    });
    let modern = bytes_each(&runtime, address, |address| {
        let mut stream = Blocking::connect(address);
        stream.ask(&Ask::modern(1, "subscriptions/listen", json!({})));
        stream.first();
        Some(stream)
    });
    eprintln!(
        "idle: a session {session} bytes; with its GET stream {listening}; a modern stream of a POST {modern}"
    );
    assert!(0 < session && session < listening);
    assert!(session <= 5632, "{session}");
    assert!(listening <= 9 * 1024, "{listening}");
    // hyper stays with the reply to a POST, and has two buffers of 8 KiB; the head of the request is not a third one.
    assert!(modern <= 26 * 1024, "{modern}");
}
