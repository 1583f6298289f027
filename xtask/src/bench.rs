//! `cargo xtask bench stdio`: our stdio server beside the official Rust SDK's, in one interleaved run.
//!
//! A round measures every server once, so that whatever else the machine does falls on all of them; what is printed are
//! medians over the rounds, and medians of the ratios within a round.
//! Nothing here fails on a time.

mod load;

use std::process::Command;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Outcome;
use crate::workspace::Workspace;
use load::Server;

/// Requests of one measurement; enough for tens of milliseconds.
const REQUESTS: u32 = 20_000;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut rounds = 7;
    let mut pinned = false;
    for argument in arguments {
        match argument.as_str() {
            "stdio" => {}
            "--pinned" => pinned = true,
            other => match other.strip_prefix("--rounds=").and_then(|number| number.parse().ok()) {
                Some(number) => rounds = number,
                None => return Err(format!("bench [stdio] [--pinned] [--rounds=N], not {other:?}").into()),
            },
        }
    }
    let workspace = Workspace::load()?;
    let ours = build_ours(&workspace)?;
    let theirs = build_peer(&workspace)?;
    if pinned {
        // This program and the servers that it starts on one processor: what is measured then is work, and not how
        // fast an idle processor wakes up.
        let mut one = CpuSet::new();
        one.set(0);
        sched_setaffinity(None, &one)?;
    }
    let servers = [
        Server::new("ours", &ours, "demo"),
        Server::new("rmcp 3.9.0 stdio(), its default", &theirs, "stdio"),
        Server::new("rmcp 3.9.0 stdio_pipes(), its best", &theirs, "pipes"),
    ];
    println!("| in flight | server | requests/s, median (range) | ours / it, median of the rounds |");
    println!("|---|---|---|---|");
    for in_flight in [1, 64] {
        let mut rates = vec![Vec::new(); servers.len()];
        for _ in 0..rounds {
            for (server, rates) in servers.iter().zip(&mut rates) {
                rates.push(server.measure(in_flight, REQUESTS)?);
            }
        }
        let [ours, ..] = &rates[..] else { continue };
        for (server, of_it) in servers.iter().zip(&rates) {
            let ratios = ours.iter().zip(of_it).map(|(ours, its)| ours / its).collect();
            let (low, middle, high) = spread(of_it.clone());
            let (_, ratio, _) = spread(ratios);
            println!("| {in_flight} | {} | {middle:.0} ({low:.0}–{high:.0}) | {ratio:.2} |", server.name());
        }
    }
    Ok(())
}

fn build_ours(workspace: &Workspace) -> Outcome<std::path::PathBuf> {
    let built =
        workspace.cargo().args(["build", "--release", "--locked", "--package", "mcp-bridge"]).status()?;
    if !built.success() {
        return Err("mcp-bridge does not build".into());
    }
    Ok(workspace.target.join("release/mcp-bridge"))
}

/// Where the official Rust SDK's server is, once it is built.
pub(crate) fn peer(workspace: &Workspace) -> std::path::PathBuf {
    workspace.target.join("peers/rust/release/mcp-peers")
}

pub(crate) fn build_peer(workspace: &Workspace) -> Outcome<std::path::PathBuf> {
    let target = workspace.target.join("peers/rust");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace.root.join("tests/peers/rust"));
    cargo.args(["build", "--release", "--locked", "--target-dir"]).arg(&target);
    if !cargo.status()?.success() {
        return Err("the peer does not build".into());
    }
    Ok(peer(workspace))
}

/// Least, median and most.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
}
