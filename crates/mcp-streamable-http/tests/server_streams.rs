//! Each message goes into one stream: that of its POST, or the one that the client opens with GET.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod raw;
mod served;

use std::sync::Arc;
use std::time::Duration;

use mcp_streamable_http::{Answers, MemoryEventStore, StreamHandle, StreamableOptions};
use mcp_transport_core::Caller;

use held::{Held, Session, after, note, number, numbers};
use raw::{Raw, Said};
use served::{tasks, until, within};

const REVISIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// The stream that is opened with GET, with its head read.
async fn get(session: &Session, more: &str) -> Raw {
    let mut raw = session.client.get(more).await;
    assert_eq!(raw.head().await.0, 200);
    raw
}

async fn refused(session: &Session, more: &str) -> u16 {
    session.client.get(more).await.answer().await.status
}

/// A GET as soon as the server has seen that the one before is gone.
async fn once_free(session: &Session) -> Raw {
    within("a free stream", async {
        loop {
            let mut raw = session.client.get("").await;
            match raw.head().await.0 {
                200 => return raw,
                status => assert_eq!(status, 409),
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_belongs_to_a_request_and_what_does_not_never_meet() {
    for store in [true, false] {
        for revision in REVISIONS {
            let mut options = StreamableOptions::default();
            if !store {
                options.store = None;
            }
            let mut held = Held::new(options).await;
            let mut session = held.open(revision).await;
            // HTTP-21: kept until somebody opens the stream.
            for number in 100..110 {
                session.server.sender.send(note(number)).await.unwrap();
            }
            let (mut one, first, _) = session.streamed(1).await;
            let (mut two, second, _) = session.streamed(2).await;
            let mut general = get(&session, "").await;
            assert_eq!(numbers(&mut general, 10).await, (100..110).collect::<Vec<_>>());
            for number in 2..50 {
                first.responder().notify(note(1000 + number)).await.unwrap();
                second.responder().notify(note(2000 + number)).await.unwrap();
                session.server.sender.send(note(3000 + number)).await.unwrap();
            }
            first.finish(&"one");
            second.finish(&"two");
            assert_eq!(numbers(&mut one, 48).await, (1002..1050).collect::<Vec<_>>());
            assert_eq!(numbers(&mut two, 48).await, (2002..2050).collect::<Vec<_>>());
            assert_eq!(numbers(&mut general, 48).await, (3002..3050).collect::<Vec<_>>());
            for (mut raw, answer) in [(one, r#""result":"one""#), (two, r#""result":"two""#)] {
                assert!(raw.event().await.unwrap().data.unwrap().contains(answer));
                assert_eq!(raw.said().await, Said::End);
            }
            assert_eq!(session.client.delete().await.status, 204);
            assert_eq!(general.said().await, Said::End, "nothing else was in it");
        }
    }
}

async fn one_get_at_a_time(options: StreamableOptions) {
    let mut held = Held::new(options).await;
    // That of the session is one more.
    let quiet = tasks() + 1;
    let session = held.open("2025-06-18").await;
    for round in 0..20 {
        let mut first = once_free(&session).await;
        assert_eq!(refused(&session, "").await, 409);
        session.server.sender.send(note(round)).await.unwrap();
        assert_eq!(numbers(&mut first, 1).await, [round], "the first one is as it was");
        if round % 2 == 0 {
            first.socket.set_zero_linger().unwrap();
        }
    }
    // What comes while nobody reads is there for the next one.
    until("the loss of the last one", || tasks() == quiet).await;
    for number in 20..25 {
        session.server.sender.send(note(number)).await.unwrap();
    }
    assert_eq!(numbers(&mut once_free(&session).await, 5).await, [20, 21, 22, 23, 24]);
}

#[tokio::test]
async fn one_get_at_a_time_and_the_next_at_once() {
    one_get_at_a_time(StreamableOptions::default()).await;
}

#[tokio::test]
async fn one_get_at_a_time_and_the_next_at_once_without_a_store() {
    let mut options = StreamableOptions::default();
    options.store = None;
    one_get_at_a_time(options).await;
}

#[tokio::test]
async fn who_comes_with_an_id_takes_it_over() {
    let mut held = Held::new(StreamableOptions::default()).await;
    // That of the session is one more.
    let quiet = tasks() + 1;
    let mut session = held.open("2025-11-25").await;
    let mut first = get(&session, "").await;
    let primed = first.event().await.unwrap().id.unwrap();
    assert_eq!(primed, "0-0");
    for number in 1..=3 {
        session.server.sender.send(note(number)).await.unwrap();
    }
    assert_eq!(numbers(&mut first, 3).await, [1, 2, 3]);
    let mut second = get(&session, &after("0-2")).await;
    assert_eq!(first.said().await, Said::End, "the first one ends as a stream should");
    session.server.sender.send(note(4)).await.unwrap();
    assert_eq!(numbers(&mut second, 2).await, [3, 4]);
    assert_eq!(refused(&session, "").await, 409, "it is read still");
    // Without an id: what the second one has had does not come again.
    drop(second);
    let mut third = once_free(&session).await;
    session.server.sender.send(note(5)).await.unwrap();
    assert_eq!(third.event().await.unwrap().id.as_deref(), Some("0-4"));
    assert_eq!(numbers(&mut third, 1).await, [5]);
    // Nor what came while nobody read, once somebody has come for it with an id.
    drop(third);
    until("its loss", || tasks() == quiet).await;
    for number in 6..=7 {
        session.server.sender.send(note(number)).await.unwrap();
    }
    let mut fourth = get(&session, &after("0-5")).await;
    assert_eq!(numbers(&mut fourth, 2).await, [6, 7]);
    drop(fourth);
    let mut fifth = once_free(&session).await;
    assert_eq!(fifth.event().await.unwrap().id.as_deref(), Some("0-7"));

    // The stream of a POST too, while its connection is there.
    let (mut posted, exchange, id) = session.streamed(1).await;
    let mut resumed = get(&session, &after(&id)).await;
    assert_eq!(posted.said().await, Said::End);
    exchange.responder().notify(note(2)).await.unwrap();
    exchange.finish(&"done");
    assert_eq!(numbers(&mut resumed, 1).await, [2]);
    assert!(resumed.event().await.unwrap().data.unwrap().contains("done"));
    assert_eq!(resumed.said().await, Said::End);
}

#[tokio::test]
async fn an_id_that_cannot_be_takes_nothing_over() {
    let mut held = Held::new(StreamableOptions::default()).await;
    let mut session = held.open("2025-11-25").await;
    let mut general = get(&session, "").await;
    let (mut posted, exchange, _) = session.streamed(1).await;
    // Not a stream yet: nobody has been given an id of it.
    let (mut undecided, other) = session.asked(2).await;
    for id in
        ["0-1", "0-99999", "2-2", "3-0", "3-1", "4-0", "18446744073709551615-0", "0-18446744073709551615"]
    {
        assert_eq!(refused(&session, &after(id)).await, 400, "{id}");
    }
    session.server.sender.send(note(7)).await.unwrap();
    assert_eq!(numbers(&mut general, 1).await, [7]);
    exchange.finish(&"done");
    assert!(posted.event().await.unwrap().data.unwrap().contains("done"));
    other.finish(&"undecided");
    let answer = undecided.answer().await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.body.contains("undecided"), "{answer:?}");
}

/// How many notes are kept in less than 10 KB.
const KEPT: u64 = 9_000 / 120;

#[tokio::test]
async fn what_is_kept_for_a_get_is_bounded_and_the_newest_stay() {
    let mut options = StreamableOptions::default();
    options.store = Some(Arc::new(MemoryEventStore::new(10_000, 10_000, 10_000)));
    let mut held = Held::new(options).await;
    let session = held.open("2025-11-25").await;
    for number in 1..=1000 {
        session.server.sender.send(note(number)).await.unwrap();
    }
    until("the pump", || session.server.control.health().outbound_depth == 0).await;
    let mut general = get(&session, "").await;
    session.server.sender.send(note(1001)).await.unwrap();
    let primed = general.event().await.unwrap().id.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&1001) {
        let event = general.event().await.unwrap();
        let number = number(&event.data.unwrap());
        assert_eq!(event.id, Some(format!("0-{number}")));
        seen.push(number);
    }
    assert!(seen.len() as u64 > KEPT, "{}", seen.len());
    assert_eq!(seen, ((1002 - seen.len() as u64)..=1001).collect::<Vec<_>>(), "without a hole");
    assert_eq!(primed, format!("0-{}", seen[0] - 1), "who loses it now can come back");
}

#[tokio::test]
async fn a_question_outside_of_a_request_goes_to_the_get_stream_and_its_answer_comes_back() {
    let mut held = Held::new(StreamableOptions::default()).await;
    let session = held.open("2025-06-18").await;
    let caller = Caller::new(&session.server.sender);
    let asked = tokio::spawn(async move { caller.request("ping", &()).await });
    let mut general = get(&session, "").await;
    let question: serde_json::Value =
        serde_json::from_str(&general.event().await.unwrap().data.unwrap()).unwrap();
    assert_eq!(question["method"], "ping");
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, question["id"]);
    assert_eq!(session.client.ask(&answer).await.status, 202);
    assert!(within("the answer", asked).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_server_may_end_a_response_and_have_the_client_come_back() {
    for revision in REVISIONS {
        let mut held = Held::new(StreamableOptions::default()).await;
        let mut session = held.open(revision).await;
        let (mut posted, exchange) = session.asked(1).await;
        let handle = exchange.context().get::<StreamHandle>().unwrap().clone();
        let closed = handle.close(Duration::from_millis(250));
        assert_eq!(closed, revision == "2025-11-25", "{revision}");
        if !closed {
            exchange.finish(&"done");
            assert!(posted.answer().await.body.contains("done"));
            continue;
        }
        // HTTP-12: an id first, then how long to wait, then the end.
        assert_eq!(posted.head().await.0, 200);
        let primed = posted.event().await.unwrap();
        assert_eq!((primed.id.as_deref(), primed.data.as_deref()), (Some("2-0"), Some("")));
        assert_eq!(posted.event().await.unwrap().retry.as_deref(), Some("250"));
        assert_eq!(posted.said().await, Said::End);
        assert!(!handle.close(Duration::ZERO), "nobody reads it");
        exchange.responder().notify(note(1)).await.unwrap();
        let mut back = get(&session, &after("2-0")).await;
        assert_eq!(numbers(&mut back, 1).await, [1]);
        // And again, of the stream that was opened with GET.
        assert!(handle.close(Duration::from_millis(10)));
        assert_eq!(back.event().await.unwrap().retry.as_deref(), Some("10"));
        assert_eq!(back.said().await, Said::End);
        exchange.finish(&"done");
        let mut back = get(&session, &after("2-1")).await;
        let answer = back.event().await.unwrap();
        assert_eq!(answer.id.as_deref(), Some("2-2"));
        assert!(answer.data.unwrap().contains("done"));
        assert_eq!(back.said().await, Said::End);
        assert_eq!(refused(&session, &after("2-2")).await, 400, "all of it was had");
    }
}

#[tokio::test]
async fn an_answer_in_json_cannot_end_early() {
    let mut options = StreamableOptions::default();
    options.answers = Answers::Json;
    let mut held = Held::new(options).await;
    let mut session = held.open("2025-11-25").await;
    let (mut posted, exchange) = session.asked(1).await;
    assert!(!exchange.context().get::<StreamHandle>().unwrap().close(Duration::ZERO));
    // What is said before it goes to the stream that is opened with GET.
    exchange.responder().notify(note(1)).await.unwrap();
    exchange.finish(&"done");
    assert!(posted.answer().await.body.contains("done"));
    assert_eq!(numbers(&mut get(&session, "").await, 1).await, [1]);
}
