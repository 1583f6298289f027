//! The second referee: reads the traces of a run, and judges the messages of both sides clause by clause.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::Outcome;
use crate::interop::{peers, process};
use crate::workspace::Workspace;

pub(super) const NAME: &str = "mcp-trace-validator";
pub(super) const VERSION: &str = "0.6.0";

/// A trace takes it milliseconds.
const TRACE_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Referee {
    program: PathBuf,
}

/// What it says about the traces of one run.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Traces that it judged.
    pub(super) judged: usize,
    /// Clauses that held wherever something was about them, or broke somewhere.
    pub(super) clauses: BTreeSet<String>,
    pub(super) findings: Vec<Finding>,
    /// Traces that it did not judge.
    pub(super) refused: Vec<Refused>,
}

/// A clause that was broken, by whichever side.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) clause: String,
    /// Where and how.
    pub(super) what: String,
}

/// A trace that was not judged.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) trace: String,
    pub(super) why: String,
}

/// Builds it into `target/conformance`, unless it is there.
pub(super) fn install(workspace: &Workspace) -> Outcome<Referee> {
    let home = workspace.target.join("conformance/referee");
    let program = home.join("bin").join(NAME);
    let mut version = Command::new(&program);
    version.arg("--version");
    let found = process::run(version, TRACE_DEADLINE);
    if !found.is_ok_and(|seen| seen.stdout.trim() == format!("{NAME} {VERSION}")) {
        println!("installing into {}", home.display());
        let mut cargo = workspace.cargo();
        cargo.args(["install", "--locked", "--force", "--version", &format!("={VERSION}"), NAME]);
        cargo.arg("--root").arg(&home);
        peers::program(cargo, "a registry")?;
    }
    Ok(Referee { program })
}

impl Referee {
    /// Judges all traces of a run.
    pub(super) fn judge(&self, traces: &Path) -> Result<Verdict, String> {
        let entries = fs::read_dir(traces).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut files: Vec<PathBuf> = match entries {
            Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
            Err(error) => return Err(error.to_string()),
        };
        files.sort();
        if files.is_empty() {
            return Err("our programs left no traces".into());
        }
        let mut verdict = Verdict::default();
        for file in files {
            self.judge_one(&file, &mut verdict)?;
        }
        Ok(verdict)
    }

    fn judge_one(&self, file: &Path, verdict: &mut Verdict) -> Result<(), String> {
        let trace = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut command = Command::new(&self.program);
        command.args(["validate", "--format", "json"]).arg(file);
        let seen = process::run(command, TRACE_DEADLINE).map_err(|error| error.to_string())?;
        seen.orderly()?;
        match seen.status.code() {
            Some(0 | 1) => {
                let report =
                    serde_json::from_str(&seen.stdout).map_err(|error| format!("{trace}: {error}"))?;
                verdict.add(&trace, &report)
            }
            // Nothing to judge by, or no trace; both are for us to know.
            Some(2 | 3) => {
                let why = seen.stderr.lines().find_map(|line| line.strip_prefix("error: "));
                let why = why.unwrap_or("it does not say why").to_owned();
                verdict.refused.push(Refused { trace, why });
                Ok(())
            }
            _ => Err(format!("{trace}: {}", seen.report())),
        }
    }
}

impl Verdict {
    /// The report on one trace, by one revision.
    fn add(&mut self, trace: &str, report: &Value) -> Result<(), String> {
        if !report["revision"].is_string() {
            return Err(format!("{trace}: a report that is not about one revision"));
        }
        self.judged += 1;
        for row in report["requirements"].as_array().into_iter().flatten() {
            let clause = row["id"].as_str().unwrap_or_default();
            match row["outcome"].as_str().unwrap_or_default() {
                "excluded" | "not-applicable" | "not-observed" => continue,
                "pass" => {}
                outcome => {
                    let details: Vec<&str> = row["findings"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|finding| finding["detail"].as_str())
                        .collect();
                    // An outcome that nobody here has heard of is a finding too.
                    for detail in if details.is_empty() { vec![outcome] } else { details } {
                        let what = format!("{trace}: {detail}");
                        self.findings.push(Finding { clause: clause.to_owned(), what });
                    }
                }
            }
            self.clauses.insert(clause.to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_looked_at_counts_and_what_broke_is_found() {
        let mut verdict = Verdict::default();
        let broken =
            json!([{ "check": "c", "seq": 1, "detail": "once" }, { "check": "c", "detail": "twice" }]);
        let report = json!({ "revision": "2025-11-25", "requirements": [
            { "id": "BASE-001", "outcome": "pass" },
            { "id": "BASE-002", "outcome": "not-observed" },
            { "id": "BASE-003", "outcome": "fail", "findings": broken },
            { "id": "BASE-004", "outcome": "warn", "findings": [{ "check": "d", "detail": "thrice" }] },
            { "id": "BASE-005", "outcome": "unsupported" },
        ] });
        verdict.add("a.jsonl", &report).unwrap();
        let found: Vec<_> =
            verdict.findings.iter().map(|one| (one.clause.as_str(), one.what.as_str())).collect();
        let wanted = [
            ("BASE-003", "a.jsonl: once"),
            ("BASE-003", "a.jsonl: twice"),
            ("BASE-004", "a.jsonl: thrice"),
            ("BASE-005", "a.jsonl: unsupported"),
        ];
        assert_eq!(found, wanted);
        assert_eq!(verdict.clauses.len(), 4);
        assert!(verdict.add("b.jsonl", &json!({ "revisions": [] })).is_err());
        assert_eq!(verdict.judged, 1);
    }
}
