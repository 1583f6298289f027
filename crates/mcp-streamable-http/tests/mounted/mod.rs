//! A server without a socket, with a handler behind it that shows one thing for each method.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body::Body;
use mcp_http::{Reply, ReplyBody, Router, RouterOptions};
use mcp_jsonrpc::{ErrorCode, ErrorObject, Notification};
use mcp_streamable_http::{StreamableListener, StreamableOptions, StreamableServer};
use mcp_transport_core::{Control, Exchange, Incoming, Listener, serve};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::served::within;

pub(crate) const MODERN: &str = "2026-07-28";

pub(crate) struct Mounted {
    pub(crate) server: StreamableServer,
    pub(crate) router: Router,
    /// Of the connection without a session.
    pub(crate) alone: Control,
    pub(crate) seen: Arc<Seen>,
}

/// What the handler has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) hanging: AtomicUsize,
    pub(crate) cancelled: AtomicUsize,
    pub(crate) notifications: AtomicUsize,
    pub(crate) responses: AtomicUsize,
    /// What `listen` tells and `wait` waits for.
    pub(crate) news: watch::Sender<u64>,
}

impl Default for Seen {
    fn default() -> Self {
        let count = AtomicUsize::default;
        let (hanging, cancelled, notifications, responses) = (count(), count(), count(), count());
        Self { hanging, cancelled, notifications, responses, news: watch::Sender::new(0) }
    }
}

impl Seen {
    pub(crate) fn hanging(&self) -> usize {
        self.hanging.load(SeqCst)
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.cancelled.load(SeqCst)
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, SeqCst);
}

/// Connections whose requests are given to [`handle`]; the first of them is told of.
pub(crate) async fn serve_all(mut listener: StreamableListener, seen: Arc<Seen>) -> Control {
    let first = listener.accept().await.unwrap().unwrap();
    let alone = first.control();
    let handler = move |incoming| {
        let seen = seen.clone();
        async move {
            match incoming {
                Incoming::Request(exchange) => handle(exchange, &seen).await,
                Incoming::Notification(..) => count(&seen.notifications),
                Incoming::Response(..) => count(&seen.responses),
                _ => {}
            }
        }
    };
    tokio::spawn(serve(first, handler.clone()));
    tokio::spawn(async move {
        while let Some(connection) = listener.accept().await {
            tokio::spawn(serve(connection.unwrap(), handler.clone()));
        }
    });
    alone
}

impl Mounted {
    pub(crate) async fn new(options: StreamableOptions) -> Self {
        let (server, listener) = StreamableServer::new(options);
        let router = Router::new(RouterOptions::default(), server.routes());
        let seen = Arc::new(Seen::default());
        let alone = serve_all(listener, seen.clone()).await;
        Self { server, router, alone, seen }
    }

    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        within("a reply", self.router.answer(ask.request())).await
    }

    /// Status, and a body in JSON.
    pub(crate) async fn told(&self, ask: &Ask) -> (u16, Value) {
        let mut reply = self.ask(ask).await;
        let text = rest(reply.body_mut()).await;
        let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (reply.status().as_u16(), json)
    }

    /// A session and the modern era still answer.
    pub(crate) async fn still_works(&self, session: &str) {
        let legacy = Ask::post(crate::raw::request(77, "where", "{}")).with("mcp-session-id", session);
        assert_eq!(self.told(&legacy).await.1["result"]["session"], true);
        let told = self.told(&Ask::modern(77, "where", json!({}))).await.1;
        assert_eq!((&told["id"], &told["result"]["revision"]), (&json!(77), &json!(MODERN)));
    }

    /// Opens a session; its id.
    pub(crate) async fn session(&self, version: &str) -> String {
        let reply = self.ask(&Ask::post(crate::raw::initialize(version))).await;
        assert_eq!(reply.status(), 200);
        reply.headers()["mcp-session-id"].to_str().unwrap().to_owned()
    }
}

