//! Checks of the workspace, one file per command.
//!
//! `cargo xtask help` lists them.
#![allow(clippy::print_stdout, reason = "a program for people: what it prints is what it is for")]

mod bench;
mod ci;
mod conformance;
mod counts;
mod deny;
mod instructions;
mod interop;
mod layers;
mod manifest;
mod packages;
mod words;
mod workspace;

use std::process::ExitCode;

/// What a command ends with: nothing, or what is wrong, ready to print.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
cargo xtask COMMAND

  ci                 all checks but interop and conformance: format, lints, docs, and the five below
  layers             the arrows between crates, and what they may depend on
  counts             how many crates a user of ours has to compile
  packages           what each crate would publish
  deny               licences, bans and sources, where cargo-deny is installed
  words              what no tracked file may hold
  interop [ROW...]   other people's programs against ours
                     --list names the rows, --dev builds without optimizing,
                     --bridge PATH takes a program that is already built
  conformance        the official suite against our fixtures, and a second referee who reads their traces
                     --write keeps the figures in docs/conformance.md,
                     --only RUN (several times), --server URL, --client COMMAND
  bench              ours beside the bare limits and the official SDKs, in interleaved rounds
                     --quick takes six minutes, --rounds=N, --rows=A1,B2,
                     --write keeps the figures in docs/performance.md
  instructions       instructions of the hot paths under callgrind, where valgrind is installed
                     --write accepts what they are now
  help               this text";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match (command, rest) {
        ("interop", rest) => interop::run(rest),
        ("conformance", rest) => conformance::run(rest),
        ("bench", rest) => bench::run(rest),
        ("instructions", rest) => instructions::run(rest),
        ("help" | "--help" | "-h", _) => {
            println!("{HELP}");
            Ok(())
        }
        (_, [extra, ..]) => Err(format!("{command} takes no argument, got {extra:?}").into()),
        ("ci", _) => ci::run(),
        ("layers", _) => layers::run(),
        ("counts", _) => counts::run(),
        ("packages", _) => packages::run(),
        ("deny", _) => deny::run(),
        ("words", _) => words::run(),
        _ => Err(format!("no command {command:?}\n\n{HELP}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {command}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Joins findings under one heading; no finding is success.
fn findings(what: &str, found: &[String]) -> Outcome {
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("{} {what}\n  {}", found.len(), found.join("\n  ")).into())
}
