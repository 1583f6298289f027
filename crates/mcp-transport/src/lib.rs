//! Every binding of the Model Context Protocol (MCP) behind one door.
//!
//! ```text
//!                              mcp-transport
//!         ┌────────────────┬────────┴───────┬─────────────────────┐
//!   jsonrpc: the     core: what a     stdio: a child's      sse: HTTP+SSE, over
//!   message          transport is     pipes, one's own      http: pipeline, server,
//!                                     stdio, sockets        client
//! ```
//!
//! This crate re-exports: each module is a crate that can be taken alone, and what most programs need stands at the
//! root too. Of its own it has one thing, `connect`, which finds out how a server is to be spoken to.
//! It carries messages. It knows no tools, resources or prompts and does no handshake: that is the layer above.
//!
//! # A client of a stdio server
//!
//! ```no_run
//! use mcp_transport::{CommandSpec, Error, Outcome, StdioClient, Transport};
//! use serde_json::json;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     // A program and its arguments, never a shell line.
//!     let mut server = StdioClient::new(CommandSpec::new("some-server").arg("stdio"));
//!     let client = server.dial().await?.spawn().into_caller();
//!
//!     let hello = json!({
//!         "protocolVersion": "2025-11-25",
//!         "capabilities": {},
//!         "clientInfo": { "name": "example", "version": "1" },
//!     });
//!     client.request("initialize", &hello).await?;
//!     client.notify("notifications/initialized", &()).await?;
//!
//!     match client.request("tools/list", &()).await?.outcome() {
//!         Outcome::Result(text) => println!("{}", String::from_utf8_lossy(text)),
//!         Outcome::Error(error) => eprintln!("{error}"),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # A stdio server
//!
//! ```no_run
//! use mcp_transport::{Error, ErrorCode, ErrorObject, Incoming, Options, own, serve};
//! use serde_json::json;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     // From here on a stray `println!` lands on stderr.
//!     let connection = own(Options::default())?;
//!     serve(connection, |incoming| async move {
//!         let Incoming::Request(exchange) = incoming else { return };
//!         match &*exchange.request().method() {
//!             "initialize" => exchange.finish(&json!({
//!                 "protocolVersion": "2025-11-25",
//!                 "capabilities": { "tools": {} },
//!                 "serverInfo": { "name": "example", "version": "1" },
//!             })),
//!             "ping" => exchange.finish(&json!({})),
//!             "tools/list" => exchange.finish(&json!({ "tools": [] })),
//!             _ => exchange.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no such method")),
//!         }
//!     })
//!     .await;
//!     Ok(())
//! }
//! ```
//!
//! # A client of an HTTP+SSE server
//!
#![cfg_attr(feature = "sse", doc = "```no_run")]
#![cfg_attr(not(feature = "sse"), doc = "```text")]
//! use mcp_transport::{SseClient, Transport};
//! use serde_json::json;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut server = SseClient::new("http://127.0.0.1:8808/sse".parse()?);
//!     let client = server.dial().await?.spawn().into_caller();
//!
//!     let hello = json!({
//!         "protocolVersion": "2024-11-05",
//!         "capabilities": {},
//!         "clientInfo": { "name": "example", "version": "1" },
//!     });
//!     client.request("initialize", &hello).await?;
//!     client.notify("notifications/initialized", &()).await?;
//!     println!("{:?}", client.request("tools/list", &()).await?);
//!     Ok(())
//! }
//! ```
//!
//! # An HTTP+SSE server
//!
#![cfg_attr(feature = "sse", doc = "```no_run")]
#![cfg_attr(not(feature = "sse"), doc = "```text")]
//! use mcp_transport::http::{Router, RouterOptions, Server, ServerOptions};
//! use mcp_transport::{Incoming, Listener, SseOptions, SseServer, serve};
//! use serde_json::json;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (sse, mut sessions) = SseServer::new(SseOptions::default());
//!     let router = Router::new(RouterOptions::default(), sse.routes());
//!     let server = Server::bind("127.0.0.1:8808".parse()?, ServerOptions::default()).await?;
//!     tokio::spawn(server.serve(router));
//!     // Each event stream that a client opens is a session, and each session a connection.
//!     while let Some(session) = sessions.accept().await {
//!         tokio::spawn(serve(session?, |incoming| async move {
//!             if let Incoming::Request(exchange) = incoming {
//!                 exchange.finish(&json!({}));
//!             }
//!         }));
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Features
//!
//! A feature adds items; it never changes behaviour or bytes on the wire.
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `stdio` | yes | the module `stdio`, and its client and server at the root |
//! | `sse` | | the modules `sse` and `http`, and HTTP+SSE's client and server at the root |
//! | `streamable-http` | | the modules `streamable_http` and `http`, and Streamable HTTP's server and client at the root |
//! | `connect` | | `connect` and its `Connector`, and with them everything above |
//! | `bearer` | | clients of a server that are known by tokens |
//! | `http2` | | HTTP/2 for servers, where TLS has agreed on it |
//! | `jwt` | | clients of a server that are known by tokens that an issuer has signed |
//! | `rate-limit` | | how many requests of whom are too many |
//! | `tls` | | `https` for servers and clients, and certificates of clients |
//! | `token-command` | | `http::credentials::TokenCommand`: a token for the clients that a program prints |
//! | `full` | | all of them |
//!
//! # Limits and cancel safety
//!
//! [`Limits`] has every bound, with its default and its reason. Receiving loses nothing when its future is dropped;
//! sending is reserve, then commit; each async function says so for itself. See [`core`].

#[cfg(all(unix, feature = "connect"))]
mod connect;

#[cfg(all(unix, feature = "connect"))]
pub use connect::{Binding, Connected, Connector, Strategy, Target, connect};
#[cfg(any(feature = "sse", feature = "streamable-http"))]
pub use mcp_http as http;
pub use mcp_jsonrpc as jsonrpc;
#[cfg(feature = "sse")]
pub use mcp_sse as sse;
#[cfg(feature = "stdio")]
pub use mcp_stdio as stdio;
#[cfg(feature = "streamable-http")]
pub use mcp_streamable_http as streamable_http;
pub use mcp_transport_core as core;

pub use mcp_jsonrpc::{
    ErrorCode, ErrorObject, Id, Json, Malformed, Message, Notification, Outcome, Request, Response,
};
#[cfg(feature = "sse")]
pub use mcp_sse::{SseClient, SseListener, SseOptions, SseServer};
#[cfg(all(unix, feature = "stdio"))]
pub use mcp_stdio::{CommandSpec, StderrMode, StdioClient, StdioListener, own};
#[cfg(feature = "streamable-http")]
pub use mcp_streamable_http::{StreamableClient, StreamableListener, StreamableOptions, StreamableServer};
pub use mcp_transport_core::{
    CallOptions, Caller, CloseReason, Connection, Context, Control, Endpoint, Era, Error, ErrorKind,
    Exchange, Incoming, Limits, Listener, Options, Receiver, Responder, Revision, Sender, Transport, serve,
};
