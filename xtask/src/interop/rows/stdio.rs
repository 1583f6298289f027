//! Over the pipes of a child: the client starts the server.

use super::{Row, Runs};
use crate::interop::judge::{answered, has_tool, refused, text_is, verdict};
use crate::interop::stage::At;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "stdio-everything-list",
        what: "call tools/list -> server-everything",
        runs: Runs::Alone(|stage| stage.call("tools/list", "{}", At::Command(&stage.everything()))),
        judge: |seen| has_tool(&answered(seen)?, "echo"),
    },
    Row {
        name: "stdio-everything-echo",
        what: "call tools/call echo -> server-everything",
        runs: Runs::Alone(|stage| {
            let params = r#"{"name":"echo","arguments":{"message":"héllo\u2028x"}}"#;
            stage.call("tools/call", params, At::Command(&stage.everything()))
        }),
        judge: |seen| text_is(&answered(seen)?, "Echo: héllo\u{2028}x"),
    },
    Row {
        name: "stdio-everything-error",
        what: "call of no method -> server-everything",
        runs: Runs::Alone(|stage| stage.call("no/such-method", "{}", At::Command(&stage.everything()))),
        judge: |seen| refused(seen, "-32601"),
    },
    Row {
        name: "stdio-python-list",
        what: "call tools/list -> Python SDK server",
        runs: Runs::Alone(|stage| stage.call("tools/list", "{}", At::Command(&stage.python_server()))),
        judge: |seen| has_tool(&answered(seen)?, "echo"),
    },
    Row {
        name: "stdio-python-echo",
        what: "call tools/call echo -> Python SDK server",
        runs: Runs::Alone(|stage| {
            let params = r#"{"name":"echo","arguments":{"text":"héllo\u2028x"}}"#;
            stage.call("tools/call", params, At::Command(&stage.python_server()))
        }),
        judge: |seen| text_is(&answered(seen)?, "héllo\u{2028}x"),
    },
    Row {
        name: "stdio-python-error",
        what: "call of no method -> Python SDK server",
        runs: Runs::Alone(|stage| stage.call("no/such-method", "{}", At::Command(&stage.python_server()))),
        judge: |seen| refused(seen, "-32601"),
    },
    Row {
        name: "stdio-from-v1",
        what: "TypeScript SDK 1 client -> demo",
        runs: Runs::Alone(|stage| stage.node_client("v1-client.mjs", &["demo"], At::Command(&stage.demo()))),
        judge: verdict,
    },
    Row {
        name: "stdio-from-v2-legacy",
        what: "TypeScript SDK 2 client, legacy -> demo",
        runs: Runs::Alone(|stage| {
            stage.node_client("v2-client.mjs", &["legacy", "demo"], At::Command(&stage.demo()))
        }),
        judge: verdict,
    },
    Row {
        name: "stdio-from-v2-auto",
        what: "TypeScript SDK 2 client, auto -> demo",
        runs: Runs::Alone(|stage| {
            stage.node_client("v2-client.mjs", &["auto", "demo"], At::Command(&stage.demo()))
        }),
        judge: verdict,
    },
    Row {
        name: "stdio-from-v2-modern",
        what: "TypeScript SDK 2 client, 2026-07-28 -> demo",
        runs: Runs::Alone(|stage| {
            stage.node_client("v2-client.mjs", &["2026-07-28", "demo"], At::Command(&stage.demo()))
        }),
        judge: verdict,
    },
    Row {
        name: "stdio-from-python",
        what: "Python SDK client -> demo",
        runs: Runs::Alone(|stage| stage.python_client("demo", At::Command(&stage.demo()))),
        judge: verdict,
    },
];
