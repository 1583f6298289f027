//! The server that the table asks, and what has come in.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::Body;
use mcp_transport::core::{BoxFuture, Principal};
use mcp_transport::http::proto::{HostList, Origin};
use mcp_transport::http::{
    Arrived, Authenticate, Cors, Refusal, Reply, ReplyBody, Route, Router, RouterOptions, json_reply,
    text_reply,
};
use mcp_transport::streamable_http::Legacy;
use mcp_transport::{
    Connection, Incoming, Listener, SseListener, SseOptions, SseServer, StreamableListener,
    StreamableOptions, StreamableServer, serve,
};
use serde_json::json;

use super::rows::{OWN, READER, Row, Token};
use super::rules::Mode;

/// What every POST says.
const NOTE: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/note"}"#;
const HELLO: &[u8] =
    br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
const GOOD: HeaderValue = HeaderValue::from_static("Bearer good");
const BAD: HeaderValue = HeaderValue::from_static("Bearer good?");

/// One bearer token, and whose it is.
struct Bearers;

impl Authenticate for Bearers {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let challenge = |text| {
            let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "who asks?\n");
            refusal.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(text))
        };
        let answer = match parts.headers.get(header::AUTHORIZATION) {
            Some(value) if value == GOOD => Ok(Some(Principal::new("the one"))),
            Some(_) => Err(challenge("Bearer error=\"invalid_token\"")),
            None => Err(challenge("Bearer")),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Every binding on one router, and a session of each.
pub(crate) struct Stage {
    mode: Mode,
    pub(crate) router: Router,
    sse: SseServer,
    streamable: StreamableServer,
    opened: SseListener,
    also_opened: StreamableListener,
    /// The session of Streamable HTTP, where there are sessions.
    session: Option<HeaderValue>,
    /// The stream of the session of HTTP+SSE, which is its life.
    _stream: Reply,
    /// The query that names that session.
    query: String,
    heard: Arc<AtomicU64>,
}

/// The routes of all bindings, of a route that all may ask, and of one that is at the root.
pub(crate) fn routes(sse: &SseServer, streamable: &StreamableServer) -> Vec<Route> {
    let health =
        |_: Arrived| -> BoxFuture<'static, Reply> { Box::pin(async { text_reply(StatusCode::OK, "ok") }) };
    let about =
        |_: Arrived| -> BoxFuture<'static, Reply> { Box::pin(async { json_reply(StatusCode::OK, "{}") }) };
    let own = [
        Route::new(Method::GET, "/healthz", Arc::new(health)).public(),
        Route::new(Method::GET, "/.well-known/about", Arc::new(about)).public().at_root(),
    ];
    streamable.routes().into_iter().chain(sse.routes()).chain(own).collect()
}

/// The two servers of a mode.
pub(crate) fn servers(mode: Mode) -> ((SseServer, SseListener), (StreamableServer, StreamableListener)) {
    let mut options = StreamableOptions::default();
    options.legacy = mode.legacy;
    (SseServer::new(SseOptions::default()), StreamableServer::new(options))
}

impl Stage {
    pub(crate) async fn new(mode: Mode) -> Self {
        let ((sse, mut opened), (streamable, mut also_opened)) = servers(mode);
        let hosts = HostList::loopback().allow("mcp.example").unwrap().with_port(8808);
        let mut options = RouterOptions::default().hosts(hosts).prefix(mode.prefix);
        if mode.cors {
            options = options.cors(Cors::new([Origin::parse(READER.as_bytes()).unwrap()]));
        }
        if mode.auth {
            options = options.authenticate(Arc::new(Bearers));
        }
        let router = Router::new(options, routes(&sse, &streamable));
        let heard = Arc::default();
        listen(also_opened.accept().await.unwrap().unwrap(), &heard);

        let mut request = Self::request(Method::GET, format!("{}/sse", mode.prefix).parse().unwrap());
        request.headers_mut().insert(header::HOST, OWN.parse().unwrap());
        request.headers_mut().insert(header::AUTHORIZATION, GOOD);
        let mut stream = router.answer(request).await;
        assert_eq!(stream.status(), StatusCode::OK);
        let first = at_once(&mut stream);
        let (_, query) = first.trim_end().split_once('?').unwrap();
        let query = query.to_owned();
        listen(opened.accept().await.unwrap().unwrap(), &heard);
        let mut this = Self {
            mode,
            router,
            sse,
            streamable,
            opened,
            also_opened,
            session: None,
            _stream: stream,
            query,
            heard,
        };
        this.open().await;
        this
    }

    /// Messages that the handlers have seen.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// A path as the target of a request.
    pub(crate) fn target(&self, authority: Option<&str>, path: &str) -> Uri {
        let query = &self.query;
        let origin = authority.map_or(String::new(), |authority| format!("http://{authority}"));
        format!("{origin}{path}?{query}").parse().unwrap()
    }

    /// Asks what the row says.
    pub(crate) async fn ask(&self, target: &Uri, row: &Row) -> Reply {
        let mut request = Self::request(row.method.0.parse().unwrap(), target.clone());
        *request.version_mut() = row.host.version;
        let headers = request.headers_mut();
        for line in row.host.lines {
            headers.append(header::HOST, HeaderValue::from_static(line));
        }
        if let Some(value) = row.origin.value {
            headers.insert(header::ORIGIN, HeaderValue::from_bytes(value).unwrap());
        }
        add(headers, header::CONTENT_TYPE, row.content_type.0);
        add(headers, header::ACCEPT, row.accept.0);
        add(headers, header::HeaderName::from_static("sec-fetch-site"), row.site.0);
        if row.method.1 {
            add(headers, header::ACCESS_CONTROL_REQUEST_METHOD, Some("POST"));
        }
        match row.token {
            Token::None => {}
            Token::Good => drop(headers.insert(header::AUTHORIZATION, GOOD)),
            Token::Bad => drop(headers.insert(header::AUTHORIZATION, BAD)),
        }
        if let Some(session) = &self.session {
            headers.insert("mcp-session-id", session.clone());
        }
        if self.mode.legacy == Legacy::Off {
            add(headers, header::HeaderName::from_static("mcp-protocol-version"), Some("2026-07-28"));
        }
        self.router.answer(request).await
    }

    /// Sessions that are open, of both bindings.
    pub(crate) fn session_counts(&self) -> (usize, usize) {
        (self.streamable.session_count(), self.sse.session_count())
    }

    /// Puts everything back to what it was before a request that was served.
    pub(crate) async fn restore(&mut self, reply: Reply) {
        if self.sse.session_count() > 1 {
            drop(self.opened.accept().await.unwrap().unwrap());
        }
        drop(reply);
        if self.streamable.session_count() == 0 {
            self.open().await;
        }
    }

    /// Opens a session of Streamable HTTP, where there are sessions.
    async fn open(&mut self) {
        if self.mode.legacy != Legacy::Sessions {
            return;
        }
        let mut request = Self::request(Method::POST, format!("{}/mcp", self.mode.prefix).parse().unwrap());
        *request.body_mut() = ReplyBody::full(HELLO);
        let headers = request.headers_mut();
        headers.insert(header::HOST, OWN.parse().unwrap());
        headers.insert(header::AUTHORIZATION, GOOD);
        add(headers, header::CONTENT_TYPE, Some("application/json"));
        let router = self.router.clone();
        let hello = tokio::spawn(async move { router.answer(request).await });
        listen(self.also_opened.accept().await.unwrap().unwrap(), &self.heard);
        let reply = hello.await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK);
        self.session = reply.headers().get("mcp-session-id").cloned();
        assert!(self.session.is_some());
    }

    fn request(method: Method, target: Uri) -> Request<ReplyBody> {
        let mut request = Request::new(ReplyBody::full(NOTE));
        *request.method_mut() = method;
        *request.uri_mut() = target;
        request
    }
}

fn add(headers: &mut HeaderMap, name: header::HeaderName, value: Option<&'static str>) {
    if let Some(value) = value {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Counts what comes, and agrees to `initialize`.
fn listen(connection: Connection, heard: &Arc<AtomicU64>) {
    let heard = heard.clone();
    tokio::spawn(serve(connection, move |incoming| {
        match incoming {
            Incoming::Request(exchange) => exchange.finish(&json!({ "protocolVersion": "2025-11-25" })),
            Incoming::Notification(..) => drop(heard.fetch_add(1, Ordering::Relaxed)),
            other => panic!("{other:?}"),
        }
        std::future::ready(())
    }));
}

/// What a body has at once; nothing when it has ended.
pub(crate) fn at_once(reply: &mut Reply) -> String {
    match Pin::new(reply.body_mut()).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(None) => String::new(),
        Poll::Ready(Some(frame)) => String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap(),
        Poll::Pending => panic!("the body is not there"),
    }
}
