//! MCP over Streamable HTTP, server and client, for every revision that has it.
//!
//! ```text
//!            ┌ StreamableServer ────────────────────────────────────┐
//!  POST ────▶│ era ─┬─ legacy: session ── its connection            │──▶ serve, Endpoint or relay
//!  GET       │      └─ modern: no session ─ one connection for all  │
//!  DELETE    │ response stream of each request ──▶ JSON, or events  │◀── answer, notifications, questions
//!            └──────────────────────────────────────────────────────┘
//!  StreamableClient ──▶ a POST for each message; sessions, GET stream and resumption where the server has them
//! ```
//!
//! | revision | sessions | GET stream, resumption, DELETE | batches | a closed response stream |
//! |---|---|---|---|---|
//! | 2025-03-26 | yes | yes | yes | can be resumed |
//! | 2025-06-18, 2025-11-25 | yes | yes | no | can be resumed |
//! | 2026-07-28 | no | no | no | cancels the request |
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_http::{Router, RouterOptions, Server, ServerOptions};
//! use mcp_streamable_http::{StreamableClient, StreamableOptions, StreamableServer};
//! use mcp_transport_core::{Incoming, Listener, Transport, serve};
//!
//! let (endpoint, mut connections) = StreamableServer::new(StreamableOptions::default());
//! let router = Router::new(RouterOptions::default(), endpoint.routes());
//! let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await?;
//! let url = format!("http://{}/mcp", server.local_addr()).parse()?;
//! tokio::spawn(server.serve(router));
//! tokio::spawn(async move {
//!     while let Some(Ok(connection)) = connections.accept().await {
//!         tokio::spawn(serve(connection, |incoming| async move {
//!             if let Incoming::Request(exchange) = incoming {
//!                 exchange.finish(&serde_json::json!({ "protocolVersion": "2025-11-25" }));
//!             }
//!         }));
//!     }
//! });
//!
//! let caller = StreamableClient::new(url).dial().await?.spawn().into_caller();
//! let hello = caller.request("initialize", &serde_json::json!({ "protocolVersion": "2025-11-25" })).await?;
//! assert!(!hello.is_error());
//! # Ok(()) }
//! ```
//!
//! # What it does not do
//!
//! It knows no tools but for the headers that repeat their parameters ([`proto::ToolTable`]), does no handshake, and
//! says nothing by itself but comments on silent streams. Authentication and TLS are of [`mcp_http`].
//!
//! # Limits
//!
//! [`StreamableOptions`] for sessions, streams and answers; [`MemoryEventStore`] for what is kept for clients that come
//! back; [`Limits`](mcp_transport_core::Limits) for each connection.
//!
//! # Cancel safety
//!
//! A handler's future is never dropped because its client has gone: in the legacy era it goes on, in the modern era
//! [`Responder::cancelled`](mcp_transport_core::Responder::cancelled) says so. Each async function says so for itself.
//!
//! # Tracing
//!
//! That of [`mcp_http`] and [`mcp_transport_core`]; sessions that open and end at debug, by the first characters of
//! their id.

mod client;
mod config;
pub mod proto;
mod server;
mod store;

pub use client::{SharedHeaders, StreamableClient};
pub use config::{Answers, Legacy, StreamableOptions};
pub use server::{StreamHandle, StreamableListener, StreamableServer};
pub use store::{EventStore, Lost, MemoryEventStore, StreamKey};
