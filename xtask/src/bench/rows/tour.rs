//! H1 to H3: bridges, and many sessions.

use std::process::Command;
use std::time::Duration;

use super::OURS;
use crate::bench::goal::{Goal, Reckon, goal};
use crate::bench::group::{FREE, Group, PINNED, Pace};
use crate::bench::idle;
use crate::bench::session::Binding;
use crate::bench::stage::{Bridge, Stage};
use crate::bench::station::{Contender, Unit};
use crate::bench::web::{Load, Web};

const ALONE: &str = "ours, the server alone";
const SUPERGATEWAY: &str = "supergateway 4";
const NODE: &str = "npm mcp-proxy 6.7";
const PYTHON: &str = "PyPI mcp-proxy 0.13";

const BRIDGES: &[(&str, Bridge)] = &[
    (OURS, Bridge::Ours),
    (SUPERGATEWAY, Bridge::Supergateway),
    (NODE, Bridge::Node),
    (PYTHON, Bridge::Python),
];

type Make = fn(&Stage) -> Command;

/// How many sessions take turns, one call at a time.
const ACTIVE: &[(&str, usize)] =
    &[("1", 1), ("3", 3), ("10", 10), ("30", 30), ("100", 100), ("300", 300), ("1000", 1000)];
/// How many are silent beside one that is not.
const IDLE: &[(&str, usize)] =
    &[("0", 0), ("10", 10), ("100", 100), ("1000", 1000), ("3000", 3000), ("10000", 10_000)];
/// The groups of the curves.
pub(in crate::bench) const CURVES: [&str; 3] = [
    "HTTP+SSE, active sessions",
    "HTTP+SSE, idle sessions beside one",
    // What the kernel and cold caches make of as many sockets.
    "bare hyper, active sessions",
];

pub(super) fn groups(budget: Duration) -> Vec<Group> {
    use Reckon::{Own, Times, Within};
    use Unit::{Cpu, Idle, Loaded, Rate, Start};
    let load = Load { binding: Binding::Sse, sessions: 1, idle: 0, in_flight: 64, budget };
    let mut bridges: Vec<_> = BRIDGES
        .iter()
        .map(|&(name, who)| Contender::new(name, move |stage| Web::open(stage.bridge(who), load)))
        .collect();
    bridges.push(Contender::new(ALONE, move |stage| Web::open(stage.own("ours-sse", &[]), load)));
    let crowds = BRIDGES.iter().map(|&(name, who)| {
        Contender::new(name, move |stage| {
            let stage = stage.clone();
            Ok(idle::Bridge(Box::new(move || stage.bridge(who))))
        })
    });
    let curve =
        |name, make: Make, points: &'static [(&str, usize)], load: fn(usize, Duration) -> Load| Group {
            name,
            pace: Pace { slow: true, ..PINNED },
            contenders: points
                .iter()
                .map(|&(name, sessions)| {
                    let load = load(sessions, budget);
                    Contender::new(name, move |stage| Web::open(make(stage), load))
                })
                .collect(),
            goals: points.split_first().into_iter().flat_map(|(first, rest)| flat(first.0, rest)).collect(),
        };
    let ours: Make = |stage| stage.own("ours-sse", &[]);
    let in_turns = |sessions, budget| Load { binding: Binding::Sse, sessions, idle: 0, in_flight: 1, budget };
    let silent = |idle, budget| Load { binding: Binding::Sse, sessions: 1, idle, in_flight: 1, budget };
    let [active, beside, bare] = CURVES;
    let mut bare = curve(bare, |stage| stage.own("bare", &["sse"]), ACTIVE, in_turns);
    bare.goals = bare.goals.into_iter().map(Goal::shown).collect();
    vec![
        Group {
            name: "bridge, 1 session, 64 in flight",
            pace: FREE,
            contenders: bridges,
            goals: vec![
                goal("H1", Rate, Times(ALONE), 0.4, 0.6),
                goal("H1", Rate, Times(SUPERGATEWAY), 4.0, 6.0),
                goal("H1", Rate, Times(NODE), 5.0, 7.0),
                goal("H1", Rate, Times(PYTHON), 30.0, 40.0),
                goal("H1", Cpu, Within(SUPERGATEWAY), 0.2, 0.125),
            ],
        },
        Group {
            name: "bridge, from its start to 500 sessions",
            pace: Pace { slow: true, at_most: 3, ..FREE },
            contenders: crowds.collect(),
            goals: vec![
                goal("H2", Start, Own, 50.0, 15.0),
                goal("H2", Idle, Own, 10.0, 5.0),
                goal("H2", Loaded, Own, 25.0, 14.0),
            ],
        },
        curve(active, ours, ACTIVE, in_turns),
        curve(beside, ours, IDLE, silent),
        bare,
    ]
}

/// Each point costs about what the first does.
fn flat(first: &'static str, rest: &'static [(&'static str, usize)]) -> Vec<Goal> {
    rest.iter().map(|(name, _)| goal("H3", Unit::Cpu, Reckon::Within(first), 1.3, 1.1).of(name)).collect()
}
