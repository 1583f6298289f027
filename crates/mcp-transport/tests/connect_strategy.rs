//! What reaches a server in which order, and what is remembered of it.
#![cfg(all(unix, feature = "connect"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod odd;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mcp_transport::http::{HttpClient, HttpClientOptions};
use mcp_transport::{Binding, Connector, Era, ErrorKind, Strategy};
use serde_json::json;

use odd::{Asked, Odd, Says, endpoint, text, within};

const DISCOVER: &str = "POST server/discover";
const INITIALIZE: &str = "POST initialize";

fn modern(asked: &Asked) -> Says {
    match &*asked.what {
        DISCOVER => asked.result("", json!({ "supportedVersions": ["2026-07-28"] })),
        _ => text("405 Method Not Allowed"),
    }
}

fn legacy(asked: &Asked) -> Says {
    match &*asked.what {
        INITIALIZE => asked.result("Mcp-Session-Id: abc\r\n", json!({ "protocolVersion": "2025-06-18" })),
        _ => text("400 Bad Request"),
    }
}

fn sse(asked: &Asked) -> Says {
    if asked.what == "GET" { endpoint() } else { text("404 Not Found") }
}

fn both(asked: &Asked) -> Says {
    if asked.what == "GET" { endpoint() } else { modern(asked) }
}

fn nothing(_: &Asked) -> Says {
    text("404 Not Found")
}

const MODERN: Option<(Binding, Era)> = Some((Binding::StreamableHttp, Era::Modern));
const LEGACY: Option<(Binding, Era)> = Some((Binding::StreamableHttp, Era::Legacy));
const SSE: Option<(Binding, Era)> = Some((Binding::Sse, Era::Legacy));

type Case = (fn(&Asked) -> Says, Strategy, &'static [&'static str], Option<(Binding, Era)>);

#[tokio::test]
async fn what_is_asked_in_which_order() {
    const ALL: &[&str] = &[DISCOVER, INITIALIZE, "GET"];
    const OPENED: &[&str] = &[DISCOVER, INITIALIZE, "DELETE"];
    const SSE_THEN_OPENED: &[&str] = &["GET", DISCOVER, INITIALIZE, "DELETE"];
    let cases: [Case; 20] = [
        (modern, Strategy::HttpFirst, &[DISCOVER], MODERN),
        (modern, Strategy::SseFirst, &["GET", DISCOVER], MODERN),
        (modern, Strategy::HttpOnly, &[DISCOVER], MODERN),
        (modern, Strategy::SseOnly, &["GET"], None),
        (legacy, Strategy::HttpFirst, OPENED, LEGACY),
        (legacy, Strategy::SseFirst, SSE_THEN_OPENED, LEGACY),
        (legacy, Strategy::HttpOnly, &[DISCOVER], LEGACY),
        (legacy, Strategy::SseOnly, &["GET"], None),
        (sse, Strategy::HttpFirst, ALL, SSE),
        (sse, Strategy::SseFirst, &["GET"], SSE),
        // The user knows better.
        (sse, Strategy::HttpOnly, &[DISCOVER], LEGACY),
        (sse, Strategy::SseOnly, &["GET"], SSE),
        (both, Strategy::HttpFirst, &[DISCOVER], MODERN),
        (both, Strategy::SseFirst, &["GET"], SSE),
        (both, Strategy::HttpOnly, &[DISCOVER], MODERN),
        (both, Strategy::SseOnly, &["GET"], SSE),
        (nothing, Strategy::HttpFirst, ALL, None),
        (nothing, Strategy::SseFirst, &["GET", DISCOVER, INITIALIZE], None),
        (nothing, Strategy::HttpOnly, &[DISCOVER], LEGACY),
        (nothing, Strategy::SseOnly, &["GET"], None),
    ];
    for (number, (answer, strategy, seen, found)) in cases.into_iter().enumerate() {
        let server = Odd::new(answer).await;
        let connector = Connector::new().with_strategy(strategy);
        let connected = within("it", connector.connect(server.url())).await;
        let is = connected.as_ref().ok().map(|connected| (connected.binding, connected.era.unwrap()));
        assert_eq!(is, found, "case {number}, {strategy:?}: {connected:?}");
        assert_eq!(server.seen(), seen, "case {number}, {strategy:?}");
        // Once more: what was found out is known, what was guessed or not found is not.
        drop(connected);
        let again = within("it", connector.connect(server.url())).await;
        let is = again.as_ref().ok().map(|connected| (connected.binding, connected.era.unwrap()));
        assert_eq!(is, found, "case {number}, {strategy:?}, again: {again:?}");
        let guessed = found.is_none() || number == 6 || number == 10 || number == 18;
        let expected: &[&str] = match found {
            _ if guessed => seen,
            Some((Binding::Sse, _)) => &["GET"],
            _ => &[],
        };
        assert_eq!(server.seen(), expected, "case {number}, {strategy:?}, again");
    }
}

