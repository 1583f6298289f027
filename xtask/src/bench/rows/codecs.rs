//! D, E and H4: parsing, event streams and allocations, without a pipe or a socket.

use std::process::Command;

use super::OURS;
use crate::Outcome;
use crate::bench::goal::{Goal, Reckon, goal};
use crate::bench::group::{Group, PINNED, Pace};
use crate::bench::running::Asked;
use crate::bench::stage::Stage;
use crate::bench::station::{Contender, Sample, Station, Unit};

const RMCP: &str = "rmcp types";
const RAW: &str = "serde_json RawValue";
const SSE_STREAM: &str = "sse-stream 0.3";
const EVENTSOURCE: &str = "eventsource-stream 0.2";
const NODE: &str = "npm eventsource-parser 4";
const PYTHON: &str = "httpx-sse 0.4";
const HYPER: &str = "bare hyper";

/// A program that is asked the same thing each round.
struct Job {
    asked: Asked,
    line: String,
    unit: Unit,
    /// From what the program says to the unit.
    scale: f64,
}

impl Job {
    fn open(command: Command, line: String, unit: Unit, scale: f64) -> Outcome<Self> {
        let mut job = Self { asked: Asked::start(command)?, line, unit, scale };
        // Known to work, and warm also where a compiler has to notice first that it is worth its while.
        for _ in 0..3 {
            job.asked.ask(&job.line)?;
        }
        Ok(job)
    }

    fn codecs(name: &'static str, line: String, unit: Unit, scale: f64) -> Contender {
        Contender::new(name, move |stage| Self::open(stage.own("codecs", &[]), line.clone(), unit, scale))
    }
}

impl Station for Job {
    fn measure(&mut self) -> Outcome<Sample> {
        Ok(vec![(self.unit, self.asked.ask(&self.line)? * self.scale)])
    }
}

pub(super) fn groups() -> Vec<Group> {
    let mut groups = vec![
        parse("parse: a call of 150 B", "call", &[("D1", RMCP, 7.0, 10.0)]),
        parse("parse: a text result of 4 KiB", "text-4k", &[("D1", RMCP, 3.0, 4.0)]),
        parse("parse: a structured result of 3 KiB", "structured", &[("D1", RMCP, 15.0, 22.0)]),
        parse("parse: a text result of 1 MiB", "text-1m", &[("D1", RMCP, 1.2, 2.0)]),
        parse("parse: an image of 1 MiB", "image-1m", &[("D1", RMCP, 1.2, 2.0), ("D2", RAW, 1.0, 4.0)]),
        Group {
            name: "the way of 16 MiB of text, in parses of it",
            pace: PINNED,
            contenders: vec![Job::codecs(OURS, format!("scans {}", 16 << 20), Unit::Scans, 1.0)],
            // What is beyond whole numbers is copies.
            goals: vec![goal("D3", Unit::Scans, Reckon::Own, 2.5, 1.5)],
        },
    ];
    groups.extend([
        events("event stream: 200 B, chunks up to 256 B", 200, 256, &[(EVENTSOURCE, 3.0, 4.0)]),
        events(
            "event stream: 200 B, chunks up to 8 KiB",
            200,
            8192,
            &[(SSE_STREAM, 0.8, 1.3), (EVENTSOURCE, 3.0, 4.0), (NODE, 2.0, 2.8), (PYTHON, 12.0, 19.0)],
        ),
        events("event stream: 200 B, chunks up to 64 KiB", 200, 65536, &[(EVENTSOURCE, 3.0, 4.0)]),
        events(
            "event stream: 64 KiB, chunks up to 256 B",
            65536,
            256,
            &[(SSE_STREAM, 0.8, 2.5), (EVENTSOURCE, 3.0, 300.0)],
        ),
        events(
            "event stream: 64 KiB, chunks up to 8 KiB",
            65536,
            8192,
            &[(SSE_STREAM, 0.8, 1.5), (EVENTSOURCE, 3.0, 4.0)],
        ),
        events("event stream: 64 KiB, chunks up to 64 KiB", 65536, 65536, &[(EVENTSOURCE, 3.0, 4.0)]),
    ]);
    groups.extend(allocations());
    groups
}

fn parse(name: &'static str, message: &str, goals: &[(&'static str, &'static str, f64, f64)]) -> Group {
    let job = |name, who: &str| Job::codecs(name, format!("parse {who} {message}"), Unit::Parse, 1e9);
    let goals = goals
        .iter()
        .map(|(row, it, floor, moonshot)| goal(row, Unit::Parse, Reckon::Less(it), *floor, *moonshot));
    Group {
        name,
        pace: PINNED,
        contenders: vec![job(OURS, "ours"), job(RAW, "raw"), job(RMCP, "rmcp")],
        goals: goals.collect(),
    }
}

fn events(name: &'static str, bytes: usize, chunk: usize, goals: &[(&'static str, f64, f64)]) -> Group {
    let job =
        |name, who: &str| Job::codecs(name, format!("events {who} {bytes} {chunk}"), Unit::Throughput, 1e-6);
    let other = |name, command: fn(&Stage) -> Command| {
        Contender::new(name, move |stage| {
            Job::open(command(stage), format!("{bytes} {chunk}"), Unit::Throughput, 1e-6)
        })
    };
    let goals = goals.iter().map(|(it, floor, moonshot)| Goal {
        row: match *it {
            SSE_STREAM => "E1",
            EVENTSOURCE => "E2",
            _ => "E3",
        },
        ..goal("E1", Unit::Throughput, Reckon::Times(it), *floor, *moonshot)
    });
    Group {
        name,
        pace: PINNED,
        contenders: vec![
            job(OURS, "ours"),
            job(SSE_STREAM, "sse-stream"),
            job(EVENTSOURCE, "eventsource-stream"),
            other(NODE, Stage::node_events),
            other(PYTHON, Stage::python_events),
        ],
        goals: goals.collect(),
    }
}

/// The same each time, so one round will do.
fn allocations() -> [Group; 3] {
    let once = Pace { at_most: 1, ..PINNED };
    let job = |name, what: &str| Job::codecs(name, format!("allocations {what}"), Unit::Allocations, 1.0);
    let goal = |reckon, floor, moonshot| goal("H4", Unit::Allocations, reckon, floor, moonshot);
    [
        Group {
            name: "allocations, stdio, lines that come together",
            pace: once,
            contenders: vec![job(OURS, "stdio-together")],
            goals: vec![goal(Reckon::Own, 3.0, 1.05)],
        },
        Group {
            name: "allocations, stdio, lines that come alone",
            pace: once,
            contenders: vec![job(OURS, "stdio-alone")],
            goals: vec![goal(Reckon::Own, 3.0, 1.05)],
        },
        Group {
            name: "allocations, HTTP+SSE, from POST to event",
            pace: once,
            contenders: vec![job(OURS, "sse"), job(HYPER, "bare-sse")],
            goals: vec![goal(Reckon::Beyond(HYPER), 5.0, 2.0)],
        },
    ]
}
