//! A server with every binding on one router, on a socket of its own.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::HashMap;
use std::net::SocketAddr;

use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use mcp_transport::core::{BoxFuture, Principal};
use mcp_transport::http::{
    Authenticate, Drained, Refusal, Router, RouterOptions, Server, ServerControl, ServerOptions,
};
use mcp_transport::{
    Connection, Error, Incoming, Listener, SseOptions, SseServer, StreamableOptions, StreamableServer, serve,
};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// Bearer tokens, and whose they are.
#[derive(Clone, Default)]
pub(crate) struct Bearers(HashMap<HeaderValue, Principal>);

impl Bearers {
    pub(crate) fn new<'a>(tokens: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entry =
            |(token, name)| (HeaderValue::try_from(format!("Bearer {token}")).unwrap(), Principal::new(name));
        Self(tokens.into_iter().map(entry).collect())
    }
}

impl Authenticate for Bearers {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let found = parts.headers.get(header::AUTHORIZATION).and_then(|value| self.0.get(value));
        let refusal = || {
            let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "who asks?\n");
            refusal.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        };
        Box::pin(std::future::ready(found.cloned().map(Some).ok_or_else(refusal)))
    }
}

/// How it is set up.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) sse: SseOptions,
    pub(crate) streamable: StreamableOptions,
    pub(crate) router: RouterOptions,
    pub(crate) server: ServerOptions,
}

/// A server that runs.
pub(crate) struct Whole {
    pub(crate) address: SocketAddr,
    pub(crate) router: Router,
    pub(crate) sse: SseServer,
    pub(crate) streamable: StreamableServer,
    pub(crate) control: ServerControl,
    pub(crate) serving: JoinHandle<Result<Drained, Error>>,
}

impl Whole {
    /// Serves every connection with the handler.
    pub(crate) fn start<H, F>(setup: Setup, handler: H) -> Self
    where
        H: Fn(Incoming) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with(setup, move |connection| drop(tokio::spawn(serve(connection, handler.clone()))))
    }

    /// Gives every connection away.
    pub(crate) fn with(setup: Setup, take: impl Fn(Connection) + Clone + Send + 'static) -> Self {
        let (sse, opened) = SseServer::new(setup.sse);
        let (streamable, also_opened) = StreamableServer::new(setup.streamable);
        let router = Router::new(setup.router, sse.routes().into_iter().chain(streamable.routes()));
        // With a long queue: tests connect by thousands at once, and have both ends wait for their turn.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(4096).unwrap().into_std().unwrap();
        let mut server = Server::from_listener(listener, setup.server).unwrap();
        let (address, control) = (server.local_addr(), server.control());
        let (drained, also_drained) = (sse.clone(), streamable.clone());
        server.on_drain(move || {
            drained.shutdown();
            also_drained.shutdown();
            Box::pin(std::future::ready(()))
        });
        accept(opened, take.clone());
        accept(also_opened, take);
        let serving = tokio::spawn(server.serve(router.clone()));
        Self { address, router, sse, streamable, control, serving }
    }

    pub(crate) fn url(&self, path: &str) -> http::Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub(crate) fn session_counts(&self) -> (usize, usize) {
        (self.streamable.session_count(), self.sse.session_count())
    }
}

fn accept(mut listener: impl Listener + 'static, take: impl Fn(Connection) + Send + 'static) {
    tokio::spawn(async move {
        while let Some(connection) = listener.accept().await {
            take(connection.unwrap());
        }
    });
}
