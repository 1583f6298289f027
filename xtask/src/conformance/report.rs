//! The table that is printed, and the page that is kept.

use std::fmt::Write;

use super::checks::Scenario;
use super::exceptions::{self, ALLOWANCES, EXCEPTIONS, Exception};
use super::referee::{self, Verdict};
use super::ruling::{self, Ruling};
use super::runs::Run;
use super::suite::Suite;
use crate::{Outcome, findings};

/// What became of one run.
#[derive(Debug)]
pub(super) struct Row {
    run: &'static Run,
    scenarios: Vec<Scenario>,
    /// What is wrong with the run as a whole.
    fault: Option<String>,
    /// What the second referee says, where our programs left traces for it.
    ruling: Option<Ruling>,
}

impl Row {
    pub(super) fn new(
        run: &'static Run,
        outcome: Result<Vec<Scenario>, String>,
        verdict: Option<Result<Verdict, String>>,
        left_behind: &[String],
    ) -> Self {
        let (scenarios, mut fault) = match outcome {
            Ok(scenarios) => (scenarios, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        if fault.is_none() && !left_behind.is_empty() {
            fault = Some(format!("left behind: {}", left_behind.join("; ")));
        }
        let ruling = verdict.map(|verdict| Ruling::new(run.name, verdict, ALLOWANCES));
        Self { run, scenarios, fault, ruling }
    }

    /// The run's name.
    pub(super) fn name(&self) -> &'static str {
        self.run.name
    }

    pub(super) fn ruling(&self) -> Option<&Ruling> {
        self.ruling.as_ref()
    }

    /// The exception for what does not hold.
    fn exception(&self, scenario: &Scenario) -> Option<&'static Exception> {
        if scenario.is_clean() { None } else { exceptions::of(self.run.name, &scenario.name) }
    }

    /// Scenarios that count.
    fn counted(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().filter(|scenario| self.exception(scenario).is_none())
    }

    /// Scenarios that do not hold and need not.
    pub(super) fn excepted(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().filter(|scenario| self.exception(scenario).is_some())
    }

    /// What is held against it.
    fn faults(&self) -> Vec<String> {
        let name = self.run.name;
        let mut faults: Vec<String> = self.fault.iter().map(|fault| format!("{name}: {fault}")).collect();
        for scenario in self.counted().filter(|scenario| !scenario.is_clean()) {
            let found: Vec<&String> = scenario.failures.iter().chain(&scenario.warnings).collect();
            if found.is_empty() {
                faults.push(format!("{name}: {}: nothing was checked", scenario.name));
            }
            faults.extend(found.into_iter().map(|found| format!("{name}: {}: {found}", scenario.name)));
        }
        let ruled = self.ruling.iter().flat_map(|ruling| &ruling.faults);
        faults.extend(ruled.map(|fault| format!("{name}: {}: {fault}", referee::NAME)));
        faults
    }
}

/// Prints a line for each scenario; what is held against us is an error.
pub(super) fn print(rows: &[Row]) -> Outcome {
    let runs = rows.iter().map(|row| row.run.name.len()).max().unwrap_or(0);
    let names =
        rows.iter().flat_map(|row| &row.scenarios).map(|scenario| scenario.name.len()).max().unwrap_or(0);
    println!("\n{:runs$} | {:names$} | checks | failures | warnings |", "run", "scenario");
    println!("{:-<runs$}-|-{:-<names$}-|--------|----------|----------|", "", "");
    for row in rows {
        let run = row.run.name;
        if let Some(fault) = &row.fault {
            println!("{run:runs$} | {}", fault.lines().next().unwrap_or_default());
        }
        for scenario in &row.scenarios {
            let (held, failures, warnings) =
                (scenario.held, scenario.failures.len(), scenario.warnings.len());
            let checks = held + failures + warnings;
            let verdict = match row.exception(scenario) {
                _ if scenario.is_clean() => "",
                Some(exception) => exception.reason,
                None => "FAILED",
            };
            let name = &scenario.name;
            println!("{run:runs$} | {name:names$} | {checks:6} | {failures:8} | {warnings:8} | {verdict}");
        }
    }
    print_rulings(rows, runs);
    println!();
    findings("faults", &rows.iter().flat_map(Row::faults).collect::<Vec<_>>())?;
    let scenarios: usize = rows.iter().map(|row| row.counted().count()).sum();
    let excepted: usize = rows.iter().map(|row| row.excepted().count()).sum();
    println!("conformance: {scenarios} scenarios hold, {excepted} are excepted");
    Ok(())
}

fn print_rulings(rows: &[Row], runs: usize) {
    let mut rulings = rulings(rows).peekable();
    if rulings.peek().is_none() {
        return;
    }
    let runs = runs.max(referee::NAME.len());
    println!("\n{:runs$} | traces | clauses | findings | excepted | not read", referee::NAME);
    println!("{:-<runs$}-|--------|---------|----------|----------|---------", "");
    for (run, ruling) in rulings {
        let [judged, clauses, faults, findings, unread] = ruling.counts();
        let verdict = if faults > 0 { "| FAILED" } else { "" };
        println!("{run:runs$} | {judged:6} | {clauses:7} | {faults:8} | {findings:8} | {unread:8} {verdict}");
    }
}

fn rulings(rows: &[Row]) -> impl Iterator<Item = (&str, &Ruling)> {
    rows.iter().filter_map(|row| Some((row.run.name, row.ruling.as_ref()?)))
}

/// The page about runs that held.
pub(super) fn page(rows: &[Row], suite: &Suite) -> String {
    let mut page = format!(
        "\
# Conformance

What version {} of the official suite, `@modelcontextprotocol/conformance`, says about the fixtures in `tests/src/conformance`.
`cargo xtask conformance` runs it, and fails on every failure and every warning that is not excepted below; `--write` writes this page.
A scenario in which nothing was checked fails too; what is excepted is in no other column.

| run | what | scenarios | checks | failures | warnings | excepted |
|---|---|---|---|---|---|---|
",
        suite.version
    );
    for row in rows {
        let sum = |count: fn(&Scenario) -> usize| row.counted().map(count).sum::<usize>();
        let (failures, warnings) = (sum(|one| one.failures.len()), sum(|one| one.warnings.len()));
        let checks = sum(|one| one.held) + failures + warnings;
        let (scenarios, excepted) = (row.counted().count(), row.excepted().count());
        let Run { name, what, .. } = row.run;
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| {name} | {what} | {scenarios} | {checks} | {failures} | {warnings} | {excepted} |"
        );
    }
    page.push_str("\n## Exceptions\n\n| scenarios | runs | reason |\n|---|---|---|\n");
    for exception in EXCEPTIONS {
        let Exception { runs, scenarios, reason } = exception;
        let _ = writeln!(page, "| `{scenarios}` | `{runs}` | {reason} |");
    }
    page.push_str(&ruling::section(rulings(rows), ALLOWANCES));
    page.push_str(
        "
## What it does not say

The suite is a floor.
Most sessions of `server-2025-06-18` are of 2025-11-25: its scenarios name that revision themselves.
It does not test cancellation, resumption under loss, limits, back-pressure, batches, stdio or HTTP+SSE themselves; the tests of each crate do.
",
    );
    page
}
