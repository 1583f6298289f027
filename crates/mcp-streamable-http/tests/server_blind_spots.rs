//! What the official conformance suite does not notice, on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use mcp_streamable_http::StreamableOptions;
use serde_json::json;

use mounted::{Ask, MODERN};
use raw::{Answer, Client, Event, Raw, Said, initialize, request};
use served::Served;

const LEGACY: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

async fn served() -> Served {
    Served::new(StreamableOptions::default()).await
}

async fn send(served: &Served, ask: &Ask) -> Raw {
    let mut raw = Raw::connect(served.address).await;
    raw.send(&ask.text()).await;
    raw
}

async fn told(served: &Served, ask: &Ask) -> Answer {
    send(served, ask).await.answer().await
}

/// One good request for each thing that can be asked: a method, in each era that has it.
async fn good(served: &Served) -> Vec<Ask> {
    let client = Client::initialized(served.address, "2025-11-25").await;
    let session = client.headers.lines().next().unwrap().strip_prefix("Mcp-Session-Id: ").unwrap().to_owned();
    let get = Ask::new("GET").with("accept", "text/event-stream").with("mcp-session-id", &session);
    vec![
        Ask::modern(1, "where", json!({})),
        Ask::post(r#"{"jsonrpc":"2.0","method":"note"}"#).with("mcp-protocol-version", MODERN),
        Ask::post(initialize("2025-11-25")),
        Ask::post(request(2, "where", "{}")).with("mcp-session-id", &session),
        Ask::post(r#"{"jsonrpc":"2.0","method":"note"}"#).with("mcp-session-id", &session),
        get,
        Ask::new("DELETE").with("mcp-session-id", &session),
    ]
}

#[tokio::test]
async fn host_or_origin_that_is_bad_alone() {
    let served = served().await;
    let good = good(&served).await;
    for ask in &good {
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "0.0.0.0"] {
            let answer = told(&served, &ask.clone().without("host").with("host", host)).await;
            assert_eq!(answer.status, 403, "{host} {ask:?}");
            // A good Origin does not help it.
            let ask = ask.clone().without("host").with("host", host).with("origin", "http://localhost");
            assert_eq!(told(&served, &ask).await.status, 403, "{host} {ask:?}");
        }
        for origin in ["http://evil.example", "null", "http://localhost.evil.example", "localhost", ""] {
            let answer = told(&served, &ask.clone().with("origin", origin)).await;
            assert_eq!(answer.status, 403, "{origin} {ask:?}");
        }
        assert_eq!(told(&served, &ask.clone().without("host")).await.status, 400, "{ask:?}");
    }
    assert_eq!(served.server.session_count(), 1);
    for ask in &good {
        let (status, _) =
            send(&served, &ask.clone().with("origin", "http://localhost:5173")).await.head().await;
        assert!((200..300).contains(&status), "{status} {ask:?}");
    }
}

#[tokio::test]
async fn a_version_that_is_bad_is_not_served() {
    let served = served().await;
    for ask in good(&served).await {
        let ask = ask.without("mcp-protocol-version");
        for version in ["1.0", "2025-11-26", "2026-07-29", "2025-11-25, 2025-11-25", "", "draft"] {
            let answer = told(&served, &ask.clone().with("mcp-protocol-version", version)).await;
            assert_eq!(answer.status, 400, "{version} {ask:?} {answer:?}");
        }
    }
    assert_eq!(served.server.session_count(), 1);
}

#[tokio::test]
async fn accept_is_not_ignored() {
    let served = served().await;
    for ask in good(&served).await {
        let bad: &[&str] = match ask.method {
            "POST" => &["application/json", "text/event-stream", "text/html", "application/json;q=0, */*"],
            "GET" => &["application/json", "text/html", "text/event-stream;q=0, */*"],
            _ => &[],
        };
        for accept in bad {
            let answer = told(&served, &ask.clone().without("accept").with("accept", *accept)).await;
            assert_eq!(answer.status, 406, "{accept} {ask:?}");
        }
    }
    assert_eq!(served.server.session_count(), 1);
}

#[tokio::test]
async fn a_notification_or_response_is_answered_202_and_nothing_else() {
    let served = served().await;
    let expected = ["content-length: 0", "x-content-type-options: nosniff"].map(str::to_owned);
    let mut asks = vec![Ask::post(r#"{"jsonrpc":"2.0","method":"n"}"#).with("mcp-protocol-version", MODERN)];
    for version in LEGACY {
        let client = Client::initialized(served.address, version).await;
        let session = client.headers.lines().next().unwrap().split(": ").nth(1).unwrap().to_owned();
        for body in [
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            // To requests that were never sent.
            r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":""}}"#,
        ] {
            asks.push(Ask::post(body).with("mcp-session-id", &session).with("mcp-protocol-version", version));
        }
    }
    for ask in asks {
        let answer = told(&served, &ask).await;
        assert_eq!((answer.status, answer.headers.as_slice()), (202, &expected[..]), "{ask:?}");
    }
}

#[tokio::test]
async fn a_response_to_nothing_disturbs_nobody_who_waits() {
    let served = served().await;
    let client = Client::initialized(served.address, "2025-11-25").await;
    let mut stream = client.post(&request(7, "ask", "{}")).await;
    stream.head().await;
    let question = loop {
        let data = stream.event().await.unwrap().data.unwrap();
        if !data.is_empty() {
            break serde_json::from_str::<serde_json::Value>(&data).unwrap();
        }
    };
    let asked = question["id"].to_string();
    for id in ["4711", "\"1\"", "\"\"", "-1", "0"] {
        if id != asked {
            let other = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"a":1}}}}"#);
            assert_eq!(client.ask(&other).await.status, 202);
        }
    }
    // Nor does one of another session, or of none, whatever its id is.
    let right = format!(r#"{{"jsonrpc":"2.0","id":{asked},"result":{{}}}}"#);
    let other = Client::initialized(served.address, "2025-11-25").await;
    assert_eq!(other.ask(&right).await.status, 202);
    assert_eq!(Client::new(served.address).ask(&right).await.status, 400);
    assert_eq!(client.ask(&right).await.status, 202);
    assert_eq!(stream.event().await.unwrap().data.unwrap(), r#"{"jsonrpc":"2.0","id":7,"result":2}"#);
}

/// The events of a stream that has ended in good order, without those that say nothing.
async fn all(mut stream: Raw) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match stream.said().await {
            Said::End => return events,
            Said::Cut => panic!("cut after {events:?}"),
            Said::Event(text) => {
                let field =
                    |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                events.push(Event { id: field("id: "), data: field("data: "), retry: field("retry: ") });
            }
        }
    }
}

