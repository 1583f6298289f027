//! The table: what runs, and what it must have said.

use std::path::Path;
use std::process::Command;

use super::judge::{answered, has_tool, refused, text_is, verdict};
use super::{Seen, Stage};

/// One row: a program that ends by itself, and how its output is judged.
///
/// `judge` returns a few words for the table, or what is wrong.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) command: fn(&Stage) -> Command,
    pub(super) judge: fn(&Seen) -> Result<String, String>,
}

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "stdio-everything-list",
        what: "call tools/list -> server-everything",
        command: |stage| stage.call("tools/list", "{}", &everything(stage)),
        judge: |seen| has_tool(&answered(seen)?, "echo"),
    },
    Row {
        name: "stdio-everything-echo",
        what: "call tools/call echo -> server-everything",
        command: |stage| {
            let params = r#"{"name":"echo","arguments":{"message":"héllo\u2028x"}}"#;
            stage.call("tools/call", params, &everything(stage))
        },
        judge: |seen| text_is(&answered(seen)?, "Echo: héllo\u{2028}x"),
    },
    Row {
        name: "stdio-everything-error",
        what: "call of no method -> server-everything",
        command: |stage| stage.call("no/such-method", "{}", &everything(stage)),
        judge: |seen| refused(seen, "-32601"),
    },
    Row {
        name: "stdio-python-list",
        what: "call tools/list -> Python SDK server",
        command: |stage| stage.call("tools/list", "{}", &python_server(stage)),
        judge: |seen| has_tool(&answered(seen)?, "echo"),
    },
    Row {
        name: "stdio-python-echo",
        what: "call tools/call echo -> Python SDK server",
        command: |stage| {
            let params = r#"{"name":"echo","arguments":{"text":"héllo\u2028x"}}"#;
            stage.call("tools/call", params, &python_server(stage))
        },
        judge: |seen| text_is(&answered(seen)?, "héllo\u{2028}x"),
    },
    Row {
        name: "stdio-python-error",
        what: "call of no method -> Python SDK server",
        command: |stage| stage.call("no/such-method", "{}", &python_server(stage)),
        judge: |seen| refused(seen, "-32601"),
    },
    Row {
        name: "stdio-from-v1",
        what: "TypeScript SDK 1 client -> demo",
        command: |stage| stage.node_client("v1-client.mjs", &[]),
        judge: verdict,
    },
    Row {
        name: "stdio-from-v2-legacy",
        what: "TypeScript SDK 2 client, legacy -> demo",
        command: |stage| stage.node_client("v2-client.mjs", &["legacy"]),
        judge: verdict,
    },
    Row {
        name: "stdio-from-v2-auto",
        what: "TypeScript SDK 2 client, auto -> demo",
        command: |stage| stage.node_client("v2-client.mjs", &["auto"]),
        judge: verdict,
    },
    Row {
        name: "stdio-from-v2-modern",
        what: "TypeScript SDK 2 client, 2026-07-28 -> demo",
        command: |stage| stage.node_client("v2-client.mjs", &["2026-07-28"]),
        judge: verdict,
    },
    Row {
        name: "stdio-from-python",
        what: "Python SDK client -> demo",
        command: |stage| stage.python_client("client.py"),
        judge: verdict,
    },
];

fn everything(stage: &Stage) -> [&Path; 3] {
    [&stage.peers.node, &stage.peers.everything, Path::new("stdio")]
}

fn python_server(stage: &Stage) -> [&Path; 2] {
    [&stage.peers.python, &stage.peers.python_server]
}
