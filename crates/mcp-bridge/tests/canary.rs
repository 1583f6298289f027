//! No secret is ever on stderr, whatever is logged: not what clients and servers send in their heads, nor what anybody
//! says in messages.
//!
//! What is there on purpose is not secret here: lines of a child's stderr, and errors and notifications that `call`
//! shows to whoever asks.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::bridge::{Bridge, Stream};
use common::{bridge, output, run, server};
use mcp_transport::jsonrpc::Message;
use serde_json::json;

/// In everything that is secret.
const CANARY: &str = "canary-4711";
/// The first characters of a session's id may be logged, and not so many of them.
const PREFIX: usize = 12;

/// Says its secret in every way that a server has, and answers.
const CHILD: &str = r#"
    *'"method":"initialize"'*) welcome;;
    *'"method":"server/discover"'*) discovered;;
    *'"method":"ask/me"'*)
        printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%s"}}\n' "$SECRET"
        printf '{"jsonrpc":"2.0","method":"%s"\n' "$SECRET"
        printf '%s\n' "$SECRET"
        printf '{"jsonrpc":"2.0","id":77,"result":"%s"}\n' "$SECRET"
        printf '{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"a":"%s"}}\n' "$SECRET"
        result "\"$SECRET\"";;
    *'"method":"end/me"'*) exit 3;;"#;

/// Everything that a client may say of itself, a line each.
fn heads() -> String {
    let names =
        ["Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization", "X-Forwarded-For", "Mcp-Param-A"];
    names.map(|name| format!("{name}: {CANARY}\r\n")).concat()
}

/// A file of headers, for as long as it is wanted.
struct HeaderFile(PathBuf);

impl HeaderFile {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mcp-bridge-{name}-{}", std::process::id()));
        std::fs::write(&path, format!("Authorization: Bearer {CANARY}\nX-Api-Key: {CANARY}\n")).unwrap();
        Self(path)
    }
}

impl Drop for HeaderFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[track_caller]
fn silent(stderr: &str) {
    let line = stderr.lines().find(|line| line.contains("canary"));
    assert_eq!(line, None);
}

/// A POST of one JSON text to a path: status, the headers and the body.
fn post(bridge: &Bridge, path: &str, headers: &str, json: &str) -> (u16, String) {
    let (address, length) = (bridge.address(), json.len());
    let mut socket = bridge.connect();
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {length}\r\n\r\n{json}"
    )
    .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

/// Goes through all that a client can do; the start of each session's id.
fn use_everything(bridge: &Bridge) -> Vec<String> {
    let heads = heads();
    let ask = |id: u32| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "ask/me", "params": { "a": CANARY } }).to_string()
    };
    let mut ids = Vec::new();
    for version in ["2025-11-25", "2025-03-26"] {
        let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize",
            "params": { "protocolVersion": version, "clientInfo": { "name": CANARY } } });
        let (status, answer) = post(bridge, &format!("/mcp?key={CANARY}"), &heads, &hello.to_string());
        assert_eq!(status, 200, "{answer}");
        let id = answer.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap().to_owned();
        let session = format!("{heads}Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-06-18\r\n");
        let (status, answer) = post(bridge, "/mcp", &session, &ask(1));
        assert!(status == 200 && answer.contains(CANARY), "{answer}");
        for body in
            [CANARY, r#"{"jsonrpc":"2.0","id":1,"method":"x","params":"canary-4711"}"#, r#"{"canary-4711":"#]
        {
            assert_eq!(post(bridge, "/mcp", &session, body).0, 400);
        }
        let note =
            json!({ "jsonrpc": "2.0", "method": "notifications/x", "params": { "a": CANARY } }).to_string();
        let answer = json!({ "jsonrpc": "2.0", "id": 99, "result": CANARY }).to_string();
        assert_eq!(post(bridge, "/mcp", &session, &note).0, 202);
        assert_eq!(post(bridge, "/mcp", &session, &answer).0, 202);
        assert_eq!(bridge.get("/mcp", &format!("{session}Last-Event-ID: {CANARY}\r\n")), 400);
        let end =
            json!({ "jsonrpc": "2.0", "id": 3, "method": "end/me", "params": { "a": CANARY } }).to_string();
        assert!(post(bridge, "/mcp", &session, &end).1.contains("child_exited"));
        ids.push(id);
    }
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}, "io.modelcontextprotocol/clientInfo": { "name": CANARY } });
    let modern = format!("{heads}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: ask/me\r\n");
    let body =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ask/me", "params": { "_meta": meta, "a": CANARY } });
    let (status, answer) = post(bridge, "/mcp", &modern, &body.to_string());
    assert!(status == 200 && answer.contains(CANARY), "{answer}");
    let wrong = format!("MCP-Protocol-Version: {CANARY}\r\nMcp-Method: {CANARY}\r\nMcp-Name: {CANARY}\r\n");
    assert_eq!(post(bridge, "/mcp", &wrong, &body.to_string()).0, 400);
    assert_eq!(post(bridge, "/mcp", &format!("Mcp-Session-Id: {CANARY}\r\n"), &ask(1)).0, 404);

    let mut stream = Stream::open(bridge, &format!("/sse?key={CANARY}"), &heads).unwrap();
    let hello =
        json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "a": CANARY } }).to_string();
    assert_eq!(stream.ask(&hello)["id"], 0);
    stream.post(&ask(5));
    while stream.value()["id"] != 5 {}
    assert_eq!(stream.try_post(CANARY).0, 400);
    ids.push(stream.endpoint.split_once("sessionId=").unwrap().1.to_owned());

    assert_eq!(bridge.get(&format!("/{CANARY}"), &heads), 404);
    assert_eq!(bridge.get("/mcp", &format!("Host: {CANARY}.example\r\n")), 403);
    assert_eq!(bridge.get("/mcp", &format!("Origin: http://{CANARY}.example\r\n")), 403);
    ids.iter().map(|id| id[..PREFIX].to_owned()).collect()
}

