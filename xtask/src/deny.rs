//! `deny`: licences, bans and sources of all that is compiled, where cargo-deny is installed.
//!
//! Advisories are left out: their database is no registry package, and a check that changes its mind overnight does
//! not belong in front of a change.

use std::process::Stdio;

use crate::Outcome;
use crate::workspace::Workspace;

pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    let here =
        workspace.cargo().args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !here.success() {
        println!("deny: skipped: cargo-deny isn't here");
        return Ok(());
    }
    let status =
        workspace.cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]).status()?;
    if !status.success() {
        return Err("cargo-deny refuses something".into());
    }
    Ok(())
}
