//! `instructions`: how many instructions the hot paths take, under callgrind.
//!
//! A count is the same on a busy machine as on a quiet one, so it can be a gate where a time cannot.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::workspace::Workspace;
use crate::{Outcome, findings};

/// A case of the program `instructions`, and two numbers of times: the difference is what is counted.
const CASES: &[(&str, u64, u64)] = &[
    ("parse-150", 1_000, 11_000),
    ("parse-4k", 200, 1_200),
    ("parse-1m", 1, 6),
    ("result-1m", 1, 6),
    ("line", 1_000, 6_000),
    ("event-200", 1_000, 6_000),
    ("event-64k", 10, 60),
    ("sse", 200, 1_200),
    ("json", 200, 1_200),
    ("stateless", 200, 1_200),
    ("stream", 200, 1_200),
];

/// What a count may grow before it is a finding: less is noise of the allocator and of hash seeds.
const TOLERANCE: f64 = 1.03;

/// The same on another model of processor, whose C library copies memory in another way.
const ELSEWHERE: f64 = 1.10;

/// The numbers that were accepted, in the repository.
const ACCEPTED: &str = "xtask/instructions.txt";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let write = match arguments {
        [] => false,
        [word] if word == "--write" => true,
        _ => return Err("instructions [--write]".into()),
    };
    if Command::new("valgrind").arg("--version").output().is_err() {
        if std::env::var_os("CI").is_some() {
            return Err("valgrind is needed here".into());
        }
        println!("instructions: valgrind is not installed, so nothing is counted");
        return Ok(());
    }
    let workspace = Workspace::load()?;
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "mcp-tests",
        "--bin",
        "instructions",
    ]);
    if !cargo.status()?.success() {
        return Err("the program does not build".into());
    }
    let program = workspace.target.join("release/instructions");
    let mut counts = BTreeMap::new();
    for (case, few, many) in CASES {
        let (less, more) = (count(&program, case, *few)?, count(&program, case, *many)?);
        counts.insert(*case, more.saturating_sub(less) / (many - few));
    }
    let path = workspace.root.join(ACCEPTED);
    let (here, model) = (here()?, model());
    if write {
        fs::write(&path, page(&here, &model, &counts))?;
        println!("instructions: {} is written", path.display());
        return Ok(());
    }
    let accepted = fs::read_to_string(&path).unwrap_or_default();
    judge(&here, &model, &counts, &accepted)
}

fn model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("a processor without a name", |(_, name)| name).trim().to_owned()
}

/// What the counts depend on besides the code.
fn here() -> Outcome<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    let rustc = String::from_utf8(output.stdout)?;
    let vector = fs::read_to_string("/proc/cpuinfo").is_ok_and(|info| info.contains(" avx2 "));
    let vector = if vector { "with" } else { "without" };
    Ok(format!("{}, {} {vector} AVX2", rustc.trim(), std::env::consts::ARCH))
}

/// Instructions of one run.
fn count(program: &Path, case: &str, times: u64) -> Outcome<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = valgrind.args([case, &times.to_string()]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{case}: {said}").into());
    }
    let number =
        said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, number)| number.trim());
    Ok(number.ok_or_else(|| format!("{case}: no count in {said}"))?.parse()?)
}

fn page(here: &str, model: &str, counts: &BTreeMap<&str, u64>) -> String {
    let mut text = format!(
        "# Instructions for one message, by `cargo xtask instructions --write`.\n# {here}\n# {model}\n"
    );
    for (case, count) in counts {
        let _ = writeln!(text, "{case} {count}");
    }
    text
}

/// Prints the counts, and finds those that have grown.
fn judge(here: &str, model: &str, counts: &BTreeMap<&str, u64>, accepted: &str) -> Outcome {
    let says = |text| accepted.lines().any(|line| line.strip_prefix("# ") == Some(text));
    let comparable = says(here);
    let tolerance = if says(model) { TOLERANCE } else { ELSEWHERE };
    let mut found = Vec::new();
    for (case, count) in counts {
        let before = accepted
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find_map(|(name, number)| (name == *case).then(|| number.parse::<u64>().ok())?);
        let Some(before) = before else {
            found.push(format!("{case}: {count}, and no number was accepted"));
            continue;
        };
        let ratio = *count as f64 / before as f64;
        println!(
            "instructions: {case:10} {count:9}, {:+.1} % of the {before} that were accepted",
            (ratio - 1.0) * 100.0
        );
        if comparable && ratio > tolerance {
            found.push(format!("{case}: {count} instructions, {before} were accepted"));
        }
    }
    if !comparable {
        println!(
            "instructions: nothing is judged, the numbers are of another compiler or machine than {here}"
        );
    }
    findings("paths take more instructions; `cargo xtask instructions --write` accepts them", &found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_found() {
        let here = "rustc 1, x86_64 with AVX2";
        let accepted = page(here, "cpu", &BTreeMap::from([("line", 1000), ("sse", 5000)]));
        let table = [
            (here, "cpu", 1000, 5000, true),
            (here, "cpu", 1029, 4000, true),
            (here, "cpu", 1031, 5000, false),
            (here, "other", 1099, 5000, true),
            (here, "other", 1101, 5000, false),
            ("rustc 2", "cpu", 2000, 5000, true),
        ];
        for (compiler, model, line, sse, passes) in table {
            let counts = BTreeMap::from([("line", line), ("sse", sse)]);
            let judged = judge(compiler, model, &counts, &accepted);
            assert_eq!(judged.is_ok(), passes, "{compiler} {model} {line} {sse}");
        }
        assert!(judge(here, "cpu", &BTreeMap::from([("new", 1)]), &accepted).is_err());
    }
}
