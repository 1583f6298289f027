//! A server without a socket, with every binding on one router, and the table of what is asked of it.

pub(crate) mod rows;
pub(crate) mod rules;
pub(crate) mod stage;
