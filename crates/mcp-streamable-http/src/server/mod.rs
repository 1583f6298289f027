//! Accepts: one endpoint for every revision, era by era.
//!
//! ```text
//! POST ─▶ pipeline ─▶ era ─┬─ modern: judge ──▶ the sessionless connection
//!                          └─ legacy: session ▶ its connection
//!        answer or event stream ◀── response stream of the exchange
//! GET  ─▶ a session's general stream, or one that was lost       DELETE ─▶ the session's end
//! ```

mod answer;
mod body;
mod legacy;
mod modern;
mod session;
mod stream;
mod wire;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::HeaderValue;
use http::request::Parts;
use http::{Method, StatusCode};
use mcp_http::proto::MediaType;
use mcp_http::{Arrived, Handler, Payload, Refusal, Reply, Route, SessionTable, Takes, json_reply};
use mcp_jsonrpc::{ErrorCode, ErrorObject, Id, Message, Response};
use mcp_transport_core::{
    BoxFuture, Connection, Context as MessageContext, Control, Era, Error, Frame, Listener, Options,
    Principal, Revision, queue,
};
use tokio::time::timeout;

pub use legacy::StreamHandle;

use crate::config::{Legacy, StreamableOptions};
use crate::proto::era::names_revision;
use crate::proto::{era_of, era_of_headers, legacy_revision, unsupported};
use answer::Plan;
use session::Session;
use wire::SessionlessWire;

/// Connections that nobody has accepted yet; more sessions are refused with 503.
const BACKLOG: u32 = 1024;
const TRANSPORT: &str = "streamable-http";

/// A Streamable HTTP server: one endpoint to mount, and a listener that yields its connections.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_http::{Router, RouterOptions, Server, ServerOptions};
/// use mcp_streamable_http::{StreamableOptions, StreamableServer};
/// use mcp_transport_core::{Listener, serve};
///
/// let (endpoint, mut connections) = StreamableServer::new(StreamableOptions::default());
/// let router = Router::new(RouterOptions::default(), endpoint.routes());
/// let server = Server::bind("127.0.0.1:8808".parse()?, ServerOptions::default()).await?;
/// tokio::spawn(server.serve(router));
/// while let Some(connection) = connections.accept().await {
///     tokio::spawn(serve(connection?, |incoming| async move { drop(incoming) }));
/// }
/// # Ok(()) }
/// ```
///
/// The first connection has no session, and lives as long as the server: on it arrive the requests of 2026-07-28, and
/// all others where there are no sessions. Each legacy session is a connection of its own, from its `initialize` to
/// DELETE, or until it was idle for [`StreamableOptions::session_idle`].
///
/// # Spec
///
/// MCP 2025-03-26 to 2026-07-28, transports, Streamable HTTP.
#[derive(Clone, Debug)]
pub struct StreamableServer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: Arc<StreamableOptions>,
    sessions: Arc<SessionTable<Session>>,
    opened: queue::Sender<Connection>,
    sessionless: queue::Sender<Frame>,
    control: Control,
}

/// Yields the connection without a session first, and then each session as a connection.
#[derive(Debug)]
pub struct StreamableListener {
    first: Option<Connection>,
    opened: queue::Receiver<Connection>,
}

impl Listener for StreamableListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Connection, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        self.opened.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

impl StreamableServer {
    /// A server, and where its connections come out.
    pub fn new(mut options: StreamableOptions) -> (Self, StreamableListener) {
        options.path = format!("/{}", options.path.trim_matches('/'));
        let (opened, accepted) = queue::channel(BACKLOG, BACKLOG);
        let limits = options.sessionless_limits;
        let (sessionless, posted) = queue::channel(limits.inbound_bytes, limits.inbound_count);
        let mut connection_options = Options::new(TRANSPORT).with_limits(limits).with_sessionless();
        connection_options.tap = options.tap.as_ref().map(|make| make(&connection_options.context));
        let connection = Connection::new(SessionlessWire { posted }, connection_options);
        let shared = Shared {
            options: Arc::new(options),
            sessions: Arc::default(),
            opened,
            sessionless,
            control: connection.control(),
        };
        let listener = StreamableListener { first: Some(connection), opened: accepted };
        (Self { shared: Arc::new(shared) }, listener)
    }

