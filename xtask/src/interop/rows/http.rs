//! Over Streamable HTTP, against our server: it listens before the client starts.

use std::process::Command;

use super::Row;
use super::clients::{PYTHON_AUTO, PYTHON_LEGACY, PYTHON_PINNED, V1, V2_AUTO, V2_LEGACY, V2_PINNED};
use super::servers::{MCP, Server, ours, serve_demo, serve_everything, sharing};
use crate::interop::stage::Stage;

const DEMO: Server = Server::demo("serve --demo", ours(MCP, serve_demo));
const BRIDGED: Server = Server::everything("serve -- server-everything", ours(MCP, serve_everything));
/// For clients with a session; the next is the same for those without.
const BRIDGED_PYTHON: Server = Server::python("serve -- Python SDK server", ours(MCP, serve_python));
const SHARED_PYTHON: Server = Server::python("serve -- Python SDK server", sharing(serve_python));
const BRIDGED_RUST: Server = Server::rust("serve -- Rust SDK server", ours(MCP, serve_rust));
const SHARED_RUST: Server = Server::rust("serve -- Rust SDK server", sharing(serve_rust));

fn serve_python(stage: &Stage) -> Command {
    stage.serve_command(stage.python_server())
}

fn serve_rust(stage: &Stage) -> Command {
    stage.serve_command(stage.rust_server())
}

pub(super) const ROWS: &[Row] = &[
    Row::new("http-from-v1", V1, &DEMO),
    Row::new("http-from-v2-legacy", V2_LEGACY, &DEMO),
    Row::new("http-from-v2-auto", V2_AUTO, &DEMO),
    Row::new("http-from-v2-modern", V2_PINNED, &DEMO),
    Row::new("http-from-python-legacy", PYTHON_LEGACY, &DEMO),
    Row::new("http-from-python-auto", PYTHON_AUTO, &DEMO),
    Row::new("http-from-python-modern", PYTHON_PINNED, &DEMO),
    // A child that has sessions only.
    Row::new("http-bridge-from-v1", V1, &BRIDGED),
    Row::new("http-bridge-from-v2-legacy", V2_LEGACY, &BRIDGED),
    Row::new("http-bridge-from-v2-auto", V2_AUTO, &BRIDGED),
    Row::new("http-bridge-from-v2-modern", V2_PINNED, &BRIDGED),
    Row::new("http-bridge-from-python-legacy", PYTHON_LEGACY, &BRIDGED),
    Row::new("http-bridge-from-python-auto", PYTHON_AUTO, &BRIDGED),
    Row::new("http-bridge-from-python-modern", PYTHON_PINNED, &BRIDGED),
    // Children of both eras.
    Row::new("http-bridge-python-from-v1", V1, &BRIDGED_PYTHON),
    Row::new("http-bridge-python-from-v2-legacy", V2_LEGACY, &BRIDGED_PYTHON),
    Row::new("http-bridge-python-from-v2-auto", V2_AUTO, &SHARED_PYTHON),
    Row::new("http-bridge-python-from-v2-modern", V2_PINNED, &SHARED_PYTHON),
    Row::new("http-bridge-python-from-python-auto", PYTHON_AUTO, &SHARED_PYTHON),
    Row::new("http-bridge-rust-from-v1", V1, &BRIDGED_RUST),
    Row::new("http-bridge-rust-from-v2-modern", V2_PINNED, &SHARED_RUST),
];
