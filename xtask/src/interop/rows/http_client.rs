//! Over Streamable HTTP, our client: the server listens before it starts.

use super::Row;
use super::clients::{ECHO, LIST, NO_METHOD, PYTHON_AUTO, PYTHON_LEGACY, V1, V2_AUTO, V2_LEGACY};
use super::servers::{MCP, Server, everything, node, python, theirs};

const V1_SERVER: Server = Server::v1(theirs(MCP, |stage| node(stage, "v1-server.mjs", "http")));
const V2_SERVER: Server = Server::v2(theirs(MCP, |stage| node(stage, "v2-server.mjs", "http")));
const PYTHON: Server = Server::python("Python SDK server", theirs(MCP, |stage| python(stage, "http")));
const EVERYTHING: Server =
    Server::everything("server-everything", theirs(MCP, |stage| everything(stage, "streamableHttp")));

pub(super) const ROWS: &[Row] = &[
    Row::new("http-v1-list", LIST, &V1_SERVER),
    Row::new("http-v1-echo", ECHO, &V1_SERVER),
    Row::new("http-v1-error", NO_METHOD, &V1_SERVER),
    Row::new("http-v2-list", LIST, &V2_SERVER),
    Row::new("http-v2-echo", ECHO, &V2_SERVER),
    Row::new("http-v2-error", NO_METHOD, &V2_SERVER),
    Row::new("http-python-list", LIST, &PYTHON),
    Row::new("http-python-echo", ECHO, &PYTHON),
    Row::new("http-python-error", NO_METHOD, &PYTHON),
    Row::new("http-everything-list", LIST, &EVERYTHING),
    Row::new("http-everything-echo", ECHO, &EVERYTHING),
    Row::new("http-everything-error", NO_METHOD, &EVERYTHING),
    Row::connect("http-connect-v1-from-v1", V1, &V1_SERVER),
    Row::connect("http-connect-v1-from-v2-legacy", V2_LEGACY, &V1_SERVER),
    Row::connect("http-connect-v1-from-v2-auto", V2_AUTO, &V1_SERVER),
    Row::connect("http-connect-v1-from-python-legacy", PYTHON_LEGACY, &V1_SERVER),
    Row::connect("http-connect-v1-from-python-auto", PYTHON_AUTO, &V1_SERVER),
    Row::connect("http-connect-v2-from-v1", V1, &V2_SERVER),
    Row::connect("http-connect-v2-from-v2-legacy", V2_LEGACY, &V2_SERVER),
    Row::connect("http-connect-v2-from-v2-auto", V2_AUTO, &V2_SERVER),
    Row::connect("http-connect-v2-from-python-legacy", PYTHON_LEGACY, &V2_SERVER),
    Row::connect("http-connect-v2-from-python-auto", PYTHON_AUTO, &V2_SERVER),
    Row::connect("http-connect-python-from-v1", V1, &PYTHON),
    Row::connect("http-connect-python-from-v2-legacy", V2_LEGACY, &PYTHON),
    Row::connect("http-connect-python-from-v2-auto", V2_AUTO, &PYTHON),
    Row::connect("http-connect-python-from-python-legacy", PYTHON_LEGACY, &PYTHON),
    Row::connect("http-connect-python-from-python-auto", PYTHON_AUTO, &PYTHON),
    Row::connect("http-connect-everything-from-v1", V1, &EVERYTHING),
    Row::connect("http-connect-everything-from-v2-legacy", V2_LEGACY, &EVERYTHING),
    Row::connect("http-connect-everything-from-v2-auto", V2_AUTO, &EVERYTHING),
    Row::connect("http-connect-everything-from-python-legacy", PYTHON_LEGACY, &EVERYTHING),
    Row::connect("http-connect-everything-from-python-auto", PYTHON_AUTO, &EVERYTHING),
];
