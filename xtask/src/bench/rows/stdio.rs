//! A1, A2, A4, A5, A7, A8, A9 and G1: servers over stdio, all with the same client.

use std::process::Command;
use std::time::Duration;

use super::{OURS, PIPES, PYTHON, STDIO, TS};
use crate::bench::goal::{Reckon, goal};
use crate::bench::group::{Group, PINNED};
use crate::bench::pipe::{ColdStart, Load, Stdio};
use crate::bench::stage::Stage;
use crate::bench::station::{Contender, Unit};

const LINES: &str = "bare, a write each";
const BATCHES: &str = "bare, a write per read";
const TOKIO: &str = "bare tokio pipes";

/// Under the limit of everybody, envelope included.
const LARGE: usize = 15 << 20;

type Make = fn(&Stage) -> Command;

/// Who there is, and how it is started.
const EVERYBODY: &[(&str, Make)] = &[
    (OURS, |stage| stage.own("ours-stdio", &[])),
    (LINES, |stage| stage.own("bare", &["lines"])),
    (BATCHES, |stage| stage.own("bare", &["batches"])),
    (TOKIO, |stage| stage.own("bare", &["pipe"])),
    (PIPES, |stage| stage.rust("mcp-peers", &["pipes"])),
    (STDIO, |stage| stage.rust("mcp-peers", &["stdio"])),
    (TS, |stage| stage.node("stdio")),
    (PYTHON, |stage| stage.python("stdio")),
];

pub(super) fn groups(budget: Duration) -> Vec<Group> {
    use Reckon::{Less, Own, Times, Within};
    use Unit::{Peak, Rate, Start, Throughput};
    let under = |in_flight, bytes| {
        let load = Load { in_flight, bytes, budget };
        let contender = |(name, make): &(&'static str, Make)| {
            let make = *make;
            Contender::new(name, move |stage| Stdio::open(make(stage), load))
        };
        EVERYBODY.iter().map(contender).collect::<Vec<_>>()
    };
    vec![
        Group {
            name: "stdio server, 1 in flight",
            pace: PINNED,
            contenders: under(1, 0),
            goals: vec![
                goal("A1", Rate, Times(LINES), 0.55, 0.75),
                goal("A2", Rate, Times(PIPES), 1.4, 1.9),
                goal("A2", Rate, Times(STDIO), 3.5, 5.0),
            ],
        },
        Group {
            name: "stdio server, 64 in flight",
            pace: PINNED,
            contenders: under(64, 0),
            goals: vec![
                goal("A4", Rate, Times(PIPES), 5.0, 9.0),
                goal("A4", Rate, Times(STDIO), 14.0, 25.0),
                goal("A4", Rate, Times(TS), 20.0, 38.0),
                goal("A4", Rate, Times(PYTHON), 180.0, 350.0),
                goal("A5", Rate, Times(LINES), 0.5, 0.85),
            ],
        },
        Group {
            name: "stdio server, 1 MiB",
            pace: PINNED,
            contenders: under(1, 1 << 20),
            goals: vec![
                goal("A7", Throughput, Times(PIPES), 1.1, 1.8),
                goal("A7", Throughput, Times(TS), 4.0, 7.5),
                goal("A7", Throughput, Times(PYTHON), 2.0, 3.4),
            ],
        },
        Group {
            name: "stdio server, 15 MiB",
            pace: PINNED,
            contenders: under(1, LARGE),
            goals: vec![
                goal("A8", Throughput, Times(PIPES), 1.1, 1.7),
                goal("A8", Throughput, Times(TS), 9.0, 18.0),
                goal("A8", Throughput, Times(PYTHON), 4.0, 7.0),
                goal("A9", Peak, Own, 3.5, 2.3),
            ],
        },
        Group {
            name: "start of a stdio server to its first answer",
            pace: PINNED,
            contenders: EVERYBODY.iter().map(cold).collect(),
            goals: vec![
                goal("G1", Start, Within(LINES), 1.5, 1.3),
                goal("G1", Start, Less(STDIO), 1.0, 1.4).ambition(),
                goal("G1", Start, Less(TS), 100.0, 170.0),
                goal("G1", Start, Less(PYTHON), 250.0, 400.0),
            ],
        },
    ]
}

fn cold((name, make): &(&'static str, Make)) -> Contender {
    let make = *make;
    Contender::new(name, move |stage| {
        let stage = stage.clone();
        Ok(ColdStart(Box::new(move || make(&stage))))
    })
}
