//! What the second referee says, less what is excepted.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::exceptions::{Allowance, Allowed};
use super::referee::{self, Verdict};

/// What became of the traces of one run.
#[derive(Debug, Default)]
pub(super) struct Ruling {
    /// Those that were judged.
    judged: usize,
    /// Different clauses that something in them was about.
    clauses: usize,
    /// What is held against us.
    pub(super) faults: Vec<String>,
    /// Findings that are not.
    findings: usize,
    /// Traces that were not judged and need not be.
    unread: usize,
    /// The allowances that were made use of.
    used: Vec<&'static Allowance>,
}

impl Ruling {
    /// An allowance is for one finding about each of its clauses; a second one may be ours.
    pub(super) fn new(run: &str, verdict: Result<Verdict, String>, allowances: &'static [Allowance]) -> Self {
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(fault) => return Self { faults: vec![fault], ..Self::default() },
        };
        let mut ruling = Self { judged: verdict.judged, clauses: verdict.clauses.len(), ..Self::default() };
        let here = || allowances.iter().filter(|allowance| allowance.is_for(run));
        let mut taken = BTreeSet::new();
        for finding in &verdict.findings {
            let clause = finding.clause.as_str();
            let allowance = here()
                .find(|one| matches!(one.what, Allowed::Findings(clauses) if clauses.contains(&clause)));
            match allowance {
                Some(allowance) if taken.insert(clause) => {
                    ruling.findings += 1;
                    ruling.used.push(allowance);
                }
                _ => ruling.faults.push(format!("{clause}: {}", finding.what)),
            }
        }
        for refused in &verdict.refused {
            let allowance =
                here().find(|one| matches!(one.what, Allowed::Unread(words) if refused.why.contains(words)));
            match allowance {
                Some(allowance) => {
                    ruling.unread += 1;
                    ruling.used.push(allowance);
                }
                None => ruling.faults.push(format!("{}: not judged: {}", refused.trace, refused.why)),
            }
        }
        ruling
    }

    pub(super) fn has_used(&self, allowance: &Allowance) -> bool {
        self.used.iter().any(|used| std::ptr::eq(*used, allowance))
    }

    pub(super) fn counts(&self) -> [usize; 5] {
        let Self { judged, clauses, faults, findings, unread, .. } = self;
        [*judged, *clauses, faults.len(), *findings, *unread]
    }
}

/// The part of the page that is about the second referee.
pub(super) fn section<'a>(
    rulings: impl Iterator<Item = (&'a str, &'a Ruling)>,
    allowances: &[Allowance],
) -> String {
    let mut section = format!(
        "
## A second referee

Our programs write down what passes on their connections meanwhile, and `{}` {} reads it: a trace for each connection, of which everybody who has no session shares one.
It judges the messages of both sides by the clauses of 2025-11-25 and 2026-07-28, as the trace says of itself.
Headers and status codes are not in the traces, so what is about them it leaves to the suite.
It has no word for HTTP+SSE, whose traces call themselves Streamable HTTP.

| run | traces judged | clauses | findings | excepted findings | excepted traces |
|---|---|---|---|---|---|
",
        referee::NAME,
        referee::VERSION
    );
    for (run, ruling) in rulings {
        let [judged, clauses, faults, findings, unread] = ruling.counts();
        // Writing to a string cannot fail.
        let _ = writeln!(section, "| {run} | {judged} | {clauses} | {faults} | {findings} | {unread} |");
    }
    section.push_str("\nAn exception is for one finding about each of its clauses in a run.\n");
    section.push_str("\n| what | runs | reason |\n|---|---|---|\n");
    for Allowance { runs, what, reason } in allowances {
        let what = match what {
            Allowed::Findings(clauses) => clauses.join(", "),
            Allowed::Unread(words) => format!("traces of which it says \"{words}\""),
        };
        let _ = writeln!(section, "| {what} | `{}` | {reason} |", runs.join("`, `"));
    }
    section
}

#[cfg(test)]
mod tests {
    use super::super::referee::{Finding, Refused};
    use super::*;

    static ALLOWANCES: &[Allowance] = &[
        Allowance { runs: &["server-*"], what: Allowed::Findings(&["A-1"]), reason: "" },
        Allowance { runs: &["client-new"], what: Allowed::Unread("no registry"), reason: "" },
    ];

    fn ruling(run: &str, clauses: &[&str], refused: &[&str]) -> Ruling {
        let finding = |clause: &&str| Finding { clause: (*clause).into(), what: "broken".into() };
        let refused = refused.iter().map(|why| Refused { trace: "a".into(), why: (*why).into() }).collect();
        let findings = clauses.iter().map(finding).collect();
        Ruling::new(run, Ok(Verdict { findings, refused, ..Verdict::default() }), ALLOWANCES)
    }

    #[test]
    fn an_allowance_is_for_one_finding_of_its_clause() {
        let [first, second] = ALLOWANCES else { panic!("two") };
        let once = ruling("server-old", &["A-1"], &[]);
        assert!(once.faults.is_empty() && once.has_used(first) && !once.has_used(second));
        assert_eq!(ruling("server-old", &["A-1", "A-1"], &[]).faults, ["A-1: broken"]);
        assert_eq!(ruling("server-old", &["A-2"], &[]).faults, ["A-2: broken"]);
        assert_eq!(ruling("client-new", &["A-1"], &[]).faults, ["A-1: broken"]);
    }

    #[test]
    fn a_trace_is_judged_unless_it_need_not_be() {
        let why = "there is no registry";
        let unread = ruling("client-new", &[], &[why, why]);
        assert_eq!(unread.counts(), [0, 0, 0, 0, 2]);
        assert_eq!(ruling("client-old", &[], &[why]).faults, ["a: not judged: there is no registry"]);
        assert_eq!(ruling("client-new", &[], &["no trace"]).faults, ["a: not judged: no trace"]);
    }
}
