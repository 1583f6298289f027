//! `bench`: ours beside what pipes and hyper can do, and beside the official SDKs.
//!
//! A round measures every contender of a group once, so that whatever else the machine does falls on all of them; what
//! is judged are medians of the ratios inside a round.
//! Nothing here fails on a time.

mod chart;
mod goal;
mod group;
mod idle;
mod meter;
mod pipe;
mod report;
mod response;
mod rows;
mod running;
mod session;
mod stage;
mod station;
mod web;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::workspace::Workspace;
use group::Group;
use report::{Judged, Measured};
pub(crate) use stage::{build_rust_server, rust_server};

/// How a run was asked for.
#[derive(Debug)]
struct Wanted {
    /// Ten minutes: fewer rounds, shorter ones, and without what is slow.
    quick: bool,
    rounds: u32,
    /// Such as `A1`; none is all.
    rows: Vec<String>,
    /// Whether the figures are kept in the documentation.
    write: bool,
}

impl Wanted {
    fn read(arguments: &[String]) -> Outcome<Self> {
        let mut wanted = Self { quick: false, rounds: 0, rows: Vec::new(), write: false };
        for argument in arguments {
            let number = argument.strip_prefix("--rounds=").and_then(|number| number.parse().ok());
            match (argument.as_str(), number, argument.strip_prefix("--rows=")) {
                ("--quick", ..) => wanted.quick = true,
                ("--write", ..) => wanted.write = true,
                (_, Some(rounds), _) if rounds > 0 => wanted.rounds = rounds,
                (.., Some(rows)) => wanted.rows = rows.split(',').map(str::to_uppercase).collect(),
                (other, ..) => {
                    return Err(format!(
                        "bench [--quick] [--rounds=N] [--rows=A1,B2] [--write], not {other:?}"
                    )
                    .into());
                }
            }
        }
        if wanted.rounds == 0 {
            wanted.rounds = if wanted.quick { 5 } else { 7 };
        }
        Ok(wanted)
    }

    /// Who is measured, and at what.
    fn groups(&self) -> Outcome<Vec<Group>> {
        let budget = Duration::from_millis(if self.quick { 200 } else { 500 });
        let mut groups = rows::all(budget);
        for row in &self.rows {
            if !groups.iter().flat_map(|group| &group.goals).any(|goal| goal.row == row) {
                return Err(format!("no row {row}").into());
            }
        }
        // A slow row that is asked for by its name is wanted.
        groups.retain(|group| !(self.quick && group.pace.slow && self.rows.is_empty()));
        groups.iter_mut().for_each(|group| group.only(&self.rows));
        groups.retain(|group| !group.contenders.is_empty());
        Ok(groups)
    }
}

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let wanted = Wanted::read(arguments)?;
    let groups = wanted.groups()?;
    let workspace = Workspace::load()?;
    if cfg!(debug_assertions) {
        return again_optimized(&workspace, arguments);
    }
    let stage = stage::Stage::set(&workspace)?;
    meter::raise_descriptors();
    let machine = report::machine(wanted.rounds);
    println!("{machine}");
    let directory = workspace.target.join("bench");
    fs::create_dir_all(&directory)?;
    let started = Instant::now();
    let mut all = Vec::new();
    for (number, group) in (1..).zip(&groups) {
        println!("bench: {number} of {}, {} s: {}", groups.len(), started.elapsed().as_secs(), group.name);
        let seen = group.run(&stage, wanted.rounds)?;
        for (name, fault) in seen.iter().filter_map(|seen| Some((seen.name, seen.fault.as_ref()?))) {
            println!("bench: {name} is not measured: {fault}");
        }
        let goals = group.goals.iter().map(|goal| Judged::new(*goal, &seen)).collect();
        all.push(Measured { name: group.name, pinned: group.pace.pinned, seen, goals });
        // After each, so that a run that is ended leaves what it has.
        keep(&directory, &all, &machine)?;
    }
    println!("\n{}", report::goals(&all));
    println!("{}, after {} s", report::sum(&all), started.elapsed().as_secs());
    println!("{}", directory.join("bench.md").display());
    println!("{}", directory.join("bench.json").display());
    if wanted.write {
        let docs = workspace.root.join("docs");
        report::keep(&docs.join("performance.md"), &report::markdown(&all, &machine))?;
        draw(&docs, &all)?;
    }
    Ok(())
}

fn keep(directory: &Path, all: &[Measured], machine: &str) -> Outcome {
    fs::write(directory.join("bench.md"), report::markdown(all, machine))?;
    fs::write(directory.join("bench.json"), serde_json::to_vec_pretty(&report::json(all, machine))?)?;
    draw(directory, all)
}

/// The curves over sessions, where they were measured.
fn draw(directory: &Path, all: &[Measured]) -> Outcome {
    let curves = all.iter().filter(|group| rows::CURVES.contains(&group.name)).filter_map(chart::curve);
    let curves: Vec<_> = curves.collect();
    if !curves.is_empty() {
        fs::write(directory.join("sessions.svg"), chart::svg(&curves))?;
    }
    Ok(())
}

/// The load clients are in this program, and an unoptimized one would be what is measured.
fn again_optimized(workspace: &Workspace, arguments: &[String]) -> Outcome {
    let mut cargo = workspace.cargo();
    cargo
        .args(["run", "--quiet", "--release", "--locked", "--package", "xtask", "--", "bench"])
        .args(arguments);
    Err(cargo.exec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(arguments: &[&str]) -> Vec<&'static str> {
        let arguments: Vec<_> = arguments.iter().map(|word| (*word).to_owned()).collect();
        Wanted::read(&arguments).unwrap().groups().unwrap().iter().map(|group| group.name).collect()
    }

    #[test]
    fn rows_are_chosen() {
        assert_eq!(groups(&["--rows=a1"]), ["stdio server, 1 in flight"]);
        assert_eq!(groups(&["--rows=B4,G1"]).len(), 2);
        assert_eq!(groups(&["--quick", "--rows=H3"]), rows::CURVES);
        let (quick, full) = (groups(&["--quick"]), groups(&[]));
        assert!(quick.len() < full.len() && !quick.contains(&rows::CURVES[0]), "{quick:?}");
        let unknown = Wanted::read(&["--rows=Z9".to_owned()]).unwrap();
        assert!(unknown.groups().is_err());
        assert!(Wanted::read(&["--rounds=0".to_owned()]).is_err());
        assert!(Wanted::read(&["stdio".to_owned()]).is_err());
    }
}
