//! Sockets: the parts of [`Server`](crate::Server) that see them.

mod accept;
mod clock;
mod descriptors;
mod drive;
mod guarded;
mod options;
mod per_address;
mod stream;
#[cfg(test)]
mod tests;

pub use clock::{ConnectionEnd, ConnectionHandle};
pub use options::ServerOptions;

pub(crate) use accept::Acceptor;
pub(crate) use clock::Clocks;
pub(crate) use descriptors::default_max_connections;
pub(crate) use drive::{Stage, drive};
#[cfg(feature = "rate-limit")]
pub(crate) use per_address::counted;