/// The session that shows what a server is, is ended in its revision before anything else is done.
#[tokio::test]
async fn the_session_that_was_opened_is_ended_as_it_should() {
    let ended = Arc::new(AtomicU32::new(0));
    let count = ended.clone();
    let server = Odd::new(move |asked| {
        if asked.what == "DELETE" {
            assert!(asked.head.contains("mcp-session-id: abc\r\n"), "{}", asked.head);
            assert!(asked.head.contains("mcp-protocol-version: 2025-06-18\r\n"), "{}", asked.head);
            count.fetch_add(1, Ordering::Relaxed);
        }
        legacy(asked)
    })
    .await;
    within("it", Connector::new().connect(server.url())).await.unwrap();
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}

/// What answers at an address, to be changed.
async fn changing(first: u32) -> (Odd, Arc<AtomicU32>) {
    let now = Arc::new(AtomicU32::new(first));
    let theirs = now.clone();
    let server = Odd::new(move |asked| match theirs.load(Ordering::Relaxed) {
        0 => sse(asked),
        1 => modern(asked),
        2 => text("401 Unauthorized"),
        _ => Says::HangsUp,
    });
    (server.await, now)
}

#[tokio::test]
async fn http_and_sse_that_has_gone_is_found_out_anew() {
    let (server, now) = changing(0).await;
    let connector = Connector::new();
    let first = within("it", connector.connect(server.url())).await.unwrap();
    assert_eq!((first.binding, server.seen().len()), (Binding::Sse, 3));
    // Who wants credentials, or is away, may be what it was: nothing else is tried, and nothing forgotten.
    for (state, kind) in [(2, ErrorKind::Refused), (3, ErrorKind::Io)] {
        now.store(state, Ordering::Relaxed);
        let error = within("it", connector.connect(server.url())).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        // A client may try a connection that hangs up again.
        assert!(server.seen().iter().all(|seen| seen == "GET"));
    }
    now.store(0, Ordering::Relaxed);
    within("it", connector.connect(server.url())).await.unwrap();
    assert_eq!(server.seen(), ["GET"]);
    now.store(1, Ordering::Relaxed);
    let other = within("it", connector.connect(server.url())).await.unwrap();
    assert_eq!((other.binding, other.era), (Binding::StreamableHttp, Some(Era::Modern)));
    assert_eq!(server.seen(), ["GET", DISCOVER]);
}

/// It is connected to without a network, so only who asks it something sees that it has changed.
#[tokio::test]
async fn streamable_http_is_remembered_until_it_is_forgotten() {
    let (server, now) = changing(1).await;
    let connector = Connector::new();
    let first = within("it", connector.connect(server.url())).await.unwrap();
    assert_eq!((first.binding, server.seen().len()), (Binding::StreamableHttp, 1));
    now.store(0, Ordering::Relaxed);
    let clone = connector.clone().with_probe(Duration::from_secs(20)).with_client("other", "1");
    let second = within("it", clone.connect(server.url())).await.unwrap();
    assert_eq!((second.binding, server.seen().len()), (Binding::StreamableHttp, 0));
    let caller = second.connection.spawn().into_caller();
    let error = within("a call", caller.request("tools/list", &())).await.unwrap_err();
    assert_eq!(mcp_transport::http::HttpRefused::of(&error).unwrap().status(), 404);
    assert_eq!(server.seen(), ["POST tools/list"]);
    clone.forget(&server.url());
    let third = within("it", connector.connect(server.url())).await.unwrap();
    assert_eq!(third.binding, Binding::Sse);
}

#[tokio::test]
async fn a_memory_is_of_one_url_one_strategy_and_one_client() {
    let server = Odd::new(both).await;
    let connector = Connector::new();
    within("it", connector.connect(server.url())).await.unwrap();
    assert_eq!(server.seen(), [DISCOVER]);
    // A strategy that does not want what was found.
    for strategy in [Strategy::SseOnly, Strategy::SseFirst] {
        let other = connector.clone().with_strategy(strategy);
        assert_eq!(within("it", other.connect(server.url())).await.unwrap().binding, Binding::Sse);
        assert_eq!(server.seen(), ["GET"]);
    }
    // Other headers may lead to another server, and so may another path, or another query.
    let other = connector.clone().with_http(HttpClient::new(HttpClientOptions::default()));
    within("it", other.connect(server.url())).await.unwrap();
    assert_eq!(server.seen(), [DISCOVER]);
    for path in ["mcp?token=other", "mcp", "other"] {
        let url: http::Uri = format!("http://{}/{path}", server.address).parse().unwrap();
        for _ in 0..2 {
            within("it", connector.connect(url.clone())).await.unwrap();
        }
        assert_eq!(server.seen(), [DISCOVER], "{path}");
    }
    within("it", connector.connect(server.url())).await.unwrap();
    assert!(server.seen().is_empty());
    assert!(format!("{connector:?}").contains("urls: 4"), "{connector:?}");
}

#[tokio::test]
async fn the_memory_is_bounded() {
    let server = Odd::new(modern).await;
    let connector = Connector::new();
    let url = |n: u32| -> http::Uri { format!("http://{}/mcp?{n}", server.address).parse().unwrap() };
    for n in 0..256 {
        within("it", connector.connect(url(n))).await.unwrap();
    }
    assert!(format!("{connector:?}").contains("urls: 256"), "{connector:?}");
    within("it", connector.connect(url(0))).await.unwrap();
    assert_eq!(server.seen().len(), 256);
    within("it", connector.connect(url(256))).await.unwrap();
    assert!(format!("{connector:?}").contains("urls: 1 "), "{connector:?}");
}
