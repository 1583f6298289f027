//! Requests by hand: what is wrong with them is in them, and so is what is right.

use mcp_transport::StreamableOptions;
use serde_json::json;

use super::guarded::Guarded;
use super::secrets::Secrets;
use crate::wire::{Wire, get, post};

/// What a session is asked with: lines of the head.
struct Sessions {
    /// Of Streamable HTTP.
    streamable: Vec<String>,
    /// Of HTTP+SSE: where to post, and its stream, which is its life.
    endpoint: String,
    _stream: Wire,
}

pub(crate) async fn requests(secrets: &Secrets) {
    let guarded = Guarded::start(secrets, StreamableOptions::default());
    let good = format!("Authorization: Bearer {}\r\n", guarded.token);
    let names =
        ["X-Api-Key", "Cookie", "Proxy-Authorization", "X-Forwarded-For", "Last-Event-ID", "Mcp-Name"];
    let more = names.map(|name| format!("{name}: {}\r\n", secrets.make(&name.to_lowercase()))).concat();
    let sessions = open(secrets, &guarded, &good, &more).await;

    let mut seen = Vec::new();
    let said = || secrets.make("header");
    let modern = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tell\r\n";
    let odd = format!(
        "MCP-Protocol-Version: {}\r\nMcp-Method: {}\r\nMcp-Param-A: {}\r\nMcp-Name: {}\r\n",
        said(),
        said(),
        said(),
        said()
    );
    let unknown = format!("Mcp-Session-Id: {}\r\n", secrets.make("unknown-session"));
    let query = format!("/mcp?access_token={}", secrets.make("query"));
    let bad = format!("Authorization: Bearer {}\r\n", secrets.make("bad-token"));
    for body in bodies(secrets) {
        let ask = async |target: &str, headers: String| guarded.ask(post(target, &headers, &body)).await;
        for session in &sessions.streamable {
            seen.push(ask("/mcp", format!("{good}{more}{session}")).await.status);
        }
        for headers in [modern, &odd, "", &unknown] {
            seen.push(ask(&query, format!("{good}{more}{headers}")).await.status);
        }
        seen.push(ask(&sessions.endpoint, format!("{good}{more}")).await.status);
        for headers in [&bad, ""] {
            let answer = ask("/mcp", format!("{headers}{more}")).await;
            assert_eq!(answer.status, 401);
            secrets.say(&format!("{}{}", answer.head, answer.body));
        }
    }
    for head in heads(secrets, &good) {
        seen.push(guarded.ask(head).await.status);
    }
    for session in &sessions.streamable {
        for headers in ["", &more, &unknown] {
            seen.push(guarded.ask(get("/mcp", &format!("{good}{headers}"))).await.status);
            seen.push(guarded.ask(delete(&format!("{good}{headers}"))).await.status);
        }
        let mut general = Wire::connect(guarded.whole.address).await;
        general.send(get("/mcp", &format!("{good}{session}")).as_bytes()).await;
        assert_eq!(general.head().await.0, 200);
        assert_eq!(guarded.ask(delete(&format!("{good}{session}"))).await.status, 204);
    }
    for status in [200, 202, 400, 403, 404, 405] {
        assert!(seen.contains(&status), "{status} not in {seen:?}");
    }

    secrets.show(&guarded.whole.router);
    secrets.show(&guarded.whole.sse);
    secrets.show(&guarded.whole.streamable);
    secrets.show(&guarded.whole.control);
    guarded.whole.control.shutdown();
    secrets.show(&guarded.whole.serving.await.unwrap().unwrap());
}

fn delete(headers: &str) -> String {
    format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// Opens a session of each kind.
async fn open(secrets: &Secrets, guarded: &Guarded, good: &str, more: &str) -> Sessions {
    let mut streamable = Vec::new();
    for version in ["2025-11-25", "2025-03-26"] {
        let params = json!({ "protocolVersion": version, "clientInfo": { "name": secrets.make("client") } });
        let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = guarded.ask(post("/mcp", &format!("{good}{more}"), &hello.to_string())).await;
        let id = answer.header("mcp-session-id").unwrap_or_else(|| panic!("{answer:?}"));
        secrets.keep_session(id);
        streamable.push(format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {version}\r\n"));
    }
    let mut stream = Wire::connect(guarded.whole.address).await;
    stream.send(get(&format!("/sse?key={}", secrets.make("query")), good).as_bytes()).await;
    assert_eq!(stream.head().await.0, 200);
    let endpoint = stream.data().await;
    secrets.keep_session(endpoint.split_once("sessionId=").unwrap().1);
    Sessions { streamable, endpoint, _stream: stream }
}

/// Messages, and what is none.
fn bodies(secrets: &Secrets) -> Vec<String> {
    let with = |text: &str| text.replace("SECRET", &secrets.make("payload"));
    let request = |id: u32, method: &str| {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"SECRET":["SECRET"]}}}}"#);
        with(&text)
    };
    let methods = ["tell", "say", "fail", "panic", "forget"];
    let mut bodies: Vec<_> = methods.iter().zip(1..).map(|(method, id)| request(id, method)).collect();
    bodies.push(format!("[{},{}]", request(8, "tell"), request(9, "say")));
    let others = [
        r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"a":"SECRET"}}"#,
        r#"{"jsonrpc":"2.0","id":99,"result":"SECRET"}"#,
        r#"{"jsonrpc":"2.0","id":98,"error":{"code":1,"message":"SECRET"}}"#,
        r#"{"jsonrpc":"2.0","id":6,"method":"tell","params":"SECRET"}"#,
        r#"{"jsonrpc":"SECRET","id":7,"method":"tell"}"#,
        r#"[{"SECRET":1}]"#,
        r#"{"SECRET":"#,
        "SECRET",
    ];
    bodies.extend(others.map(with));
    bodies
}

/// Heads that are refused.
fn heads(secrets: &Secrets, good: &str) -> [String; 6] {
    [
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n{good}\r\n", secrets.make("path")),
        format!("GET /mcp HTTP/1.1\r\nHost: {}.example\r\n{good}\r\n", secrets.make("host")),
        format!("GET /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{}\r\n\r\n", secrets.make("origin")),
        format!("{} /mcp HTTP/1.1\r\nHost: localhost\r\n{good}\r\n", secrets.make("method")),
        format!("GET /mcp HTTP/1.1\r\n{}\r\n\r\n", secrets.make("no-header")),
        format!("GET /mcp HTTP/1.1\r\nHost: localhost\r\n{} : x\r\n\r\n", secrets.make("bad-header")),
    ]
}
