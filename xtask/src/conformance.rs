//! `conformance`: what the official suite says about our fixtures.
//!
//! ```text
//! runs: the table ─ under_test: the servers ─ suite: asks them, or has its mocks asked ─ checks: what it noted ─┐
//!                      └─ traces: what they wrote down ─ referee: reads it ─ ruling ────────────────────────────┤
//!                                                                              exceptions ─ report: table, page
//! ```
//!
//! The suite's own verdict counts failures of scored scenarios only; here every failure and warning of every scenario
//! counts that is not excepted by name, and so does every finding of the referee.

mod checks;
mod exceptions;
mod referee;
mod report;
mod ruling;
mod runs;
mod suite;
mod traces;
mod under_test;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::Outcome;
use crate::interop::family;
use crate::workspace::Workspace;
use referee::Referee;
use report::Row;
use runs::{Judged, RUNS, Run};
use suite::Suite;

/// What the runs need.
#[derive(Debug)]
struct Stage {
    suite: Suite,
    /// Our programs.
    bin: PathBuf,
    /// Where they leave traces.
    traces: PathBuf,
    /// Who reads these.
    referee: Option<Referee>,
}

/// What the command line says.
#[derive(Debug, Default)]
struct Args {
    write: bool,
    /// Somebody else's server, in the place of ours.
    server: Option<String>,
    /// Somebody else's client, in the place of ours.
    client: Option<String>,
    /// Names of runs; none means all.
    only: Vec<String>,
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let args = Args::read(arguments)?;
    let workspace = Workspace::load()?;
    let stage = Stage {
        suite: suite::install(&workspace)?,
        bin: build(&workspace, &args)?,
        traces: workspace.target.join("conformance/traces"),
        // Other people's programs leave no traces.
        referee: args.is_about_ours().then(|| referee::install(&workspace)).transpose()?,
    };
    family::adopt_orphans()?;

    let mut rows = Vec::new();
    for run in RUNS.iter().filter(|run| args.wants(run)) {
        let start = Instant::now();
        let traces = traces::begin(&stage.traces, run)?;
        let outcome = args.judge(run, &stage, &traces);
        let verdict = stage.referee.as_ref().map(|referee| referee.judge(&traces));
        let left = family::orphans();
        let seconds = start.elapsed().as_secs_f64();
        println!("conformance: {} done, {seconds:.1} s", run.name);
        rows.push(Row::new(run, outcome, verdict, &left));
    }
    report::print(&rows)?;
    if args.is_complete() {
        exceptions::all_are_needed(&rows)?;
    }
    if args.write {
        std::fs::write(workspace.root.join("docs/conformance.md"), report::page(&rows, &stage.suite))?;
        println!("conformance: docs/conformance.md is written");
    }
    Ok(())
}

impl Args {
    fn read(arguments: &[String]) -> Outcome<Self> {
        let mut args = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().cloned().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--write" => args.write = true,
                "--server" => args.server = Some(value()?),
                "--client" => args.client = Some(value()?),
                "--only" => args.only.push(value()?),
                other => return Err(format!("no option {other:?}").into()),
            }
        }
        let names: Vec<&str> = RUNS.iter().map(|run| run.name).collect();
        if let Some(unknown) = args.only.iter().find(|name| !names.contains(&name.as_str())) {
            return Err(format!("no run {unknown:?}; there are {}", names.join(", ")).into());
        }
        if args.write && !args.is_complete() {
            return Err("--write is about all runs of our own programs".into());
        }
        Ok(args)
    }

    fn is_about_ours(&self) -> bool {
        self.server.is_none() && self.client.is_none()
    }

    fn is_complete(&self) -> bool {
        self.is_about_ours() && self.only.is_empty()
    }

    fn wants(&self, run: &Run) -> bool {
        let named = self.only.is_empty() || self.only.iter().any(|name| name == run.name);
        let others = !self.is_about_ours();
        named
            && match run.judged {
                // Somebody else's server is asked directly, once for each revision.
                Judged::Server(links) => !others || (self.server.is_some() && links.len() == 1),
                Judged::Client => !others || self.client.is_some(),
            }
    }

    fn judge(&self, run: &Run, stage: &Stage, traces: &Path) -> Result<Vec<checks::Scenario>, String> {
        match run.judged {
            Judged::Server(links) => match &self.server {
                Some(url) => stage.suite.ask(run, url),
                None => {
                    let servers = under_test::start(links, stage, traces)?;
                    let seen = stage.suite.ask(run, servers.url());
                    // Without a server that is there, what the suite says is of less interest.
                    servers.stop().and(seen)
                }
            },
            Judged::Client => {
                let ours = stage.bin.join("conformance-client");
                let command = self.client.clone().unwrap_or_else(|| ours.display().to_string());
                stage.suite.be_asked(run, &command, traces)
            }
        }
    }
}

/// Builds our programs, unless only those of others are judged.
fn build(workspace: &Workspace, args: &Args) -> Outcome<PathBuf> {
    if args.is_about_ours() {
        println!("conformance: building our programs");
        let mut cargo = workspace.cargo();
        cargo.args([
            "build",
            "--locked",
            "--release",
            "--package",
            "mcp-tests",
            "--package",
            "mcp-bridge",
            "--bins",
        ]);
        let status = cargo.status()?;
        if !status.success() {
            return Err(format!("our programs do not build: {status}").into());
        }
    }
    Ok(workspace.target.join("release"))
}
