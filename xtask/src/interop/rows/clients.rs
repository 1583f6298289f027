//! Who asks: `mcp-bridge call` with one request, or a client script with the whole conversation.

use std::fmt;
use std::process::Command;

use super::Server;
use crate::interop::judge::{answered, has_tool, refused, text_is, verdict};
use crate::interop::process::Seen;
use crate::interop::stage::{At, Stage};

#[derive(Debug, Clone, Copy)]
pub(super) enum Client {
    Call(Ask),
    V1,
    V2(Mode),
    Python(Mode),
}

pub(super) const LIST: Client = Client::Call(Ask::List);
pub(super) const ECHO: Client = Client::Call(Ask::Echo);
pub(super) const NO_METHOD: Client = Client::Call(Ask::NoMethod);
pub(super) const V1: Client = Client::V1;
pub(super) const V2_LEGACY: Client = Client::V2(Mode::Legacy);
pub(super) const V2_AUTO: Client = Client::V2(Mode::Auto);
pub(super) const V2_PINNED: Client = Client::V2(Mode::Pinned);
pub(super) const PYTHON_LEGACY: Client = Client::Python(Mode::Legacy);
pub(super) const PYTHON_AUTO: Client = Client::Python(Mode::Auto);
pub(super) const PYTHON_PINNED: Client = Client::Python(Mode::Pinned);

/// The one request of `mcp-bridge call`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask {
    List,
    Echo,
    NoMethod,
}

/// How a client that knows both eras opens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    Legacy,
    Auto,
    /// In 2026-07-28 or not at all.
    Pinned,
}

impl Mode {
    /// As the scripts take it.
    fn option(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Auto => "auto",
            Self::Pinned => "2026-07-28",
        }
    }
}

/// What comes back as it was said: a character that is a line break to some.
const SAID: &str = "héllo\u{2028}x";
const SAID_IN_JSON: &str = r"héllo\u2028x";

impl Client {
    pub(super) fn command(self, stage: &Stage, server: &Server, at: At<'_>) -> Command {
        match self {
            Self::Call(Ask::List) => stage.call("tools/list", "{}", at),
            Self::Call(Ask::Echo) => {
                let argument = server.echo.argument;
                let params = format!(r#"{{"name":"echo","arguments":{{"{argument}":"{SAID_IN_JSON}"}}}}"#);
                stage.call("tools/call", &params, at)
            }
            Self::Call(Ask::NoMethod) => stage.call("no/such-method", "{}", at),
            Self::V1 => stage.node_client("v1-client.mjs", &[server.key], at),
            Self::V2(mode) => stage.node_client("v2-client.mjs", &[mode.option(), server.key], at),
            Self::Python(mode) => stage.python_client(&[mode.option(), server.key], at),
        }
    }

    pub(super) fn judge(self, server: &Server, seen: &Seen) -> Result<String, String> {
        match self {
            Self::Call(Ask::List) => has_tool(&answered(seen)?, "echo"),
            Self::Call(Ask::Echo) => text_is(&answered(seen)?, &format!("{}{SAID}", server.echo.prefix)),
            Self::Call(Ask::NoMethod) => refused(seen, "-32601"),
            Self::V1 | Self::V2(_) | Self::Python(_) => verdict(seen),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(Ask::List) => f.write_str("call tools/list"),
            Self::Call(Ask::Echo) => f.write_str("call tools/call echo"),
            Self::Call(Ask::NoMethod) => f.write_str("call of no method"),
            Self::V1 => f.write_str("TypeScript SDK 1 client"),
            Self::V2(mode) => write!(f, "TypeScript SDK 2 client, {}", mode.option()),
            Self::Python(mode) => write!(f, "Python SDK client, {}", mode.option()),
        }
    }
}
