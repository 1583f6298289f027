//! Accepts: event streams become sessions, and what is posted comes in.

mod body;
mod session;
mod stream;
mod wire;

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, StatusCode};
use mcp_http::proto::event_stream::encode_event;
use mcp_http::proto::query::{session_endpoint, session_parameter};
use mcp_http::proto::{EventName, MediaType};
use mcp_http::{
    Arrived, Full, Handler, Refusal, Reply, Route, SessionTable, Takes, detached, detached_message,
    event_stream_reply, text_reply,
};
use mcp_jsonrpc::Message;
use mcp_transport_core::queue::Permit;
use mcp_transport_core::{BoxFuture, Connection, Error, Frame, Limits, Listener, Options, queue};
use tokio::time::{sleep, timeout};

use crate::config::SseOptions;
use crate::proto::SessionId;
use body::EventBody;
use session::Session;
use stream::EventStream;
use wire::SessionWire;

/// Sessions that were opened and that nobody has accepted yet; more are refused with 503.
const BACKLOG: u32 = 1024;

/// An HTTP+SSE server: two routes to mount, and a listener that yields each session as a connection.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_http::{Router, RouterOptions, Server, ServerOptions};
/// use mcp_sse::{SseOptions, SseServer};
/// use mcp_transport_core::{Listener, serve};
///
/// let (sse, mut sessions) = SseServer::new(SseOptions::default());
/// let router = Router::new(RouterOptions::default(), sse.routes());
/// let server = Server::bind("127.0.0.1:8808".parse()?, ServerOptions::default()).await?;
/// tokio::spawn(server.serve(router));
/// while let Some(session) = sessions.accept().await {
///     tokio::spawn(serve(session?, |incoming| async move { drop(incoming) }));
/// }
/// # Ok(()) }
/// ```
///
/// A session begins when its stream opens and ends with it, and everything with the session: its place in the table,
/// its queues, its connection. A session into which nobody ever posts ends after
/// [`SseOptions::first_message`]; after that a session with its stream attached is not idle.
///
/// # Spec
///
/// MCP 2024-11-05, transports, HTTP with SSE.
#[derive(Clone, Debug)]
pub struct SseServer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: SseOptions,
    sessions: Arc<SessionTable<Session>>,
    opened: queue::Sender<Connection>,
}

/// Yields each session as a connection.
#[derive(Debug)]
pub struct SseListener {
    opened: queue::Receiver<Connection>,
}

impl Listener for SseListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Connection, Error>>> {
        self.opened.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

impl SseServer {
    /// A server, and where its sessions come out.
    pub fn new(mut options: SseOptions) -> (Self, SseListener) {
        for path in [&mut options.sse_path, &mut options.message_path, &mut options.public_prefix] {
            *path = format!("/{}", path.trim_start_matches('/'));
        }
        let (opened, listener) = queue::channel(BACKLOG, BACKLOG);
        let shared = Shared { options, sessions: Arc::default(), opened };
        (Self { shared: Arc::new(shared) }, SseListener { opened: listener })
    }

    /// The two routes, to be put into a [`Router`](mcp_http::Router).
    pub fn routes(&self) -> [Route; 2] {
        let options = &self.shared.options;
        let limits = &options.limits;
        let stream = Route::new(Method::GET, &options.sse_path, Arc::new(Opens(self.shared.clone())));
        let post = Route::new(Method::POST, &options.message_path, Arc::new(Posts(self.shared.clone())));
        [
            stream.produces(MediaType::EventStream),
            post.takes(Takes::Message).max_body(limits.max_message).scan(limits.scan),
        ]
    }

    /// Sessions that are open.
    pub fn session_count(&self) -> usize {
        self.shared.sessions.len()
    }

    /// Takes no new sessions and ends the open ones in good order: each finishes what it accepted, within
    /// [`Limits::drain`], and then its stream ends. Nothing can be posted any more, and
    /// [`session_count`](Self::session_count) is zero from now on.
    ///
    /// Streams do not end by themselves, so this belongs into [`Server::on_drain`](mcp_http::Server::on_drain).
    pub fn shutdown(&self) {
        self.shared.sessions.end_all();
        self.shared.opened.close();
    }
}

/// `GET`: opens a stream.
struct Opens(Arc<Shared>);

impl Handler for Opens {
    fn handle(&self, arrived: Arrived) -> BoxFuture<'static, Reply> {
        Box::pin(std::future::ready(self.0.open(arrived).unwrap_or_else(Reply::from)))
    }
}

