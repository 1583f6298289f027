//! The signals by which a user ends a program.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::race::{First, race};

/// INT and TERM, from when this is made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one, as how the program then ends if it ends of it.
    pub(crate) async fn next(&mut self) -> Exit {
        match race(self.interrupt.recv(), self.terminate.recv()).await {
            First::One(_) => Exit::Interrupted(2),
            First::Other(_) => Exit::Interrupted(15),
        }
    }
}
