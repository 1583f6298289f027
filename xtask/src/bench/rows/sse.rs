//! B: servers over HTTP+SSE. The official Rust SDK has none.

use std::process::Command;
use std::time::Duration;

use super::{OURS, PYTHON};
use crate::bench::goal::{Reckon, goal};
use crate::bench::group::{FREE, Group, PINNED, Pace};
use crate::bench::idle::Idle;
use crate::bench::session::Binding;
use crate::bench::stage::Stage;
use crate::bench::station::{Contender, Unit};
use crate::bench::web::{Load, Web};

const BARE: &str = "bare hyper";
const NODE: &str = "TypeScript, node:http";
const EXPRESS: &str = "TypeScript, express";

type Make = fn(&Stage) -> Command;

const EVERYBODY: &[(&str, Make)] = &[
    (OURS, |stage| stage.own("ours-sse", &[])),
    (BARE, |stage| stage.own("bare", &["sse"])),
    (NODE, |stage| stage.node("sse")),
    (EXPRESS, |stage| stage.node("sse-express")),
    (PYTHON, |stage| stage.python("sse")),
];

pub(super) fn groups(budget: Duration) -> Vec<Group> {
    use Reckon::{Less, Own, Times, Within};
    use Unit::{Cpu, Opening, Rate, Session};
    let under = |sessions, in_flight| {
        let load = Load { binding: Binding::Sse, sessions, idle: 0, in_flight, budget };
        let contender = |&(name, make): &(&'static str, Make)| {
            Contender::new(name, move |stage| Web::open(make(stage), load))
        };
        EVERYBODY.iter().map(contender).collect::<Vec<_>>()
    };
    let idle = |&(name, make): &(&'static str, Make)| {
        Contender::new(name, move |stage| Idle::open(make(stage), Binding::Sse, false))
    };
    vec![
        Group {
            name: "HTTP+SSE, 1 session, 1 in flight",
            pace: PINNED,
            contenders: under(1, 1),
            goals: vec![goal("B2", Rate, Times(BARE), 0.7, 0.88)],
        },
        Group {
            name: "HTTP+SSE, 1 session, 64 in flight",
            pace: FREE,
            contenders: under(1, 64),
            goals: vec![
                goal("B1", Cpu, Within(BARE), 1.35, 1.15),
                goal("B2", Rate, Times(BARE), 0.7, 0.88),
                goal("B3", Rate, Times(EXPRESS), 15.0, 25.0),
                goal("B3", Rate, Times(NODE), 7.0, 11.0),
                goal("B3", Rate, Times(PYTHON), 35.0, 55.0),
                goal("B3", Cpu, Less(EXPRESS), 15.0, 30.0).ambition(),
                goal("B3", Cpu, Less(NODE), 7.0, 13.0).ambition(),
                goal("B3", Cpu, Less(PYTHON), 35.0, 50.0).ambition(),
            ],
        },
        Group {
            name: "HTTP+SSE, 100 sessions, 1 in flight in each",
            pace: FREE,
            contenders: under(100, 100),
            goals: vec![
                goal("B1", Cpu, Within(BARE), 1.35, 1.15),
                goal("B2", Rate, Times(BARE), 0.7, 0.88),
                goal("B4", Rate, Times(NODE), 5.0, 8.0),
                goal("B4", Rate, Times(PYTHON), 35.0, 50.0),
            ],
        },
        Group {
            name: "HTTP+SSE, 1,000 idle sessions more",
            // The third time shows what the second does.
            pace: Pace { at_most: 3, ..FREE },
            contenders: EVERYBODY.iter().map(idle).collect(),
            goals: vec![goal("B5", Session, Own, 20.0, 15.0), goal("B6", Opening, Own, 180.0, 110.0)],
        },
    ]
}
