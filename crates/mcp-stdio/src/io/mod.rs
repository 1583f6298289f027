//! Descriptors and processes: one's own stdin and stdout, and children.
//!
//! Nothing here knows what a message is.
//!
//! | item | what it owns |
//! |---|---|
//! | [`OwnStdio`] | this process's stdin and stdout, taken away from everybody else |
//! | [`CommandSpec`] | what to start, without a shell |
//! | [`Child`] | a running child: its process group, its pipes, its stderr, its end |
//!
//! No task is spawned here: everything is polled by its owner.
//! Threads are used where the kernel offers nothing to poll: for a stdin or stdout that is a
//! terminal or a file, for the exit of a child on systems without pidfds, and, for a moment,
//! to reap a child that was dropped while it ran.
#![cfg(unix)]

mod blocking;
mod child;
mod descriptor;
mod env;
mod exit;
mod group;
mod own;
mod spec;
mod stderr;

pub use child::Child;
pub use env::DEFAULT_ENV;
pub use exit::{ChildExit, ChildStatus};
pub use own::{OwnReader, OwnStdio, OwnWriter};
pub use spec::{CommandSpec, Ladder, StderrMode};

pub use descriptor::Way;
