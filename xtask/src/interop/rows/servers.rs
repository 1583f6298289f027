//! Who answers.

use std::ffi::OsString;
use std::process::Command;

use crate::interop::server::{Listener, Manners};
use crate::interop::stage::Stage;

#[derive(Debug)]
pub(in crate::interop) struct Server {
    /// What the client scripts call it, who know which of its tools does what.
    pub(super) key: &'static str,
    /// What it is, for people.
    pub(super) what: &'static str,
    pub(super) echo: Echo,
    pub(in crate::interop) way: Way,
}

/// How its tool `echo` is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Echo {
    pub(super) argument: &'static str,
    /// What comes before what was said.
    pub(super) prefix: &'static str,
}

/// How one comes to it.
#[derive(Debug)]
pub(in crate::interop) enum Way {
    /// Its client starts it, by this command line, and talks over its pipes.
    Child(fn(&Stage) -> Vec<OsString>),
    Listens(Listener),
}

impl Server {
    /// Whether it is the one that has to be built.
    pub(in crate::interop) fn is_rust(&self) -> bool {
        self.key == "rust-peer"
    }

    pub(super) const fn demo(what: &'static str, way: Way) -> Self {
        Self { key: "demo", what, echo: TEXT, way }
    }

    pub(super) const fn everything(what: &'static str, way: Way) -> Self {
        Self { key: "everything", what, echo: Echo { argument: "message", prefix: "Echo: " }, way }
    }

    pub(super) const fn python(what: &'static str, way: Way) -> Self {
        Self { key: "python-peer", what, echo: TEXT, way }
    }

    pub(super) const fn v1(way: Way) -> Self {
        Self { key: "v1-peer", what: "TypeScript SDK 1 server", echo: TEXT, way }
    }

    pub(super) const fn v2(way: Way) -> Self {
        Self { key: "v2-peer", what: "TypeScript SDK 2 server", echo: TEXT, way }
    }

    pub(super) const fn rust(what: &'static str, way: Way) -> Self {
        Self { key: "rust-peer", what, echo: TEXT, way }
    }
}

const TEXT: Echo = Echo { argument: "text", prefix: "" };

/// `mcp-bridge serve`.
pub(super) const fn ours(path: &'static str, command: fn(&Stage) -> Command) -> Way {
    Way::Listens(Listener { command, path, manners: Manners::Ours })
}

/// `mcp-bridge serve -- COMMAND` for clients that have no session.
pub(super) const fn sharing(command: fn(&Stage) -> Command) -> Way {
    Way::Listens(Listener { command, path: MCP, manners: Manners::Sharing })
}

/// Somebody else's server.
pub(super) const fn theirs(path: &'static str, command: fn(&Stage) -> Command) -> Way {
    Way::Listens(Listener { command, path, manners: Manners::Theirs })
}

pub(super) const SSE: &str = "/sse";
pub(super) const MCP: &str = "/mcp";

/// `serve --demo`.
pub(super) fn serve_demo(stage: &Stage) -> Command {
    stage.serve(["--demo".into()])
}

/// `serve` in front of server-everything.
pub(super) fn serve_everything(stage: &Stage) -> Command {
    stage.serve_command(stage.everything())
}

/// A server script of Node.
pub(super) fn node(stage: &Stage, script: &str, way: &str) -> Command {
    let mut command = Command::new(&stage.peers.node);
    command.arg(stage.peers.node_home.join(script)).arg(way);
    command
}

/// The server script of Python.
pub(super) fn python(stage: &Stage, way: &str) -> Command {
    let mut command = Command::new(&stage.peers.python);
    command.arg(&stage.peers.python_server).arg(way);
    command
}

/// server-everything over HTTP, which says only which port it was told: 0.
pub(super) fn everything(stage: &Stage, way: &str) -> Command {
    let mut command = Command::new(&stage.peers.node);
    command.arg("--import").arg(stage.peers.node_home.join("listening.mjs"));
    command.arg(&stage.peers.everything).arg(way).env("PORT", "0");
    command
}
