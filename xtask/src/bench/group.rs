//! Contenders that are measured in turns, and what is to hold among them.

use std::collections::BTreeMap;

use super::goal::Goal;
use super::meter::Pinned;
use super::stage::Stage;
use super::station::{Contender, Sample, Unit};
use crate::Outcome;

/// A line of measurements: A, B, C, A, B, C, ...
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) pace: Pace,
    pub(super) contenders: Vec<Contender>,
    pub(super) goals: Vec<Goal>,
}

/// How a group is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Everything on one processor.
    pub(super) pinned: bool,
    /// Whether `--quick` leaves it out.
    pub(super) slow: bool,
    /// Fewer rounds than asked for, where one takes minutes or gives the same each time.
    pub(super) at_most: u32,
}

/// On one processor: for what is sequential.
pub(super) const PINNED: Pace = Pace { pinned: true, slow: false, at_most: u32::MAX };
/// On all processors, as users run it.
pub(super) const FREE: Pace = Pace { pinned: false, ..PINNED };

/// What was seen of a contender, or why it could not be measured.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) name: &'static str,
    pub(super) samples: Vec<Sample>,
    pub(super) fault: Option<String>,
}

impl Group {
    /// Keeps the goals of these rows, and the contenders whom they need.
    pub(super) fn only(&mut self, rows: &[String]) {
        if rows.is_empty() {
            return;
        }
        self.goals.retain(|goal| rows.iter().any(|row| row == goal.row));
        let goals = &self.goals;
        self.contenders.retain(|contender| {
            goals.iter().any(|goal| goal.ours == contender.name || goal.against() == Some(contender.name))
        });
    }

    /// Measures everybody so many times.
    pub(super) fn run(&self, stage: &Stage, rounds: u32) -> Outcome<Vec<Seen>> {
        let _pinned = self.pace.pinned.then(Pinned::new).transpose()?;
        let mut seen = Vec::new();
        let mut stations = Vec::new();
        for contender in &self.contenders {
            let (station, fault) = match (contender.open)(stage) {
                Ok(station) => (Some(station), None),
                Err(error) => (None, Some(error.to_string())),
            };
            stations.push(station);
            seen.push(Seen { name: contender.name, samples: Vec::new(), fault });
        }
        for _ in 0..rounds.min(self.pace.at_most) {
            for (station, seen) in stations.iter_mut().zip(&mut seen) {
                let Some(ready) = station else { continue };
                match ready.measure() {
                    Ok(sample) => seen.samples.push(sample),
                    Err(error) => {
                        seen.fault = Some(error.to_string());
                        // Its rounds would not stand beside those of the others any more.
                        seen.samples.clear();
                        *station = None;
                    }
                }
            }
        }
        Ok(seen)
    }
}

/// Least, median and most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of at least one figure.
    pub(super) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            *figures.get(middle)?
        } else {
            (figures.get(middle.checked_sub(1)?)? + figures.get(middle)?) / 2.0
        };
        Some(Self { least: *figures.first()?, median, most: *figures.last()? })
    }
}

impl Seen {
    /// The figures of the rounds, in their order.
    pub(super) fn figures(&self, unit: Unit) -> Vec<f64> {
        self.samples
            .iter()
            .filter_map(|sample| sample.iter().find(|(kind, _)| *kind == unit).map(|(_, figure)| *figure))
            .collect()
    }

    /// Every unit that there are figures of.
    pub(super) fn spreads(&self) -> BTreeMap<Unit, Spread> {
        let units = self.samples.first().into_iter().flatten().map(|(unit, _)| *unit);
        units.filter_map(|unit| Some((unit, Spread::of(self.figures(unit))?))).collect()
    }
}

/// The figures of a goal, one for each round.
pub(super) fn figures(goal: &Goal, seen: &[Seen]) -> Vec<f64> {
    let of = |name| seen.iter().find(|seen| seen.name == name).map(|seen| seen.figures(goal.unit));
    let ours = of(goal.ours).unwrap_or_default();
    match goal.against() {
        None => ours.into_iter().map(|ours| goal.figure(ours, f64::NAN)).collect(),
        Some(it) => {
            let its = of(it).unwrap_or_default();
            ours.into_iter().zip(its).map(|(ours, its)| goal.figure(ours, its)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::goal::{Reckon, goal};

    #[test]
    fn ratios_are_taken_inside_a_round() {
        let seen = |name, figures: &[f64]| Seen {
            name,
            samples: figures.iter().map(|figure| vec![(Unit::Rate, *figure)]).collect(),
            fault: None,
        };
        let seen = [seen("ours", &[10.0, 40.0, 20.0]), seen("it", &[5.0, 10.0, 20.0])];
        let ratios = figures(&goal("A1", Unit::Rate, Reckon::Times("it"), 1.0, 1.0), &seen);
        assert_eq!(ratios, [2.0, 4.0, 1.0]);
        assert_eq!(Spread::of(ratios), Some(Spread { least: 1.0, median: 2.0, most: 4.0 }));
        assert_eq!(Spread::of(vec![1.0, 2.0]).map(|spread| spread.median), Some(1.5));
        assert_eq!(Spread::of(Vec::new()), None);
        assert!(figures(&goal("A1", Unit::Rate, Reckon::Times("nobody"), 1.0, 1.0), &seen).is_empty());
    }
}
