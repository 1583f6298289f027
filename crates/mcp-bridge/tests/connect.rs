//! `connect`, and headers: our own stdin and stdout at one end, a server over a socket at the other.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc;

use common::bridge::Bridge;
use common::{bridge, call, kill, output, run, status};
use serde_json::{Value, json};

/// A running `connect`.
struct Connect {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Connect {
    fn to(url: &str, args: &[&str]) -> Self {
        let mut command = bridge();
        let mut child = command.args(["connect", url]).args(args).stdin(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), stdout, child }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn receive(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits for the end: status and stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status(self.child).code(), stderr)
    }
}

/// A server that gives each connection to `serve`, with the head of its request.
fn raw(serve: impl Fn(String, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sse", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap() == 0 {
                    break;
                }
            }
            serve(head, &mut socket);
        }
    });
    url
}

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\ndata: /message?sessionId=1\n\n";

/// Answers GET with a stream that the channel ends, and POST with 202. Says what came.
fn recorded() -> (String, mpsc::Receiver<String>, mpsc::Sender<()>) {
    let (saw, seen) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let ended = std::sync::Arc::new(std::sync::Mutex::new(Some(ended)));
    let url = raw(move |head, socket| {
        let get = head.starts_with("GET ");
        saw.send(head).unwrap();
        if get {
            socket.write_all(STREAM.as_bytes()).unwrap();
            let (socket, ended) = (socket.try_clone().unwrap(), ended.lock().unwrap().take());
            std::thread::spawn(move || {
                if let Some(ended) = ended {
                    let _ = ended.recv();
                }
                let _ = socket.shutdown(std::net::Shutdown::Both);
            });
        } else {
            socket
                .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
        }
    });
    (url, seen, end)
}

#[test]
fn a_remote_server_becomes_a_stdio_server() {
    let bridge = Bridge::serve(&["--demo"]);
    let mut connect = Connect::to(&bridge.url, &[]);
    let params =
        json!({ "protocolVersion": "2025-06-18", "capabilities": { "sampling": {} }, "clientInfo": {} });
    connect.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string());
    let welcome: Value = serde_json::from_str(&connect.receive()).unwrap();
    assert_eq!(welcome["result"]["protocolVersion"], "2025-06-18");
    connect.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    // The server asks the client, through both.
    connect.send(r#"{"jsonrpc":"2.0","id":"ask","method":"tools/call","params":{"name":"ask"}}"#);
    let asked: Value = serde_json::from_str(&connect.receive()).unwrap();
    assert_eq!(asked["method"], "sampling/createMessage");
    let said = json!({ "role": "assistant", "content": { "type": "text", "text": "hello" }, "model": "m" });
    connect.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": said }).to_string());
    let answer: Value = serde_json::from_str(&connect.receive()).unwrap();
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!("ask"), &json!("hello")));
    // What was asked before the end of input is answered.
    connect.send(r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"progress","arguments":{"steps":20}}}"#);
    connect.stdin = None;
    assert!(connect.receive().contains(r#""id":9"#));
    assert_eq!(connect.receive(), "");
    assert_eq!(connect.end(), (Some(0), String::new()));
    bridge.line("ended");
}

#[test]
fn bytes_pass_unchanged() {
    let bridge = Bridge::serve(&["--", "cat"]);
    let mut connect = Connect::to(&bridge.url, &[]);
    let line = r#"{ "z":1e2,"x":{"é":12345678901234567890},"method":"notifications/x","params":{"s":"\u00e9\/"},"jsonrpc":"2.0"}"#;
    connect.send(line);
    assert_eq!(connect.receive(), line);
    kill("TERM", connect.child.id());
    assert_eq!(connect.end(), (Some(143), String::new()));
}

#[test]
fn a_session_that_ends_is_told() {
    let (url, seen, end) = recorded();
    let mut connect = Connect::to(&url, &["--transport", "sse-only"]);
    connect.send(r#"{"jsonrpc":"2.0","id":5,"method":"wait"}"#);
    assert!(seen.recv().unwrap().starts_with("GET "));
    assert!(seen.recv().unwrap().starts_with("POST /message?sessionId=1 "));
    drop(end);
    let answer: Value = serde_json::from_str(&connect.receive()).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["data"]["reason"]), (&json!(5), &json!("closed")));
    let (code, stderr) = connect.end();
    assert_eq!((code, stderr.as_str()), (Some(3), "mcp-bridge: the server ended the session\n"));
}

