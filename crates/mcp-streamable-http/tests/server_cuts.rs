//! A client that loses its connections, at every byte and thousands of times, has each event exactly once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_jsonrpc::Notification;
use mcp_streamable_http::{Answers, MemoryEventStore, StreamableOptions};
use mcp_transport_core::{Incoming, Listener, serve};
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use raw::{Client, Raw, request};
use served::{Served, until, within};

/// What one client has had of one stream.
#[derive(Default)]
struct Had {
    last_id: Option<String>,
    /// All data that was not empty.
    data: Vec<String>,
}

impl Had {
    /// Takes what was read of one response up to its cut; whether it came to its end.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
        let status = std::str::from_utf8(&bytes[9..12]).unwrap();
        assert_eq!(status, "200", "{}", String::from_utf8_lossy(bytes));
        let (body, ended) = unchunked(&bytes[head + 4..]);
        let body = String::from_utf8_lossy(&body).into_owned();
        // What has no empty line behind it is no event.
        let Some((whole, _)) = body.rsplit_once("\n\n") else { return ended };
        for event in whole.split("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            if let Some(id) = field("id: ") {
                self.last_id = Some(id.to_owned());
            }
            if let Some(data) = field("data: ").filter(|data| !data.is_empty()) {
                self.data.push(data.to_owned());
            }
        }
        ended
    }
}

/// The data of chunks, the last of which may be cut; and whether there was the one that ends them.
fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut data = Vec::new();
    while let Some(line) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return (data, bytes.len() >= line + 4);
        }
        let rest = &bytes[line + 2..];
        data.extend_from_slice(&rest[..length.min(rest.len())]);
        if rest.len() < length + 2 {
            break;
        }
        bytes = &rest[length + 2..];
    }
    (data, false)
}

/// Reads exactly so many bytes, or to the end, and then is gone: in good order or not.
async fn cut(mut raw: Raw, at: usize, reset: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut some = (&mut raw.socket).take(at as u64);
    within("bytes", some.read_to_end(&mut bytes)).await.unwrap();
    if reset {
        raw.socket.set_zero_linger().unwrap();
    }
    bytes
}

/// The whole of what is left.
async fn to_the_end(client: &Client, had: &mut Had) {
    let mut raw = client.get(&format!("Last-Event-ID: {}\r\n", had.last_id.as_deref().unwrap())).await;
    let (status, _) = raw.head().await;
    if status == 400 {
        return;
    }
    assert_eq!(status, 200);
    while let Some(event) = raw.event().await {
        had.last_id = event.id;
        had.data.extend(event.data.filter(|data| !data.is_empty()));
    }
}

const SHORT: u64 = 5;

#[tokio::test]
async fn at_every_byte_of_an_answer() {
    let mut options = StreamableOptions::default();
    options.answers = Answers::Stream;
    let served = Served::new(options).await;
    let open = async || {
        let mut raw = Client::new(served.address).post(&raw::initialize("2025-11-25")).await;
        let (_, headers) = raw.head().await;
        let id = headers.iter().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
        assert!(raw.event().await.is_some());
        let headers = format!("Mcp-Session-Id: {id}\r\nConnection: close\r\n");
        Client { address: served.address, headers }
    };
    let client = open().await;
    let params = format!("[{SHORT}]");
    let raw = client.post(&request(1, "count", &params)).await;
    let whole = cut(raw, usize::MAX, false).await;
    let mut all = Had::default();
    assert!(all.take(&whole));
    assert_eq!(all.data.len() as u64, SHORT + 1);
    let (mut resumed, mut lost) = (0, 0);
    for at in 0..=whole.len() {
        let client = if at % 50 == 0 { open().await } else { client.clone() };
        let mut had = Had::default();
        let raw = client.post(&request(1, "count", &params)).await;
        let first = cut(raw, at, at % 2 == 0).await;
        had.take(&first);
        if had.last_id.is_none() {
            // Without the first id there is no way back; every event that was seen has one.
            assert_eq!(had.data.len(), 0);
            lost += 1;
            continue;
        }
        to_the_end(&client, &mut had).await;
        assert_eq!(had.data, all.data, "cut behind byte {at}");
        resumed += 1;
    }
    eprintln!("{} bytes: resumed from {resumed} cuts, and {lost} before the first id", whole.len());
    assert!(resumed > SHORT * 60 && lost < 400, "{resumed}, {lost}");
}

const SESSIONS: u64 = 4;
const STREAMS: u64 = 5;
const EVENTS: u64 = 2_500;
const CUTS: u64 = 100;

