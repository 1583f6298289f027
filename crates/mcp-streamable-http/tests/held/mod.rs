//! Sessions whose exchanges are in the hand of the test.
#![allow(dead_code, reason = "each test takes what it needs")]

use mcp_jsonrpc::Notification;
use mcp_streamable_http::{StreamableListener, StreamableOptions};
use mcp_transport_core::{Connection, Endpoint, Exchange, Incoming, Listener};
use serde_json::json;

use crate::raw::{Client, Raw, initialize};
use crate::served::{Served, within};

/// A server whose sessions are taken by hand.
pub(crate) struct Held {
    pub(crate) served: Served,
    pub(crate) listener: StreamableListener,
    _sessionless: Connection,
}

/// A session: its client, and its server's end.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) server: Endpoint,
}

impl Held {
    pub(crate) async fn new(options: StreamableOptions) -> Self {
        let (served, mut listener) = Served::bare(options).await;
        let sessionless = within("the connection without a session", listener.accept()).await;
        Self { served, listener, _sessionless: sessionless.unwrap().unwrap() }
    }

    /// A connection whose `initialize` has been posted and not been answered.
    pub(crate) async fn opening(&mut self, version: &str) -> (Raw, Endpoint, Exchange) {
        let asked = Client::new(self.served.address).post(&initialize(version)).await;
        let connection = within("a connection", self.listener.accept()).await.unwrap().unwrap();
        let mut server = connection.spawn();
        let exchange = request(&mut server).await;
        (asked, server, exchange)
    }

    pub(crate) async fn open(&mut self, version: &str) -> Session {
        let (mut asked, server, exchange) = self.opening(version).await;
        exchange.finish(&json!({ "protocolVersion": version, "capabilities": {}, "serverInfo": {} }));
        let answer = asked.answer().await;
        let id = answer.header("mcp-session-id").expect("a session");
        let headers = format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {version}\r\n");
        Session { client: Client { address: self.served.address, headers }, server }
    }
}

impl Session {
    /// Posts a request, and takes it.
    pub(crate) async fn asked(&mut self, id: u64) -> (Raw, Exchange) {
        let posted = self.client.post(&crate::raw::request(id, "tools/call", "{}")).await;
        (posted, request(&mut self.server).await)
    }

    /// Posts a request, takes it, and has its answer be a stream; the id of its first event is given too.
    pub(crate) async fn streamed(&mut self, id: u64) -> (Raw, Exchange, String) {
        let (mut posted, exchange) = self.asked(id).await;
        exchange.responder().notify(note(1)).await.unwrap();
        assert_eq!(posted.head().await.0, 200);
        loop {
            let event = posted.event().await.expect("the first event");
            if event.data.is_some_and(|data| !data.is_empty()) {
                return (posted, exchange, event.id.unwrap_or_default());
            }
        }
    }
}

/// The next request.
pub(crate) async fn request(server: &mut Endpoint) -> Exchange {
    loop {
        match within("a request", server.receiver.recv()).await {
            Some(Incoming::Request(exchange)) => return exchange,
            Some(_) => {}
            None => panic!("it ended: {:?}", server.control.close_reason()),
        }
    }
}

pub(crate) fn note(number: u64) -> Notification {
    Notification::with_params("note", &[number]).unwrap()
}

/// The number in a note.
pub(crate) fn number(data: &str) -> u64 {
    let (_, number) = data.split_once(r#""params":["#).unwrap_or_else(|| panic!("no note: {data}"));
    number.trim_end_matches("]}").parse().unwrap()
}

/// Numbers of the next notes.
pub(crate) async fn numbers(raw: &mut Raw, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let data = raw.event().await.expect("an event").data.unwrap_or_default();
        if !data.is_empty() {
            numbers.push(number(&data));
        }
    }
    numbers
}

/// A line of the head that names an event.
pub(crate) fn after(id: &str) -> String {
    format!("Last-Event-ID: {id}\r\n")
}
