//! A3, A6 and the native part of A8: client and server of one make.

use std::time::Duration;

use super::{OURS, PIPES, PYTHON, STDIO, TS};
use crate::bench::goal::{Reckon, goal};
use crate::bench::group::{FREE, Group, PINNED, Pace};
use crate::bench::pipe::{Load, Native as Ends};
use crate::bench::stage::Native;
use crate::bench::station::{Contender, Unit};

const EVERYBODY: &[(&str, Native)] = &[
    (OURS, Native::Ours),
    (PIPES, Native::Rust("pipes")),
    (STDIO, Native::Rust("stdio")),
    (TS, Native::Node),
    (PYTHON, Native::Python),
];

pub(super) fn groups(budget: Duration) -> Vec<Group> {
    use Reckon::Times;
    use Unit::{Rate, Throughput};
    let under = |in_flight, bytes, who: &[(&'static str, Native)]| {
        let load = Load { in_flight, bytes, budget };
        let contender = |&(name, who): &(&'static str, Native)| {
            Contender::new(name, move |stage| Ends::open(stage.native(who), load))
        };
        who.iter().map(contender).collect::<Vec<_>>()
    };
    vec![
        Group {
            name: "stdio, client and server of one make, 1 in flight",
            pace: PINNED,
            contenders: under(1, 32, EVERYBODY),
            goals: vec![
                goal("A3", Rate, Times(PIPES), 2.0, 3.0),
                goal("A3", Rate, Times(STDIO), 3.3, 5.0),
                goal("A3", Rate, Times(TS), 12.0, 20.0),
                goal("A3", Rate, Times(PYTHON), 50.0, 80.0),
            ],
        },
        Group {
            name: "stdio, client and server of one make, 64 in flight",
            pace: FREE,
            contenders: under(64, 32, EVERYBODY),
            goals: vec![
                goal("A6", Rate, Times(PIPES), 3.0, 6.0),
                goal("A6", Rate, Times(TS), 10.0, 20.0),
                goal("A6", Rate, Times(PYTHON), 90.0, 200.0),
            ],
        },
        Group {
            name: "stdio, client and server of one make, 15 MiB",
            // Each takes seconds with the clients of two of them, whose time goes with the square of the size.
            pace: Pace { at_most: 3, ..PINNED },
            contenders: under(1, 15 << 20, EVERYBODY),
            goals: vec![
                goal("A8", Throughput, Times(TS), 9.0, 15.0).ambition(),
                goal("A8", Throughput, Times(PYTHON), 4.0, 60.0).ambition(),
            ],
        },
    ]
}