#[test]
fn who_cannot_be_reached() {
    let connect = |url: &str| run(bridge().args(["connect", url]));
    connect("http://127.0.0.1:1/sse").failed(&["cannot connect"]);
    connect("https://127.0.0.1:1/sse").failed(&["cannot connect"]);
    connect("tools/list").failed(&["URL"]);
    connect(&raw(|_, socket| {
        socket.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap()
    }))
    .failed(&["404"]);
    connect(&raw(|_, socket| {
        socket.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap()
    }))
    .failed(&["no event stream"]);
}

#[test]
fn a_refusal_names_the_scheme_and_nothing_else() {
    let refuse = |status: &'static str| {
        raw(move |_, socket| {
            let challenge = "WWW-Authenticate: Bearer realm=\"inner\", resource_metadata=\"http://inner/\"";
            write!(socket, "HTTP/1.1 {status}\r\n{challenge}\r\nContent-Length: 5\r\n\r\ninner").unwrap();
        })
    };
    for (status, code) in [("401 Unauthorized", "401"), ("403 Forbidden", "403")] {
        let url = refuse(status);
        let header = ["--header", "Authorization: Bearer sesame"];
        for seen in
            [run(bridge().args(["connect", &url]).args(header)), call(&[&[&*url, "x"], &header[..]].concat())]
        {
            seen.failed(&[code, "Bearer"]);
            assert!(!seen.stderr.contains("inner") && !seen.stderr.contains("sesame"), "{seen:?}");
        }
    }
}

#[test]
fn headers_reach_the_server_and_never_the_log() {
    let file = format!("{}/headers-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::write(&file, "# a comment\n\nAuthorization: Bearer sesame\r\nX-Key: open:sesame\n").unwrap();
    let (url, seen, end) = recorded();
    let args = ["--header-file", &file, "--header", "X-One: sesame-too", "--log", "trace"];
    let mut connect = Connect::to(&url, &args);
    connect.send(r#"{"jsonrpc":"2.0","id":5,"method":"wait"}"#);
    for _ in ["GET", "POST"] {
        let head = seen.recv().unwrap().to_ascii_lowercase();
        for line in ["authorization: bearer sesame\r\n", "x-key: open:sesame\r\n", "x-one: sesame-too\r\n"] {
            assert!(head.contains(line), "{head}");
        }
    }
    drop(end);
    let (code, stderr) = connect.end();
    assert_eq!(code, Some(3));
    assert!(stderr.contains("mcp.message") && !stderr.contains("sesame"), "{stderr}");

    std::fs::write(&file, "X-Good: 1\nsesame\n").unwrap();
    let seen = call(&["http://127.0.0.1:1/sse", "x", "--header-file", &file]);
    seen.failed(&["line 2"]);
    assert!(!seen.stderr.contains("sesame"), "{seen:?}");
    std::fs::remove_file(&file).unwrap();
    call(&["http://127.0.0.1:1/sse", "x", "--header-file", &file]).failed(&["--header-file", &file]);
    let seen = call(&["http://127.0.0.1:1/sse", "x", "--header", "sesame"]);
    seen.failed(&["K:V"]);
    assert!(!seen.stderr.contains("sesame"), "{seen:?}");
}

#[test]
fn a_stream_that_says_nothing_can_be_given_up() {
    let (url, seen, _end) = recorded();
    let connect = Connect::to(&url, &[]);
    seen.recv().unwrap();
    kill("INT", connect.child.id());
    assert_eq!(connect.end().0, Some(130));

    // No head at all.
    let (saw, silent) = mpsc::channel();
    let url = raw(move |_, socket| saw.send(socket.try_clone().unwrap()).unwrap());
    let child = bridge().args(["call", &url, "x", "--timeout", "0.3"]).spawn().unwrap();
    let seen = output(child);
    assert_eq!(seen.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&seen.stderr).contains("the first request within 0.3 s"));
    drop(silent);
}
