//! MCP over Streamable HTTP, server and client, for every revision that has it.

mod client;
mod config;
pub mod proto;
mod server;
mod store;

pub use client::{SharedHeaders, StreamableClient};
pub use config::{Answers, Legacy, Sorting, StreamableOptions};
pub use server::{StreamHandle, StreamableListener, StreamableServer};
pub use store::{EventStore, Lost, MemoryEventStore, StreamKey};
