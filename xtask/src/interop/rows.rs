//! The table: who talks to whom.

mod clients;
mod http;
mod http_client;
mod secured;
mod servers;
mod sse;
mod stdio;

use std::fmt;
use std::process::Command;

use super::process::Seen;
use super::secrets::Secured;
use super::stage::{At, Stage};
use clients::Client;
pub(super) use servers::{Server, Way};

/// One row: a client that ends by itself, and what it talks to.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    client: Client,
    pub(super) through: Through,
    pub(super) server: &'static Server,
    secured: Secured,
}

/// What stands between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Through {
    Nothing,
    /// `mcp-bridge connect`, which the client starts, to a server that listens.
    Connect,
}

impl Row {
    const fn new(name: &'static str, client: Client, server: &'static Server) -> Self {
        Self { name, client, through: Through::Nothing, server, secured: Secured::No }
    }

    const fn connect(name: &'static str, client: Client, server: &'static Server) -> Self {
        Self { name, client, through: Through::Connect, server, secured: Secured::No }
    }

    /// With what a client has to bring along.
    const fn secured(mut self, secured: Secured) -> Self {
        self.secured = secured;
        self
    }

    /// Who talks to whom, for people.
    pub(super) fn what(&self) -> String {
        let through = match self.through {
            Through::Nothing => "",
            Through::Connect => "connect -> ",
        };
        let version = if self.secured == Secured::Http2 { ", HTTP/2" } else { "" };
        format!("{} -> {through}{}{version}", self.client, self.server)
    }

    /// The client's command line.
    pub(super) fn command(&self, stage: &Stage, at: At<'_>) -> Command {
        let mut command = self.client.command(stage, self.server, at);
        stage.secrets.give(&mut command, self.secured);
        command
    }

    /// A few words for the table, or what is wrong.
    pub(super) fn judge(&self, seen: &Seen) -> Result<String, String> {
        self.client.judge(self.server, seen)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        match &self.way {
            Way::Child(_) => Ok(()),
            Way::Listens(listener) => write!(f, ", {}", listener.path),
        }
    }
}

/// All rows, in the order in which they run.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    stdio::ROWS.iter().chain(sse::ROWS).chain(http::ROWS).chain(http_client::ROWS).chain(secured::ROWS)
}
