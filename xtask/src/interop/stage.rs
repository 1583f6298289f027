//! Where everything that a row starts is, and the command lines of the programs in it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::peers::Peers;
use super::secrets::Secrets;

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) bridge: PathBuf,
    pub(super) peers: Peers,
    /// The official Rust SDK's server, built or not.
    pub(super) rust: PathBuf,
    /// For rows over TLS.
    pub(super) secrets: Secrets,
}

/// Where a client finds its server.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    /// It starts it, and talks over its pipes.
    Command(&'a [OsString]),
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
            At::Url(url) => command.args([url, method, params]).args(self.told(url)),
        };
        command
    }

    /// `mcp-bridge serve WHAT` on a port that is free.
    pub(super) fn serve(&self, what: impl IntoIterator<Item = OsString>) -> Command {
        let mut command = Command::new(&self.bridge);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(what);
        command
    }

    /// `mcp-bridge serve -- COMMAND` on a port that is free.
    pub(super) fn serve_command(&self, command: Vec<OsString>) -> Command {
        self.serve(["--".into()].into_iter().chain(command))
    }

    /// A client script of Node; `options` end with the server's name.
    pub(super) fn node_client(&self, script: &str, options: &[&str], at: At<'_>) -> Command {
        let mut command = Command::new(&self.peers.node);
        command.arg(self.peers.node_home.join(script)).args(options);
        at.add_to(&mut command);
        command
    }

    /// The client script of Python; `options` as above.
    pub(super) fn python_client(&self, options: &[&str], at: At<'_>) -> Command {
        let mut command = Command::new(&self.peers.python);
        command.arg(self.peers.python_home.join("client.py")).args(options);
        at.add_to(&mut command);
        command
    }

    /// `mcp-bridge demo`.
    pub(super) fn demo(&self) -> Vec<OsString> {
        vec![self.bridge.clone().into(), "demo".into()]
    }

    /// `mcp-bridge connect URL`.
    pub(super) fn connect(&self, url: &str) -> Vec<OsString> {
        [self.bridge.clone().into(), "connect".into(), url.into()].into_iter().chain(self.told(url)).collect()
    }

    /// What our own client is told of a server with TLS and a token.
    fn told(&self, url: &str) -> Vec<OsString> {
        let Secrets { ca, header, .. } = &self.secrets;
        let flags = ["--ca".into(), ca.clone().into(), "--header-file".into(), header.clone().into()];
        if url.starts_with("https") { flags.into() } else { Vec::new() }
    }

    /// server-everything over stdio.
    pub(super) fn everything(&self) -> Vec<OsString> {
        let Peers { node, everything, .. } = &self.peers;
        vec![node.clone().into(), everything.clone().into(), "stdio".into()]
    }

    /// The Python SDK's server over stdio.
    pub(super) fn python_server(&self) -> Vec<OsString> {
        vec![self.peers.python.clone().into(), self.peers.python_server.clone().into()]
    }

    /// The Rust SDK's server over stdio.
    pub(super) fn rust_server(&self) -> Vec<OsString> {
        vec![self.rust.clone().into(), "stdio".into()]
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