/// What a client allows a handler to say.
type Gates = Arc<HashMap<(u64, u64), Arc<Semaphore>>>;

/// A server whose handlers say each number, with where it belongs, when they are allowed to.
async fn gated(gates: Gates, options: StreamableOptions) -> (Served, SocketAddr) {
    let (served, mut listener) = Served::bare(options).await;
    let address = served.address;
    tokio::spawn(async move {
        while let Some(connection) = listener.accept().await {
            let gates = gates.clone();
            tokio::spawn(serve(connection.unwrap(), move |incoming| {
                let gates = gates.clone();
                async move {
                    let Incoming::Request(exchange) = incoming else { return };
                    if exchange.request().method() != "say" {
                        return served::handle(exchange).await;
                    }
                    let (session, stream): (u64, u64) = exchange.request().params().unwrap();
                    let gate = gates[&(session, stream)].clone();
                    for number in 1..EVENTS {
                        gate.acquire().await.unwrap().forget();
                        let note = Notification::with_params("note", &[session, stream, number]).unwrap();
                        exchange.responder().notify(note).await.unwrap();
                    }
                    exchange.finish(&[session, stream, EVENTS]);
                }
            }));
        }
    });
    (served, address)
}

/// Reads one stream through all its cuts; how many bytes and cuts it took.
async fn follow(client: Client, session: u64, stream: u64, gate: Arc<Semaphore>) -> (usize, u64) {
    let (mut had, mut allowed, mut cuts, mut bytes) = (Had::default(), 0, 0, 0);
    let mut allow = |up_to: u64| {
        let up_to = up_to.min(EVENTS);
        gate.add_permits(up_to.saturating_sub(allowed) as usize);
        allowed = allowed.max(up_to);
    };
    let mut seed = session * STREAMS + stream;
    while cuts < CUTS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chance = (seed >> 33) as usize;
        let had_before = had.data.len() as u64;
        // Some of what it reads is there before it comes, and some while it reads.
        allow(had_before + (chance % 20) as u64);
        let raw = match &had.last_id {
            None => client.post(&request(stream, "say", &format!("[{session},{stream}]"))).await,
            Some(id) => client.get(&format!("Last-Event-ID: {id}\r\n")).await,
        };
        // Beyond a head there are fewer than 24 events in these; the first cut is behind the first id.
        let at = if had.last_id.is_none() { 500 } else { 150 + chance % 2_000 };
        allow(had_before + 40);
        let read = cut(raw, at, chance.is_multiple_of(3)).await;
        bytes += read.len();
        assert!(!had.take(&read), "it ended after {} events", had.data.len());
        assert!(had.last_id.is_some());
        cuts += 1;
    }
    allow(EVENTS);
    to_the_end(&client, &mut had).await;
    assert_eq!(had.data.len() as u64, EVENTS, "of stream {stream} of session {session}");
    for (data, number) in had.data.iter().zip(1..) {
        assert!(data.ends_with(&format!("[{session},{stream},{number}]}}")), "{number}: {data}");
    }
    (bytes, cuts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_times_in_fifty_thousand_events() {
    let started = std::time::Instant::now();
    let places = (0..SESSIONS).flat_map(|session| (0..STREAMS).map(move |stream| (session, stream)));
    let gates: Gates = Arc::new(places.map(|place| (place, Arc::new(Semaphore::new(0)))).collect());
    let store = Arc::new(MemoryEventStore::new(1 << 20, 1 << 23, 1 << 26));
    let mut options = StreamableOptions::default();
    options.store = Some(store.clone());
    options.answer_wait = Duration::from_millis(1);
    let (served, address) = gated(gates.clone(), options).await;
    let mut running = JoinSet::new();
    let mut clients = Vec::new();
    for session in 0..SESSIONS {
        let client = Client::initialized(address, "2025-11-25").await;
        for stream in 0..STREAMS {
            let gate = gates[&(session, stream)].clone();
            running.spawn(follow(client.clone(), session, stream, gate));
        }
        clients.push(client);
    }
    let (mut bytes, mut cuts) = (0, 0);
    while let Some(done) = running.join_next().await {
        let (read, cut) = done.unwrap();
        (bytes, cuts) = (bytes + read, cuts + cut);
    }
    eprintln!(
        "{cuts} cuts, {} events, {bytes} bytes before cuts: {:?}",
        SESSIONS * STREAMS * EVENTS,
        started.elapsed()
    );
    assert_eq!(cuts, SESSIONS * STREAMS * CUTS);
    for client in clients {
        assert_eq!(client.delete().await.status, 204);
    }
    until("the end", || served.server.session_count() == 0 && store.bytes() == 0).await;
}
