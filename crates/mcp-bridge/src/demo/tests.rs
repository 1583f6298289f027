//! The demo in memory: what each method and tool answers, in both eras.

use mcp_transport::core::Endpoint;
use mcp_transport::{Caller, Connection, Incoming, Options, Outcome};
use serde_json::{Value, json};

use super::serve_on;

/// A client of a fresh demo.
struct Client {
    caller: Caller,
    endpoint: Endpoint,
}

impl Client {
    fn new() -> Self {
        let (client, server) = Connection::pair(Options::default(), Options::default());
        tokio::spawn(serve_on(server));
        let endpoint = client.spawn();
        Self { caller: Caller::new(&endpoint.sender), endpoint }
    }

    async fn legacy(capabilities: Value) -> Self {
        let client = Self::new();
        let hello =
            json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {} });
        client.ask("initialize", hello).await.unwrap();
        client
    }

    /// The result, or code and data of the error.
    async fn ask(&self, method: &str, params: Value) -> Result<Value, (i64, Value)> {
        let response = self.caller.request(method, &params).await.unwrap();
        match response.outcome() {
            Outcome::Result(text) => Ok(serde_json::from_slice(text).unwrap()),
            Outcome::Error(error) => {
                Err((error.code().0, error.data().map(|data| data.decode().unwrap()).unwrap_or_default()))
            }
        }
    }

    async fn tool(&self, name: &str, arguments: Value) -> Result<Value, (i64, Value)> {
        self.ask("tools/call", json!({ "name": name, "arguments": arguments })).await
    }

    /// The params of the notifications that came in so far.
    fn notified(&mut self, method: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        while let Some(incoming) = self.endpoint.receiver.try_recv() {
            let Incoming::Notification(notification, _) = incoming else { panic!("{incoming:?}") };
            assert_eq!(notification.method(), method);
            seen.push(notification.params().unwrap());
        }
        seen
    }
}

fn meta(more: Value) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    meta.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    meta
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn versions_of_the_legacy_era() {
    for (wanted, given) in [
        ("2024-10-07", "2024-10-07"),
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let hello = json!({ "protocolVersion": wanted, "capabilities": {}, "clientInfo": {} });
        let welcome = Client::new().ask("initialize", hello).await.unwrap();
        assert_eq!(welcome["protocolVersion"], given);
        assert_eq!(welcome["capabilities"], json!({ "tools": {}, "logging": {} }));
        assert_eq!(
            welcome["serverInfo"],
            json!({ "name": "mcp-bridge-demo", "version": env!("CARGO_PKG_VERSION") })
        );
    }
    assert_eq!(Client::new().ask("initialize", json!({})).await.unwrap_err().0, -32602);
}

#[tokio::test]
async fn methods_of_the_legacy_era() {
    let client = Client::new();
    assert_eq!(client.ask("ping", json!({})).await, Ok(json!({})));
    assert_eq!(client.ask("tools/list", json!({})).await.unwrap_err().0, -32602, "before `initialize`");
    let client = Client::legacy(json!({})).await;
    let tools = client.ask("tools/list", json!({})).await.unwrap();
    assert_eq!(tools, client.ask("tools/list", json!({})).await.unwrap());
    assert_eq!(tools.get("resultType"), None);
    for tool in tools["tools"].as_array().unwrap() {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
    }
    assert_eq!(client.ask("tools/list", json!({ "cursor": "x" })).await.unwrap_err().0, -32602);
    assert_eq!(client.ask("no/such", json!({})).await.unwrap_err().0, -32601);
    assert_eq!(client.ask("server/discover", json!({})).await.unwrap_err().0, -32602);
    assert_eq!(client.ask("logging/setLevel", json!({ "level": "loud" })).await.unwrap_err().0, -32602);
}

