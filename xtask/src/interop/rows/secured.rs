//! Over HTTPS, with a token, in HTTP/1.1 and HTTP/2, against our server.

use std::process::Command;

use super::Row;
use super::clients::{
    ECHO, LIST, PYTHON_AUTO, PYTHON_LEGACY, PYTHON_PINNED, V1, V2_AUTO, V2_LEGACY, V2_PINNED,
};
use super::servers::{MCP, SSE, Server, ours};
use crate::interop::secrets::Secured::{Http1, Http2};
use crate::interop::stage::Stage;

const STREAMABLE: Server = Server::demo("serve --demo, TLS and token", ours(MCP, serve));
const EVENTS: Server = Server::demo("serve --demo, TLS and token", ours(SSE, serve));

fn serve(stage: &Stage) -> Command {
    let secrets = &stage.secrets;
    stage.serve([
        "--demo".into(),
        "--tls-cert".into(),
        secrets.certificate.clone().into(),
        "--tls-key".into(),
        secrets.key.clone().into(),
        "--bearer-file".into(),
        secrets.tokens.clone().into(),
    ])
}

pub(super) const ROWS: &[Row] = &[
    Row::new("https-from-v1", V1, &STREAMABLE).secured(Http1),
    Row::new("https-from-v2-legacy", V2_LEGACY, &STREAMABLE).secured(Http1),
    Row::new("https-from-v2-modern", V2_PINNED, &STREAMABLE).secured(Http1),
    Row::new("https-from-python-legacy", PYTHON_LEGACY, &STREAMABLE).secured(Http1),
    Row::new("https-from-python-modern", PYTHON_PINNED, &STREAMABLE).secured(Http1),
    Row::new("https-call", LIST, &STREAMABLE).secured(Http1),
    Row::new("https-call-echo", ECHO, &STREAMABLE).secured(Http1),
    Row::connect("https-connect-from-v2-auto", V2_AUTO, &STREAMABLE).secured(Http1),
    Row::new("https-sse-from-v1", V1, &EVENTS).secured(Http1),
    Row::new("https-sse-from-python-legacy", PYTHON_LEGACY, &EVENTS).secured(Http1),
    Row::new("http2-from-v1", V1, &STREAMABLE).secured(Http2),
    Row::new("http2-from-v2-legacy", V2_LEGACY, &STREAMABLE).secured(Http2),
    Row::new("http2-from-v2-modern", V2_PINNED, &STREAMABLE).secured(Http2),
    Row::new("http2-from-python-legacy", PYTHON_LEGACY, &STREAMABLE).secured(Http2),
    Row::new("http2-from-python-auto", PYTHON_AUTO, &STREAMABLE).secured(Http2),
    Row::new("http2-from-python-modern", PYTHON_PINNED, &STREAMABLE).secured(Http2),
    Row::new("http2-sse-from-v1", V1, &EVENTS).secured(Http2),
    Row::new("http2-sse-from-python-legacy", PYTHON_LEGACY, &EVENTS).secured(Http2),
];
