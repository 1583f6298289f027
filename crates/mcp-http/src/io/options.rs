//! Settings of a server, with their units and reasons.

use std::time::Duration;

/// What only the accept loop can see is bounded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How long the handshake of TLS may take. Default 10 s.
    pub tls_handshake: Duration,
    /// How long a new connection may stay without a byte, after the handshake if there is one. Default 15 s.
    pub first_byte: Duration,
    /// How long the head of a request may take from its first byte. Default 15 s. In HTTP/2 a head that is not whole is
    /// no request, so it has until [`idle`](Self::idle).
    pub head: Duration,
    /// The most bytes of the head of a request. Default 32 KiB; then 431. In HTTP/1 more than 100 headers are 431 too;
    /// in HTTP/2 each counts 32 bytes more than it has.
    pub max_head: usize,
    /// How long a connection is kept without a request. Default 60 s. A PING is none.
    pub idle: Duration,
    /// How long a write may make no progress before the connection is closed. Default 30 s.
    ///
    /// In HTTP/2 also how long a client may take none of the next 16 KiB of a stream; then only that stream is reset. A
    /// client that answers no PING, which takes 30 s as well, is gone.
    pub write_stall: Duration,
    /// Connections at once; further ones wait in the system's queue. Default 20,000, or what the process has
    /// descriptors for less 128.
    pub max_connections: usize,
    /// Connections at once from one address (for IPv6 from one /64); one more is closed at once. Default 256. Not
    /// applied to loopback, where a proxy may stand for everybody.
    pub max_per_address: usize,
    /// Bytes that the system buffers for one connection that does not read. Default 64 KiB; `None` leaves it to the
    /// system, which may take megabytes that no other bound counts.
    pub send_buffer: Option<usize>,
    /// How long a drain may take before what is left is cut. Default 10 s.
    pub drain: Duration,
    /// Whether an address other than loopback may be served without authentication. Default false.
    pub allow_unauthenticated: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            tls_handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(15),
            head: Duration::from_secs(15),
            max_head: 32 * 1024,
            idle: Duration::from_secs(60),
            write_stall: Duration::from_secs(30),
            max_connections: super::default_max_connections(),
            max_per_address: 256,
            send_buffer: Some(64 * 1024),
            drain: Duration::from_secs(10),
            allow_unauthenticated: false,
        }
    }
}

mcp_transport_core::setters! {
    for ServerOptions;
    /// Sets [`ServerOptions::tls_handshake`].
    with_tls_handshake: tls_handshake: Duration;
    /// Sets [`ServerOptions::first_byte`].
    with_first_byte: first_byte: Duration;
    /// Sets [`ServerOptions::head`].
    with_head: head: Duration;
    /// Sets [`ServerOptions::max_head`].
    with_max_head: max_head: usize;
    /// Sets [`ServerOptions::idle`].
    with_idle: idle: Duration;
    /// Sets [`ServerOptions::write_stall`].
    with_write_stall: write_stall: Duration;
    /// Sets [`ServerOptions::max_connections`].
    with_max_connections: max_connections: usize;
    /// Sets [`ServerOptions::max_per_address`].
    with_max_per_address: max_per_address: usize;
    /// Sets [`ServerOptions::send_buffer`].
    with_send_buffer: send_buffer: Option<usize>;
    /// Sets [`ServerOptions::drain`].
    with_drain: drain: Duration;
    /// Sets [`ServerOptions::allow_unauthenticated`].
    with_allow_unauthenticated: allow_unauthenticated: bool;
}
