//! The rows: who is measured at what, and what should hold.

mod codecs;
mod cost;
mod native;
mod sse;
mod stdio;
mod streamable;
mod tour;

use std::time::Duration;

use super::group::Group;
pub(super) use tour::CURVES;

/// Names of contenders that stand in several groups.
const OURS: &str = "ours";
const PIPES: &str = "rmcp stdio_pipes()";
const STDIO: &str = "rmcp stdio()";
const TS: &str = "TypeScript";
const PYTHON: &str = "Python";

/// Every group, in the order in which they run.
pub(super) fn all(budget: Duration) -> Vec<Group> {
    let groups = [
        stdio::groups(budget),
        native::groups(budget),
        sse::groups(budget),
        streamable::groups(budget),
        codecs::groups(),
        cost::groups(),
        tour::groups(budget),
    ];
    groups.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_names_contenders_of_its_group() {
        for group in all(Duration::from_millis(1)) {
            let is_here = |name| group.contenders.iter().any(|contender| contender.name == name);
            for goal in &group.goals {
                assert!(is_here(goal.ours), "{}: {goal:?}", group.name);
                assert!(goal.against().is_none_or(is_here), "{}: {goal:?}", group.name);
            }
        }
    }

    #[test]
    fn every_row_of_the_table_is_here() {
        let rows: std::collections::BTreeSet<_> = all(Duration::from_millis(1))
            .iter()
            .flat_map(|group| &group.goals)
            .map(|goal| goal.row)
            .collect();
        let rows: Vec<_> = rows.into_iter().collect();
        assert_eq!(
            rows.join(" "),
            "A1 A2 A3 A4 A5 A6 A7 A8 A9 B1 B2 B3 B4 B5 B6 C1 C2 C3 C4 C5 C6 D1 D2 D3 E1 E2 E3 F1 F2 F3 G1 H1 H2 H3 H4"
        );
    }
}