/// A request over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn new(method: &'static str) -> Self {
        Self { method, headers: vec![("host", "localhost".into())], body: String::new() }
    }

    /// A POST without anything of MCP in its head.
    pub(crate) fn post(body: impl Into<String>) -> Self {
        let ask = Self::new("POST").with("content-type", "application/json");
        let ask = ask.with("accept", "application/json, text/event-stream");
        Self { body: body.into(), ..ask }
    }

    /// A request of 2026-07-28 as it should be; `params` get their `_meta`.
    pub(crate) fn modern(id: u64, method: &str, mut params: Value) -> Self {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let ask =
            Self::post(body.to_string()).with("mcp-protocol-version", MODERN).with("mcp-method", method);
        match params.get("name") {
            Some(name) => ask.with("mcp-name", name.as_str().unwrap()),
            None => ask,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    pub(crate) fn request(&self) -> Request<ReplyBody> {
        let mut request = Request::new(ReplyBody::full(Bytes::from(self.body.clone())));
        *request.method_mut() = Method::from_bytes(self.method.as_bytes()).unwrap();
        *request.uri_mut() = "/mcp".parse().unwrap();
        *request.headers_mut() = self.header_map();
        request
    }

    pub(crate) fn header_map(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    /// The same on a socket, with one more line of the head.
    pub(crate) fn text(&self) -> String {
        let lines: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = self.body.len();
        format!("{} /mcp HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n{}", self.method, self.body)
    }
}

/// What a body says next; nothing when it has ended.
pub(crate) async fn next(body: &mut ReplyBody) -> String {
    let frame = within("a frame", poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx))).await;
    frame.map_or_else(String::new, text)
}

/// What a body says now, if it says anything.
pub(crate) fn now(body: &mut ReplyBody) -> Option<String> {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => Some(frame.map_or_else(String::new, text)),
        Poll::Pending => None,
    }
}

fn text(frame: Result<http_body::Frame<Bytes>, std::io::Error>) -> String {
    String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap()
}

/// All of a body.
pub(crate) async fn rest(body: &mut ReplyBody) -> String {
    let mut whole = String::new();
    loop {
        let more = next(body).await;
        if more.is_empty() {
            return whole;
        }
        whole += &more;
    }
}

pub(crate) async fn handle(exchange: Exchange, seen: &Seen) {
    let (request, context, responder) = exchange.into_parts();
    let params: Value = request.params().unwrap_or_default();
    let number = |key: &str| params.get(key).and_then(Value::as_i64).unwrap_or_default();
    let note = |number: i64| Notification::with_params("note", &[number]).unwrap();
    match &*request.method() {
        "initialize" => {
            let version = params.get("protocolVersion").cloned().unwrap_or_default();
            responder.finish(&json!({ "protocolVersion": version, "capabilities": {}, "serverInfo": {} }));
        }
        "where" | "tools/call" => responder.finish(&json!({
            "session": context.session.is_some(),
            "revision": context.revision.map(|revision| revision.as_str()),
        })),
        // One notification for each number, then an answer.
        "count" => {
            for number in 1..=number("to") {
                if responder.notify(note(number)).await.is_err() {
                    return;
                }
            }
            match number("code") {
                0 => responder.finish(&number("to")),
                code => responder.fail(&ErrorObject::new(ErrorCode(code), "as asked")),
            }
        }
        // Waits for its cancellation.
        "hang" => {
            count(&seen.hanging);
            responder.cancelled().await;
            count(&seen.cancelled);
        }
        // Tells what is new, and never answers.
        "listen" | "subscriptions/listen" => {
            let mut news = seen.news.subscribe();
            let _ = responder.notify(note(0)).await;
            loop {
                tokio::select! {
                    () = responder.cancelled() => break count(&seen.cancelled),
                    changed = news.changed() => changed.unwrap(),
                }
                let number = *news.borrow_and_update();
                let _ = responder.notify(note(number as i64)).await;
            }
        }
        // Waits for its number.
        "wait" => {
            count(&seen.hanging);
            let mut news = seen.news.subscribe();
            let wanted = number("for") as u64;
            tokio::select! {
                () = responder.cancelled() => count(&seen.cancelled),
                found = news.wait_for(|number| *number == wanted) => drop(found.unwrap()),
            }
            responder.finish(&wanted);
        }
        "ask" => match responder.caller().request("roots/list", &()).await {
            Ok(_) => responder.finish("answered"),
            Err(error) => responder.finish(&format!("{:?}", error.kind())),
        },
        _ => responder.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no such method")),
    }
}
