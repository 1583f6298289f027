//! A server on a socket of its own, with a handler behind it.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;
use std::time::Duration;

use mcp_http::{Drained, Router, RouterOptions, Server, ServerControl, ServerOptions};
use mcp_jsonrpc::Notification;
use mcp_streamable_http::{StreamableListener, StreamableOptions, StreamableServer};
use mcp_transport_core::{Error, Exchange, Incoming, Listener, serve};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: what is awaited comes much earlier, or the test fails.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) server: StreamableServer,
    pub(crate) control: ServerControl,
    pub(crate) serving: JoinHandle<Result<Drained, Error>>,
}

impl Served {
    /// A server whose connections are given to [`handle`].
    pub(crate) async fn new(options: StreamableOptions) -> Self {
        let (served, listener) = Self::bare(options).await;
        tokio::spawn(all(listener));
        served
    }

    /// The same behind a router with these settings.
    pub(crate) async fn all_behind(options: StreamableOptions, router: RouterOptions) -> Self {
        let (served, listener) = Self::behind(router, options).await;
        tokio::spawn(all(listener));
        served
    }

    /// A server, and its connections.
    pub(crate) async fn bare(options: StreamableOptions) -> (Self, StreamableListener) {
        Self::behind(RouterOptions::default(), options).await
    }

    /// The same behind a pipeline of one's own.
    pub(crate) async fn behind(
        router: RouterOptions,
        options: StreamableOptions,
    ) -> (Self, StreamableListener) {
        let (endpoint, listener) = StreamableServer::new(options);
        let router = Router::new(router, endpoint.routes());
        let mut server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
        let (address, control, drained) = (server.local_addr(), server.control(), endpoint.clone());
        server.on_drain(move || Box::pin(async move { drained.shutdown() }));
        let serving = tokio::spawn(server.serve(router));
        (Self { address, server: endpoint, control, serving }, listener)
    }
}

async fn all(mut listener: StreamableListener) {
    while let Some(connection) = listener.accept().await {
        tokio::spawn(serve(connection.unwrap(), |incoming| async move {
            if let Incoming::Request(exchange) = incoming {
                handle(exchange).await;
            }
        }));
    }
}

/// A few methods that show one thing each.
pub(crate) async fn handle(exchange: Exchange) {
    let (request, context, responder) = exchange.into_parts();
    match &*request.method() {
        "initialize" => {
            let params: serde_json::Value = request.params().unwrap_or_default();
            let version = params.get("protocolVersion").cloned().unwrap_or_else(|| json!("2025-11-25"));
            responder.finish(&json!({ "protocolVersion": version, "capabilities": {}, "serverInfo": {} }));
        }
        // One notification for each number, then the answer.
        "count" => {
            let [to]: [u64; 1] = request.params().unwrap();
            for number in 1..=to {
                let note = Notification::with_params("note", &[number]).unwrap();
                if responder.notify(note).await.is_err() {
                    return;
                }
            }
            responder.finish(&to);
        }
        // Asks back, and answers with the answer.
        "ask" => {
            let answer = responder.caller().request("roots/list", &()).await;
            match answer {
                Ok(answer) => responder.finish(&answer.result_raw().map(|raw| raw.len())),
                Err(error) => responder.finish(&error.to_string()),
            }
        }
        "hang" => {
            responder.cancelled().await;
        }
        "where" => responder.finish(&json!({
            "session": context.session.is_some(),
            "revision": context.revision.map(|revision| revision.as_str()),
        })),
        "fail" => {
            let code: i64 = request.params().map(|[code]: [i64; 1]| code).unwrap();
            responder.fail(&mcp_jsonrpc::ErrorObject::new(mcp_jsonrpc::ErrorCode(code), "as asked"));
        }
        _ => responder.finish(&json!({})),
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
