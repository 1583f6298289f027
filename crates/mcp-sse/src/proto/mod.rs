//! The rules of the binding, without IO.

mod lane;

pub use lane::{Lane, Order};
pub use mcp_http::proto::SessionId;
