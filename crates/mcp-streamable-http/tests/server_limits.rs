//! Bounds of the server and of its sessions, one below, at, and one above (T-LIM1).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod mounted;
mod raw;
mod served;

use std::time::Duration;

use mcp_http::{Router, RouterOptions};
use mcp_streamable_http::{StreamableOptions, StreamableServer};
use mcp_transport_core::Listener;
use serde_json::json;
use tokio::time::Instant;

use held::{Held, Session, after, note, number, numbers};
use mounted::Ask;
use raw::{Answer, Client, Raw, Said, initialize, request};
use served::{Served, until};

/// A session id of 32 characters: the one of a client, and what can be made of it.
fn session_of(client: &Client) -> String {
    client.headers.lines().next().unwrap().strip_prefix("Mcp-Session-Id: ").unwrap().to_owned()
}

fn has_retry_after(answer: &Answer) -> bool {
    answer.header("retry-after") == Some("1")
}

#[tokio::test]
async fn sessions() {
    const MOST: usize = 3;
    let mut options = StreamableOptions::default();
    options.max_sessions = MOST;
    let served = Served::new(options).await;
    let mut sessions = Vec::new();
    for _ in 0..MOST {
        sessions.push(Client::initialized(served.address, "2025-11-25").await);
    }
    for _ in 0..MOST {
        let refused = Client::new(served.address).ask(&initialize("2025-11-25")).await;
        assert!(refused.status == 503 && has_retry_after(&refused), "{refused:?}");
    }
    assert_eq!(served.server.session_count(), MOST);
    // Those that are open are not disturbed, and a place that is free is had.
    assert_eq!(sessions[0].ask(&request(1, "where", "{}")).await.status, 200);
    assert_eq!(sessions.pop().unwrap().delete().await.status, 204);
    sessions.push(Client::initialized(served.address, "2025-11-25").await);
    assert_eq!(Client::new(served.address).ask(&initialize("2025-11-25")).await.status, 503);
    assert_eq!(StreamableOptions::default().max_sessions, 10_000);
}

#[tokio::test]
async fn sessions_that_nobody_takes() {
    const BACKLOG: usize = 1024;
    let (served, _listener) = Served::bare(StreamableOptions::default()).await;
    let mut waiting = Vec::new();
    for _ in 0..BACKLOG {
        waiting.push(Client::new(served.address).post(&initialize("2025-11-25")).await);
    }
    until("all of them", || served.server.session_count() == BACKLOG).await;
    for _ in 0..3 {
        let refused = Client::new(served.address).ask(&initialize("2025-11-25")).await;
        assert!(refused.status == 503 && has_retry_after(&refused), "{refused:?}");
    }
    assert_eq!(served.server.session_count(), BACKLOG, "what was refused has no place in the table");
}

#[tokio::test]
async fn requests_in_flight() {
    const MOST: u64 = 128;
    let mut held = Held::new(StreamableOptions::default()).await;
    let mut session = held.open("2025-11-25").await;
    let mut flying = Vec::new();
    for id in 0..MOST {
        flying.push(session.asked(id).await);
    }
    for id in [MOST, MOST + 1] {
        let refused = session.client.ask(&request(id, "tools/call", "{}")).await;
        assert_eq!(refused.status, 200, "{refused:?}");
        let told: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
        assert_eq!((&told["id"], &told["error"]["code"]), (&json!(id), &json!(-32603)));
        assert_eq!(told["error"]["data"]["reason"], "overloaded");
    }
    assert_eq!(u64::from(session.server.control.health().in_flight), MOST);
    // Those that run go on, and one that ends makes room for one.
    let (mut raw, exchange) = flying.pop().unwrap();
    exchange.finish(&"done");
    assert!(raw.answer().await.body.contains("done"));
    flying.push(session.asked(MOST + 2).await);
    let refused = session.client.ask(&request(MOST + 3, "tools/call", "{}")).await;
    assert!(refused.body.contains("overloaded"), "{refused:?}");
    // Another session has its own.
    let mut other = held.open("2025-11-25").await;
    let (mut raw, exchange) = other.asked(1).await;
    exchange.finish(&"done");
    assert!(raw.answer().await.body.contains("done"));
}

