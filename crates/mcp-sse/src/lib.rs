//! MCP over HTTP+SSE, the transport of 2024-11-05, server and client, on raw hyper.
//!
//! ```text
//!  client                                                   server
//!  SseClient ── GET /sse ─────────────────────────────────▶ SseServer ── Listener ── Connection per session
//!      ◀── event: endpoint, data: /message?sessionId=… ────     │
//!      ── POST /message?sessionId=… ───────────────────────▶    ├─ 202, once it is in the session's queue
//!      ◀── event: message, data: one message a line ───────     └─ EventStream ── response body
//! ```
//!
//! Every message of the server comes over the one stream; every message of the client is a POST of its own.
//! The stream is the session: when it ends, the session has ended.
//!
//! What it does not do: authentication and TLS (see `mcp-http`), resuming (the binding has no event ids), the handshake.
//!
//! The examples `sse_server`, `sse_client` and `sse_reconnect` are whole programs.
//!
//! # Limits
//!
//! [`SseOptions`] for the server; [`Limits`](mcp_transport_core::Limits) for each session; the accept loop's in
//! [`ServerOptions`](mcp_http::ServerOptions).
//! The client has 8 POSTs of requests and 8 of responses in flight at once, and 4 MiB of messages or 64 that wait for their turn; then its sender waits.
//!
//! An idle session holds 6 KiB of the server's memory, with its connection and without what its handler keeps.
//!
//! # Cancel safety
//!
//! As in [`mcp_transport_core`].

mod client;
mod config;
pub mod proto;
mod server;

pub use client::SseClient;
pub use config::SseOptions;
pub use server::{SseListener, SseServer};
