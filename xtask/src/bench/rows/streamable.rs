//! C: servers over Streamable HTTP.

use std::process::Command;
use std::time::Duration;

use super::OURS;
use crate::bench::goal::{Reckon, goal};
use crate::bench::group::{FREE, Group, PINNED, Pace};
use crate::bench::idle::Idle;
use crate::bench::session::Binding;
use crate::bench::stage::Stage;
use crate::bench::station::{Contender, Unit};
use crate::bench::web::{Load, Web};

const OURS_STATELESS: &str = "ours, no sessions";
const BARE: &str = "bare hyper";
const RMCP_JSON: &str = "rmcp, no sessions";
const RMCP: &str = "rmcp, nodelay";
const RMCP_PLAIN: &str = "rmcp as in its tests";
const TS: &str = "TypeScript";
const TS_STATELESS: &str = "TypeScript, no sessions";
const PYTHON: &str = "Python";
const PYTHON_STATELESS: &str = "Python, no sessions";

type Make = fn(&Stage) -> Command;

/// Answers in JSON.
const JSON: &[(&str, Make)] = &[
    (OURS, |stage| stage.own("ours-http", &["json"])),
    (OURS_STATELESS, |stage| stage.own("ours-http", &["stateless"])),
    (BARE, |stage| stage.own("bare", &["http"])),
    (RMCP_JSON, |stage| stage.rust("mcp-peers-http", &["json"])),
    (TS, |stage| stage.node("json")),
    (TS_STATELESS, |stage| stage.node("stateless")),
    (PYTHON, |stage| stage.python("json")),
    (PYTHON_STATELESS, |stage| stage.python("stateless")),
];

/// Answers with event streams, in sessions.
const STREAM: &[(&str, Make)] = &[
    (OURS, |stage| stage.own("ours-http", &["stream"])),
    (RMCP, |stage| stage.rust("mcp-peers-http", &["stream"])),
    (RMCP_PLAIN, |stage| stage.rust("mcp-peers-http", &["plain"])),
    (TS, |stage| stage.node("stream")),
    (PYTHON, |stage| stage.python("stream")),
];

pub(super) fn groups(budget: Duration) -> Vec<Group> {
    use Reckon::{Less, Own, Times, Within};
    use Unit::{Cpu, Rate, Session};
    let under = |who: &[(&'static str, Make)], in_flight| {
        let load = Load { binding: Binding::Streamable, sessions: 1, idle: 0, in_flight, budget };
        let contender = |&(name, make): &(&'static str, Make)| {
            Contender::new(name, move |stage| Web::open(make(stage), load))
        };
        who.iter().map(contender).collect::<Vec<_>>()
    };
    let idle = |listening| {
        let contender = move |&(name, make): &(&'static str, Make)| {
            Contender::new(name, move |stage| Idle::open(make(stage), Binding::Streamable, listening))
        };
        let who = STREAM.iter().filter(|(name, _)| *name != RMCP_PLAIN);
        who.map(contender).collect::<Vec<_>>()
    };
    let few = Pace { at_most: 3, ..FREE };
    vec![
        Group {
            name: "Streamable HTTP, JSON, 64 in flight",
            pace: FREE,
            contenders: under(JSON, 64),
            goals: vec![
                goal("C1", Cpu, Within(BARE), 1.5, 1.2),
                goal("C1", Cpu, Within(BARE), 1.5, 1.2).of(OURS_STATELESS),
                goal("C2", Rate, Times(RMCP_JSON), 1.6, 2.2).of(OURS_STATELESS),
                goal("C2", Cpu, Less(RMCP_JSON), 2.5, 3.5).of(OURS_STATELESS),
                goal("C5", Rate, Times(TS), 25.0, 40.0),
                goal("C5", Rate, Times(TS_STATELESS), 45.0, 75.0).of(OURS_STATELESS),
                goal("C5", Rate, Times(PYTHON), 30.0, 50.0),
            ],
        },
        Group {
            name: "Streamable HTTP, event streams, 64 in flight",
            pace: FREE,
            contenders: under(STREAM, 64),
            goals: vec![goal("C3", Rate, Times(RMCP), 1.3, 2.0), goal("C3", Cpu, Less(RMCP), 1.8, 3.0)],
        },
        Group {
            name: "Streamable HTTP, event streams, 1 in flight",
            pace: PINNED,
            contenders: under(STREAM, 1),
            goals: vec![goal("C4", Rate, Times(RMCP_PLAIN), 200.0, 450.0)],
        },
        Group {
            name: "Streamable HTTP, 1,000 idle sessions more",
            pace: few,
            contenders: idle(false),
            goals: vec![goal("C6", Session, Own, 6.0, 2.0)],
        },
        Group {
            name: "Streamable HTTP, 1,000 idle sessions more, each with its stream",
            pace: few,
            contenders: idle(true),
            goals: vec![goal("C6", Session, Own, 22.0, 16.0)],
        },
    ]
}
