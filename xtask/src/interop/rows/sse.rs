//! Over HTTP+SSE: the server listens before the client starts.

use super::Row;
use super::clients::{ECHO, LIST, NO_METHOD, PYTHON_LEGACY, V1, V2_AUTO, V2_LEGACY};
use super::servers::{SSE, Server, everything, node, ours, python, serve_demo, serve_everything, theirs};

const DEMO: Server = Server::demo("serve --demo", ours(SSE, serve_demo));
const BRIDGED: Server = Server::everything("serve -- server-everything", ours(SSE, serve_everything));
const V1_SERVER: Server = Server::v1(theirs(SSE, |stage| node(stage, "v1-server.mjs", "sse")));
const PYTHON: Server = Server::python("Python SDK server", theirs(SSE, |stage| python(stage, "sse")));
const EVERYTHING: Server =
    Server::everything("server-everything", theirs(SSE, |stage| everything(stage, "sse")));

pub(super) const ROWS: &[Row] = &[
    Row::new("sse-from-v1", V1, &DEMO),
    Row::new("sse-from-v2-legacy", V2_LEGACY, &DEMO),
    Row::new("sse-from-v2-auto", V2_AUTO, &DEMO),
    Row::new("sse-from-python", PYTHON_LEGACY, &DEMO),
    Row::new("sse-bridge-from-v1", V1, &BRIDGED),
    Row::new("sse-bridge-from-python", PYTHON_LEGACY, &BRIDGED),
    Row::new("sse-v1-list", LIST, &V1_SERVER),
    Row::new("sse-v1-echo", ECHO, &V1_SERVER),
    Row::new("sse-v1-error", NO_METHOD, &V1_SERVER),
    Row::new("sse-python-list", LIST, &PYTHON),
    Row::new("sse-python-echo", ECHO, &PYTHON),
    Row::new("sse-python-error", NO_METHOD, &PYTHON),
    Row::new("sse-everything-list", LIST, &EVERYTHING),
    Row::new("sse-everything-echo", ECHO, &EVERYTHING),
    Row::new("sse-everything-error", NO_METHOD, &EVERYTHING),
    Row::connect("connect-v1-from-python", PYTHON_LEGACY, &V1_SERVER),
    Row::connect("connect-python-from-v1", V1, &PYTHON),
];
