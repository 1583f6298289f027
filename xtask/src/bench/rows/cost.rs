//! F: what a user pays before anything runs. The smallest programs that have an echo tool.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::OURS;
use crate::Outcome;
use crate::bench::goal::{Reckon, goal};
use crate::bench::group::{FREE, Group, Pace};
use crate::bench::stage::{self, Stage};
use crate::bench::station::{Contender, Sample, Station, Unit};
use crate::counts;

const RMCP: &str = "rmcp";

/// A program, where its crate is, and its features.
type Program = (&'static str, &'static str, &'static str, &'static str);

const STDIO: [Program; 2] =
    [(OURS, "tests/peers/bench", "ours-stdio", "stdio"), (RMCP, "tests/peers/rust", "mcp-peers", "")];
const SSE: [Program; 2] =
    [(OURS, "tests/peers/bench", "ours-sse", "sse"), (RMCP, "tests/peers/rust", "mcp-peers-http", "http")];
const HTTP: [Program; 2] =
    [(OURS, "tests/peers/bench", "ours-http", "http"), (RMCP, "tests/peers/rust", "mcp-peers-http", "http")];

pub(super) fn groups() -> Vec<Group> {
    use Reckon::{Less, Own, Within};
    let once = Pace { at_most: 1, ..FREE };
    let slow = Pace { at_most: 3, slow: true, ..FREE };
    let crates = |name, package: &'static str, floor, moonshot| Group {
        name,
        pace: once,
        contenders: vec![Contender::new(OURS, move |stage| {
            Ok(Crates { directory: stage.root.clone(), words: vec!["--package".into(), package.into()] })
        })],
        goals: vec![goal("F1", Unit::Crates, Own, floor, moonshot)],
    };
    let smallest = |name, programs: &[Program]| Group {
        name,
        pace: once,
        contenders: programs
            .iter()
            .map(|&(name, from, _, features)| {
                Contender::new(name, move |stage| {
                    let words = vec!["--features".into(), features.into()];
                    Ok(Crates { directory: stage.root.join(from), words })
                })
            })
            .collect(),
        goals: vec![goal("F1", Unit::Crates, Within(RMCP), 1.0, 1.0).shown()],
    };
    let builds = |name, programs: &[Program], size| Group {
        name,
        pace: slow,
        contenders: programs
            .iter()
            .map(|&program| {
                Contender::new(program.0, move |stage| Ok(Build { stage: stage.clone(), program }))
            })
            .collect(),
        goals: vec![
            goal("F2", Unit::Build, Less(RMCP), 2.5, 4.0),
            goal("F3", Unit::Size, Within(RMCP), 0.5, size),
        ],
    };
    vec![
        crates("crates of mcp-stdio", "mcp-stdio", 36.0, 34.0),
        crates("crates of mcp-sse", "mcp-sse", 55.0, 52.0),
        smallest("crates of the smallest program, stdio", &STDIO),
        smallest("crates of the smallest program, HTTP+SSE against Streamable HTTP", &SSE),
        smallest("crates of the smallest program, Streamable HTTP", &HTTP),
        builds("clean build of the smallest program, stdio", &STDIO, 1.0 / 3.0),
        builds("clean build of the smallest program, HTTP+SSE against Streamable HTTP", &SSE, 1.0 / 3.5),
        builds("clean build of the smallest program, Streamable HTTP", &HTTP, 1.0 / 3.5),
    ]
}

/// Counts crates.
struct Crates {
    directory: PathBuf,
    words: Vec<String>,
}

impl Station for Crates {
    fn measure(&mut self) -> Outcome<Sample> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.directory);
        cargo.args(["tree", "--locked", "--edges", "normal", "--prefix", "none"]).args(&self.words);
        let output = cargo.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let crates = counts::unique(&String::from_utf8_lossy(&output.stdout));
        Ok(vec![(Unit::Crates, crates as f64)])
    }
}

/// Builds from nothing; the sources are there already.
struct Build {
    stage: Stage,
    program: Program,
}

impl Station for Build {
    fn measure(&mut self) -> Outcome<Sample> {
        let (_, from, name, features) = self.program;
        let to = self.stage.target.join("bench/clean").join(name);
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        let before = children_cpu()?;
        stage::build(&self.stage.root.join(from), &to, &[name], features)?;
        let took = children_cpu()? - before;
        let size = fs::metadata(to.join("release").join(name))?.len();
        fs::remove_dir_all(&to)?;
        Ok(vec![(Unit::Build, took), (Unit::Size, size as f64 / 1024.0)])
    }
}

/// Seconds of processor time of the children that were waited for, and of theirs: `cutime` of proc_pid_stat(5).
fn children_cpu() -> Outcome<f64> {
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().nth(13).ok_or("no cutime")?;
    Ok(ticks.parse::<f64>()? / TICKS)
}
