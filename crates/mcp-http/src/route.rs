//! One route, and what arrives at its handler.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request};
use mcp_jsonrpc::{Batch, Malformed, Message, ScanLimits};
use mcp_transport_core::{BoxFuture, Principal};

use crate::io::ConnectionHandle;
use crate::proto::MediaType;
use crate::rate::{RateLimit, Spent, spend};
use crate::reply::{Refusal, Reply};

/// Bytes of a request body, unless a route says otherwise: 4 MiB, as in the Python, Go and Rust SDKs.
pub const DEFAULT_MAX_BODY: usize = 4 * 1024 * 1024;

/// Answers the requests of a route. The pipeline has checked everything before.
pub trait Handler: Send + Sync {
    /// Answers one request.
    ///
    /// The future is dropped when the client goes away, so what has to outlive it is not awaited in it.
    fn handle(&self, arrived: Arrived) -> BoxFuture<'static, Reply>;

    /// Is told of a body that is no message, which the pipeline answers with 400: to count it where it belongs.
    fn malformed(&self, parts: &Parts, malformed: &Malformed) {
        let _ = (parts, malformed);
    }
}

impl<F> Handler for F
where
    F: Fn(Arrived) -> BoxFuture<'static, Reply> + Send + Sync,
{
    fn handle(&self, arrived: Arrived) -> BoxFuture<'static, Reply> {
        self(arrived)
    }
}

/// What a route takes as its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Takes {
    /// Nothing: a body is not read.
    Nothing,
    /// Any bytes, of any type.
    Bytes,
    /// One JSON-RPC message, as `application/json`.
    Message,
    /// One JSON-RPC message or a batch of them, as `application/json` (revision 2025-03-26 only).
    MessageOrBatch,
}

/// The body of a request, as its route takes it.
#[derive(Clone)]
#[non_exhaustive]
pub enum Payload {
    /// It takes none.
    Nothing,
    /// Any bytes.
    Bytes(Bytes),
    /// A message.
    Message(Message),
    /// A batch.
    Batch(Batch),
}

impl Payload {
    /// The message, if it is one.
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }
}

/// Kind and length, never content.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Bytes(bytes) => f.debug_struct("Bytes").field("bytes", &bytes.len()).finish(),
            Self::Message(message) => f.debug_tuple("Message").field(message).finish(),
            Self::Batch(batch) => f.debug_tuple("Batch").field(batch).finish(),
        }
    }
}

/// A request that has passed the pipeline.
#[derive(Clone)]
#[non_exhaustive]
pub struct Arrived {
    /// Method, target, headers and extensions. The target is the one that the client sent, prefix included.
    pub parts: Parts,
    /// The body.
    pub payload: Payload,
    /// The address of the other end: that of a connection of our own [`Server`](crate::Server), or the [`PeerAddr`]
    /// that somebody put among the extensions.
    pub peer: Option<SocketAddr>,
    /// Who the client was found to be; `None` where nobody asks.
    pub principal: Option<Principal>,
    /// The connection, when it is one of our own [`Server`](crate::Server).
    pub connection: Option<ConnectionHandle>,
    pub(crate) rate: Option<Arc<dyn RateLimit>>,
}

impl Arrived {
    /// Counts a request of a session, which is known to be this client's.
    ///
    /// # Errors
    ///
    /// The refusal to answer with, 429, when the session has had too many.
    pub fn count_in_session(&self, id: &str) -> Result<(), Refusal> {
        spend(self.rate.as_deref(), Spent::Session(id))
    }

    /// Counts a session that is about to be opened.
    ///
    /// # Errors
    ///
    /// The refusal to answer with, 429, when this client has opened too many lately.
    pub fn count_opening(&self) -> Result<(), Refusal> {
        let address = self.peer.map(|peer| peer.ip());
        spend(self.rate.as_deref(), Spent::Opening { address, principal: self.principal.as_ref() })
    }
}

/// Method and path, never headers or body.
impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived")
            .field("method", &self.parts.method)
            .field("payload", &self.payload)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The address of the other end, as an extension of the request: whoever mounts a [`Router`](crate::Router) elsewhere
/// puts it there, and an [`Authenticate`](crate::Authenticate) finds it there. A handler has [`Arrived::peer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Where a request came from, as far as that is known.
pub(crate) struct Source {
    pub(crate) peer: Option<PeerAddr>,
    pub(crate) connection: Option<ConnectionHandle>,
}

impl Source {
    /// What whoever mounted the router says.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let extensions = request.extensions();
        Self { peer: extensions.get().copied(), connection: extensions.get().cloned() }
    }
}

/// One method of one path. A path with several methods is several routes.
#[derive(Clone)]
pub struct Route {
    pub(crate) method: Method,
    pub(crate) path: Box<str>,
    pub(crate) produces: Vec<MediaType>,
    pub(crate) takes: Takes,
    pub(crate) max_body: usize,
    pub(crate) scan: ScanLimits,
    pub(crate) is_public: bool,
    pub(crate) is_at_root: bool,
    pub(crate) handler: Arc<dyn Handler>,
}

impl Route {
    /// A route that takes no body and may answer with anything.
    ///
    /// The path is compared as it stands, without decoding, and with or without a final slash; the prefix of the router
    /// comes before it.
    pub fn new(method: Method, path: &str, handler: Arc<dyn Handler>) -> Self {
        Self {
            method,
            path: normal(path),
            produces: Vec::new(),
            takes: Takes::Nothing,
            max_body: DEFAULT_MAX_BODY,
            scan: ScanLimits::default(),
            is_public: false,
            is_at_root: false,
            handler,
        }
    }

    /// Adds a type that it may answer with: a client that does not accept it gets 406.
    #[must_use]
    pub fn produces(mut self, media_type: MediaType) -> Self {
        self.produces.push(media_type);
        self
    }

    /// Says what it takes. Default nothing.
    #[must_use]
    pub fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// The most bytes of a body, inclusive. Default [`DEFAULT_MAX_BODY`]; one more is 413.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// What the scan of a message refuses.
    #[must_use]
    pub fn scan(mut self, limits: ScanLimits) -> Self {
        self.scan = limits;
        self
    }

    /// Lets everybody in, also where others have to say who they are: for what a client needs to know before it can,
    /// and for what asks whether the program runs. Every other check stays.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// Puts it at its path whatever the router's prefix is: well-known paths are those of the origin (RFC 8615).
    #[must_use]
    pub fn at_root(mut self) -> Self {
        self.is_at_root = true;
        self
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Its path, without a final slash and without the router's prefix.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The types that it may answer with; empty for any.
    pub fn media_types(&self) -> &[MediaType] {
        &self.produces
    }

    /// What it takes.
    pub fn body(&self) -> Takes {
        self.takes
    }

    /// Whether it is open to clients that nobody knows ([`Route::public`]).
    pub fn is_public(&self) -> bool {
        self.is_public
    }

    /// Whether the router's prefix does not apply to it ([`Route::at_root`]).
    pub fn is_at_root(&self) -> bool {
        self.is_at_root
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("produces", &self.produces)
            .field("takes", &self.takes)
            .field("max_body", &self.max_body)
            .field("is_public", &self.is_public)
            .finish_non_exhaustive()
    }
}

/// One spelling of a path: a slash before, none behind; the root is empty.
pub(crate) fn normal(path: &str) -> Box<str> {
    let path = path.trim_matches('/');
    if path.is_empty() { "".into() } else { format!("/{path}").into() }
}
