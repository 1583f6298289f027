//! `serve` from outside: what it answers, to whom, and what each flag does.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::time::{Duration, Instant};

use common::bridge::{Bridge, Stream};
use common::{bridge, call, legacy, run, server};
use mcp_transport::{Caller, Incoming, SseClient, Transport};
use serde_json::{Value, json};

fn url(bridge: &Bridge, words: &[&str]) -> common::Seen {
    call(&[&[bridge.url.as_str()], words].concat())
}

#[test]
fn the_demo_is_served_and_asked() {
    let bridge = Bridge::serve(&["--demo"]);
    let tools = url(&bridge, &["tools/list"]).value();
    assert_eq!(tools["tools"].as_array().unwrap().len(), 7);
    let add = r#"{"name":"add","arguments":{"a":2,"b":40}}"#;
    assert_eq!(url(&bridge, &["tools/call", add]).value()["content"][0]["text"], "42");
    let large = r#"{"name":"large","arguments":{"bytes":3000000}}"#;
    let large = url(&bridge, &["tools/call", large]).value();
    assert_eq!(large["content"][0]["text"].as_str().unwrap().len(), 3_000_000);
    let progress = r#"{"name":"progress","arguments":{"steps":3},"_meta":{"progressToken":"p"}}"#;
    let seen = url(&bridge, &["tools/call", progress]);
    assert_eq!(seen.stderr.matches("< notification").count(), 3, "{seen:?}");
    assert_eq!(url(&bridge, &["initialize"]).value()["protocolVersion"], "2025-11-25");
    let refused = url(&bridge, &["no/such"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.complaint().contains("-32601"), "{refused:?}");
}

#[test]
fn a_child_is_served_and_asked() {
    let bridge = Bridge::script(&[], &legacy("echo heard >&2; result '[\"yes\"]'"));
    assert_eq!(url(&bridge, &["ask/me"]).value(), json!(["yes"]));
    assert!(bridge.line("heard").contains("mcp_bridge::child"));
}

#[test]
fn what_call_says_about_urls() {
    call(&["http://127.0.0.1:1/sse", "x"]).failed(&["cannot connect"]);
    call(&["https://127.0.0.1:1/sse", "x"]).failed(&["cannot connect"]);
    call(&["http://127.0.0.1:1/sse"]).failed(&["METHOD"]);
    call(&["http://127.0.0.1:1/sse", "x", "--demo"]).failed(&["URL"]);
    call(&["http://127.0.0.1:1/sse", "x", "{}", "--", "true"]).failed(&["URL"]);
    call(&["x", "--header", "a:b", "--demo"]).failed(&["URL"]);
    call(&["x", "y", "z", "--demo"]).failed(&["no URL"]);
    let bridge = Bridge::serve(&["--demo"]);
    call(&[&bridge.url.replace("/sse", "/nothing"), "x"]).failed(&["404"]);
    let seen = call(&[
        &bridge.url,
        "tools/call",
        r#"{"name":"progress","arguments":{"steps":100}}"#,
        "--timeout",
        "0.3",
    ]);
    seen.failed(&["`tools/call` within 0.3 s"]);
}

#[test]
fn a_wide_address_is_a_decision() {
    let serve = |words: &[&str]| run(bridge().arg("serve").args(words).arg("--demo"));
    serve(&["--listen", "0.0.0.0:0"]).failed(&["--allow-unauthenticated"]);
    serve(&["--listen", "0.0.0.0:0", "--allow-host", "a"]).failed(&["--allow-unauthenticated"]);
    serve(&["--listen", "0.0.0.0:0", "--allow-unauthenticated"]).failed(&["--allow-host"]);
    serve(&["--allow-origin", "*"]).failed(&["--allow-origin *"]);
    serve(&["--path-prefix", "a b"]).failed(&["--path-prefix"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    serve(&["--listen", &address]).failed(&["cannot listen", "in use"]);
    for wrong in
        [&["--max-sessions", "0"][..], &["--max-body", "0"], &["--shutdown-grace", "-1"], &["--listen", "x"]]
    {
        assert_eq!(serve(wrong).code, Some(2), "{wrong:?}");
    }
    run(bridge().arg("serve")).failed(&["COMMAND", "--demo"]);
    assert_eq!(run(bridge().args(["serve", "--help"])).code, Some(0));

    let wide = ["--listen", "0.0.0.0:0", "--allow-unauthenticated", "--allow-host", "localhost", "--demo"];
    // The last one of `--listen` cannot win, so this one is started by hand.
    let mut child = bridge().arg("serve").args(wide).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("mcp-bridge: listening on http://localhost:"), "{line}");
    call(&[line.rsplit(' ').next().unwrap(), "tools/list"]).answered();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_prefix_stands_before_everything() {
    let bridge = Bridge::serve(&["--path-prefix", "/a/b/", "--demo"]);
    assert!(bridge.url.ends_with("/a/b/sse"), "{}", bridge.url);
    url(&bridge, &["tools/list"]).answered();
    assert!(bridge.open().endpoint.starts_with("/a/b/message?sessionId="));
    assert_eq!(bridge.get("/a/b/healthz", ""), 200);
    for path in ["/sse", "/healthz", "/a/b", "/a"] {
        assert_eq!(bridge.get(path, ""), 404, "{path}");
    }
}

#[test]
fn health_goes_through_the_pipeline() {
    let bridge = Bridge::serve(&["--demo"]);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(bridge.get(path, ""), 200);
        assert_eq!(bridge.get(path, "Host: evil.example\r\n"), 403);
        assert_eq!(bridge.get(path, "Origin: http://evil.example\r\n"), 403);
        let head = format!("POST {path} HTTP/1.1\r\nHost: {}\r\n", bridge.address());
        assert_eq!(bridge.request(&head, "").0, 405);
    }
}

#[test]
fn hosts_and_origins_are_those_that_were_given() {
    let flags = ["--allow-host", "mcp.example", "--allow-origin", "https://app.example", "--demo"];
    let bridge = Bridge::serve(&flags);
    let own = bridge.address();
    let table = [
        (format!("Host: {own}\r\n"), 200),
        ("Host: localhost\r\n".into(), 200),
        ("Host: mcp.example\r\n".into(), 200),
        ("Host: other.example\r\n".into(), 403),
        (format!("Host: {own}\r\nOrigin: https://app.example\r\n"), 200),
        (format!("Host: {own}\r\nOrigin: http://app.example\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: https://other.example\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: null\r\n"), 403),
    ];
    for (headers, status) in table {
        for path in ["/sse", "/healthz"] {
            assert_eq!(bridge.get(path, &headers), status, "{path} {headers}");
        }
    }
}

#[test]
fn bounds_are_those_that_were_given() {
    let flags = ["--max-body", "200", "--max-message", "1000", "--max-sessions", "2"];
    let long = "result \"\\\"$(head -c 2000 /dev/zero | tr '\\0' y)\\\"\"";
    let bridge = Bridge::script(&flags, &legacy(long));
    let mut one = bridge.hello();
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(200));
    assert_eq!(one.try_post(&body).0, 413);
    let answer = one.ask(r#"{"jsonrpc":"2.0","id":2,"method":"ask/me"}"#);
    assert_eq!((&answer["id"], &answer["error"]["data"]["reason"]), (&json!(2), &json!("too_large")));
    let _two = bridge.open();
    assert_eq!(Stream::open(&bridge, "/sse", "").err(), Some(503));
    one.finish();
    // There is room again as soon as the first one is gone.
    let started = Instant::now();
    while let Err(status) = Stream::open(&bridge, "/sse", "") {
        assert_eq!(status, 503);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn silence_is_kept_alive_and_a_session_without_a_message_ends() {
    let bridge = Bridge::serve(&["--keep-alive", "0.05", "--session-timeout", "0.5", "--demo"]);
    let mut stream = bridge.open();
    assert!(stream.block().unwrap().starts_with(':'));
    while let Some(block) = stream.block() {
        assert!(block.starts_with(':'), "{block}");
    }
    let bridge = Bridge::serve(&["--keep-alive", "0", "--session-timeout", "0.5", "--demo"]);
    assert_eq!(bridge.open().block(), None);
    // One message is enough to stay.
    let mut stay = bridge.hello();
    assert_eq!(bridge.open().block(), None);
    assert_eq!(stay.ask(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)["result"], json!({}));
}

#[test]
fn environment_and_directory_come_from_the_command_line_alone() {
    let script = server(&legacy(
        r#"result "[\"$A\",\"$SECRET\",\"$HTTP_X\",\"$(pwd)\",\"$#\",\"$(env | grep -c evil)\"]""#,
    ));
    let directory = env!("CARGO_MANIFEST_DIR");
    let flags = ["--env", "A=1=2", "--cwd", directory];
    let command = ["--", "sh", "-c", &script, "sh", "one"];
    let secret = [("SECRET", "s")];
    let evil = "X: evil\r\nCommand: evil\r\nProxy: evil\r\nX-Env-A: evil\r\nX-Forwarded-Prefix: evil\r\n";
    for (pass, seen) in [(&[][..], ""), (&["--pass-env"], "s")] {
        let bridge = Bridge::serve_with(&[&flags, pass, &command[..]].concat(), &secret);
        let path = "/sse?command=evil&env=A%3Devil&cwd=/evil&args=evil";
        let mut stream = Stream::open(&bridge, path, evil).unwrap();
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"ask/me","command":"evil","params":{"env":{"A":"evil"},"cwd":"/"}}"#;
        assert_eq!(stream.ask(body)["result"], json!(["1=2", seen, "", directory, "1", "0"]), "{pass:?}");
    }
}

#[test]
fn bytes_pass_unchanged_both_ways() {
    let answer = r#"{"z":0, "result": {"b":1e2,"a":12345678901234567890,"a":[ ],"s":"\u00e9\/\"\\","u":"\ud83d"},"x":{"y":null},"id":7,"jsonrpc":"2.0"}"#;
    let question = r#"{ "extra":[1.0,1E-2], "method":"ask/me","id":7,"params":{"z":1e2,"a":12345678901234567890,"k":"\u0062\/"},"jsonrpc":"2.0" }"#;
    let log = format!("{}/bytes-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let script =
        format!(r#"IFS= read -r line; printf '%s\n' "$line" > "$FILE"; printf '%s\n' '{answer}'; cat"#);
    let file = format!("FILE={log}");
    let bridge = Bridge::serve(&["--env", &file, "--", "sh", "-c", &script]);
    let mut stream = bridge.open();
    stream.post(question);
    assert_eq!(stream.message().as_deref(), Some(answer));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), format!("{question}\n"));
    // And now `cat`: notifications come back as they went.
    let note = r#"{"params":{"n":-0.0,"é":1e400},"unknown":{"a":1,"a":2},"method":"notifications/x","jsonrpc":"2.0"}"#;
    let note = note.replace('é', "\\u00e9");
    stream.post(&note);
    assert_eq!(stream.message(), Some(note));
    std::fs::remove_file(log).unwrap();
}

#[test]
fn sessions_with_the_same_ids_are_kept_apart() {
    const SESSIONS: usize = 50;
    const IDS: usize = 20;
    // Each child says who it is, in a notification and in its answer.
    let arm = r#"result 1;;
        *'"method":"mine/'*) tag=${line##*mine/}; tag=${tag%%[!0-9-]*}
        printf '{"jsonrpc":"2.0","method":"notifications/of","params":{"child":%s}}\n' "$$"
        result "\"$$ $tag\"""#;
    let bridge = Bridge::script(&[], &legacy(arm));
    let own: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SESSIONS)
            .map(|session| {
                let bridge = &bridge;
                scope.spawn(move || {
                    let mut stream = bridge.hello();
                    for id in 1..=IDS {
                        stream.post(&format!(
                            r#"{{"jsonrpc":"2.0","id":{id},"method":"mine/{session}-{id}"}}"#
                        ));
                    }
                    let mut child = Value::Null;
                    for id in 1..=IDS {
                        let note = stream.value();
                        assert_eq!(note["method"], "notifications/of");
                        let answer = stream.value();
                        let (pid, tag) = answer["result"].as_str().unwrap().split_once(' ').unwrap();
                        assert_eq!((&answer["id"], tag), (&json!(id), &*format!("{session}-{id}")));
                        assert_eq!(note["params"]["child"].to_string(), pid);
                        assert!(child.is_null() || child == json!(pid), "{child} and {pid}");
                        child = json!(pid);
                    }
                    child
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let different: std::collections::HashSet<_> = own.iter().map(Value::to_string).collect();
    assert_eq!(different.len(), SESSIONS);
}

/// Our own client, through the facade.
#[tokio::test]
async fn a_request_of_the_server_is_answered_by_the_client() {
    let program = env!("CARGO_BIN_EXE_mcp-bridge");
    for backend in [&["--demo"][..], &["--", program, "demo"]] {
        let bridge = Bridge::serve(backend);
        let mut client = SseClient::new(bridge.url.parse().unwrap());
        let mut endpoint = client.dial().await.unwrap().spawn();
        let caller = Caller::new(&endpoint.sender);
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.receiver.recv().await {
                let Incoming::Request(exchange) = incoming else { continue };
                assert_eq!(exchange.request().method(), "sampling/createMessage");
                let text = json!({ "type": "text", "text": "as you say" });
                exchange.finish(&json!({ "role": "assistant", "content": text, "model": "m" }));
            }
        });
        let hello = json!({
            "protocolVersion": "2024-11-05", "capabilities": { "sampling": {} }, "clientInfo": {},
        });
        caller.request("initialize", &hello).await.unwrap();
        caller.notify("notifications/initialized", &()).await.unwrap();
        let answer = caller.request("tools/call", &json!({ "name": "ask" })).await.unwrap();
        let answer: Value = serde_json::from_slice(answer.result_raw().unwrap()).unwrap();
        assert_eq!(answer["content"][0]["text"], "as you say", "{backend:?}");
    }
}

#[test]
fn the_log_can_be_json_and_is_complete() {
    let mut bridge = Bridge::serve(&["--log-format", "json", "--demo"]);
    url(&bridge, &["tools/list"]).answered();
    bridge.line("ended");
    bridge.signal("TERM");
    assert_eq!(bridge.status(), Some(0));
    for line in bridge.said() {
        assert!(serde_json::from_str::<Value>(&line).unwrap().is_object(), "{line}");
    }
}

#[test]
fn pages_of_a_named_origin_read_the_answers() {
    let bridge = Bridge::serve(&["--demo", "--cors-origin", "https://app.example"]);
    let ask = |origin: &str| {
        let head = format!(
            "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n"
        );
        bridge.request(&head, "")
    };
    assert_eq!(ask("https://app.example").0, 204);
    assert_eq!(ask("https://other.example").0, 403);
    assert_eq!(bridge.get("/healthz", "Origin: https://app.example\r\n"), 200);
}
