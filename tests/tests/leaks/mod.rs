//! Places where a secret may be, and what is said there.

pub(crate) mod conversations;
mod guarded;
pub(crate) mod refusals;
pub(crate) mod requests;
mod scripted;
pub(crate) mod secrets;
mod talk;
pub(crate) mod things;
pub(crate) mod ways;