/// The stream of a request whose connection is lost: its first event, and whose it is.
async fn lost(session: &mut Session, id: u64) -> (String, mcp_transport_core::Exchange) {
    let (raw, exchange, event) = session.streamed(id).await;
    drop(raw);
    (event, exchange)
}

async fn get(session: &Session, more: &str) -> Raw {
    let mut raw = session.client.get(more).await;
    assert_eq!(raw.head().await.0, 200, "{more}");
    raw
}

#[track_caller]
fn is_too_many(answer: &Answer) {
    assert!(answer.status == 429 && has_retry_after(answer), "{answer:?}");
    assert_eq!(answer.body, "the session has too many open streams\n");
}

/// The bound that a session has by default, and one of one.
#[tokio::test]
async fn streams_that_are_read_by_get() {
    assert_eq!(StreamableOptions::default().max_streams, 16);
    for most in [1, 16] {
        let mut options = StreamableOptions::default();
        options.max_streams = most;
        let mut held = Held::new(options).await;
        let mut session = held.open("2025-11-25").await;
        let mut streams = Vec::new();
        for id in 0..most as u64 + 2 {
            streams.push(lost(&mut session, id).await);
        }
        // Its own one, and all but one more of the others.
        let mut open = vec![get(&session, "").await];
        for (event, _) in &streams[..most - 1] {
            open.push(get(&session, &after(event)).await);
        }
        assert_eq!(open.len(), most);
        // One more has no place, whichever it is, and waiting for it costs it nothing.
        for (event, exchange) in &streams[most - 1..] {
            is_too_many(&session.client.get(&after(event)).await.answer().await);
            exchange.responder().notify(note(2)).await.unwrap();
        }
        // One that is read already is what it was: read elsewhere for who comes without an id, taken over with one.
        assert_eq!(session.client.get("").await.answer().await.status, 409);
        session.server.sender.send(note(70)).await.unwrap();
        assert_eq!(numbers(&mut open[0], 1).await, [70]);
        let mut again = get(&session, &after("0-0")).await;
        assert_eq!(numbers(&mut again, 1).await, [70]);
        assert_eq!(open[0].said().await, Said::End);
        open[0] = again;
        is_too_many(&session.client.get(&after(&streams[most].0)).await.answer().await);
        // A place that is free is had, and nothing was lost meanwhile.
        drop(open.pop());
        let (event, exchange) = &streams[most];
        let mut resumed = served::within("a place", async {
            loop {
                let mut raw = session.client.get(&after(event)).await;
                match raw.head().await.0 {
                    200 => return raw,
                    status => assert_eq!(status, 429),
                }
            }
        })
        .await;
        assert_eq!(numbers(&mut resumed, 1).await, [2]);
        exchange.responder().notify(note(3)).await.unwrap();
        assert_eq!(numbers(&mut resumed, 1).await, [3]);
        is_too_many(&session.client.get(&after(&streams[most + 1].0)).await.answer().await);
        // A stream that ends gives its place back too.
        let exchange = streams.remove(most).1;
        exchange.finish(&"done");
        assert!(resumed.event().await.unwrap().data.unwrap().contains("done"));
        assert_eq!(resumed.said().await, Said::End);
        let event = &streams[most].0;
        until_read(&session, event).await;
        // Another session has its own.
        let other = held.open("2025-11-25").await;
        get(&other, "").await;
        // And requests are answered whatever is read.
        let (mut raw, exchange) = session.asked(1000).await;
        exchange.finish(&"answered");
        assert!(raw.answer().await.body.contains("answered"));
    }
}

async fn until_read(session: &Session, event: &str) {
    served::within("a place", async {
        while session.client.get(&after(event)).await.head().await.0 != 200 {}
    })
    .await;
}

/// Many at once for the last places: not one more is let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn streams_that_come_together() {
    const MOST: usize = 4;
    let mut options = StreamableOptions::default();
    options.max_streams = MOST;
    let mut held = Held::new(options).await;
    for _ in 0..10 {
        let mut session = held.open("2025-11-25").await;
        let mut streams = Vec::new();
        for id in 0..3 * MOST as u64 {
            streams.push(lost(&mut session, id).await);
        }
        let gets = streams.iter().map(|(event, _)| {
            let (client, event) = (session.client.clone(), after(event));
            tokio::spawn(async move {
                let mut raw = client.get(&event).await;
                (raw.head().await.0, raw)
            })
        });
        let gets: Vec<_> = gets.collect();
        let mut read = Vec::new();
        for get in gets {
            let (status, raw) = get.await.unwrap();
            match status {
                200 => read.push(raw),
                status => assert_eq!(status, 429),
            }
        }
        assert_eq!(read.len(), MOST);
        assert_eq!(session.client.delete().await.status, 204);
    }
}

