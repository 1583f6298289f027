//! When a session is given up, and when not: without sockets, under a clock of our own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use std::sync::Arc;
use std::time::Duration;

use mcp_http::Reply;
use mcp_streamable_http::{MemoryEventStore, StreamableOptions};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use mounted::{Ask, Mounted, next, now, rest};
use raw::{initialize, request};
use served::{tasks, until};

const MINUTE: Duration = Duration::from_secs(60);

struct Idle {
    mounted: Mounted,
    store: Arc<MemoryEventStore>,
    tasks: usize,
}

impl Idle {
    async fn new(set: impl FnOnce(&mut StreamableOptions)) -> Self {
        let store = Arc::new(MemoryEventStore::default());
        let mut options = StreamableOptions::default();
        (options.session_idle, options.first_message) = (10 * MINUTE, MINUTE);
        options.store = Some(store.clone());
        set(&mut options);
        let mounted = Mounted::new(options).await;
        Self { mounted, store, tasks: tasks() }
    }

    /// A session in which something has come.
    async fn session(&self) -> String {
        let mut opened = self.mounted.ask(&Ask::post(initialize("2025-11-25"))).await;
        assert!(rest(opened.body_mut()).await.contains("2025-11-25"));
        let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let note = Ask::post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assert_eq!(self.mounted.ask(&of(&session, note)).await.status(), 202);
        session
    }

    async fn call(&self, session: &str, json: String) -> Reply {
        let reply = self.mounted.ask(&of(session, Ask::post(json))).await;
        assert_eq!(reply.status(), 200);
        reply
    }

    async fn get(&self, session: &str, after: Option<&str>) -> Reply {
        let ask = of(session, Ask::new("GET")).with("accept", "text/event-stream");
        let ask = after.into_iter().fold(ask, |ask, after| ask.with("last-event-id", after));
        self.mounted.ask(&ask).await
    }

    fn count(&self) -> usize {
        self.mounted.server.session_count()
    }

    /// All is as it was at the start, and it took so long.
    async fn gone_after(&self, since: Instant, from: Duration, to: Duration) {
        while self.count() > 0 {
            sleep(Duration::from_secs(1)).await;
            assert!(since.elapsed() <= to, "it is still there after {:?}", since.elapsed());
        }
        assert!(since.elapsed() >= from, "it is gone after {:?}", since.elapsed());
        until("the start", || {
            (self.store.bytes(), self.store.stream_count()) == (0, 0) && tasks() == self.tasks
        })
        .await;
    }
}

fn of(session: &str, ask: Ask) -> Ask {
    ask.with("mcp-session-id", session).with("mcp-protocol-version", "2025-11-25")
}

