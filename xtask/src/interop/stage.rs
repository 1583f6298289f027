//! Where everything that a row starts is, and the command lines of the programs in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::peers::Peers;

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) bridge: PathBuf,
    pub(super) peers: Peers,
}

/// Where a client finds its server.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    /// It starts it, and talks over its pipes.
    Command(&'a [&'a Path]),
    /// It listens there already.
    Url(&'a str),
}

impl Stage {
    /// `mcp-bridge call METHOD PARAMS -- SERVER`, or `mcp-bridge call URL METHOD PARAMS`.
    pub(super) fn call(&self, method: &str, params: &str, at: At<'_>) -> Command {
        let mut command = Command::new(&self.bridge);
        command.args(["call", "--timeout", "30"]);
        match at {
            At::Command(server) => command.args([method, params, "--"]).args(server),
            At::Url(url) => command.args([url, method, params]),
        };
        command
    }

    /// `mcp-bridge serve WHAT` on a port that is free.
    pub(super) fn serve(&self, what: &[&Path]) -> Command {
        let mut command = Command::new(&self.bridge);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(what);
        command
    }

    /// A client script of Node; `options` end with the server's name.
    pub(super) fn node_client(&self, script: &str, options: &[&str], at: At<'_>) -> Command {
        let mut command = Command::new(&self.peers.node);
        command.arg(self.peers.node_home.join(script)).args(options);
        at.add_to(&mut command);
        command
    }

    /// The client script of Python.
    pub(super) fn python_client(&self, server: &str, at: At<'_>) -> Command {
        let mut command = Command::new(&self.peers.python);
        command.arg(self.peers.python_home.join("client.py")).arg(server);
        at.add_to(&mut command);
        command
    }

    /// `mcp-bridge demo`.
    pub(super) fn demo(&self) -> [&Path; 2] {
        [&self.bridge, Path::new("demo")]
    }

    /// `mcp-bridge connect URL`.
    pub(super) fn connect<'a>(&'a self, url: &'a str) -> [&'a Path; 3] {
        [&self.bridge, Path::new("connect"), Path::new(url)]
    }

    /// server-everything over stdio.
    pub(super) fn everything(&self) -> [&Path; 3] {
        [&self.peers.node, &self.peers.everything, Path::new("stdio")]
    }

    /// The Python SDK's server over stdio.
    pub(super) fn python_server(&self) -> [&Path; 2] {
        [&self.peers.python, &self.peers.python_server]
    }
}

impl At<'_> {
    fn add_to(self, command: &mut Command) {
        match self {
            Self::Command(server) => command.arg("--").args(server),
            Self::Url(url) => command.arg(url),
        };
    }
}
