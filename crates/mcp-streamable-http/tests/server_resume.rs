//! What a client gets that comes back, and what it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod raw;
mod served;

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use mcp_http::{Authenticate, Refusal, Router, RouterOptions, Server, ServerOptions};
use mcp_jsonrpc::Notification;
use mcp_streamable_http::{MemoryEventStore, StreamableOptions, StreamableServer};
use mcp_transport_core::{BoxFuture, Incoming, Listener, Principal, serve};

use held::{Held, Session, after, note, numbers};
use raw::{Client, Raw, Said, request};
use served::{Served, until, within};

fn with_store(store: MemoryEventStore) -> (StreamableOptions, Arc<MemoryEventStore>) {
    let store = Arc::new(store);
    let mut options = StreamableOptions::default();
    options.store = Some(store.clone());
    (options, store)
}

async fn status(client: &Client, id: &str) -> u16 {
    client.get(&after(id)).await.head().await.0
}

/// Ids and data from here to the end of the stream.
async fn rest(raw: &mut Raw) -> Vec<(String, String)> {
    let mut events = Vec::new();
    while let Some(event) = raw.event().await {
        events.push((event.id.unwrap(), event.data.unwrap()));
    }
    events
}

async fn resumed(client: &Client, id: &str) -> Vec<(String, String)> {
    let mut raw = client.get(&after(id)).await;
    assert_eq!(raw.head().await.0, 200, "{id}");
    rest(&mut raw).await
}

#[tokio::test]
async fn strictly_what_follows_and_of_that_stream_only() {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let served = Served::new(StreamableOptions::default()).await;
        let client = Client::initialized(served.address, revision).await;
        let mut wholes = Vec::new();
        for stream in 2..5 {
            let mut raw = client.post(&request(stream, "count", &format!("[{}]", stream * 3))).await;
            raw.head().await;
            wholes.push(rest(&mut raw).await);
        }
        // Each is as it was, from any place, also after all of it was sent; what was acknowledged is not there again.
        for whole in &wholes {
            for (place, (id, _)) in whole.iter().enumerate() {
                if place + 1 < whole.len() {
                    assert_eq!(resumed(&client, id).await, whole[place + 1..], "{revision}: {id}");
                    let before = place.checked_sub(1).map(|before| &whole[before].0);
                    if let Some(before) = before {
                        assert_eq!(status(&client, before).await, 400, "{before} was acknowledged by {id}");
                    }
                } else {
                    assert_eq!(status(&client, id).await, 400, "nothing follows {id}");
                    assert_eq!(status(&client, id).await, 400, "and nothing is kept");
                }
            }
        }
    }
}

#[tokio::test]
async fn ids_that_are_not_of_this_stream_or_session() {
    let served = Served::new(StreamableOptions::default()).await;
    let mine = Client::initialized(served.address, "2025-11-25").await;
    let other = Client::initialized(served.address, "2025-11-25").await;
    for client in [&mine, &mine, &other] {
        let mut raw = client.post(&request(1, "count", "[3]")).await;
        raw.head().await;
        rest(&mut raw).await;
    }
    // Streams 2 and 3 of mine, 2 of the other one: the same ids, but not the same streams.
    assert_eq!(status(&other, "3-1").await, 400);
    let garbage = [
        "",
        "0",
        "-",
        "2",
        "2-",
        "-1",
        "2-1-1",
        "2--1",
        "02-1",
        "2-01",
        "2-+1",
        "+2-1",
        " ",
        "2-1 x",
        "2 - 1",
        "2.1",
        "99999999999999999999-1",
        "2-99999999999999999999",
        "a-b",
        "0x2-1",
        "٢-١",
        "2-5",
        "2-18446744073709551615",
        "1-0",
        "1-1",
        "4-0",
        "0-1",
    ];
    for id in garbage {
        assert_eq!(status(&mine, id).await, 400, "{id:?}");
    }
    let twice = format!("{}{}", after("2-1"), after("2-1"));
    assert_eq!(mine.get(&twice).await.head().await.0, 400);
    let nowhere = mine.headers.replace("Mcp-Session-Id: ", "Mcp-Session-Id: A");
    assert_eq!(status(&Client { headers: nowhere, ..mine.clone() }, "2-1").await, 404);
    // And it is still there for who asks properly; blanks around a header's value are not part of it.
    assert_eq!(resumed(&mine, " 2-1 ").await.len(), 3);
    assert_eq!(mine.delete().await.status, 204);
    assert_eq!(status(&mine, "2-1").await, 404);
    assert_eq!(status(&other, "2-1").await, 200);
}