    /// The routes of the endpoint, to be put into a [`Router`](mcp_http::Router).
    pub fn routes(&self) -> [Route; 3] {
        let options = &self.shared.options;
        let route = |method, does| {
            Route::new(method, &options.path, Arc::new(Endpoint { shared: self.shared.clone(), does }))
        };
        let limits = &options.limits;
        let get = route(Method::GET, Does::Get);
        [
            // MCP 2025-06-18, transports: a client accepts both forms of an answer.
            route(Method::POST, Does::Post)
                .produces(MediaType::Json)
                .produces(MediaType::EventStream)
                .takes(Takes::MessageOrBatch)
                .max_body(limits.max_message)
                .scan(limits.scan),
            // Where it is not allowed, that is so whatever is accepted.
            if options.legacy == Legacy::Sessions { get.produces(MediaType::EventStream) } else { get },
            route(Method::DELETE, Does::Delete),
        ]
    }

    /// Sessions that are open.
    pub fn session_count(&self) -> usize {
        self.shared.sessions.len()
    }

    /// Takes no new requests and ends everything in good order: what was accepted is finished, within
    /// [`Limits::drain`](mcp_transport_core::Limits::drain), and then streams end.
    ///
    /// Streams do not end by themselves, so this belongs into [`Server::on_drain`](mcp_http::Server::on_drain).
    pub fn shutdown(&self) {
        self.shared.opened.close();
        self.shared.control.shutdown();
        for session in self.shared.sessions.close() {
            if let Some(control) = session.control() {
                control.shutdown();
            }
        }
    }
}

/// What a route does.
#[derive(Clone, Copy, Debug)]
enum Does {
    Post,
    Get,
    Delete,
}

#[derive(Debug)]
struct Endpoint {
    shared: Arc<Shared>,
    does: Does,
}

impl Handler for Endpoint {
    fn handle(&self, arrived: Arrived) -> Replying {
        let shared = &self.shared;
        let replying = match self.does {
            Does::Post => shared.post(arrived),
            Does::Get => {
                let shared = shared.clone();
                Ok(later(async move { shared.get(arrived).await }))
            }
            Does::Delete => shared.delete(&arrived).map(now),
        };
        replying.unwrap_or_else(|refusal| now(refusal.into()))
    }
}

/// A reply that is on its way. What can be done at once is done before: whatever is held meanwhile is moved around.
type Replying = BoxFuture<'static, Reply>;

fn now(reply: Reply) -> Replying {
    Box::pin(std::future::ready(reply))
}

fn later(reply: impl Future<Output = Result<Reply, Refusal>> + Send + 'static) -> Replying {
    Box::pin(async move { reply.await.unwrap_or_else(Reply::from) })
}

impl Shared {
    fn post(self: &Arc<Self>, arrived: Arrived) -> Result<Replying, Refusal> {
        let headers = &arrived.parts.headers;
        let named = legacy_revision(headers);
        let era = match (&named, &arrived.payload) {
            // The header of most requests is read once.
            (Ok(_), Payload::Message(message)) if names_revision(message) => Era::Modern,
            (Ok(_), _) => Era::Legacy,
            (Err(_), Payload::Message(message)) => era_of(headers, message),
            (Err(_), _) => era_of_headers(headers),
        };
        let named = named.map_err(legacy::unsupported_version);
        match (era, self.options.legacy) {
            (Era::Modern, _) if self.options.modern => self.modern(arrived),
            (Era::Modern, _) => Ok(now(refused(arrived.payload, &legacy_only()))),
            (Era::Legacy, Legacy::Sessions) => self.legacy(arrived, named?),
            (Era::Legacy, Legacy::Stateless) => self.stateless(arrived, named?),
            (Era::Legacy, Legacy::Off) => match legacy::requested(&arrived) {
                Some(version) => Ok(now(refused(arrived.payload, &unsupported(&version, MODERN).error))),
                // It says nothing of a revision, and is judged like any other request.
                None => self.modern(arrived),
            },
        }
    }

