//! What an MCP transport is: messages to and from one peer, within bounds, with a reason when it ends.
//!
//! ```text
//!              handler or receiver                    Sender   Caller   Responder
//!                      ▲                                 │        │         │
//!  poll tier ── Connection::next ── serve                ▼        ▼         ▼
//!                      │                              one queue, bounded in bytes and count
//!  queued tier ── Driver ── inbox ── Receiver                     │
//!                      │                                          │
//!                 Session: requests in flight, pending calls, counters, close reason
//!                      │                                          │
//!                    scan ◀── Wire::poll_recv     Wire::start_send, poll_flush
//! ```
//!
//! A custom transport implements one small trait, [`Wire`], or hands over what it has: a byte stream and a [`Codec`] to
//! [`ByteWire`], a stream and a sink of messages to [`SinkWire`].
//! Everything else comes with it: scan, limits, queues, correlation, cancellation, close reasons, health, tap, tracing.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), mcp_transport_core::Error> {
//! use mcp_transport_core::{Caller, Connection, Incoming, Options};
//!
//! let (client, server) = Connection::pair(Options::default(), Options::default());
//! let (client, mut server) = (client.spawn(), server.spawn());
//! let asking = tokio::spawn(async move { client.into_caller().request("sum", &[1, 2]).await });
//!
//! let Some(Incoming::Request(exchange)) = server.receiver.recv().await else { panic!() };
//! let numbers: Vec<i64> = exchange.request().params().unwrap();
//! exchange.finish(&numbers.iter().sum::<i64>());
//!
//! let response = asking.await.unwrap()?;
//! assert_eq!(response.result_raw(), Some(&b"3"[..]));
//! # Ok(()) }
//! ```
//!
//! # What it does not do
//!
//! It knows no tools, resources or prompts and does no handshake; it opens no sockets and starts no processes: the
//! crates of the bindings do. It spawns nothing unless asked ([`Connection::spawn`]; [`serve`] for handlers that wait).
//!
//! # Cancel safety
//!
//! Receiving loses nothing when its future is dropped: state lives in the connection. Sending is reserve, then commit.
//! A call whose future is dropped tells the peer. Each async function says so for itself.
//!
//! # Tracing
//!
//! A span `mcp.connection` (fields `transport`, `peer`) around everything that a connection does; an event at trace
//! level with target `mcp.message` for each message (fields `direction`, `kind`, `method`, `id`, `bytes`, never
//! payload); malformed input at warn, with fault, id and length.
//!
//! # Features
//!
//! `contract-tests`: the tests that a transport has to pass, as functions to call from its own tests.

mod byte_wire;
mod caller;
mod close;
mod connection;
mod context;
#[cfg(feature = "contract-tests")]
pub mod contract;
mod deadlines;
mod endpoint;
mod error;
mod exchange;
mod flights;
mod health;
mod heartbeat;
mod intake;
mod limits;
mod memory;
mod options;
mod outlet;
mod pending;
pub mod queue;
mod reconnect;
mod relay;
mod revision;
mod serve;
mod session;
mod setters;
mod sink_wire;
mod tap;
mod wire;

pub use byte_wire::{ByteWire, Codec, Outbox};
pub use caller::{CallOptions, Caller};
pub use close::{CloseReason, ProcessExit};
pub use connection::Connection;
pub use context::{Context, Principal};
pub use deadlines::Deadlines;
pub use endpoint::{Control, Driver, Endpoint, Receiver, Sender};
pub use error::{Error, ErrorKind};
pub use exchange::{Exchange, Responder};
pub use health::{Health, State};
pub use heartbeat::Heartbeat;
pub use limits::{FOREVER, Limits};
pub use options::Options;
pub use outlet::{Outlet, ResponseStream, response_stream};
pub use reconnect::{Backoff, Reconnect};
pub use relay::{Relayed, relay, relay_within};
pub use revision::{Era, Revision, UnknownRevision};
pub use serve::serve;
pub use session::{Incoming, Session, Taken};
pub use sink_wire::SinkWire;
pub use tap::Tap;
pub use wire::{BoxFuture, Frame, Listener, Transport, Wire};