struct ByName;

impl Authenticate for ByName {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let name = parts.headers.get("x-name").map(|name| Principal::new(name.to_str().unwrap()));
        Box::pin(async move { Ok(name) })
    }
}

#[tokio::test]
async fn a_session_is_of_the_principal_who_opened_it() {
    let (endpoint, mut listener) = StreamableServer::new(StreamableOptions::default());
    let options = RouterOptions::default().authenticate(Arc::new(ByName));
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
    let address = server.local_addr();
    tokio::spawn(server.serve(Router::new(options, endpoint.routes())));
    tokio::spawn(async move {
        while let Some(connection) = listener.accept().await {
            tokio::spawn(serve(connection.unwrap(), |incoming| async move {
                if let Incoming::Request(exchange) = incoming {
                    served::handle(exchange).await;
                }
            }));
        }
    });
    let mut client = Client { address, headers: "X-Name: me\r\n".into() };
    let answer = client.ask(&raw::initialize("2025-11-25")).await;
    let id = answer.header("mcp-session-id").unwrap();
    client.headers = format!("Mcp-Session-Id: {id}\r\nX-Name: me\r\n");
    let mut raw = client.post(&request(1, "count", "[3]")).await;
    raw.head().await;
    rest(&mut raw).await;
    for name in ["X-Name: you\r\n", ""] {
        let other = Client { headers: client.headers.replace("X-Name: me\r\n", name), ..client.clone() };
        assert_eq!(status(&other, "2-1").await, 404, "{name}");
        assert_eq!(other.get("").await.head().await.0, 404);
        assert_eq!(other.ask(&request(2, "where", "{}")).await.status, 404);
        assert_eq!(other.delete().await.status, 404);
    }
    assert_eq!(resumed(&client, "2-1").await.len(), 3);
}

#[tokio::test]
async fn a_handler_goes_on_while_nobody_reads() {
    // Many more than its queue holds, and all of them kept.
    const MANY: u64 = 5_000;
    let (options, store) = with_store(MemoryEventStore::default());
    let mut held = Held::new(options).await;
    let mut session = held.open("2025-11-25").await;
    let (posted, exchange, id) = session.streamed(1).await;
    drop(posted);
    for number in 2..=MANY {
        within("room", exchange.responder().notify(note(number))).await.unwrap();
    }
    exchange.finish(&"done");
    let events = resumed(&session.client, &id).await;
    assert_eq!(events.len() as u64, MANY);
    for ((id, data), number) in events.iter().zip(2..=MANY) {
        assert_eq!((id, held::number(data)), (&format!("2-{number}"), number));
    }
    assert!(events.last().unwrap().1.contains("done"));
    assert_eq!(session.client.delete().await.status, 204);
    until("room in the store", || (store.bytes(), store.stream_count()) == (0, 0)).await;
}

#[tokio::test]
async fn what_the_store_has_no_room_for_is_a_clear_error_and_blocks_nobody() {
    let (options, store) = with_store(MemoryEventStore::new(10_000, 100_000, 100_000));
    let mut held = Held::new(options).await;
    let mut session = held.open("2025-11-25").await;
    let (posted, exchange, id) = session.streamed(1).await;
    drop(posted);
    for number in 2..=1_000 {
        within("room", exchange.responder().notify(note(number))).await.unwrap();
    }
    exchange.finish(&"done");
    until("the end of the stream", || session.server.control.health().in_flight == 0).await;
    assert_eq!(status(&session.client, &id).await, 400);
    assert_eq!(status(&session.client, "2-500").await, 400);
    assert!(store.bytes() <= 10_000, "{}", store.bytes());
    // Its newest part is there, for who has had the rest.
    let events = resumed(&session.client, "2-990").await;
    assert_eq!(events.len(), 11);
    // One event that is larger than all: lost, and said to be.
    let (posted, exchange, id) = session.streamed(2).await;
    drop(posted);
    exchange.finish(&"x".repeat(20_000));
    until("the end of the stream", || session.server.control.health().in_flight == 0).await;
    assert_eq!(status(&session.client, &id).await, 400);
}