#[tokio::test]
async fn batches() {
    const MOST: usize = 100;
    let served = Served::new(StreamableOptions::default()).await;
    let client = Client::initialized(served.address, "2025-03-26").await;
    for (count, status) in [(MOST - 1, 202), (MOST, 202), (MOST + 1, 400), (100_000, 400)] {
        let batch = vec![r#"{"jsonrpc":"2.0","method":"n"}"#; count].join(",");
        let answer = client.ask(&format!("[{batch}]")).await;
        assert_eq!(answer.status, status, "{count}: {answer:?}");
    }
}

#[tokio::test]
async fn depth_and_ids_of_messages() {
    let served = Served::new(StreamableOptions::default()).await;
    let client = Client::initialized(served.address, "2025-11-25").await;
    for (depth, status) in [(127, 202), (128, 202), (129, 400), (1_000_000, 400)] {
        // The message itself is the first container.
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        let body = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{open}{close}}}"#);
        assert_eq!(client.ask(&body).await.status, status, "{depth}");
    }
    for (len, status) in [(1023, 200), (1024, 200), (1025, 400)] {
        let id = format!("\"{}\"", "i".repeat(len - 2));
        let answer = client.ask(&format!(r#"{{"jsonrpc":"2.0","method":"where","id":{id}}}"#)).await;
        assert_eq!((answer.status, answer.body.contains(&id)), (status, status == 200), "{len}");
    }
}

/// Ids of sessions have 32 characters, and those of events at most 41: others are none.
#[tokio::test]
async fn ids_of_sessions_and_events() {
    let served = Served::new(StreamableOptions::default()).await;
    let client = Client::initialized(served.address, "2025-11-25").await;
    let id = session_of(&client);
    assert_eq!(id.len(), 32);
    for (text, status) in [
        (id.clone(), 200),
        ("A".repeat(32), 404),
        (id[..31].to_owned(), 404),
        (format!("{id}A"), 404),
        ("A".repeat(10_000), 404),
    ] {
        let other = Client { headers: client.headers.replace(&id, &text), ..client.clone() };
        let answer = other.ask(&request(1, "where", "{}")).await;
        assert_eq!(answer.status, status, "{} characters", text.len());
        assert!(!answer.body.contains("AAA"), "{answer:?}");
    }
    let max = u64::MAX;
    for event in [format!("0-{max}"), format!("{max}-{max}"), format!("{max}-{max}0"), "1".repeat(10_000)] {
        let answer = client.get(&after(&event)).await.answer().await;
        assert_eq!(answer.status, 400, "{} characters", event.len());
    }
    let mut stream = client.get("").await;
    assert_eq!(stream.head().await.0, 200);
}

/// When a POST that finds no room is refused, and what waits until then: by a clock that stands still.
#[tokio::test(start_paused = true)]
async fn messages_that_wait_in_a_session() {
    let (endpoint, mut listener) = StreamableServer::new(StreamableOptions::default());
    let router = Router::new(RouterOptions::default(), endpoint.routes());
    let _alone = listener.accept().await.unwrap().unwrap();
    let opening = tokio::spawn({
        let router = router.clone();
        async move { router.answer(Ask::post(initialize("2025-11-25")).request()).await }
    });
    let connection = listener.accept().await.unwrap().unwrap();
    let control = connection.control();
    let id = control.context().session.clone().unwrap();
    let note = Ask::post(r#"{"jsonrpc":"2.0","method":"n"}"#).with("mcp-session-id", &*id);
    let start = Instant::now();
    // One place has `initialize`, which nobody has read.
    for _ in 1..256 {
        assert_eq!(router.answer(note.request()).await.status(), 202);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    let refused = router.answer(note.request()).await;
    assert_eq!((refused.status().as_u16(), start.elapsed()), (503, Duration::from_secs(5)));
    assert_eq!(refused.headers()["retry-after"], "1");
    // One that is read makes room for one.
    let mut session = connection.spawn();
    let initialize = held::request(&mut session).await;
    assert_eq!(router.answer(note.request()).await.status(), 202);
    initialize.finish(&json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {} }));
    assert_eq!(opening.await.unwrap().status(), 200);
}

/// What a session has taken for its stream, more than there is room for, is all there for a client that reads after all:
/// also when the session ends meanwhile, and none of it is there twice.
#[tokio::test]
async fn messages_that_wait_in_a_stream() {
    for ends in [false, true] {
        let mut options = StreamableOptions::default();
        options.limits = options.limits.with_outbound_bytes(100_000);
        let mut held = Held::new(options).await;
        let session = held.open("2025-11-25").await;
        let mut stream = get(&session, "").await;
        let sent = |number: u64| {
            let params = format!("{number},\"{}\"", "x".repeat(30_000));
            let text = format!(r#"{{"jsonrpc":"2.0","method":"note","params":[{params}]}}"#);
            mcp_jsonrpc::Message::parse(text, &mcp_jsonrpc::ScanLimits::default()).unwrap()
        };
        let mut pushed = 0;
        let room = Duration::from_millis(300);
        while let Ok(sent) = tokio::time::timeout(room, session.server.sender.send(sent(pushed))).await {
            sent.unwrap();
            pushed += 1;
            assert!(pushed < 10_000, "no end to what is taken for who does not read");
        }
        let control = session.server.control.clone();
        if ends {
            control.shutdown();
            until("the drain", || control.health().state != mcp_transport_core::State::Open).await;
        }
        for expected in 0..pushed {
            let data = loop {
                let data = stream.event().await.expect("an event").data.unwrap_or_default();
                if !data.is_empty() {
                    break data;
                }
            };
            let (_, rest) = data.split_once(r#""params":["#).unwrap();
            assert_eq!(rest.split(',').next(), Some(&*expected.to_string()));
        }
        if ends {
            assert_eq!(stream.said().await, Said::End);
        }
    }
}

/// How a client goes that has sent one byte more, which hyper takes for the next request and then reads no further.
#[derive(Clone, Copy, Debug)]
enum Goes {
    Fin,
    Rst,
    PipelinedFin,
    PipelinedRst,
}

impl Goes {
    async fn go(self, mut raw: Raw) {
        if matches!(self, Self::PipelinedFin | Self::PipelinedRst) {
            raw.send("x").await;
        }
        if matches!(self, Self::Rst | Self::PipelinedRst) {
            raw.socket.set_zero_linger().unwrap();
        }
    }
}

/// A stream is freed within its keep-alive and a second, also where the end of the input is behind a byte that nobody
/// reads: the answer to a GET and a resumed one. The answer to a POST is left to hyper, and needs one comment that is
/// written into nothing and one more that says so.
#[tokio::test]
async fn streams_whose_client_has_gone() {
    const EVERY: Duration = Duration::from_millis(1500);
    const SECOND: Duration = Duration::from_secs(1);
    for goes in [Goes::Fin, Goes::Rst, Goes::PipelinedFin, Goes::PipelinedRst] {
        let mut options = StreamableOptions::default();
        (options.keep_alive, options.max_streams) = (EVERY, 2);
        let mut held = Held::new(options).await;
        let mut session = held.open("2025-11-25").await;
        let (event, _exchange) = lost(&mut session, 1).await;
        let (posted, second, _) = session.streamed(2).await;
        let general = get(&session, "").await;
        let resumed = get(&session, &after(&event)).await;
        let tasks = served::tasks();
        for (raws, most) in [(vec![general, resumed], EVERY + SECOND), (vec![posted], 2 * EVERY + SECOND)] {
            let (tasks, ending) = (served::tasks(), raws.len());
            let gone = Instant::now();
            for raw in raws {
                goes.go(raw).await;
            }
            until("their end", || served::tasks() <= tasks - ending).await;
            assert!(gone.elapsed() <= most, "{goes:?}: {:?}", gone.elapsed());
        }
        assert_eq!(served::tasks(), tasks - 3);
        // Their places are free, and what belongs to a request is still to be had (2025-11-25).
        second.responder().notify(note(7)).await.unwrap();
        let _general = get(&session, "").await;
        let mut again = get(&session, &after("3-1")).await;
        let data = again.event().await.unwrap().data.unwrap();
        assert_eq!(number(&data), 7, "{goes:?}");
    }
}
