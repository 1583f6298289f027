//! Rate limits over a real server: streams that are opened, and messages that are posted into a session.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use mcp_http::{Authenticate, Rate, RateLimits, Rates, Refusal, RouterOptions, ServerOptions};
use mcp_sse::SseOptions;
use mcp_transport_core::{BoxFuture, Principal};

use raw::{Answer, Raw, ask};
use served::Served;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

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

async fn served(rates: Rates) -> Served {
    let router =
        RouterOptions::default().authenticate(Arc::new(Name)).rate_limit(Arc::new(RateLimits::new(rates)));
    Served::with(SseOptions::default(), ServerOptions::default(), router).await
}

async fn open_as(address: SocketAddr, name: &str) -> (Raw, String) {
    let mut raw = Raw::connect(address).await;
    raw.send(&format!("GET /sse HTTP/1.1\r\nHost: localhost\r\nAuthorization: {name}\r\n\r\n")).await;
    assert_eq!(raw.head().await.0, 200);
    let endpoint = raw.event("endpoint").await;
    (raw, endpoint)
}

async fn post_as(address: SocketAddr, endpoint: &str, name: &str) -> Answer {
    let head = format!("POST {endpoint} HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: {name}");
    ask(address, &head, PING).await
}

fn is_too_many(answer: &Answer) -> bool {
    answer.status == 429 && answer.headers.iter().any(|line| line == "retry-after: 3600")
}

#[tokio::test]
async fn streams_are_opened_so_often_and_no_more() {
    const BURST: u32 = 3;
    let served = served(Rates::default().with_opening(rate(BURST))).await;
    let mut streams = Vec::new();
    for _ in 0..BURST {
        streams.push(open_as(served.address, "a").await);
    }
    for _ in 0..3 {
        let refused = ask(served.address, "GET /sse HTTP/1.1\r\nAuthorization: a", "").await;
        assert!(is_too_many(&refused), "{refused:?}");
    }
    assert_eq!(served.sse.session_count(), BURST as usize, "what was refused was never made");
    // What is open goes on, one that ends gives nothing back, and others are none the wiser.
    assert_eq!(post_as(served.address, &streams[0].1, "a").await.status, 202);
    drop(streams.pop());
    assert!(is_too_many(&ask(served.address, "GET /sse HTTP/1.1\r\nAuthorization: a", "").await));
    open_as(served.address, "b").await;
}

#[tokio::test]
async fn a_session_is_posted_into_so_often_and_no_more() {
    const BURST: u32 = 4;
    let served = served(Rates::default().with_session(rate(BURST)).with_principal(rate(30))).await;
    let (_one, first) = open_as(served.address, "a").await;
    let (_two, second) = open_as(served.address, "a").await;
    // Whoever is not its principal does not know it, and takes nothing from it; nor do ids that nobody has.
    let unknown = format!("{}x", &first[..first.len() - 1]);
    for _ in 0..10 {
        assert_eq!(post_as(served.address, &first, "b").await.status, 404);
        assert_eq!(post_as(served.address, &unknown, "b").await.status, 404);
    }
    for _ in 0..BURST {
        assert_eq!(post_as(served.address, &first, "a").await.status, 202);
    }
    let refused = post_as(served.address, &first, "a").await;
    assert!(is_too_many(&refused), "{refused:?}");
    // Two sessions of one principal are apart, and together they have what it has.
    for _ in 0..BURST {
        assert_eq!(post_as(served.address, &second, "a").await.status, 202);
    }
    assert!(is_too_many(&post_as(served.address, &second, "a").await));
    let spent = 2 + 2 * (BURST + 1);
    let (mut streams, left) = (Vec::new(), 30 - spent);
    for _ in 0..left {
        streams.push(open_as(served.address, "a").await);
    }
    assert!(is_too_many(&ask(served.address, "GET /sse HTTP/1.1\r\nAuthorization: a", "").await));
    assert_eq!(served.sse.session_count(), 2 + left as usize);
}

/// Loopback stands for everybody, and without principals there is nobody else to count for.
#[tokio::test]
async fn loopback_opens_as_often_as_it_likes() {
    let rates = Rates::default().with_opening(rate(1)).with_address(rate(1)).with_failures(rate(1));
    let router = RouterOptions::default().rate_limit(Arc::new(RateLimits::new(rates)));
    let served = Served::with(SseOptions::default(), ServerOptions::default(), router).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(raw::open(served.address, "/sse").await);
    }
    assert_eq!(served.sse.session_count(), 20);
}