#[tokio::test]
async fn a_client_that_is_lost_in_the_middle_of_a_large_answer_gets_it_again() {
    let mut held = Held::new(StreamableOptions::default()).await;
    let mut session = held.open("2025-11-25").await;
    let (mut posted, exchange, id) = session.streamed(1).await;
    exchange.finish(&"x".repeat(500_000));
    let mut some = [0; 10_000];
    within("a part", tokio::io::AsyncReadExt::read_exact(&mut posted.socket, &mut some)).await.unwrap();
    posted.socket.set_zero_linger().unwrap();
    drop(posted);
    let events = resumed(&session.client, &id).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].0, "2-2");
    assert!(events[0].1.len() > 500_000);
}

#[tokio::test]
async fn at_most_sixty_four_finished_streams_are_kept() {
    let (options, store) = with_store(MemoryEventStore::default());
    let served = Served::new(options).await;
    let client = Client::initialized(served.address, "2025-11-25").await;
    for number in 0..100 {
        let mut raw = client.post(&request(number, "count", "[1]")).await;
        raw.head().await;
        assert_eq!(rest(&mut raw).await.len(), 3);
    }
    until("the oldest to go", || store.stream_count() <= 65).await;
    assert_eq!(status(&client, "2-0").await, 400);
    assert_eq!(resumed(&client, "101-0").await.len(), 2);
}

/// A stream of which a part was sent, by a server whose session then ends in the meantime.
async fn ended_in_mid_stream(end: impl AsyncFnOnce(&Session)) {
    let (options, store) = with_store(MemoryEventStore::default());
    let mut held = Held::new(options).await;
    let mut session = held.open("2025-11-25").await;
    let (mut posted, exchange, _) = session.streamed(1).await;
    let (lost, other, _) = session.streamed(2).await;
    drop(lost);
    let mut general = session.client.get("").await;
    general.head().await;
    end(&session).await;
    // What was accepted is finished, and leaves nothing behind.
    exchange.responder().notify(note(2)).await.unwrap();
    exchange.finish(&"done");
    assert_eq!(numbers(&mut posted, 1).await, [2]);
    assert!(posted.event().await.unwrap().data.unwrap().contains("done"));
    assert_eq!(posted.said().await, Said::End);
    // Nobody comes back for this one, and its handler is not held up.
    for number in 2..1000 {
        let _ = within("room", other.responder().notify(note(number))).await;
    }
    other.finish(&"into nothing");
    while general.said().await != Said::End {}
    within("the end", session.server.control.closed()).await;
    until("room in the store", || (store.bytes(), store.stream_count()) == (0, 0)).await;
    assert_eq!(held.served.server.session_count(), 0);
}

#[tokio::test]
async fn a_session_that_ends_in_mid_stream_leaves_nothing_in_the_store() {
    ended_in_mid_stream(async |session| assert_eq!(session.client.delete().await.status, 204)).await;
    ended_in_mid_stream(async |session| session.server.control.shutdown()).await;
}

#[tokio::test]
async fn a_drop_of_every_event_is_not_silent_where_there_is_no_store() {
    let mut options = StreamableOptions::default();
    options.store = None;
    options.limits = options.limits.with_drain(Duration::from_secs(300));
    let mut held = Held::new(options).await;
    let mut session = held.open("2025-11-25").await;
    let (posted, exchange, id) = session.streamed(1).await;
    assert_eq!(id, "");
    assert_eq!(status(&session.client, "2-1").await, 400);
    drop(posted);
    // Nobody can come back for it, so its handler is told at the next thing that it says.
    within("an error", async {
        let large = Notification::with_params("note", &["x".repeat(1000)]).unwrap();
        while exchange.responder().notify(large.clone()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    exchange.finish(&"done");
    assert_eq!(status(&session.client, "2-1").await, 400);
}
