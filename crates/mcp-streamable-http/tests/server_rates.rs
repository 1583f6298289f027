//! Rate limits over a real server: sessions that are opened, and what is asked within one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use mcp_http::{Authenticate, Rate, RateLimits, Rates, Refusal, RouterOptions};
use mcp_streamable_http::{Legacy, StreamableOptions};
use mcp_transport_core::{BoxFuture, Principal};

use raw::{Answer, Client, initialize, request};
use served::Served;

const VERSION: &str = "2025-11-25";

/// Everybody is who they say they are.
struct Name;

impl Authenticate for Name {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let name = parts.headers.get("authorization").map(|value| value.to_str().unwrap());
        Box::pin(std::future::ready(Ok(name.map(Principal::new))))
    }
}

/// None of these is given again while a test runs.
fn rate(burst: u32) -> Option<Rate> {
    Some(Rate::every(Duration::from_secs(3600), burst))
}

async fn served(rates: Rates, options: StreamableOptions) -> Served {
    let router =
        RouterOptions::default().authenticate(Arc::new(Name)).rate_limit(Arc::new(RateLimits::new(rates)));
    Served::all_behind(options, router).await
}

fn client(served: &Served, name: &str) -> Client {
    Client { address: served.address, headers: format!("Authorization: {name}\r\n") }
}

/// A client with a session.
async fn session(served: &Served, name: &str) -> Client {
    let mut client = client(served, name);
    let answer = client.ask(&initialize(VERSION)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.header("mcp-session-id").expect("a session");
    client.headers += &format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {VERSION}\r\n");
    client
}

fn is_too_many(answer: &Answer) -> bool {
    answer.status == 429 && answer.header("retry-after") == Some("3600")
}

#[tokio::test]
async fn sessions_are_opened_so_often_and_no_more() {
    const BURST: u32 = 3;
    let served = served(Rates::default().with_opening(rate(BURST)), StreamableOptions::default()).await;
    let mut sessions = Vec::new();
    for _ in 0..BURST {
        sessions.push(session(&served, "a").await);
    }
    let tasks = served::tasks();
    for _ in 0..3 {
        let refused = client(&served, "a").ask(&initialize(VERSION)).await;
        assert!(is_too_many(&refused), "{refused:?}");
    }
    assert_eq!(served.server.session_count(), BURST as usize, "what was refused was never made");
    // What is open goes on, one that ends gives nothing back, and others are none the wiser.
    assert_eq!(sessions[0].ask(&request(1, "echo", "{}")).await.status, 200);
    assert_eq!(sessions[1].delete().await.status, 204);
    assert!(is_too_many(&client(&served, "a").ask(&initialize(VERSION)).await));
    session(&served, "b").await;
    served::until("the end of what was refused", || served::tasks() <= tasks).await;
}

#[tokio::test]
async fn a_session_is_asked_so_often_and_no_more() {
    const BURST: u32 = 5;
    let rates = Rates::default().with_session(rate(BURST));
    let served = served(rates, StreamableOptions::default()).await;
    let (first, second) = (session(&served, "a").await, session(&served, "a").await);
    // Whoever is not its principal does not know it, and takes nothing from it.
    let thief = Client { headers: first.headers.replace("Authorization: a", "Authorization: b"), ..first };
    for _ in 0..10 {
        assert_eq!(thief.ask(&request(1, "echo", "{}")).await.status, 404);
        assert_eq!(thief.get("").await.answer().await.status, 404);
        assert_eq!(thief.delete().await.status, 404);
    }
    // Messages, streams and what is refused for other reasons are all counted.
    assert_eq!(first.ask(&request(1, "echo", "{}")).await.status, 200);
    assert_eq!(first.ask(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).await.status, 202);
    assert_eq!(first.ask(&initialize(VERSION)).await.status, 400);
    let mut stream = first.get("").await;
    assert_eq!(stream.head().await.0, 200);
    assert_eq!(first.get("").await.answer().await.status, 409);
    for _ in 0..3 {
        assert!(is_too_many(&first.ask(&request(2, "echo", "{}")).await));
        assert!(is_too_many(&first.get("Last-Event-ID: 0-1\r\n").await.answer().await));
        assert!(is_too_many(&first.delete().await));
    }
    assert_eq!(served.server.session_count(), 2);
    // Two sessions of one principal are apart.
    for id in 1..BURST {
        assert_eq!(second.ask(&request(id.into(), "echo", "{}")).await.status, 200);
    }
    assert_eq!(second.delete().await.status, 204);
}

/// What has no session is counted for its principal, and opens none.
#[tokio::test]
async fn what_has_no_session_is_its_principals() {
    let rates = Rates::default().with_opening(rate(1)).with_session(rate(1)).with_principal(rate(4));
    let mut options = StreamableOptions::default();
    options.legacy = Legacy::Stateless;
    let served = served(rates, options).await;
    let asks = client(&served, "a");
    for _ in 0..2 {
        assert_eq!(asks.ask(&initialize(VERSION)).await.status, 200);
    }
    let modern = Client {
        headers: format!("{}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: where\r\n", asks.headers),
        ..asks
    };
    let meta = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}"#;
    for id in 1..3 {
        let answer = modern.ask(&request(id, "where", meta)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(is_too_many(&modern.ask(&request(3, "where", meta)).await));
    let other = Client { headers: modern.headers.replace("Authorization: a", "Authorization: b"), ..modern };
    assert_eq!(other.ask(&request(3, "where", meta)).await.status, 200);
}