#[tokio::test(start_paused = true)]
async fn one_in_which_nothing_happens_is_given_up() {
    let idle = Idle::new(|_| ()).await;
    let session = idle.session().await;
    let start = Instant::now();
    idle.gone_after(start, 10 * MINUTE, 10 * MINUTE + MINUTE).await;
    assert_eq!(idle.get(&session, None).await.status(), 404);
    // Every request counts, also one that asks for what is not there.
    let session = idle.session().await;
    let start = Instant::now();
    for _ in 0..5 {
        sleep(8 * MINUTE).await;
        let mut reply = idle.call(&session, request(1, "where", "{}")).await;
        assert!(rest(reply.body_mut()).await.contains("2025-11-25"));
    }
    idle.gone_after(start, 50 * MINUTE, 51 * MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn one_in_which_nothing_follows_initialize_goes_early() {
    let idle = Idle::new(|_| ()).await;
    idle.mounted.session("2025-11-25").await;
    let start = Instant::now();
    idle.gone_after(start, MINUTE, 2 * MINUTE).await;
    // A stream is something.
    let session = idle.mounted.session("2025-11-25").await;
    let mut stream = idle.get(&session, None).await;
    next(stream.body_mut()).await;
    sleep(30 * MINUTE).await;
    assert_eq!(idle.count(), 1);
    drop(stream);
    idle.gone_after(Instant::now(), Duration::ZERO, 3 * MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_call_without_an_event_is_not_idle() {
    for (form, attached) in [(false, true), (false, false), (true, false)] {
        let idle = Idle::new(|options| {
            if form {
                options.answers = mcp_streamable_http::Answers::Stream;
            }
        })
        .await;
        let session = idle.session().await;
        let mut reply = idle.call(&session, request(1, "wait", r#"{"for":1}"#)).await;
        assert!(next(reply.body_mut()).await.contains("id: 2-0"));
        // Whoever reads it, or has gone.
        let mut reply = attached.then_some(reply);
        let left = Instant::now();
        sleep(60 * MINUTE).await;
        assert_eq!(idle.count(), 1, "in flight for an hour");
        idle.mounted.seen.news.send_replace(1);
        // It begins to be idle now, and not when the client went away.
        sleep(8 * MINUTE).await;
        assert_eq!(idle.count(), 1, "finished 8 minutes ago; its client went {:?} ago", left.elapsed());
        let answer = match &mut reply {
            Some(reply) => rest(reply.body_mut()).await,
            None => String::new(),
        };
        drop(reply);
        if attached {
            assert!(answer.contains(r#""result":1"#), "{answer}");
        }
        idle.gone_after(Instant::now(), MINUTE, 11 * MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_there_for_who_comes_back_until_its_time_is_over() {
    let idle = Idle::new(|_| ()).await;
    let session = idle.session().await;
    for (id, wait, status) in [(1, 4 * MINUTE, 200), (2, 6 * MINUTE, 400)] {
        let number = format!(r#"{{"for":{id}}}"#);
        drop(idle.call(&session, request(id, "wait", &number)).await);
        idle.mounted.seen.news.send_replace(id);
        let stream = id + 1;
        until("the answer", || idle.store.stream_count() > 0).await;
        sleep(wait).await;
        let mut back = idle.get(&session, Some(&format!("{stream}-0"))).await;
        assert_eq!(back.status(), status, "after {wait:?}");
        if status == 200 {
            let answer = rest(back.body_mut()).await;
            assert!(answer.contains(&format!(r#"id: {stream}-1"#)), "{answer}");
            assert!(answer.contains(&format!(r#""id":{id},"result":{id}"#)), "{answer}");
            // Not acknowledged, so it is there once more; then it is.
            let mut again = idle.get(&session, Some(&format!("{stream}-0"))).await;
            assert_eq!(rest(again.body_mut()).await, answer);
            assert_eq!(idle.get(&session, Some(&format!("{stream}-1"))).await.status(), 400);
        }
        assert_eq!(idle.store.stream_count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_stream_goes_after_its_time_though_nobody_asks() {
    let idle = Idle::new(|_| ()).await;
    let session = idle.session().await;
    let mut reply = idle.call(&session, request(1, "count", r#"{"to":5}"#)).await;
    assert!(rest(reply.body_mut()).await.contains(r#""result":5"#));
    drop(reply);
    let finished = Instant::now();
    while idle.store.bytes() > 0 {
        sleep(Duration::from_secs(1)).await;
        assert!(finished.elapsed() < 6 * MINUTE, "{:?} is kept", idle.store);
    }
    assert!(finished.elapsed() >= 5 * MINUTE, "{:?}", finished.elapsed());
    assert_eq!((idle.store.stream_count(), idle.count()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_alive_by_comments() {
    let idle = Idle::new(|_| ()).await;
    let session = idle.session().await;
    let mut stream = idle.get(&session, None).await;
    assert!(next(stream.body_mut()).await.contains("id: 0-0"));
    for _ in 0..100 {
        let before = Instant::now();
        assert!(now(stream.body_mut()).is_none());
        assert!(next(stream.body_mut()).await.starts_with(':'));
        assert_eq!(before.elapsed(), Duration::from_secs(15));
    }
}

#[tokio::test(start_paused = true)]
async fn the_form_of_an_answer_is_decided_late() {
    let idle = Idle::new(|_| ()).await;
    let session = idle.session().await;
    let start = Instant::now();
    // At once, and after a while: in JSON.
    let mut reply = idle.call(&session, request(1, "where", "{}")).await;
    assert_eq!(
        (reply.headers()["content-type"].as_bytes(), start.elapsed()),
        (&b"application/json"[..], Duration::ZERO)
    );
    let _: Value = serde_json::from_str(&rest(reply.body_mut()).await).unwrap();
    let news = idle.mounted.seen.news.clone();
    tokio::spawn(async move {
        sleep(Duration::from_millis(1900)).await;
        news.send_replace(1);
    });
    let reply = idle.call(&session, request(2, "wait", r#"{"for":1}"#)).await;
    assert_eq!(reply.headers()["content-type"], "application/json");
    // Said nothing for two seconds: a stream, whose answer is an event.
    let start = Instant::now();
    let mut reply = idle.call(&session, request(3, "wait", r#"{"for":2}"#)).await;
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    idle.mounted.seen.news.send_replace(2);
    assert!(rest(reply.body_mut()).await.contains(r#""id":3,"result":2"#));
}