    fn plan(&self, single: bool, status: fn(&ErrorObject) -> StatusCode) -> Plan {
        let options = &self.options;
        Plan {
            form: options.answers,
            single,
            wait: options.answer_wait,
            keep_alive: options.keep_alive,
            status,
            waits: false,
        }
    }

    /// Puts something into a queue: at once where there is room, and else within a time.
    fn deliver(&self, queue: &queue::Sender<Frame>, len: usize, frame: Frame) -> Delivery {
        let gone = |queue::Closed| Refusal::unavailable("shutting down\n");
        match queue.try_reserve(len) {
            Ok(Some(place)) => Delivery::Done(place.send(frame).map_err(gone)),
            Err(closed) => Delivery::Done(Err(gone(closed))),
            Ok(None) => {
                let (queue, wait) = (queue.clone(), self.options.queue_wait);
                Delivery::Waits(Box::pin(async move {
                    let room = timeout(wait, queue.reserve(len)).await;
                    let full = |_| Refusal::unavailable("too many messages wait\n");
                    room.map_err(full)?.map_err(gone)?.send(frame).map_err(gone)
                }))
            }
        }
    }
}

/// A message on its way into a queue.
enum Delivery {
    Done(Result<(), Refusal>),
    /// There was no room.
    Waits(BoxFuture<'static, Result<(), Refusal>>),
}

impl Delivery {
    /// What is to be replied once it is in, or why it is not.
    fn then(
        self,
        refuse: impl FnOnce(Refusal) -> Refusal + Send + 'static,
        reply: impl Future<Output = Reply> + Send + 'static,
    ) -> Result<Replying, Refusal> {
        match self {
            Self::Done(done) => done.map(|()| Box::pin(reply) as Replying).map_err(refuse),
            Self::Waits(delivery) => Ok(later(async move {
                delivery.await.map_err(refuse)?;
                Ok(reply.await)
            })),
        }
    }

    async fn done(self) -> Result<(), Refusal> {
        match self {
            Self::Done(done) => done,
            Self::Waits(delivery) => delivery.await,
        }
    }
}

/// The revisions of the modern era that are served.
const MODERN: &[Revision] = &[Revision::V2026_07_28];

/// Those that have this binding and sessions.
const LEGACY: &[Revision] = &[Revision::V2025_11_25, Revision::V2025_06_18, Revision::V2025_03_26];

/// What is known about a request beside its bytes.
fn context(
    parts: Parts,
    peer: Option<std::net::SocketAddr>,
    principal: Option<Principal>,
    revision: Option<Revision>,
) -> MessageContext {
    let mut context = MessageContext::new(TRANSPORT);
    context.peer = peer;
    context.principal = principal;
    context.revision = revision;
    context.insert(parts);
    context
}

fn accepted() -> Reply {
    mcp_http::reply(StatusCode::ACCEPTED, mcp_http::ReplyBody::empty())
}

/// What a modern client is told where its era is not served. The code is none of that era, so that a client of both
/// falls back to `initialize`.
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility, Compatibility Matrix.
fn legacy_only() -> ErrorObject {
    let names: Vec<_> = LEGACY.iter().map(|revision| revision.as_str()).collect();
    let text = format!("unsupported protocol version; served here: {}", names.join(", "));
    let error = ErrorObject::new(ErrorCode::INVALID_REQUEST, text);
    error.clone().with_data(&BTreeMap::from([("supported", names)])).unwrap_or(error)
}

/// Says no to a payload, with its id if it is one request.
fn refused(payload: Payload, error: &ErrorObject) -> Reply {
    let id = payload.into_message().as_ref().and_then(asked);
    json_error(StatusCode::BAD_REQUEST, id.as_ref(), error)
}

/// The id of a request. That of a response is one of ours, and an answer with it would answer something else.
fn asked(message: &Message) -> Option<Id> {
    message.id().filter(|_| matches!(message, Message::Request(_)))
}

fn json_error(status: StatusCode, id: Option<&Id>, error: &ErrorObject) -> Reply {
    let response = match id {
        Some(id) => Response::error(id, error),
        None => Response::error_without_id(error),
    };
    json_reply(status, Message::from(response).into_line())
}

fn method_not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this revision has POST only\n")
        .with_header(http::header::ALLOW, HeaderValue::from_static("POST"))
}
