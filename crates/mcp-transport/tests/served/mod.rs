//! Servers of this workspace on a socket of their own, and what is to work on a connection to them.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::SocketAddr;

use mcp_transport::http::{Router, RouterOptions, Server, ServerOptions};
use mcp_transport::{
    Caller, Connected, Connection, Era, ErrorCode, ErrorObject, Exchange, Incoming, Listener, SseOptions,
    SseServer, StreamableOptions, StreamableServer, serve,
};
use serde_json::{Value, json};

use crate::odd::within;

/// HTTP+SSE at `/sse`, and Streamable HTTP at `/mcp`.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) streamable: Option<StreamableServer>,
    pub(crate) sse: Option<SseServer>,
}

impl Served {
    pub(crate) async fn streamable(options: StreamableOptions) -> Self {
        Self::new(Some(options), None).await
    }

    pub(crate) async fn new(streamable: Option<StreamableOptions>, sse: Option<SseOptions>) -> Self {
        let mut routes = Vec::new();
        let streamable = streamable.map(|options| {
            let (server, listener) = StreamableServer::new(options);
            routes.extend(server.routes());
            tokio::spawn(serve_all(listener));
            server
        });
        let sse = sse.map(|options| {
            let (server, listener) = SseServer::new(options);
            routes.extend(server.routes());
            tokio::spawn(serve_all(listener));
            server
        });
        let router = Router::new(RouterOptions::default(), routes);
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), ServerOptions::default()).await.unwrap();
        let address = server.local_addr();
        tokio::spawn(server.serve(router));
        Self { address, streamable, sse }
    }

    pub(crate) fn url(&self, path: &str) -> http::Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }
}

async fn serve_all(mut listener: impl Listener) {
    while let Some(connection) = listener.accept().await {
        tokio::spawn(serve(connection.unwrap(), |incoming| async move {
            if let Incoming::Request(exchange) = incoming {
                handle(exchange);
            }
        }));
    }
}

fn handle(exchange: Exchange) {
    let params: Value = exchange.request().params().unwrap_or_default();
    match &*exchange.request().method() {
        "initialize" => {
            let version = &params["protocolVersion"];
            exchange.finish(&json!({ "protocolVersion": version, "capabilities": {}, "serverInfo": {} }));
        }
        "server/discover" => {
            exchange.finish(&json!({ "supportedVersions": ["2026-07-28"], "capabilities": {} }))
        }
        "tools/list" => exchange.finish(&json!({ "tools": [], "resultType": "complete" })),
        _ => exchange.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no such method")),
    }
}

/// Does on a new connection what its era wants, and then asks for something.
pub(crate) async fn works(connected: Connected) {
    let Connected { connection, era, .. } = connected;
    works_as(connection, era.unwrap()).await;
}

pub(crate) async fn works_as(connection: Connection, era: Era) {
    let endpoint = connection.spawn();
    let caller = Caller::new(&endpoint.sender);
    let mut params = json!({});
    match era {
        Era::Modern => {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        _ => {
            let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {} });
            let answer = within("the handshake", caller.request("initialize", &hello)).await.unwrap();
            assert!(!answer.is_error(), "{answer:?}");
            within("a note", caller.notify("notifications/initialized", &())).await.unwrap();
        }
    }
    let answer = within("a call", caller.request("tools/list", &params)).await.unwrap();
    assert!(!answer.is_error(), "{answer:?}");
    endpoint.control.shutdown();
    within("the end", endpoint.control.closed()).await;
}
