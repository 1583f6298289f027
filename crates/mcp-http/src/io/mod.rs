//! Sockets: the parts of [`Server`](crate::Server) that see them.

mod accept;
mod clock;
mod descriptors;
mod drive;
mod guarded;
#[cfg(feature = "http2")]
mod http2;
mod options;
mod per_address;
mod served;
mod stream;
#[cfg(test)]
mod tests;

pub use clock::{ConnectionEnd, ConnectionHandle};
pub use options::ServerOptions;

pub(crate) use accept::Acceptor;
pub(crate) use clock::{Clocks, Protocol};
pub(crate) use descriptors::default_max_connections;
#[cfg(feature = "tls")]
pub(crate) use drive::reached;
pub(crate) use drive::{Peer, Stage, drive};
#[cfg(feature = "rate-limit")]
pub(crate) use per_address::counted;
