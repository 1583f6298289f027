//! `interop`: other people's programs against ours.

mod capture;
pub(crate) mod family;
mod judge;
pub(crate) mod peers;
pub(crate) mod process;
mod rows;
mod secrets;
mod server;
mod stage;
mod trial;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::workspace::Workspace;
use crate::{Outcome, bench, findings};
use rows::Row;
use secrets::Secrets;
use stage::Stage;
use trial::Trial;

/// A row that has not ended by then has failed: the slowest takes a few seconds on a busy machine.
const ROW_DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut wanted: Vec<&str> = Vec::new();
    let mut bridge: Option<PathBuf> = None;
    let mut optimized = true;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--list" => {
                rows::all().for_each(|row| println!("{:42} {}", row.name, row.what()));
                return Ok(());
            }
            "--dev" => optimized = false,
            "--bridge" => bridge = Some(rest.next().ok_or("--bridge needs a path")?.into()),
            name if rows::all().any(|row| row.name == name) => wanted.push(name),
            other => return Err(format!("no row {other:?}; --list names them").into()),
        }
    }

    let workspace = Workspace::load()?;
    let bridge = match bridge {
        Some(path) => path.canonicalize()?,
        None => build(&workspace, optimized)?,
    };
    let peers = peers::install(&workspace)?;
    let chosen = rows::all().filter(|row| wanted.is_empty() || wanted.contains(&row.name));
    let chosen: Vec<&Row> = chosen.collect();
    let rust = bench::rust_server(&workspace);
    if chosen.iter().any(|row| row.server.is_rust()) {
        bench::build_rust_server(&workspace)?;
    }
    let secrets = Secrets::make(&workspace.target.join("peers/secrets"))?;
    let stage = Stage { bridge, peers, rust, secrets };
    family::adopt_orphans()?;

    let cells: Vec<Cell> = chosen.into_iter().map(|row| Cell::fill(row, &stage)).collect();
    print(&cells)
}

/// Builds the program that is under test.
fn build(workspace: &Workspace, optimized: bool) -> Outcome<PathBuf> {
    println!("interop: building mcp-bridge");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked", "--package", "mcp-bridge"]);
    if optimized {
        cargo.arg("--release");
    }
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("mcp-bridge does not build: {status}").into());
    }
    let profile = if optimized { "release" } else { "debug" };
    Ok(workspace.target.join(profile).join("mcp-bridge"))
}

/// What became of one row.
#[derive(Debug)]
struct Cell {
    row: &'static Row,
    seconds: f64,
    trial: Trial,
}

impl Cell {
    fn fill(row: &'static Row, stage: &Stage) -> Self {
        let start = Instant::now();
        let mut trial = Trial::of(row, stage, start + ROW_DEADLINE);
        let left = family::orphans();
        if trial.outcome.is_ok() && !left.is_empty() {
            trial.outcome = Err(format!("left behind: {}", left.join("; ")));
        }
        let seconds = start.elapsed().as_secs_f64();
        let word = if trial.outcome.is_ok() { "ok" } else { "FAILED" };
        println!("interop: {} {word}, {seconds:.1} s", row.name);
        Self { row, seconds, trial }
    }
}

/// Prints the table, and what was captured of each failure above it.
fn print(cells: &[Cell]) -> Outcome {
    let mut failed = Vec::new();
    for cell in cells {
        if let Err(reason) = &cell.trial.outcome {
            println!("\n---- {}: {reason}\n{}", cell.row.name, cell.trial.captured);
            failed.push(format!("{}: {reason}", cell.row.name));
        }
    }
    let name = cells.iter().map(|cell| cell.row.name.len()).max().unwrap_or(0);
    let what = cells.iter().map(|cell| cell.row.what().len()).max().unwrap_or(0);
    println!("\n{:name$} | {:what$} | outcome | seconds | detail", "row", "what");
    println!("{:-<name$}-|-{:-<what$}-|---------|---------|-------", "", "");
    for cell in cells {
        let (word, detail) = match &cell.trial.outcome {
            Ok(detail) => ("ok", detail),
            Err(reason) => ("FAILED", reason),
        };
        let (row, seconds) = (cell.row, cell.seconds);
        println!("{:name$} | {:what$} | {word:7} | {seconds:7.1} | {detail}", row.name, row.what());
    }
    println!("\ninterop: {} passed, {} failed", cells.len() - failed.len(), failed.len());
    findings("rows failed", &failed)
}
