//! Sockets: the parts of [`Server`](crate::Server) that see them.

mod accept;
mod clock;
mod descriptors;
mod drive;
mod guarded;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(all(test, feature = "tls"))]
mod handshake_tests;
#[cfg(feature = "http2")]
mod http2;
#[cfg(all(test, feature = "http2"))]
mod http2_tests;
#[cfg(feature = "http2")]
mod metered;
mod options;
mod per_address;
mod served;
mod stream;
#[cfg(test)]
mod tests;
mod watched;

pub use clock::{ConnectionEnd, ConnectionHandle};
pub use options::ServerOptions;

pub(crate) use accept::{Accepted, Acceptor};
pub(crate) use clock::{Clocks, Protocol};
pub(crate) use descriptors::default_max_connections;
pub(crate) use drive::{Stage, drive};
#[cfg(feature = "tls")]
pub(crate) use handshake::drive_tls;
#[cfg(feature = "http2")]
pub(crate) use metered::StreamClock;
#[cfg(feature = "rate-limit")]
pub(crate) use per_address::counted;
pub(crate) use served::Peer;
