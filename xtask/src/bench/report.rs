//! The table: printed, and kept as Markdown and as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::goal::{Goal, Verdict};
use super::group::{Seen, Spread, figures};
use crate::Outcome;

/// What was measured of one group.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) name: &'static str,
    pub(super) pinned: bool,
    pub(super) seen: Vec<Seen>,
    pub(super) goals: Vec<Judged>,
}

/// A goal, and what became of it.
#[derive(Debug)]
pub(super) struct Judged {
    goal: Goal,
    spread: Option<Spread>,
    rounds: usize,
}

impl Judged {
    pub(super) fn new(goal: Goal, seen: &[Seen]) -> Self {
        let figures = figures(&goal, seen);
        Self { goal, rounds: figures.len(), spread: Spread::of(figures) }
    }

    fn verdict(&self) -> Verdict {
        self.goal.verdict(self.spread.map(|spread| spread.median))
    }
}

/// The goals, in the order of their rows.
pub(super) fn goals(all: &[Measured]) -> String {
    let mut rows: Vec<_> = all
        .iter()
        .flat_map(|group| group.goals.iter().map(move |goal| (goal.goal.row, group.name, goal)))
        .collect();
    rows.sort_by_key(|(row, ..)| *row);
    let mut text = "| row | where | what | median (range) | floor | moonshot | holds |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|---|\n");
    for (row, name, judged) in rows {
        let Judged { goal, spread, .. } = judged;
        let bound = |bound: Option<f64>| bound.map_or("–".into(), short);
        let _ = writeln!(
            text,
            "| {row} | {name} | {} | {} | {} | {} | {} |",
            goal.words(),
            spread.map_or("–".into(), range),
            bound(goal.floor),
            bound(goal.moonshot),
            judged.verdict().word()
        );
    }
    text
}

/// Everything that was seen.
pub(super) fn seen(all: &[Measured]) -> String {
    let mut text = String::new();
    for group in all {
        let pinned = if group.pinned { ", on one processor" } else { "" };
        let _ = writeln!(text, "**{}**{pinned}\n", group.name);
        text.push_str("| who | median (range) |\n|---|---|\n");
        for seen in &group.seen {
            let figures: Vec<_> = seen
                .spreads()
                .into_iter()
                .map(|(unit, spread)| format!("{} {}", range(spread), unit.word()))
                .collect();
            let said = match &seen.fault {
                Some(fault) => format!("not measured: {}", fault.lines().next().unwrap_or_default()),
                None => figures.join("; "),
            };
            let _ = writeln!(text, "| {} | {said} |", seen.name);
        }
        text.push('\n');
    }
    text
}

/// How many goals reached what, in one line.
pub(super) fn sum(all: &[Measured]) -> String {
    let count = |verdict| {
        all.iter().flat_map(|group| &group.goals).filter(|judged| judged.verdict() == verdict).count()
    };
    format!(
        "{} goals at the moonshot, {} at the floor, {} below, {} not measured",
        count(Verdict::Moonshot),
        count(Verdict::Floor),
        count(Verdict::Below),
        count(Verdict::Unknown)
    )
}

/// The whole as Markdown.
pub(super) fn markdown(all: &[Measured], machine: &str) -> String {
    format!("{machine}\n\n{}.\n\n{}\n{}", sum(all), goals(all), seen(all))
}

/// The whole as JSON: every figure of every round.
pub(super) fn json(all: &[Measured], machine: &str) -> Value {
    let groups: Vec<_> = all
        .iter()
        .map(|group| {
            let seen: Vec<_> = group
                .seen
                .iter()
                .map(|seen| {
                    let figures: serde_json::Map<_, _> = seen
                        .spreads()
                        .into_keys()
                        .map(|unit| (unit.word().to_owned(), json!(seen.figures(unit))))
                        .collect();
                    json!({ "name": seen.name, "fault": seen.fault, "figures": figures })
                })
                .collect();
            let goals: Vec<_> = group
                .goals
                .iter()
                .map(|judged| {
                    let Judged { goal, spread, rounds } = judged;
                    json!({
                        "row": goal.row,
                        "what": goal.words(),
                        "rounds": rounds,
                        "least": spread.map(|spread| spread.least),
                        "median": spread.map(|spread| spread.median),
                        "most": spread.map(|spread| spread.most),
                        "floor": goal.floor,
                        "moonshot": goal.moonshot,
                        "holds": judged.verdict().word().trim_matches('*'),
                    })
                })
                .collect();
            json!({ "name": group.name, "pinned": group.pinned, "seen": seen, "goals": goals })
        })
        .collect();
    json!({ "machine": machine, "groups": groups })
}

/// What it was measured on, and how busy that was.
pub(super) fn machine(rounds: u32) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, name)| name);
    let processors = info.lines().filter(|line| line.starts_with("processor")).count();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let said = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        text.unwrap_or_else(|_| format!("no {program}"))
    };
    format!(
        "{processors} × {model}; {}; node {}; {}; {rounds} rounds; load average {load} at the start.",
        said("rustc"),
        said("node"),
        said("python3")
    )
}

/// Puts `text` between the marks of a page.
pub(super) fn keep(page: &Path, text: &str) -> Outcome {
    const BEGIN: &str = "<!-- bench -->\n";
    const END: &str = "<!-- /bench -->";
    let old = fs::read_to_string(page)?;
    let (before, rest) = old.split_once(BEGIN).ok_or("the page has no mark for the bench")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no end of the mark")?;
    fs::write(page, format!("{before}{BEGIN}\n{text}\n{END}{after}"))?;
    Ok(())
}

fn range(spread: Spread) -> String {
    let Spread { least, median, most } = spread;
    if least == most {
        return format!("**{}**", short(median));
    }
    format!("**{}** ({}–{})", short(median), short(least), short(most))
}

/// Three digits that count.
fn short(figure: f64) -> String {
    match figure.abs() {
        big if big >= 999_500.0 => format!("{:.2}M", figure / 1e6),
        big if big >= 9_995.0 => format!("{:.1}k", figure / 1e3),
        big if big >= 99.95 => format!("{figure:.0}"),
        big if big >= 9.995 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn figures_have_three_digits_that_count() {
        let table =
            [(0.8512, "0.85"), (12.34, "12.3"), (123.4, "123"), (33_127.0, "33.1k"), (1_748_000.0, "1.75M")];
        for (figure, text) in table {
            assert_eq!(short(figure), text);
        }
    }
}