#[tokio::test]
async fn each_message_is_on_the_one_stream_that_it_belongs_to() {
    let served = served().await;
    for version in LEGACY {
        let client = Client::initialized(served.address, version).await;
        let mut general = client.get("").await;
        assert_eq!(general.head().await.0, 200);
        let mut streams = Vec::new();
        for (id, to) in [(11, 3), (12, 5), (13, 70)] {
            let mut stream = client.post(&request(id, "count", &format!("[{to}]"))).await;
            assert_eq!(stream.head().await.0, 200);
            streams.push((id, to, stream));
        }
        let mut ids = Vec::new();
        for (id, to, stream) in streams {
            // It ends after its response.
            let events = all(stream).await;
            let said: Vec<_> = events
                .iter()
                .filter_map(|event| event.data.clone())
                .filter(|data| !data.is_empty())
                .collect();
            let mut expected: Vec<_> =
                (1..=to).map(|n| format!(r#"{{"jsonrpc":"2.0","method":"note","params":[{n}]}}"#)).collect();
            expected.push(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{to}}}"#));
            assert_eq!(said, expected);
            ids.extend(events.into_iter().filter_map(|event| event.id));
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "an event id stands for one event of the session");
        // Nothing of all that was on the other stream, which ends with the session.
        assert_eq!(client.delete().await.status, 204);
        let said = all(general).await;
        assert!(said.iter().all(|event| event.data.as_deref().is_none_or(str::is_empty)), "{said:?}");
    }
}

#[tokio::test]
async fn a_modern_stream_ends_with_its_response() {
    let (endpoint, listener) = mcp_streamable_http::StreamableServer::new(StreamableOptions::default());
    let router = mcp_http::Router::new(mcp_http::RouterOptions::default(), endpoint.routes());
    let options = mcp_http::ServerOptions::default();
    let server = mcp_http::Server::bind(([127, 0, 0, 1], 0).into(), options).await.unwrap();
    let address = server.local_addr();
    tokio::spawn(server.serve(router));
    mounted::serve_all(listener, std::sync::Arc::default()).await;
    // More than is buffered anywhere on the way.
    for to in [1, 3, 20_000] {
        let mut raw = Raw::connect(address).await;
        raw.send(&Ask::modern(1, "count", json!({ "to": to })).text()).await;
        assert_eq!(raw.head().await.0, 200);
        let events = all(raw).await;
        assert_eq!(events.len(), to + 1);
        assert!(events.iter().all(|event| event.id.is_none() && event.retry.is_none()));
        let last = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{to}}}"#);
        assert_eq!(events.last().unwrap().data, Some(last));
    }
}
