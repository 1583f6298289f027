//! What the suite noted: a file of checks for each scenario.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Outcome;

/// The name of the file.
const FILE: &str = "checks.json";

/// What the suite puts behind the name of a scenario: `-2026-01-31T12-00-00-000Z`.
const STAMP: usize = 25;

/// One scenario of one run; all its times together, if the run was made several times.
#[derive(Debug, Default)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// Checks that held.
    pub(super) held: usize,
    pub(super) failures: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Scenario {
    /// Something was checked, and all of it held.
    pub(super) fn is_clean(&self) -> bool {
        self.held > 0 && self.failures.is_empty() && self.warnings.is_empty()
    }
}

/// All scenarios below `results`, by name.
pub(super) fn read(results: &Path) -> Outcome<Vec<Scenario>> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for time in fs::read_dir(results)? {
        let time = time?.path();
        visit(&time, &time, &mut scenarios)?;
    }
    scenarios.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scenarios)
}

fn visit(root: &Path, directory: &Path, scenarios: &mut Vec<Scenario>) -> Outcome {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            visit(root, &path, scenarios)?;
        } else if path.ends_with(FILE) {
            let name = name(&directory.strip_prefix(root)?.to_string_lossy());
            let checks: Value = serde_json::from_slice(&fs::read(&path)?)?;
            let checks = checks.as_array().ok_or_else(|| format!("{} has no checks", path.display()))?;
            let index = scenarios.iter().position(|scenario| scenario.name == name).unwrap_or_else(|| {
                scenarios.push(Scenario { name, ..Scenario::default() });
                scenarios.len() - 1
            });
            if let Some(scenario) = scenarios.get_mut(index) {
                checks.iter().for_each(|check| scenario.add(check));
            }
        }
    }
    Ok(())
}

/// The scenario's name, from that of its directory.
fn name(directory: &str) -> String {
    let length = directory.len().saturating_sub(STAMP);
    let name = directory.get(..length).unwrap_or(directory);
    // The suite marks those of servers; one of them has the word in its own name too.
    name.strip_prefix("server-").unwrap_or(name).to_owned()
}

impl Scenario {
    fn add(&mut self, check: &Value) {
        let text = |key: &str| check[key].as_str().unwrap_or_default();
        let finding = || {
            let id = text("id");
            let why = text("errorMessage").lines().next().unwrap_or_default();
            let why = if why.is_empty() { text("description") } else { why };
            format!("{id}: {why}")
        };
        match text("status") {
            "SUCCESS" => self.held += 1,
            "FAILURE" => self.failures.push(finding()),
            "WARNING" => self.warnings.push(finding()),
            // Of no consequence: skipped, and information.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_directory_has_the_name_of_its_scenario() {
        let table = [
            ("server-tools-list-2026-01-31T12-00-00-000Z", "tools-list"),
            ("server-server-initialize-2026-01-31T12-00-00-000Z", "server-initialize"),
            ("auth/basic-cimd-2026-01-31T12-00-00-000Z", "auth/basic-cimd"),
        ];
        for (directory, wanted) in table {
            assert_eq!(name(directory), wanted);
        }
    }

    #[test]
    fn what_was_only_skipped_is_not_clean() {
        let mut scenario = Scenario::default();
        scenario.add(&json!({ "id": "a", "status": "SKIPPED" }));
        assert!(!scenario.is_clean());
        scenario.add(&json!({ "id": "b", "status": "SUCCESS" }));
        assert!(scenario.is_clean());
        scenario.add(&json!({ "id": "c", "status": "WARNING", "errorMessage": "late\nby far" }));
        assert!(!scenario.is_clean());
        assert_eq!(scenario.warnings, ["c: late"]);
    }
}
