//! Over HTTP+SSE: the server listens before the client starts.

use std::path::Path;
use std::process::Command;

use super::{Row, Runs};
use crate::interop::judge::{answered, has_tool, refused, text_is, verdict};
use crate::interop::server::{Manners, Server};
use crate::interop::stage::At;

const DEMO: Server = Server { command: |stage| stage.serve(&[Path::new("--demo")]), manners: Manners::Ours };

const BRIDGED: Server = Server {
    command: |stage| {
        let [node, everything, stdio] = stage.everything();
        stage.serve(&[Path::new("--"), node, everything, stdio])
    },
    manners: Manners::Ours,
};

const V1: Server = Server {
    command: |stage| {
        let mut command = Command::new(&stage.peers.node);
        command.arg(stage.peers.node_home.join("v1-server.mjs"));
        command
    },
    manners: Manners::Theirs,
};

const PYTHON: Server = Server {
    command: |stage| {
        let mut command = Command::new(&stage.peers.python);
        command.arg(&stage.peers.python_server).arg("sse");
        command
    },
    manners: Manners::Theirs,
};

/// It says only which port it was told: 0.
const EVERYTHING: Server = Server {
    command: |stage| {
        let mut command = Command::new(&stage.peers.node);
        command.arg("--import").arg(stage.peers.node_home.join("listening.mjs"));
        command.arg(&stage.peers.everything).arg("sse").env("PORT", "0");
        command
    },
    manners: Manners::Theirs,
};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "sse-from-v1",
        what: "TypeScript SDK 1 client -> serve --demo",
        runs: Runs::Against(&DEMO, |stage, url| stage.node_client("v1-client.mjs", &["demo"], At::Url(url))),
        judge: verdict,
    },
    Row {
        name: "sse-from-v2-legacy",
        what: "TypeScript SDK 2 client, legacy -> serve --demo",
        runs: Runs::Against(&DEMO, |stage, url| {
            stage.node_client("v2-client.mjs", &["legacy", "demo"], At::Url(url))
        }),
        judge: verdict,
    },
    Row {
        name: "sse-from-v2-auto",
        what: "TypeScript SDK 2 client, auto -> serve --demo",
        runs: Runs::Against(&DEMO, |stage, url| {
            stage.node_client("v2-client.mjs", &["auto", "demo"], At::Url(url))
        }),
        judge: verdict,
    },
    Row {
        name: "sse-from-python",
        what: "Python SDK client -> serve --demo",
        runs: Runs::Against(&DEMO, |stage, url| stage.python_client("demo", At::Url(url))),
        judge: verdict,
    },
    Row {
        name: "sse-bridge-from-v1",
        what: "TypeScript SDK 1 client -> serve -- server-everything",
        runs: Runs::Against(&BRIDGED, |stage, url| {
            stage.node_client("v1-client.mjs", &["everything"], At::Url(url))
        }),
        judge: verdict,
    },
    Row {
        name: "sse-bridge-from-python",
        what: "Python SDK client -> serve -- server-everything",
        runs: Runs::Against(&BRIDGED, |stage, url| stage.python_client("everything", At::Url(url))),
        judge: verdict,
    },
    Row {
        name: "sse-v1-list",
        what: "call tools/list -> TypeScript SDK 1 server",
        runs: Runs::Against(&V1, |stage, url| stage.call("tools/list", "{}", At::Url(url))),
        judge: |seen| has_tool(&answered(seen)?, "echo"),
    },
    Row {
        name: "sse-v1-echo",
        what: "call tools/call echo -> TypeScript SDK 1 server",
        runs: Runs::Against(&V1, |stage, url| stage.call("tools/call", ECHO_TEXT, At::Url(url))),
        judge: |seen| text_is(&answered(seen)?, "héllo\u{2028}x"),
    },
    Row {
        name: "sse-v1-error",
        what: "call of no method -> TypeScript SDK 1 server",
        runs: Runs::Against(&V1, |stage, url| stage.call("no/such-method", "{}", At::Url(url))),
        judge: |seen| refused(seen, "-32601"),
    },
    Row {
        name: "sse-python-list",
        what: "call tools/list -> Python SDK server",
        runs: Runs::Against(&PYTHON, |stage, url| stage.call("tools/list", "{}", At::Url(url))),
        judge: |seen| has_tool(&answered(seen)?, "echo"),
    },
    Row {
        name: "sse-python-echo",
        what: "call tools/call echo -> Python SDK server",
        runs: Runs::Against(&PYTHON, |stage, url| stage.call("tools/call", ECHO_TEXT, At::Url(url))),
        judge: |seen| text_is(&answered(seen)?, "héllo\u{2028}x"),
    },
    Row {
        name: "sse-python-error",
        what: "call of no method -> Python SDK server",
        runs: Runs::Against(&PYTHON, |stage, url| stage.call("no/such-method", "{}", At::Url(url))),
        judge: |seen| refused(seen, "-32601"),
    },
    Row {
        name: "sse-everything-list",
        what: "call tools/list -> server-everything sse",
        runs: Runs::Against(&EVERYTHING, |stage, url| stage.call("tools/list", "{}", At::Url(url))),
        judge: |seen| has_tool(&answered(seen)?, "echo"),
    },
    Row {
        name: "sse-everything-echo",
        what: "call tools/call echo -> server-everything sse",
        runs: Runs::Against(&EVERYTHING, |stage, url| stage.call("tools/call", ECHO_MESSAGE, At::Url(url))),
        judge: |seen| text_is(&answered(seen)?, "Echo: héllo\u{2028}x"),
    },
    Row {
        name: "sse-everything-error",
        what: "call of no method -> server-everything sse",
        runs: Runs::Against(&EVERYTHING, |stage, url| stage.call("no/such-method", "{}", At::Url(url))),
        judge: |seen| refused(seen, "-32601"),
    },
    Row {
        name: "connect-v1-from-python",
        what: "Python SDK client -> connect -> TypeScript SDK 1 server",
        runs: Runs::Against(&V1, |stage, url| {
            stage.python_client("v1-peer", At::Command(&stage.connect(url)))
        }),
        judge: verdict,
    },
    Row {
        name: "connect-python-from-v1",
        what: "TypeScript SDK 1 client -> connect -> Python SDK server",
        runs: Runs::Against(&PYTHON, |stage, url| {
            stage.node_client("v1-client.mjs", &["python-peer"], At::Command(&stage.connect(url)))
        }),
        judge: verdict,
    },
];

const ECHO_TEXT: &str = r#"{"name":"echo","arguments":{"text":"héllo\u2028x"}}"#;
const ECHO_MESSAGE: &str = r#"{"name":"echo","arguments":{"message":"héllo\u2028x"}}"#;
