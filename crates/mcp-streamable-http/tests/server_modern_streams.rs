//! Streams of the modern era: they stay open, are kept alive, and closing one gives its request up.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mcp_http::{Router, RouterOptions, Server, ServerOptions};
use mcp_streamable_http::{StreamableOptions, StreamableServer};
use mcp_transport_core::Control;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use mounted::{Ask, MODERN, Mounted, Seen, next, now, rest, serve_all};
use raw::Raw;
use served::{until, within};

fn options() -> StreamableOptions {
    let mut options = StreamableOptions::default();
    options.answer_wait = Duration::from_millis(50);
    options
}

/// The same server on a socket.
async fn listening(options: StreamableOptions) -> (std::net::SocketAddr, Control, Arc<Seen>) {
    let (endpoint, listener) = StreamableServer::new(options);
    let router = Router::new(RouterOptions::default(), endpoint.routes());
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
    let address = server.local_addr();
    tokio::spawn(server.serve(router));
    let seen = Arc::new(Seen::default());
    (address, serve_all(listener, seen.clone()).await, seen)
}

async fn send(address: std::net::SocketAddr, ask: &Ask) -> Raw {
    let mut raw = Raw::connect(address).await;
    raw.send(&ask.text()).await;
    raw
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_client_that_closes_its_connection_gives_its_request_up() {
    let (address, alone, seen) = listening(options()).await;
    let mut slow = options();
    slow.answer_wait = Duration::from_secs(3600);
    let (slow, slow_alone, slow_seen) = listening(slow).await;
    let hang = Ask::modern(1, "hang", json!({}));

    // Its stream has begun, and nothing was said in it.
    let mut raw = send(address, &hang).await;
    let (status, headers) = raw.head().await;
    assert_eq!(status, 200);
    assert!(headers.contains(&"x-accel-buffering: no".to_owned()), "{headers:?}");
    assert_eq!((seen.hanging(), seen.cancelled()), (1, 0));
    drop(raw);
    until("the cancellation", || seen.cancelled() == 1).await;

    // Something was said in it.
    let mut raw = send(address, &Ask::modern(1, "listen", json!({}))).await;
    raw.head().await;
    assert!(raw.event().await.is_some());
    drop(raw);
    until("the cancellation", || seen.cancelled() == 2).await;

    // No head was sent yet.
    let raw = send(slow, &hang).await;
    until("the request", || slow_seen.hanging() == 1).await;
    drop(raw);
    until("the cancellation", || slow_seen.cancelled() == 1).await;
    until("the end", || alone.health().in_flight + slow_alone.health().in_flight == 0).await;
}

#[tokio::test]
async fn a_client_that_goes_before_its_request_is_taken() {
    let mut options = options();
    // Nobody takes requests but the test.
    options.sessionless_limits = options.sessionless_limits.with_inbound_count(1);
    let (server, mut listener) = StreamableServer::new(options);
    let router = Router::new(RouterOptions::default(), server.routes());
    let mut connection = mcp_transport_core::Listener::accept(&mut listener).await.unwrap().unwrap();
    let ask = Ask::modern(1, "hang", json!({}));
    {
        let mut gone = pin!(router.answer(ask.request()));
        let mut waits = pin!(router.answer(ask.request()));
        poll_fn(|cx| {
            assert!(gone.as_mut().poll(cx).is_pending() && waits.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    let Some(mcp_transport_core::Incoming::Request(exchange)) = within("it", connection.next()).await else {
        panic!("no request")
    };
    assert!(exchange.responder().is_cancelled());
    drop(exchange);
    // The other one was never in the queue.
    let nothing = poll_fn(|cx| Poll::Ready(connection.poll_next(cx).is_pending())).await;
    assert!(nothing);
    assert_eq!(connection.control().health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_comments() {
    let mounted = Mounted::new(StreamableOptions::default()).await;
    let begin = tokio::time::Instant::now();
    let mut reply = mounted.ask(&Ask::modern(1, "hang", json!({}))).await;
    assert_eq!(begin.elapsed().as_secs(), 2, "answer_wait");
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    let first = next(reply.body_mut()).await;
    assert!(first.starts_with(':'), "{first}");
    assert_eq!(
        begin.elapsed().as_secs(),
        2,
        "there are proxies that hold back the head until something is said"
    );
    for times in 1..=5 {
        assert_eq!(next(reply.body_mut()).await, ": keep-alive\n\n");
        assert_eq!(begin.elapsed().as_secs(), 2 + 15 * times);
    }
    drop(reply);
    until("the cancellation", || mounted.seen.cancelled() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_never_answered_stays_open() {
    let mounted = Mounted::new(StreamableOptions::default()).await;
    let mut reply = mounted.ask(&Ask::modern(5, "listen", json!({}))).await;
    assert!(next(reply.body_mut()).await.contains("[0]"));
    for hour in 1..=24 {
        for _ in 0..(3600 / 15 - 1) {
            assert_eq!(next(reply.body_mut()).await, ": keep-alive\n\n");
        }
        mounted.seen.news.send_replace(hour);
        assert_eq!(
            next(reply.body_mut()).await,
            format!(
                "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"note\",\"params\":[{hour}]}}\n\n"
            )
        );
    }
    assert_eq!(mounted.alone.health().in_flight, 1);
    assert_eq!(now(reply.body_mut()), None);

    // The server goes: the request is answered, and the stream ends.
    mounted.server.shutdown();
    let mut last = String::new();
    while !last.contains("data: ") {
        last = next(reply.body_mut()).await;
    }
    assert!(last.contains(r#""id":5,"error":"#), "{last}");
    assert_eq!(next(reply.body_mut()).await, "");
}

#[tokio::test]
async fn two_clients_may_use_the_same_id_and_nobody_cancels_for_others() {
    let mounted = Mounted::new(options()).await;
    let one = Ask::modern(1, "wait", json!({ "for": 1 }));
    let other = Ask::modern(1, "wait", json!({ "for": 2 }));
    let (mut one, mut other) = (mounted.ask(&one).await, mounted.ask(&other).await);
    assert_eq!(mounted.seen.hanging(), 2);

    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let cancel = Ask::post(cancel).with("mcp-protocol-version", MODERN);
    assert_eq!(mounted.ask(&cancel).await.status(), 202);
    let seen = &mounted.seen;
    until("it", || seen.notifications.load(std::sync::atomic::Ordering::SeqCst) == 1).await;

    seen.news.send_replace(2);
    assert!(rest(other.body_mut()).await.contains(r#"{"jsonrpc":"2.0","id":1,"result":2}"#));
    seen.news.send_replace(1);
    assert!(rest(one.body_mut()).await.contains(r#"{"jsonrpc":"2.0","id":1,"result":1}"#));
    assert_eq!((seen.cancelled(), mounted.alone.health().in_flight), (0, 0));
}

#[tokio::test]
async fn more_than_the_bound_is_refused_and_disturbs_nobody() {
    let mut options = options();
    options.sessionless_limits = options.sessionless_limits.with_max_in_flight(2);
    let mounted = Mounted::new(options).await;
    let first = mounted.ask(&Ask::modern(1, "hang", json!({}))).await;
    let mut second = mounted.ask(&Ask::modern(2, "wait", json!({ "for": 1 }))).await;
    for _ in 0..3 {
        let (status, told) = mounted.told(&Ask::modern(3, "where", json!({}))).await;
        assert_eq!((status, &told["id"]), (200, &json!(3)), "{told}");
        assert_eq!(told["error"]["data"]["reason"], "overloaded", "{told}");
    }
    // A session has a bound of its own.
    let session = mounted.session("2025-11-25").await;
    let ask = Ask::post(raw::request(4, "where", "{}")).with("mcp-session-id", session);
    assert_eq!(mounted.told(&ask).await.1["result"]["session"], true);

    drop(first);
    until("the cancellation", || mounted.alone.health().in_flight == 1).await;
    assert_eq!(mounted.told(&Ask::modern(3, "where", json!({}))).await.1["result"]["session"], false);
    mounted.seen.news.send_replace(1);
    assert!(rest(second.body_mut()).await.contains(r#""id":2,"result":1"#));
}

#[tokio::test]
async fn what_is_said_at_once_leaves_in_one_write() {
    let (address, ..) = listening(StreamableOptions::default()).await;
    for (to, end) in [(0, "\"result\":0}"), (3, "0\r\n\r\n"), (40, "0\r\n\r\n")] {
        let mut raw = send(address, &Ask::modern(1, "count", json!({ "to": to }))).await;
        let mut buffer = vec![0; 64 * 1024];
        let read = within("an answer", raw.socket.read(&mut buffer)).await.unwrap();
        let text = std::str::from_utf8(&buffer[..read]).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with(end), "{to}: {text}");
    }
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Asks, and goes away at some moment.
async fn ask_for_a_while(router: Router, ask: Ask, mut polls: u64, mut frames: u64) {
    let mut asking = pin!(router.answer(ask.request()));
    let reply = poll_fn(|cx| match asking.as_mut().poll(cx) {
        Poll::Ready(reply) => Poll::Ready(Some(reply)),
        Poll::Pending if polls == 0 => Poll::Ready(None),
        Poll::Pending => {
            polls -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
    let Some(reply) = reply else { return };
    let mut body = reply.into_body();
    while frames > 0 && now(&mut body).is_none_or(|text| !text.is_empty()) {
        frames -= 1;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_that_are_cancelled_at_random_leave_nothing_behind() {
    let mut options = StreamableOptions::default();
    options.answer_wait = Duration::ZERO;
    let mounted = Mounted::new(options).await;
    let before = tasks();
    let mut dice = Dice(4711);
    let mut clients = Vec::new();
    for id in 0..1000 {
        let (method, params) = match dice.roll(5) {
            0 => ("hang", json!({})),
            1 => ("listen", json!({})),
            2 => ("wait", json!({ "for": dice.roll(40) })),
            3 => ("count", json!({ "to": dice.roll(400) })),
            _ => ("where", json!({})),
        };
        let (polls, frames) = (dice.roll(8), dice.roll(8));
        let router = mounted.router.clone();
        clients.push(tokio::spawn(ask_for_a_while(router, Ask::modern(id, method, params), polls, frames)));
        if dice.roll(16) == 0 {
            mounted.seen.news.send_replace(dice.roll(40));
            tokio::task::yield_now().await;
        }
    }
    for client in clients {
        within("a client", client).await.unwrap();
    }
    until("the end of every exchange", || mounted.alone.health().in_flight == 0).await;
    until("the end of every task", || tasks() == before).await;
    let health = mounted.alone.health();
    assert!(health.received > 500 && mounted.seen.cancelled() > 100, "{health:?} {:?}", mounted.seen);
    assert_eq!((health.pending, health.outbound_depth, health.outbound_bytes), (0, 0, 0));
    let told: Value = mounted.told(&Ask::modern(1, "where", json!({}))).await.1;
    assert_eq!(told["result"]["revision"], MODERN);
}
