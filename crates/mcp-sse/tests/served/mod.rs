//! A server on a socket of its own.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;
use std::time::Duration;

use mcp_http::{Drained, Router, RouterOptions, Server, ServerControl, ServerOptions};
use mcp_sse::{SseClient, SseListener, SseOptions, SseServer};
use mcp_transport_core::{Caller, Connection, Endpoint, Error, Incoming, Listener, Transport, serve};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: what is awaited comes much earlier, or the test fails.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) sse: SseServer,
    pub(crate) sessions: SseListener,
    pub(crate) control: ServerControl,
    pub(crate) serving: JoinHandle<Result<Drained, Error>>,
}

impl Served {
    pub(crate) async fn new(options: SseOptions) -> Self {
        Self::with(options, ServerOptions::default(), RouterOptions::default()).await
    }

    pub(crate) async fn with(options: SseOptions, server: ServerOptions, router: RouterOptions) -> Self {
        let (sse, sessions) = SseServer::new(options);
        let router = Router::new(router, sse.routes());
        let mut server = Server::bind(([127, 0, 0, 1], 0).into(), server).await.unwrap();
        let (address, control, drained) = (server.local_addr(), server.control(), sse.clone());
        server.on_drain(move || Box::pin(async move { drained.shutdown() }));
        let serving = tokio::spawn(server.serve(router));
        Self { address, sse, sessions, control, serving }
    }

    pub(crate) fn client(&self) -> SseClient {
        SseClient::new(format!("http://{}/sse", self.address).parse().unwrap())
    }

    pub(crate) async fn caller(&self) -> Caller {
        self.client().dial().await.unwrap().spawn().into_caller()
    }

    /// The next session.
    pub(crate) async fn connection(&mut self) -> Connection {
        within("a session", self.sessions.accept()).await.expect("it listens").unwrap()
    }

    /// The next session, driven by a task.
    pub(crate) async fn endpoint(&mut self) -> Endpoint {
        self.connection().await.spawn()
    }

    pub(crate) async fn until_no_session_is_open(&self) {
        until("the end of every session", || self.sse.session_count() == 0).await;
    }
}

/// Answers each request of each session with its own params.
pub(crate) async fn echo(mut sessions: SseListener) {
    while let Some(session) = sessions.accept().await {
        tokio::spawn(serve(session.unwrap(), |incoming| async move {
            if let Incoming::Request(exchange) = incoming {
                let params = exchange.request().params_raw().unwrap_or(b"null");
                let params = mcp_jsonrpc::Json::parse(params.to_vec()).unwrap();
                let response = mcp_jsonrpc::Response::json_result(&exchange.request().id(), &params);
                let (_, _, responder) = exchange.into_parts();
                responder.respond(response);
            }
        }));
    }
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing came of it within {SOON:?}"),
    }
}

/// Waits for what others do.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    within(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Tasks of this runtime that have not ended.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