impl Shared {
    fn open(&self, arrived: Arrived) -> Result<Reply, Refusal> {
        arrived.count_opening()?;
        let options = &self.options;
        let no_randomness = || Refusal::unavailable("no randomness");
        let id = SessionId::random().map_err(|_| no_randomness())?;
        let limits: Limits = options.limits;
        let (post, posted) = queue::channel(limits.inbound_bytes, limits.inbound_count);
        let session = Session { post, principal: arrived.principal.clone() };
        let registered = self
            .sessions
            .register(id.clone(), Arc::new(session), options.max_sessions)
            .map_err(|full| match full {
                Full::TooMany => Refusal::unavailable("too many sessions"),
                Full::ShuttingDown => Refusal::unavailable("shutting down"),
                Full::Taken => no_randomness(),
            })?;
        let Ok(Some(place)) = self.opened.try_reserve(1) else {
            return Err(Refusal::unavailable("too many new sessions"));
        };
        let stream = Arc::new(EventStream::new(options.stream_buffer));
        let first_message = Some(Box::pin(sleep(options.first_message)));
        let wire = SessionWire { posted, stream: stream.clone(), first_message, registered };
        let connection = arrived.connection;
        let endpoint = self.endpoint(&arrived.parts, &id);
        let mut connection_options = Options::new("sse").with_limits(limits).with_context(|context| {
            context.peer = arrived.peer;
            context.principal = arrived.principal;
            context.session = Some(id.as_str().into());
            context.insert(detached(arrived.parts));
        });
        connection_options.tap = options.tap.as_ref().map(|make| make(&connection_options.context));
        tracing::debug!(session = ?id, "session opened");
        if place.send(Connection::new(wire, connection_options)).is_err() {
            return Err(Refusal::unavailable("shutting down"));
        }
        let body =
            EventBody::new(endpoint, stream, options.keep_alive, id, self.sessions.clone(), connection);
        Ok(event_stream_reply(body))
    }

    /// The first event: where to post, as a path with what stood before the stream's own path, the original query, and
    /// the session.
    fn endpoint(&self, parts: &Parts, id: &SessionId) -> Bytes {
        let asked = parts.uri.path().trim_end_matches('/');
        let mount = asked.strip_suffix(self.options.sse_path.trim_end_matches('/')).unwrap_or_default();
        let public = self.options.public_prefix.trim_end_matches('/');
        let path = format!("{public}{mount}{}", self.options.message_path);
        let reference = session_endpoint(&path, parts.uri.query(), id.as_str());
        let mut event = BytesMut::new();
        encode_event(&mut event, Some(&EventName::Endpoint), None, reference.as_bytes());
        event.freeze()
    }
}

/// `POST`: one message into a session.
struct Posts(Arc<Shared>);

impl Handler for Posts {
    fn handle(&self, arrived: Arrived) -> BoxFuture<'static, Reply> {
        self.0.post(arrived).unwrap_or_else(|refusal| Box::pin(ready(refusal.into())))
    }
}

impl Shared {
    /// What can be done at once is done before there is a future: whatever that holds is moved around.
    fn post(&self, arrived: Arrived) -> Result<BoxFuture<'static, Reply>, Refusal> {
        let bad = |text| Refusal::new(StatusCode::BAD_REQUEST, text);
        let text = match session_parameter(arrived.parts.uri.query()) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(bad("the query has no sessionId")),
            Err(_) => return Err(bad("the query cannot be read")),
        };
        let id = SessionId::parse(&text).ok_or_else(|| bad("that is no session id"))?;
        let session = self.sessions.find(&id, arrived.principal.as_ref()).ok_or_else(unknown)?;
        arrived.count_in_session(id.as_str())?;
        let Some(message) = arrived.payload.into_message() else { return Err(bad("that is no message")) };
        let message = detached_message(message);
        if let Ok(Some(place)) = session.post.try_reserve(message.len()) {
            return Ok(Box::pin(ready(taken(place, message)?)));
        }
        // Only who has to wait needs a timer.
        let wait = self.options.queue_wait;
        Ok(Box::pin(async move {
            let place = timeout(wait, session.post.reserve(message.len())).await;
            let taken = match place {
                Ok(Ok(place)) => taken(place, message),
                Ok(Err(queue::Closed)) => Err(unknown()),
                Err(_) => Err(Refusal::unavailable("the session takes no more messages")),
            };
            taken.unwrap_or_else(Reply::from)
        }))
    }
}

/// The answer says that the message is in the session's queue, and nothing about what becomes of it.
fn taken(place: Permit<Frame>, message: Message) -> Result<Reply, Refusal> {
    place.send(Frame::Message(message, None)).map_err(|_| unknown())?;
    Ok(text_reply(StatusCode::ACCEPTED, "Accepted"))
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no such session")
}

impl fmt::Debug for Opens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opens")
    }
}

impl fmt::Debug for Posts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Posts")
    }
}
