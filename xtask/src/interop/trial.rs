//! One run of one row.

use std::process::Command;
use std::time::Instant;

use super::process::Process;
use super::rows::{Row, Through, Way};
use super::stage::{At, Stage};

/// What a run came to.
#[derive(Debug)]
pub(super) struct Trial {
    /// What was seen, or what is wrong.
    pub(super) outcome: Result<String, String>,
    /// For a failure: how the programs ended and their last lines.
    pub(super) captured: String,
}

impl Trial {
    /// Whatever happens, nothing that it started runs on, but for what left its process group.
    pub(super) fn of(row: &Row, stage: &Stage, until: Instant) -> Self {
        match &row.server.way {
            Way::Child(command) => {
                let command = row.command(stage, At::Command(&command(stage)));
                Self::run(row, command, until)
            }
            Way::Listens(listener) => {
                let server = match listener.start(stage, until) {
                    Ok(server) => server,
                    Err((reason, captured)) => return Self { outcome: Err(reason), captured },
                };
                let command = match row.through {
                    Through::Nothing => row.command(stage, At::Url(&server.url)),
                    Through::Connect => row.command(stage, At::Command(&stage.connect(&server.url))),
                };
                let mut trial = Self::run(row, command, until);
                let (ended, captured) = server.stop();
                // Without a server that is there, what its client says is of less interest.
                trial.outcome = match (trial.outcome, ended) {
                    (Err(reason), Err(end)) => Err(format!("{end}; its client: {reason}")),
                    (outcome, ended) => ended.and(outcome),
                };
                trial.captured = format!("{}\nserver: {captured}", trial.captured);
                trial
            }
        }
    }

    fn run(row: &Row, command: Command, until: Instant) -> Self {
        match Process::start(command).and_then(|process| process.end(until)) {
            Ok(seen) => {
                Self { outcome: seen.orderly().and_then(|()| row.judge(&seen)), captured: seen.report() }
            }
            Err(error) => Self { outcome: Err(error.to_string()), captured: String::new() },
        }
    }
}
