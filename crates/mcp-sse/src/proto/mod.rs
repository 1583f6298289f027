//! The rules of the binding, without IO.

mod lane;
mod session_id;

pub use lane::{Lane, Order};
pub use session_id::SessionId;
