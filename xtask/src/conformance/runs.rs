//! The table: what is judged, and by which scenarios.

use std::path::Path;
use std::process::Command;

use super::Stage;

/// One run of the suite.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) judged: Judged,
    pub(super) set: Set,
    /// How often; more than once where a race would show only now and then.
    pub(super) times: u32,
}

/// Whom the suite judges.
#[derive(Debug, Clone, Copy)]
pub(super) enum Judged {
    /// The last of these servers, each of which is told where the one before it is.
    Server(&'static [Link]),
    Client,
}

/// One server of a chain.
#[derive(Debug)]
pub(super) struct Link {
    /// It takes a port that is free, and says on a line of its output which.
    pub(super) command: fn(&Stage, &str) -> Command,
    /// Where it is asked.
    pub(super) path: &'static str,
}

/// Which scenarios.
#[derive(Debug, Clone, Copy)]
pub(super) enum Set {
    /// What conformance to this revision requires, and what the suite runs beside it.
    Requirements(&'static str),
    /// All that concerns this revision; there is no list of its requirements.
    All(&'static str),
    /// One, at this revision.
    One(&'static str, &'static str),
}

impl Set {
    /// The suite's options for it.
    pub(super) fn options(self) -> Vec<&'static str> {
        match self {
            Self::Requirements(revision) => vec!["--requirements", revision],
            Self::All(revision) => vec!["--suite", "all", "--spec-version", revision],
            Self::One(name, revision) => vec!["--scenario", name, "--spec-version", revision],
        }
    }
}

const HTTP: Judged = Judged::Server(&[Link {
    command: |stage, _| ours(stage, "conformance-server", &["http"]),
    path: "/mcp",
}]);

/// Our server over stdio, made reachable by the bridge.
const BRIDGED_STDIO: Judged = Judged::Server(&[Link {
    command: |stage, _| {
        let server = stage.bin.join("conformance-server");
        let mut command =
            ours(stage, "mcp-bridge", &["serve", "--listen", "127.0.0.1:0", "--pass-env", "--"]);
        command.arg(server).arg("stdio");
        command
    },
    path: "/mcp",
}]);

/// Our server over HTTP+SSE, reached by the bridge and made reachable by it.
const BRIDGED_SSE: Judged = Judged::Server(&[
    Link { command: |stage, _| ours(stage, "conformance-server", &["sse"]), path: "/sse" },
    Link {
        command: |stage, url| {
            let bridge = stage.bin.join("mcp-bridge");
            let mut command = ours(stage, "mcp-bridge", &["serve", "--listen", "127.0.0.1:0", "--"]);
            command.arg(bridge).args(["connect", url]);
            command
        },
        path: "/mcp",
    },
]);

const fn run(name: &'static str, what: &'static str, judged: Judged, set: Set) -> Run {
    Run { name, what, judged, set, times: 1 }
}

/// All runs, in the order in which they are made.
pub(super) const RUNS: &[Run] = &[
    run("server-2025-11-25", "our server", HTTP, Set::Requirements("2025-11-25")),
    run("server-2026-07-28", "our server", HTTP, Set::Requirements("2026-07-28")),
    run("server-2025-06-18", "our server", HTTP, Set::All("2025-06-18")),
    run("server-2025-03-26", "our server", HTTP, Set::All("2025-03-26")),
    run("client-2025-11-25", "our client", Judged::Client, Set::Requirements("2025-11-25")),
    run("client-2026-07-28", "our client", Judged::Client, Set::Requirements("2026-07-28")),
    Run {
        times: 10,
        ..run("client-resuming", "our client, ten times", Judged::Client, Set::One("sse-retry", "2025-11-25"))
    },
    run(
        "bridge-stdio-2025-11-25",
        "the bridge, to our server over stdio",
        BRIDGED_STDIO,
        Set::Requirements("2025-11-25"),
    ),
    run(
        "bridge-stdio-2026-07-28",
        "the bridge, to our server over stdio",
        BRIDGED_STDIO,
        Set::Requirements("2026-07-28"),
    ),
    run(
        "bridge-sse-2025-11-25",
        "the bridge, to our server over HTTP+SSE",
        BRIDGED_SSE,
        Set::Requirements("2025-11-25"),
    ),
    run(
        "bridge-sse-2026-07-28",
        "the bridge, to our server over HTTP+SSE",
        BRIDGED_SSE,
        Set::Requirements("2026-07-28"),
    ),
];

/// A program of ours.
fn ours(stage: &Stage, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(stage.bin.join(Path::new(name)));
    command.args(arguments);
    command
}