#[test]
fn serve_keeps_the_secrets_of_clients_and_children() {
    for format in ["text", "json"] {
        let secret = format!("SECRET={CANARY}");
        let script = server(CHILD);
        let args =
            ["--log", "trace", "--log-format", format, "--env", &secret, "--", "sh", "-c", &script, CANARY];
        let mut bridge = Bridge::serve(&args);
        let ids = use_everything(&bridge);
        bridge.signal("TERM");
        assert_eq!(bridge.status(), Some(0));
        let said = bridge.said().join("\n");
        // It was all there.
        for word in ["mcp.message", "mcp.http", "ask/me", "exited with status 3"] {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
        silent(&said);
        for id in ids {
            assert!(!said.contains(&id), "the id of a session in {said}");
        }
    }
}

/// A server that refuses everything in one way.
fn refusing(status: &str, lines: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp?key={CANARY}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\n{lines}Connection: close\r\nContent-Length: {}\r\n\r\n{CANARY}",
        CANARY.len()
    );
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut reader = BufReader::new(socket.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            assert!(head.contains(CANARY), "{head}");
            // Whoever asked may have seen enough.
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    url
}

/// Servers that say no, each in its own way.
fn refusals() -> Vec<String> {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    vec![
        refusing("401 Unauthorized", &format!("WWW-Authenticate: Bearer realm=\"{CANARY}\"\r\n")),
        refusing("403 Forbidden", &format!("WWW-Authenticate: Bearer scope=\"{CANARY}\"\r\n")),
        refusing("307 Elsewhere", &format!("Location: http://{elsewhere}/?code={CANARY}\r\n")),
        refusing("302 Elsewhere", &format!("Location: /{CANARY}\r\n")),
        refusing("404 Not Found", &format!("Set-Cookie: a={CANARY}\r\n")),
        refusing(&format!("500 {CANARY}"), ""),
        refusing("200 OK", "Content-Type: application/json\r\n"),
        refusing("200 OK", "Content-Type: text/event-stream\r\n"),
        format!("http://{elsewhere}/mcp?key={CANARY}"),
    ]
}

fn with_headers(command: &mut Command, file: &HeaderFile) {
    command.arg("--header-file").arg(&file.0).args(["--log", "trace"]);
}

#[test]
fn call_keeps_secrets_from_everybody_but_who_asked() {
    let file = HeaderFile::new("call");
    let params = json!({ "name": "echo", "arguments": { "text": CANARY } }).to_string();
    let mut served = Bridge::serve(&["--demo", "--log", "trace"]);
    for path in ["/mcp", "/sse"] {
        let url = format!("http://{}{path}?key={CANARY}", served.address());
        let mut command = bridge();
        with_headers(command.args(["call", &url, "tools/call", &params]), &file);
        let seen = run(&mut command);
        assert!(seen.answered().contains(CANARY) && seen.stderr.contains("mcp.message"), "{seen:?}");
        silent(&seen.stderr);
    }
    served.signal("TERM");
    served.status();
    silent(&served.said().join("\n"));
    for url in refusals() {
        let mut command = bridge();
        with_headers(command.args(["call", &url, "tools/call", &params, "--timeout", "20"]), &file);
        let seen = run(&mut command);
        seen.failed(&[]);
        silent(&seen.stderr);
    }
    // What cannot be used is not shown either.
    for words in [
        &["http://127.0.0.1:1/", "x", "{\"canary-4711"][..],
        &["http://canary-4711@127.0.0.1:1/", "x"],
        &["http://127.0.0.1:1/ canary-4711", "x"],
        &["http://127.0.0.1:1/", "x", "--header", "canary-4711"],
    ] {
        let seen = run(bridge().arg("call").args(words));
        seen.failed(&[]);
        silent(&seen.stderr);
    }
}

#[test]
fn connect_keeps_secrets_from_everybody_but_its_client() {
    let file = HeaderFile::new("connect");
    let served = Bridge::serve(&["--demo"]);
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": CANARY, "version": "1" } } });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "echo", "arguments": { "text": CANARY } } });
    let input = format!("{hello}\n{initialized}\n{CANARY}\n{{\"canary\":\n{call}\n");
    let mut urls = refusals();
    urls.extend(["/mcp", "/sse"].map(|path| format!("http://{}{path}?key={CANARY}", served.address())));
    for url in urls {
        let mut command = bridge();
        with_headers(command.args(["connect", &url]), &file);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        // It may have ended before it was told all.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = output(child);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let answered = stdout.lines().any(|line| {
            let message = Message::parse(line.to_owned(), &Default::default()).unwrap();
            line.contains(CANARY) && message.id() == Some(1.into())
        });
        assert_eq!(answered, url.contains(&served.address()), "{url} {stdout} {stderr}");
        assert!(stderr.contains("hyper_util") || stderr.contains("mcp.message"), "{url} {stderr}");
        silent(&stderr);
    }
}
