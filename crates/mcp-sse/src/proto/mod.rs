//! The rules of the binding, without IO.

mod lane;
mod session_id;

pub use lane::Lane;
pub use session_id::SessionId;
