//! `ci`: all checks that need nobody else's program.

use std::time::Instant;

use crate::workspace::Workspace;
use crate::{Outcome, counts, deny, findings, layers, packages, words};

/// Cargo's own checks: a name, its arguments, and what it finds in `RUSTDOCFLAGS`.
const CARGO: &[(&str, &[&str], &str)] = &[
    ("fmt", &["fmt", "--all", "--check"], ""),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], ""),
    ("doc", &["doc", "--workspace", "--no-deps", "--locked"], "-D warnings"),
    ("doctests", &["test", "--workspace", "--doc", "--locked"], ""),
];

type Check = fn() -> Outcome;

/// Checks of our own: a name and its command.
const OWN: &[(&str, Check)] = &[
    ("layers", layers::run),
    ("counts", counts::run),
    ("packages", packages::run),
    ("deny", deny::run),
    ("words", words::run),
];

/// Runs every check, also after one has failed, so that one run tells all.
pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    let mut failed = Vec::new();
    for (name, arguments, rustdoc) in CARGO {
        step(name, &mut failed, || {
            let mut cargo = workspace.cargo();
            cargo.args(*arguments);
            if !rustdoc.is_empty() {
                cargo.env("RUSTDOCFLAGS", rustdoc);
            }
            let status = cargo.status()?;
            if status.success() {
                Ok(())
            } else {
                Err(format!("cargo {}: {status}", arguments.join(" ")).into())
            }
        });
    }
    for (name, check) in OWN {
        step(name, &mut failed, check);
    }
    findings("checks failed", &failed)
}

fn step(name: &str, failed: &mut Vec<String>, check: impl FnOnce() -> Outcome) {
    println!("== {name}");
    let start = Instant::now();
    let outcome = check();
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => println!("== {name}: ok, {seconds:.1} s"),
        Err(error) => {
            println!("== {name}: FAILED, {seconds:.1} s\n{error}");
            failed.push(name.into());
        }
    }
}
