//! The programs that the conformance suite judges: `cargo xtask conformance`.
//!
//! Both are written on the public interface, as a user would write them; the programs around them are in `src/bin`.

pub mod client;
pub mod server;
#[cfg(test)]
mod tests;
pub mod trace;
