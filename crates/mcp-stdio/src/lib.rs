//! MCP over stdio: newline-delimited JSON over a child's pipes, one's own stdin and stdout, or any byte stream.
//!
//! ```text
//!  client                                            server
//!  StdioClient ── Child ── stdin  ──────────▶ fd 0 ── OwnStdio ── own()
//!                   │      stdout ◀────────── fd 1       │
//!                   │      stderr ◀────────── fd 2       └─ println! of anybody goes to stderr
//!                   └─ process group, exit, ladder
//!
//!  SocketClient ◀────── Unix socket or TCP ──────▶ SocketListener
//!  connection(read, write, options): any other byte stream
//! ```
//!
//! | to | take |
//! |---|---|
//! | start a server and speak to it | [`StdioClient`], [`CommandSpec`] |
//! | be a server | [`own`], [`StdioListener`] |
//! | speak the same over a socket | [`SocketClient`], [`SocketListener`] |
//! | speak the same over something else | [`connection`] |
//! | have the framing alone, without IO | [`proto`] |
//! | have processes and descriptors alone | [`io`] |
//!
//! What it does not do: no shell, no search for servers, no restart of a server that died (see
//! [`Reconnect`](mcp_transport_core::Reconnect)), no handshake.
//!
//! # Limits
//!
//! A line has at most [`Limits::max_message`](mcp_transport_core::Limits::max_message) bytes, 16 MiB by default; a
//! longer one is discarded while it is read and reported with its id.
//! Of stderr the last 20 lines of at most 1 KiB are kept.
//! When a child has exited, at most 1 MiB of what others write to its stdout is still read.
//!
//! # Cancel safety
//!
//! As in [`mcp_transport_core`]: receiving loses nothing, and dropping a connection ends it and its child at once.
//!
//! # Platforms
//!
//! Linux is tested. Other Unix systems have fallbacks. Windows is not supported.

#[cfg(unix)]
mod client;
#[cfg(unix)]
pub mod io;
pub mod proto;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod stdout;
mod stream;

#[cfg(unix)]
pub use client::StdioClient;
#[cfg(unix)]
pub use io::{CommandSpec, Ladder, StderrMode};
#[cfg(unix)]
pub use server::{StdioListener, own};
#[cfg(unix)]
pub use socket::{SocketClient, SocketListener};
pub use stream::connection;
