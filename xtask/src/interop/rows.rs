//! The table: what runs, and what it must have said.

mod sse;
mod stdio;

use std::process::Command;

use super::process::Seen;
use super::server::Server;
use super::stage::Stage;

/// One row: a program that ends by itself, and how its output is judged.
///
/// `judge` returns a few words for the table, or what is wrong.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) runs: Runs,
    pub(super) judge: fn(&Seen) -> Result<String, String>,
}

/// Whether a row's program starts what it talks to.
#[derive(Debug)]
pub(super) enum Runs {
    Alone(fn(&Stage) -> Command),
    /// With a server that listens before it starts, at a URL that it is told, and ends after it.
    Against(&'static Server, fn(&Stage, &str) -> Command),
}

/// All rows, in the order in which they run.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    stdio::ROWS.iter().chain(sse::ROWS)
}
