//! What need not hold, by name and with the reason.

use super::report::Row;
use crate::{Outcome, findings};

/// Scenarios that are not held against us.
///
/// A name that ends with `*` is how several names begin.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) runs: &'static str,
    pub(super) scenarios: &'static str,
    pub(super) reason: &'static str,
}

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception { runs: "client-*", scenarios: "auth/*", reason: "comes with the sign-in work" },
    Exception {
        runs: "*",
        scenarios: "tasks-*",
        reason: "the extension for tasks is typed: it belongs to the layer above, and conformance does not require it",
    },
    Exception {
        runs: "bridge-*",
        scenarios: "server-sse-polling",
        reason: "who is behind a bridge has no HTTP response to close; conformance does not require it",
    },
];

/// What the second referee says that is not held against us.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Names that end with `*` are how several names begin.
    pub(super) runs: &'static [&'static str],
    pub(super) what: Allowed,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Allowed {
    /// One finding about each of these clauses.
    Findings(&'static [&'static str]),
    /// Traces that it does not judge, for a reason that has these words.
    Unread(&'static str),
}

/// One place in memory: what was made use of is known by where it is.
pub(super) static ALLOWANCES: &[Allowance] = &[
    Allowance {
        runs: &["server-2025-11-25", "bridge-*"],
        what: Allowed::Findings(&["LIFE-003"]),
        reason: "the suite's own doing: its client for session ids goes away after `initialize`",
    },
    Allowance {
        runs: &["server-2026-07-28", "bridge-*"],
        what: Allowed::Findings(&["MRTR-003", "MRTR-016", "MRTR-017"]),
        reason: "the suite's own doing: it changes a `requestState`, to see it refused",
    },
    Allowance {
        runs: &["client-2026-07-28"],
        what: Allowed::Findings(&["BASE-048"]),
        reason: "the suite's own doing: its mock server leaves `resultType` out once, to see what the client makes of it",
    },
    Allowance {
        runs: &["client-2025-11-25"],
        what: Allowed::Unread("its initialize request was never answered"),
        reason: "the scenarios `auth/*`: it comes with the sign-in work",
    },
    Allowance {
        runs: &["server-2025-03-26", "server-2025-06-18"],
        what: Allowed::Unread("which no available registry describes"),
        reason: "it has no clauses of revisions before 2025-11-25",
    },
];

/// The exception for a scenario of a run, if there is one.
pub(super) fn of(run: &str, scenario: &str) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| exception.covers(run, scenario))
}

impl Exception {
    fn covers(&self, run: &str, scenario: &str) -> bool {
        matches(self.runs, run) && matches(self.scenarios, scenario)
    }
}

impl Allowance {
    pub(super) fn is_for(&self, run: &str) -> bool {
        self.runs.iter().any(|pattern| matches(pattern, run))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// An exception that excepts nothing any more goes.
pub(super) fn all_are_needed(rows: &[Row]) -> Outcome {
    let is_needed = |exception: &Exception| {
        rows.iter().any(|row| row.excepted().any(|scenario| exception.covers(row.name(), &scenario.name)))
    };
    let idle = EXCEPTIONS.iter().filter(|exception| !is_needed(exception));
    let mut idle: Vec<String> =
        idle.map(|exception| format!("{} in {}", exception.scenarios, exception.runs)).collect();
    let is_used = |allowance| rows.iter().filter_map(Row::ruling).any(|ruling| ruling.has_used(allowance));
    for Allowance { runs, what, .. } in ALLOWANCES.iter().filter(|allowance| !is_used(allowance)) {
        idle.push(format!("{what:?} in {}", runs.join(", ")));
    }
    findings("exceptions are not needed any more", &idle)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn an_exception_is_for_what_it_names() {
        let table = [
            ("client-2025-11-25", "auth/basic-cimd", true),
            ("server-2025-11-25", "auth/basic-cimd", false),
            ("server-2026-07-28", "tasks-lifecycle", true),
            ("bridge-stdio-2025-11-25", "server-sse-polling", true),
            ("server-2025-11-25", "server-sse-polling", false),
            ("client-2025-11-25", "tools_call", false),
        ];
        for (run, scenario, excepted) in table {
            assert_eq!(of(run, scenario).is_some(), excepted, "{scenario} in {run}");
        }
    }
}
