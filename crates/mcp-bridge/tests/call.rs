//! `call` against the demo and against scripted servers: every exit status, every clear line.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use common::{ask, bridge, call, kill, legacy, lives, output, run, server, status};
use serde_json::{Value, json};

fn tool(name: &str, arguments: Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments }).to_string();
    let seen = call(&["tools/call", &params, "--demo"]);
    assert_eq!(seen.stderr, "", "{name}");
    seen.value()
}

#[test]
fn the_demo_answers() {
    let tools = call(&["tools/list", "--demo"]).value();
    let names: Vec<_> = tools["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["echo", "add", "progress", "log", "fail", "large", "ask"]);

    let text = "héllo\u{2028}x\u{0}\\\"\r\n😀";
    assert_eq!(tool("echo", json!({ "text": text }))["content"][0]["text"], text);
    assert_eq!(tool("add", json!({ "a": 2, "b": 40 }))["content"][0]["text"], "42");
    assert_eq!(tool("fail", json!({}))["isError"], true);
    let large = tool("large", json!({ "bytes": 8 << 20 }));
    assert_eq!(large["content"][0]["text"].as_str().unwrap().len(), 8 << 20);
    assert_eq!(tool("progress", json!({ "steps": 3 }))["content"][0]["text"], "3 steps");
    assert_eq!(tool("log", json!({ "level": "error", "text": "x" }))["resultType"], "complete");
}

#[test]
fn notifications_are_shown() {
    let params = r#"{"name":"progress","arguments":{"steps":3},"_meta":{"progressToken":"p"}}"#;
    let seen = call(&["tools/call", params, "--demo"]);
    seen.answered();
    let steps: Vec<Value> = seen
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line.strip_prefix("< notification ").unwrap()).unwrap())
        .collect();
    let expected = |step: u32| json!({ "progressToken": "p", "progress": step, "total": 3 });
    assert_eq!(steps.len(), 3);
    for (step, number) in steps.iter().zip(1..) {
        assert_eq!((&step["method"], &step["params"]), (&json!("notifications/progress"), &expected(number)));
    }
    let params = r#"{"name":"log","arguments":{"level":"info","text":"said"},"_meta":{"io.modelcontextprotocol/logLevel":"info"}}"#;
    assert!(call(&["tools/call", params, "--demo"]).stderr.contains(r#""data":"said""#));
}

#[test]
fn a_handshake_can_be_asked_for() {
    assert_eq!(call(&["initialize", "--demo"]).value()["protocolVersion"], "2025-11-25");
    let older =
        r#"{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"x","version":"1"}}"#;
    assert_eq!(call(&["initialize", older, "--demo"]).value()["protocolVersion"], "2024-11-05");
    assert_eq!(call(&["server/discover", "--demo"]).value()["supportedVersions"][0], "2026-07-28");
}

#[test]
fn an_error_of_the_server_is_status_1() {
    let seen = call(&["no/such-method", "--demo"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        seen.stderr,
        "mcp-bridge: the server answered with error -32601: no such method: no/such-method\n\
         < error {\"code\":-32601,\"message\":\"no such method: no/such-method\"}\n"
    );
    let seen = call(&["tools/call", r#"{"name":"ask"}"#, "--demo"]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains(r#""data":{"requiredCapabilities":{"sampling":{}}}"#), "{}", seen.stderr);
}

#[test]
fn usage() {
    for arguments in
        [&["call"][..], &["call", "--no-such"], &["call", "x", "--timeout", "-1", "--demo"], &["nope"]]
    {
        assert_eq!(run(bridge().args(arguments)).code, Some(2), "{arguments:?}");
    }
    for option in
        [["--timeout", "0"], ["--timeout", "soon"], ["--env", "x"], ["--env", "=x"], ["--log", "a=b=c"]]
    {
        let seen = call(&[&option[..], &["x", "--demo"]].concat());
        assert_eq!(seen.code, Some(2), "{option:?}");
        assert!(seen.stderr.contains(option[0]), "{seen:?}");
    }
    assert_eq!(call(&["tools/list", "--demo", "--", "true"]).code, Some(2));
    for arguments in [&["--help"][..], &["call", "--help"], &["--version"]] {
        let seen = run(bridge().args(arguments));
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    }
    call(&["tools/list"]).failed(&["COMMAND", "--demo"]);
}

#[test]
fn params_are_checked_before_anything_is_started() {
    for (params, why) in
        [("{", "not JSON"), ("[]", "not a JSON object"), ("ls", "after `--`"), ("null", "object")]
    {
        call(&["x", params, "--", "no-such-program"]).failed(&["PARAMS-JSON", why]);
    }
}

#[test]
fn options_stand_anywhere_before_the_command() {
    let seen = call(&["--timeout", "20", "tools/list", "--log", "error", "{}", "--demo"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_cannot_be_started() {
    call(&["x", "--", "no-such-program"]).failed(&["no-such-program", "PATH"]);
    call(&["x", "--cwd", "no-such-directory", "--", "true"]).failed(&["`true`", "no-such-directory"]);
    call(&["x", "--", env!("CARGO_MANIFEST_DIR")]).failed(&["not executable"]);
}

#[test]
fn the_result_comes_as_it_was_sent() {
    let result = r#"{"z": 1e2,"a":1.0 ,"n":12345678901234567890,"a":{"a":[ ]},"s":"\u00e9\/\\x","é":null}"#;
    let seen = ask(&["ask/me"], &legacy(&format!("result '{result}'")));
    assert_eq!(seen.stdout, format!("{result}\n"));
    let seen = ask(&["ask/me"], &legacy(r#"result "$(printf '{\r"a":\r1}')""#));
    assert_eq!(seen.stdout, "{ \"a\": 1}\n");
    let seen = ask(&["ask/me"], &legacy("result null"));
    assert_eq!(seen.stdout, "null\n");
}

#[test]
fn params_go_out_as_they_were_given() {
    let params = r#"{"z":1e2, "a":"\u0062","a":[1.0,12345678901234567890]}"#;
    let echo = "result \"\\\"$(printf '%s' \"$line\" | od -An -tx1 | tr -d ' \\n')\\\"\"";
    let seen = ask(&["ask/me", params], &legacy(echo));
    let hex = seen.value().as_str().unwrap().to_owned();
    let line: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let line = String::from_utf8(line).unwrap();
    assert!(line.ends_with(&format!(r#""method":"ask/me","params":{params}}}"#)), "{line}");
}

#[test]
fn a_child_that_dies_is_told_with_its_last_words() {
    let seen = ask(&["ask/me"], &legacy("echo first >&2; echo 'out of \u{1b}[31mluck' >&2; exit 7"));
    seen.failed(&["status 7", "first | out of \\u001b[31mluck"]);
    assert!(seen.stderr.contains("child| first\n"), "{seen:?}");
    assert!(seen.took < Duration::from_secs(10), "{seen:?}");
    ask(&["ask/me"], &legacy("kill -9 $$")).failed(&["signal 9"]);
    ask(&["ask/me"], &legacy("exec >&-; sleep 5")).failed(&["closed its stdout"]);
    // A grandchild that keeps the pipes keeps nobody waiting.
    let seen = ask(&["ask/me"], &legacy("sleep 50 & kill -9 $$"));
    seen.failed(&["signal 9"]);
    assert!(seen.took < Duration::from_secs(10), "{seen:?}");
}

#[test]
fn a_child_that_says_nothing() {
    let seen = call(&["ask/me", "--timeout", "1", "--", "sh", "-c", "cat >&2"]);
    seen.failed(&["within 1 s"]);
    let seen = call(&["ask/me", "--timeout", "1", "--", "sh", "-c", "while read -r line; do :; done"]);
    seen.failed(&["within 1 s", "said nothing at all"]);
    assert!(seen.took < Duration::from_secs(10), "{seen:?}");
}

#[test]
fn a_question_without_answer_is_cancelled() {
    let script = legacy("ours=$id") + "*notifications/cancelled*) echo \"cancelled $line of $ours\" >&2;;";
    let seen = ask(&["ask/me", "--timeout", "2"], &script);
    seen.failed(&["`ask/me` within 2 s"]);
    let line = seen.stderr.lines().find(|line| line.starts_with("child| cancelled")).unwrap();
    let ours = line.rsplit(' ').next().unwrap();
    assert!(line.contains(&format!("\"requestId\":{ours}}}")), "{line}");
}

#[test]
fn garbage_on_stdout_is_shown_and_does_no_harm() {
    let banner = "echo 'Server v1.0 is ready'; printf '\\377\\n\\n[1,2]\\n'; echo '{\"jsonrpc\":\"1.0\"}';";
    let seen = call(&["ask/me", "--", "sh", "-c", &format!("{banner}{}", server(&legacy("result 1")))]);
    assert_eq!(seen.stdout, "1\n");
    assert!(seen.stderr.contains("stdout: Server v1.0 is ready\n"), "{seen:?}");
    let seen = call(&["ask/me", "--timeout", "1", "--", "sh", "-c", "echo hello; cat >&2"]);
    seen.failed(&["within 1 s", "one line of its stdout was no message"]);
}

#[test]
fn a_flood_on_stderr_stops_nothing() {
    let flood = |bytes: u32| {
        format!("head -c {bytes} /dev/zero | tr '\\0' y | fold -w 999 >&2; echo >&2; result '\"after\"'")
    };
    let seen = ask(&["ask/me"], &legacy(&flood(20_000_000)));
    assert_eq!(seen.stdout, "\"after\"\n");
    let told: usize =
        seen.stderr.lines().map(|line| line.strip_prefix("child| ").unwrap_or_default().len()).sum();
    assert_eq!(told, 20_000_000, "lines were lost although they were read");

    // Nobody reads our stderr: lines are lost then, and nothing else.
    let script = server(&legacy(&flood(5_000_000)));
    let mut child = bridge().args(["call", "ask/me", "--", "sh", "-c", &script]).spawn().unwrap();
    let stderr = child.stderr.take();
    let seen = output(child);
    assert_eq!((seen.status.code(), &seen.stdout[..]), (Some(0), &b"\"after\"\n"[..]));
    drop(stderr);
}

#[test]
fn requests_of_the_server_are_answered() {
    let arm = r#"printf '{"jsonrpc":"2.0","id":"p","method":"ping"}\n'; read -r pong
        printf '{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{}}\n'; read -r refusal
        result "[$pong,$refusal]""#;
    let seen = ask(&["ask/me"], &legacy(arm));
    let answers = seen.value();
    assert_eq!(answers[0], json!({ "jsonrpc": "2.0", "id": "p", "result": {} }));
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!("s"), &json!(-32601)));
    assert!(seen.stderr.contains("< request {\"jsonrpc\":\"2.0\",\"id\":\"s\""), "{seen:?}");
}

#[test]
fn environment_and_directory() {
    let directory = env!("CARGO_MANIFEST_DIR");
    let script = server(&legacy(r#"result "[\"$A\",\"$B\",\"$SECRET\",\"$(pwd)\"]""#));
    let seen = run(bridge()
        .env("SECRET", "s")
        .args(["call", "ask/me", "--env", "A=1", "--env", "B=2=3"])
        .args(["--cwd", directory, "--", "sh", "-c", &script]));
    assert_eq!(seen.value(), json!(["1", "2=3", "", directory]));
}

#[test]
fn nobody_is_left_behind() {
    // The child tells its process id; it and what it started are gone when the call is.
    let seen = ask(&["ask/me"], &legacy("sleep 60 & echo \"pids $$ $!\" >&2; result 1"));
    assert_eq!(seen.stdout, "1\n");
    let pids = seen.stderr.lines().find_map(|line| line.strip_prefix("child| pids ")).unwrap();
    for pid in pids.split(' ') {
        assert!(!lives(pid), "{pid} of {pids} lives");
    }
    // One that heeds neither the end of its input nor TERM.
    let stubborn = "trap '' TERM; echo \"pids $$\" >&2; result 1; while :; do sleep 1; done";
    let seen = ask(&["ask/me"], &legacy(stubborn));
    assert_eq!(seen.stdout, "1\n");
    let pid = seen.stderr.lines().find_map(|line| line.strip_prefix("child| pids ")).unwrap();
    assert!(!lives(pid));
}

#[test]
fn a_signal_takes_the_child_along() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let script = server(&legacy("echo \"pid $$\" >&2"));
        let mut child = bridge().args(["call", "ask/me", "--", "sh", "-c", &script]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let pid = line.trim_end().strip_prefix("child| pid ").unwrap().to_owned();
        assert!(lives(&pid));
        kill(signal, child.id());
        let seen = output(child);
        assert_eq!((seen.status.code(), seen.stdout.len()), (Some(code), 0));
        assert!(!lives(&pid), "{signal}");
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn an_answer_that_nobody_reads() {
    // Closed: it cannot be written.
    let mut child = bridge().args(["call", "tools/list", "--demo"]).spawn().unwrap();
    drop(child.stdout.take());
    let seen = output(child);
    assert_eq!(seen.status.code(), Some(2));
    assert!(String::from_utf8(seen.stderr).unwrap().contains("cannot write the answer"));

    // Held open and not read: a signal still ends it.
    let large = r#"{"name":"large","arguments":{"bytes":1000000}}"#;
    let mut child = bridge().args(["call", "tools/call", large, "--demo"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 1]).unwrap();
    kill("TERM", child.id());
    assert_eq!(status(child).code(), Some(143));
}

#[test]
fn the_log_goes_to_stderr() {
    let seen = run(bridge().args(["--log", "mcp.message=trace", "call", "tools/list", "--demo"]));
    seen.answered();
    assert!(seen.stderr.contains("server/discover"), "{seen:?}");
    let seen = run(bridge().args(["demo", "--log", "debug"]).stdin(Stdio::null()));
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), ""));
}
