//! The demo as a process, driven line by line; what it answers in detail is tested in memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::{bridge, run, status};
use serde_json::{Value, json};

struct Demo {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Demo {
    fn start() -> Self {
        let mut child = bridge().arg("demo").stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), stdout, child }
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.receive()
    }

    /// The end of input is the end of the demo, within a second.
    fn end(mut self) {
        let started = Instant::now();
        self.stdin = None;
        let mut rest = String::new();
        self.stdout.read_line(&mut rest).unwrap();
        assert_eq!((rest.as_str(), status(self.child).code()), ("", Some(0)));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
}

#[test]
fn a_legacy_session() {
    let mut demo = Demo::start();
    let hello =
        json!({ "protocolVersion": "2025-06-18", "capabilities": { "sampling": {} }, "clientInfo": {} });
    let welcome = demo.ask(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello }));
    assert_eq!(welcome["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(welcome["result"]["serverInfo"]["name"], "mcp-bridge-demo");
    demo.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    assert_eq!(
        demo.ask(&json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" })),
        json!({ "jsonrpc": "2.0", "id": "p", "result": {} })
    );
    let ask = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "ask" } });
    let question = demo.ask(&ask);
    assert_eq!(question["method"], "sampling/createMessage");
    let sample = json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "said" } });
    let answer = demo.ask(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": sample }));
    assert_eq!(
        answer,
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [{ "type": "text", "text": "said" }] } })
    );
    demo.end();
}

#[test]
fn modern_requests() {
    let mut demo = Demo::start();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": "echo", "arguments": { "text": "x" }, "_meta": meta });
    let answer = demo.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }));
    assert_eq!(answer["result"]["content"], json!([{ "type": "text", "text": "x" }]));
    assert_eq!(answer["result"]["resultType"], "complete");
    demo.end();
}

#[test]
fn what_was_accepted_is_finished_at_the_end_of_input() {
    let mut demo = Demo::start();
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {} });
    demo.ask(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello }));
    let params = json!({ "name": "progress", "arguments": { "steps": 20 } });
    demo.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }));
    drop(demo.stdin.take());
    assert_eq!(demo.receive()["id"], 1);
    demo.end();

    // A client that leaves while it is asked something.
    let mut demo = Demo::start();
    let hello =
        json!({ "protocolVersion": "2025-11-25", "capabilities": { "sampling": {} }, "clientInfo": {} });
    demo.ask(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello }));
    demo.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "ask" } }));
    drop(demo.stdin.take());
    assert_eq!(demo.receive()["result"]["isError"], true);
    demo.end();
}

#[test]
fn inputs_of_other_kinds() {
    let started = Instant::now();
    let seen = run(bridge().arg("demo").stdin(Stdio::null()));
    assert_eq!((seen.code, seen.stdout.as_str(), seen.stderr.as_str()), (Some(0), "", ""));
    assert!(started.elapsed() < Duration::from_secs(2));

    // A file, whose last line has no end.
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-input");
    std::fs::write(&path, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}").unwrap();
    let seen = run(bridge().arg("demo").stdin(File::open(&path).unwrap()));
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (Some(0), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n")
    );

    // No input at all.
    let script = format!("exec '{}' demo <&-", env!("CARGO_BIN_EXE_mcp-bridge"));
    let seen = run(Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()));
    assert_eq!(seen.stdout, "");
}

/// MCP 2025-03-26, basic, Batching: receivers accept them.
#[test]
fn a_batch_of_the_revision_that_has_them() {
    let mut demo = Demo::start();
    let hello = json!({ "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {} });
    let welcome = demo.ask(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello }));
    assert_eq!(welcome["result"]["protocolVersion"], "2025-03-26");
    let ping = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    let first =
        demo.ask(&json!([ping(1), { "jsonrpc": "2.0", "method": "notifications/initialized" }, ping(2)]));
    assert_eq!((&first["id"], &demo.receive()["id"]), (&json!(1), &json!(2)));
    demo.end();
}
