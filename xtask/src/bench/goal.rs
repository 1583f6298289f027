//! What should hold: a ratio of two contenders inside a round, or a figure of one.

use super::station::Unit;

/// One goal, with the row of the table that it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// Such as `A1`; several goals may have the same.
    pub(super) row: &'static str,
    pub(super) ours: &'static str,
    pub(super) unit: Unit,
    pub(super) reckon: Reckon,
    /// Should hold in noisy runs; nothing where only an ambition was set.
    pub(super) floor: Option<f64>,
    /// Ambitious.
    pub(super) moonshot: Option<f64>,
}

/// How the figure of a round is reckoned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reckon {
    /// Ours over its, at least that.
    Times(&'static str),
    /// Its over ours, at least that.
    Less(&'static str),
    /// Ours over its, at most that.
    Within(&'static str),
    /// Ours less its, at most that.
    Beyond(&'static str),
    /// Ours, at most that.
    Own,
}

/// Whether a goal is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Moonshot,
    Floor,
    Below,
    /// There is nothing to judge by.
    Unknown,
    /// Nothing was set: it stands beside what is judged.
    Shown,
}

pub(super) fn goal(row: &'static str, unit: Unit, reckon: Reckon, floor: f64, moonshot: f64) -> Goal {
    Goal { row, ours: "ours", unit, reckon, floor: Some(floor), moonshot: Some(moonshot) }
}

impl Goal {
    /// Whose figure stands for ours.
    pub(super) fn of(self, ours: &'static str) -> Self {
        Self { ours, ..self }
    }

    /// An ambition without a floor.
    pub(super) fn ambition(self) -> Self {
        Self { floor: None, ..self }
    }

    /// For comparison: not judged.
    pub(super) fn shown(self) -> Self {
        Self { floor: None, moonshot: None, ..self }
    }

    /// Against whom.
    pub(super) fn against(&self) -> Option<&'static str> {
        match self.reckon {
            Reckon::Times(it) | Reckon::Less(it) | Reckon::Within(it) | Reckon::Beyond(it) => Some(it),
            Reckon::Own => None,
        }
    }

    /// The figure of one round.
    pub(super) fn figure(&self, ours: f64, its: f64) -> f64 {
        match self.reckon {
            Reckon::Times(_) | Reckon::Within(_) => ours / its,
            Reckon::Less(_) => its / ours,
            Reckon::Beyond(_) => ours - its,
            Reckon::Own => ours,
        }
    }

    /// Whether more is better.
    fn upward(&self) -> bool {
        matches!(self.reckon, Reckon::Times(_) | Reckon::Less(_))
    }

    /// What a median figure means.
    pub(super) fn verdict(&self, figure: Option<f64>) -> Verdict {
        let Some(figure) = figure.filter(|figure| figure.is_finite()) else { return Verdict::Unknown };
        if self.floor.is_none() && self.moonshot.is_none() {
            return Verdict::Shown;
        }
        let reaches = |bound: Option<f64>| {
            bound.is_some_and(|bound| if self.upward() { figure >= bound } else { figure <= bound })
        };
        if reaches(self.moonshot) {
            Verdict::Moonshot
        } else if reaches(self.floor) {
            Verdict::Floor
        } else {
            Verdict::Below
        }
    }

    /// In words: what is divided by what.
    pub(super) fn words(&self) -> String {
        let (ours, word) = (self.ours, self.unit.word());
        let most = if self.moonshot.is_some() { ", at most" } else { "" };
        match self.reckon {
            Reckon::Times(it) => format!("{word}: {ours} / {it}"),
            Reckon::Less(it) => format!("{word}: {it} / {ours}"),
            Reckon::Within(it) => format!("{word}: {ours} / {it}{most}"),
            Reckon::Beyond(it) => format!("{word}: {ours} − {it}{most}"),
            Reckon::Own => format!("{word}: {ours}{most}"),
        }
    }
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Moonshot => "moonshot",
            Self::Floor => "floor",
            Self::Below => "**below**",
            Self::Unknown => "not measured",
            Self::Shown => "–",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_looks_the_way_it_should() {
        let table = [
            (Reckon::Times("it"), 30.0, 10.0, Verdict::Moonshot),
            (Reckon::Times("it"), 20.0, 10.0, Verdict::Floor),
            (Reckon::Times("it"), 10.0, 10.0, Verdict::Below),
            (Reckon::Less("it"), 10.0, 30.0, Verdict::Moonshot),
            (Reckon::Less("it"), 10.0, 10.0, Verdict::Below),
        ];
        for (reckon, ours, its, verdict) in table {
            let goal = goal("A1", Unit::Rate, reckon, 2.0, 3.0);
            assert_eq!(goal.verdict(Some(goal.figure(ours, its))), verdict, "{goal:?} {ours} {its}");
        }
        let table = [
            (Reckon::Within("it"), 10.0, 10.0, Verdict::Moonshot),
            (Reckon::Within("it"), 13.0, 10.0, Verdict::Floor),
            (Reckon::Within("it"), 20.0, 10.0, Verdict::Below),
            (Reckon::Beyond("it"), 11.0, 10.0, Verdict::Moonshot),
            (Reckon::Beyond("it"), 20.0, 10.0, Verdict::Below),
            (Reckon::Own, 1.4, 0.0, Verdict::Floor),
        ];
        for (reckon, ours, its, verdict) in table {
            let goal = goal("A1", Unit::Cpu, reckon, 1.5, 1.2);
            assert_eq!(goal.verdict(Some(goal.figure(ours, its))), verdict, "{goal:?} {ours} {its}");
        }
        assert_eq!(goal("A1", Unit::Cpu, Reckon::Own, 1.0, 1.0).verdict(None), Verdict::Unknown);
        assert_eq!(goal("A1", Unit::Cpu, Reckon::Own, 1.0, 1.0).shown().verdict(Some(2.0)), Verdict::Shown);
        assert_eq!(goal("A1", Unit::Cpu, Reckon::Own, 1.0, 1.0).verdict(Some(f64::NAN)), Verdict::Unknown);
    }
}