#[tokio::test]
async fn tools_and_their_arguments() {
    let mut client = Client::legacy(json!({})).await;
    let odd = "\u{0}\u{2028}\"\\😀\n";
    assert_eq!(text(&client.tool("echo", json!({ "text": odd })).await.unwrap()), odd);
    for (a, b, sum) in [
        (json!(2), json!(40), "42"),
        (json!(1.5), json!(1), "2.5"),
        (json!(-1), json!(1e3), "999"),
        (json!(i64::MAX), json!(1), "9223372036854775808"),
    ] {
        assert_eq!(text(&client.tool("add", json!({ "a": a, "b": b })).await.unwrap()), sum);
    }
    assert_eq!(client.tool("fail", json!({})).await.unwrap()["isError"], true);
    assert_eq!(text(&client.tool("large", json!({ "bytes": 5 })).await.unwrap()), "xxxxx");
    for (name, arguments) in [
        ("no-such-tool", json!({})),
        ("echo", json!({})),
        ("echo", json!({ "text": 1 })),
        ("echo", json!({ "text": "x", "more": 1 })),
        ("echo", json!("text")),
        ("add", json!({ "a": "1", "b": 2 })),
        ("add", json!({ "a": 1.7e308, "b": 1.7e308 })),
        ("progress", json!({ "steps": 101 })),
        ("progress", json!({ "steps": -1 })),
        ("log", json!({ "level": "loud", "text": "x" })),
        ("fail", json!({ "x": 1 })),
        ("large", json!({ "bytes": 8 * 1024 * 1024 + 1 })),
        ("large", json!({ "bytes": 1.5 })),
        ("ask", json!({ "x": 1 })),
    ] {
        assert_eq!(client.tool(name, arguments.clone()).await.unwrap_err().0, -32602, "{name} {arguments}");
    }
    assert_eq!(client.notified("none").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn progress_is_reported_under_the_token_given() {
    let mut client = Client::legacy(json!({})).await;
    for token in [json!("t"), json!(7)] {
        let params =
            json!({ "name": "progress", "arguments": { "steps": 3 }, "_meta": { "progressToken": token } });
        client.ask("tools/call", params).await.unwrap();
        let expected: Vec<_> =
            (1..=3).map(|step| json!({ "progressToken": token, "progress": step, "total": 3 })).collect();
        assert_eq!(client.notified("notifications/progress"), expected);
    }
    client.tool("progress", json!({ "steps": 3 })).await.unwrap();
    assert_eq!(client.notified("none").len(), 0);
}

#[tokio::test]
async fn a_legacy_client_sets_the_level_of_the_log() {
    let mut client = Client::legacy(json!({})).await;
    client.tool("log", json!({ "level": "debug", "text": "1" })).await.unwrap();
    client.ask("logging/setLevel", json!({ "level": "warning" })).await.unwrap();
    client.tool("log", json!({ "level": "notice", "text": "2" })).await.unwrap();
    client.tool("log", json!({ "level": "warning", "text": "3" })).await.unwrap();
    assert_eq!(
        client.notified("notifications/message"),
        [
            json!({ "level": "debug", "logger": "demo", "data": "1" }),
            json!({ "level": "warning", "logger": "demo", "data": "3" }),
        ]
    );
}

#[tokio::test]
async fn a_legacy_client_is_asked() {
    let client = Client::legacy(json!({})).await;
    assert_eq!(client.tool("ask", json!({})).await.unwrap()["isError"], true, "it cannot sample");

    let mut client = Client::legacy(json!({ "sampling": {} })).await;
    let block = json!({ "type": "text", "text": "said" });
    for (content, said) in [(block.clone(), Some("said")), (json!([block]), Some("said")), (json!(1), None)] {
        let asking = tokio::spawn({
            let caller = client.caller.clone();
            async move { caller.request("tools/call", &json!({ "name": "ask" })).await.unwrap() }
        });
        let Some(Incoming::Request(question)) = client.endpoint.receiver.recv().await else { panic!() };
        assert_eq!(question.request().method(), "sampling/createMessage");
        question.finish(&json!({ "role": "assistant", "model": "m", "content": content }));
        let result: Value = serde_json::from_slice(asking.await.unwrap().result_raw().unwrap()).unwrap();
        match said {
            Some(said) => assert_eq!(text(&result), said),
            None => assert_eq!(result["isError"], true),
        }
    }
}

#[tokio::test]
async fn the_modern_era_wants_meta() {
    let client = Client::new();
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    for (meta, code) in [
        (json!({}), -32602),
        (json!({ version: "2026-07-28" }), -32602),
        (json!({ capabilities: {} }), -32602),
        (json!({ version: 1, capabilities: {} }), -32602),
        (json!({ version: "2026-07-28", capabilities: 1 }), -32602),
        (json!({ version: "2027-01-01", capabilities: {} }), -32022),
        (json!({ version: "2025-11-25", capabilities: {} }), -32022),
        (meta(json!({ "io.modelcontextprotocol/logLevel": "loud" })), -32602),
    ] {
        for method in ["server/discover", "tools/list", "no/such"] {
            let (seen, data) = client.ask(method, json!({ "_meta": meta })).await.unwrap_err();
            assert_eq!(seen, code, "{method} {meta}");
            if code == -32022 {
                assert_eq!(data["requested"], meta[version]);
                assert_eq!(data["supported"][0], "2026-07-28");
            }
        }
    }
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"] {
        assert_eq!(client.ask(method, json!({ "_meta": meta(json!({})) })).await.unwrap_err().0, -32601);
    }
}

#[tokio::test]
async fn results_of_the_modern_era() {
    let mut client = Client::new();
    let info = json!({ "name": "mcp-bridge-demo", "version": env!("CARGO_PKG_VERSION") });
    let log = json!({ "name": "log", "arguments": { "level": "info", "text": "x" } });
    for (method, params) in [
        ("server/discover", json!({})),
        ("tools/list", json!({})),
        ("tools/call", json!({ "name": "fail" })),
        ("tools/call", log.clone()),
    ] {
        let mut params = params;
        params["_meta"] = meta(json!({}));
        let result = client.ask(method, params).await.unwrap();
        assert_eq!(result["resultType"], "complete", "{method}");
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"], info);
        let cacheable = method != "tools/call";
        assert_eq!(result["ttlMs"].is_u64(), cacheable);
        assert_eq!(result["cacheScope"] == "public", cacheable);
    }
    // A log only for those who name a level, and from that level on.
    for (least, shown) in [("debug", 1), ("info", 1), ("notice", 0)] {
        let mut params = log.clone();
        params["_meta"] = meta(json!({ "io.modelcontextprotocol/logLevel": least }));
        client.ask("tools/call", params).await.unwrap();
        assert_eq!(client.notified("notifications/message").len(), shown, "{least}");
    }
}

#[tokio::test]
async fn a_modern_client_is_told_what_is_required() {
    let client = Client::new();
    let ask = |meta: Value| json!({ "name": "ask", "_meta": meta });
    let (code, data) = client.ask("tools/call", ask(meta(json!({})))).await.unwrap_err();
    assert_eq!((code, data), (-32021, json!({ "requiredCapabilities": { "sampling": {} } })));

    let samples = meta(json!({ "io.modelcontextprotocol/clientCapabilities": { "sampling": {} } }));
    let required = client.ask("tools/call", ask(samples.clone())).await.unwrap();
    assert_eq!(required["resultType"], "input_required");
    let (key, request) = required["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(request["method"], "sampling/createMessage");

    let mut again = ask(samples.clone());
    again["inputResponses"] =
        json!({ key: { "role": "assistant", "model": "m", "content": { "type": "text", "text": "said" } } });
    let result = client.ask("tools/call", again).await.unwrap();
    assert_eq!((text(&result), &result["resultType"]), ("said", &json!("complete")));

    let mut other = ask(samples);
    other["inputResponses"] = json!({ "other": {} });
    assert_eq!(client.ask("tools/call", other).await.unwrap()["resultType"], "input_required");
}
