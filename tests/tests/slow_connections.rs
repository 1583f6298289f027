//! Connections that take their time: each is closed at its limit, none costs the others anything, nothing is left.
//!
//! A third say the heads of their requests byte by byte or say nothing, a third their bodies, and a third do not read
//! what they asked for. `SLOW_CONNECTIONS` says how many; the figures of many are best taken with `--release`:
//!
//! ```text
//! SLOW_CONNECTIONS=2000 cargo test --release -p mcp-tests --test slow_connections -- --nocapture
//! ```
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod whole;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mcp_transport::http::{BodyPace, RouterOptions, ServerOptions};
use mcp_transport::{Incoming, Notification, StreamableClient, Transport};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use whole::{Setup, Whole};
use wire::{SOON, Wire, get, header, post, until, within};

/// What each of the server's limits is set to: 2 s, and more for more connections, since those that are not slow have to
/// have their turn within it.
fn limit(number: usize) -> Duration {
    Duration::from_secs(2 + number as u64 / 500)
}

/// A connection that is not closed by then, in limits, is not going to be.
const AT_LAST: u32 = 20;
/// Between one byte and the next.
const PAUSE: Duration = Duration::from_millis(25);
/// How much there is to read: more than all buffers on the way hold.
const FLOOD: usize = 256;
const DROP: usize = 16 * 1024;
const META: &str = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

/// What is slow about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slow {
    Silent,
    Head,
    Body,
    /// It stops in the middle.
    HalfBody,
    /// A stream of HTTP+SSE is not read, or one in answer to a POST of a session, or to one without a session.
    Sse,
    Session,
    Modern,
}

use Slow::{Body, HalfBody, Head, Modern, Session, Silent, Sse};

/// A third of each.
const KINDS: [Slow; 12] = [Silent, Body, Sse, Head, Body, Session, Head, HalfBody, Modern, Head, Body, Sse];

/// Who is told when a flood that somebody does not read has met its end.
type Ended = mpsc::Sender<(Slow, Duration)>;

/// A flood. When it is dropped nobody waits for more of it: all of it was taken, or the session of its handler has ended.
struct Flood(Slow, Instant, Ended);

impl Drop for Flood {
    fn drop(&mut self) {
        let Self(kind, started, ended) = self;
        ended.try_send((*kind, started.elapsed())).unwrap();
    }
}

/// Says much when it is asked to.
async fn serve(incoming: Incoming, ended: Ended) {
    let Incoming::Request(exchange) = incoming else { return };
    match &*exchange.request().method() {
        "initialize" => exchange.finish(&json!({ "protocolVersion": "2025-11-25" })),
        "flood" => {
            let params: Value = exchange.request().params().unwrap();
            let kind = KINDS[params["kind"].as_u64().unwrap() as usize];
            let flood = Flood(kind, Instant::now(), ended);
            let drop = Notification::with_params("drop", &["x".repeat(DROP)]).unwrap();
            for _ in 0..FLOOD {
                if exchange.responder().notify(drop.clone()).await.is_err() {
                    break;
                }
            }
            std::mem::drop(flood);
            exchange.finish(&());
        }
        _ => exchange.finish(&"pong"),
    }
}

/// Sends bytes one by one until the connection is closed: what was said last.
async fn trickle(wire: &mut Wire, bytes: impl Iterator<Item = u8>) -> String {
    let mut bytes = bytes.fuse();
    let mut said = Vec::new();
    loop {
        // Whoever has nothing more to say waits for the end.
        let byte = bytes.next();
        if let Some(byte) = byte
            && wire.try_send(byte).await.is_err()
        {
            // It was closed a while ago; the last words may have come before that.
            while wire.read_some(&mut said).await {}
            break;
        }
        let pause = if byte.is_some() { PAUSE } else { SOON };
        match timeout(pause, wire.read_some(&mut said)).await {
            Err(_) if byte.is_some() => {}
            Ok(true) => {}
            _ => break,
        }
    }
    String::from_utf8(said).unwrap()
}

/// Asks for a flood, reads nothing of it until it has ended, and then reads it to the end of the connection.
async fn do_not_read(address: SocketAddr, number: usize, over: &Semaphore) {
    let place = number % KINDS.len();
    let meta = if KINDS[place] == Modern { META } else { "" };
    let flood = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"flood","params":{{"kind":{place}{meta}}}}}"#);
    let mut session = None;
    let mut slow = match KINDS[place] {
        Sse => {
            let mut slow = sent(Wire::narrow(address).await, &get("/sse", "")).await;
            assert_eq!(slow.head().await.0, 200);
            let endpoint = slow.data().await;
            let mut other = sent(Wire::connect(address).await, &post(&endpoint, "", &flood)).await;
            assert_eq!(other.answer().await.status, 202);
            slow
        }
        Session => {
            let hello = post("/mcp", "", &initialize("").to_string());
            let answer = sent(Wire::connect(address).await, &hello).await.answer().await;
            let id = header(&answer.head, "mcp-session-id").unwrap();
            let headers = format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-11-25\r\n");
            let slow = sent(Wire::narrow(address).await, &post("/mcp", &headers, &flood)).await;
            session = Some(headers);
            slow
        }
        _ => {
            let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: flood\r\n";
            sent(Wire::narrow(address).await, &post("/mcp", headers, &flood)).await
        }
    };
    drop(over.acquire().await.unwrap());
    // It is closed already: what is left comes at once.
    let mut left = Vec::new();
    within("the end", async { while slow.read_some(&mut left).await {} }).await;
    assert!(left.len() < FLOOD * DROP, "all of it was sent");
    if let Some(headers) = session {
        let delete = format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        assert_eq!(sent(Wire::connect(address).await, &delete).await.answer().await.status, 204);
    }
}

async fn sent(mut wire: Wire, text: &str) -> Wire {
    wire.send(text.as_bytes()).await;
    wire
}

fn initialize(fill: &str) -> Value {
    let params = json!({ "protocolVersion": "2025-11-25", "fill": fill });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })
}

/// One slow connection that speaks: how long it was let.
async fn speak_slowly(address: SocketAddr, kind: Slow, limit: Duration) -> Duration {
    // Before there is a connection that somebody could wait for.
    let started = Instant::now();
    let mut wire = Wire::connect(address).await;
    let speaking = async {
        match kind {
            Silent => trickle(&mut wire, std::iter::empty()).await,
            Head => {
                let head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Long: ".iter().copied();
                trickle(&mut wire, head.chain(std::iter::repeat(b'x'))).await
            }
            _ => {
                let body = initialize(&"x".repeat(100_000));
                let text = post("/mcp", "", &body.to_string());
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                wire.send(format!("{head}\r\n\r\n").as_bytes()).await;
                let most = if kind == HalfBody { 10 } else { usize::MAX };
                trickle(&mut wire, body.bytes().take(most)).await
            }
        }
    };
    let said = timeout(limit * AT_LAST, speaking).await.expect("it is still open");
    let took = started.elapsed();
    let is_body = matches!(kind, Body | HalfBody);
    assert_eq!(said.starts_with("HTTP/1.1 408 "), is_body, "{kind:?}: {said}");
    assert!(is_body || said.is_empty(), "{kind:?}: {said}");
    took
}

/// A client that does nothing wrong, until the others are done: its calls, and the longest that one took.
async fn behave(
    mut client: StreamableClient,
    is_over: Arc<AtomicBool>,
    mut watch: impl FnMut(),
) -> (u64, Duration) {
    let caller = client.dial().await.unwrap().spawn().into_caller();
    within("hello", caller.request("initialize", &json!({ "protocolVersion": "2025-11-25" }))).await.unwrap();
    let (mut calls, mut longest) = (0, Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let answer = within("an answer", caller.request("ping", &())).await.unwrap();
        assert_eq!(answer.result_raw(), Some(&b"\"pong\""[..]));
        longest = longest.max(started.elapsed());
        calls += 1;
        watch();
        tokio::task::yield_now().await;
    }
    (calls, longest)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// MiB in memory, and the most that there were.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().unwrap() / 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

/// Lets this process have as many descriptors as it may.
fn raise_descriptors() {
    let bound = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: bound.maximum, ..bound }).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_closed_at_its_limit() {
    raise_descriptors();
    let number = std::env::var("SLOW_CONNECTIONS").map_or(200, |number| number.parse::<usize>().unwrap());
    let limit = limit(number);
    let (ended, mut ends) = mpsc::channel(number);
    let pace = BodyPace::default().with_idle(limit).with_grace(limit);
    let server = ServerOptions::default().with_first_byte(limit).with_head(limit).with_write_stall(limit);
    let router = RouterOptions::default().pace(pace);
    let whole = Arc::new(Whole::start(Setup { router, server, ..Setup::default() }, move |incoming| {
        serve(incoming, ended.clone())
    }));
    let address = whole.address;
    // The two that accept, the server, and the connection that has no session.
    until("its tasks", || tasks() == 4).await;
    let (descriptors_before, (memory_before, _)) = (descriptors(), memory());

    let count = |wanted: Slow| (0..number).filter(|number| KINDS[number % KINDS.len()] == wanted).count();
    let (sessions, streams) = (count(Session), count(Sse));
    let is_over = Arc::new(AtomicBool::new(false));
    let good = tokio::spawn(behave(StreamableClient::new(whole.url("/mcp")), is_over.clone(), {
        let whole = whole.clone();
        move || {
            let (open, also_open) = whole.session_counts();
            assert!(open <= sessions + 1 && also_open <= streams, "a session of somebody who never asked");
        }
    }));

    let mut closed = BTreeMap::<Slow, Vec<Duration>>::new();
    let over = Arc::new(Semaphore::new(0));
    let (mut speaking, mut reading) = (JoinSet::new(), JoinSet::new());
    for number in 0..number {
        let kind = KINDS[number % KINDS.len()];
        if matches!(kind, Sse | Session | Modern) {
            let over = over.clone();
            reading.spawn(async move { do_not_read(address, number, &over).await });
        } else {
            speaking.spawn(async move { (kind, speak_slowly(address, kind, limit).await) });
        }
    }
    while let Some(done) = speaking.join_next().await {
        let (kind, took) = done.unwrap();
        closed.entry(kind).or_default().push(took);
    }
    for _ in 0..reading.len() {
        let (kind, took) = within("the end of a flood", ends.recv()).await.unwrap();
        closed.entry(kind).or_default().push(took);
    }
    is_over.store(true, Ordering::Relaxed);
    let (calls, longest) = within("the good client", good).await.unwrap();
    until("the streams' end", || whole.session_counts().1 == 0).await;
    assert!(whole.session_counts().0 <= sessions + 1, "a session of somebody who never asked");
    over.add_permits(number);
    while let Some(done) = within("the readers", reading.join_next()).await {
        done.unwrap();
    }

    let (_, memory_most) = memory();
    eprintln!(
        "{number} slow connections, limits of {limit:?}, {memory_before} MiB before and {memory_most} MiB at most"
    );
    eprintln!("a good client: {calls} calls, the longest {longest:.1?}");
    for (kind, took) in &closed {
        let (least, most) = (took.iter().min().unwrap(), took.iter().max().unwrap());
        eprintln!("{kind:?}: {} closed after {least:.2?} to {most:.2?}", took.len());
        assert!(*least >= limit && *most <= limit * AT_LAST, "{kind:?}");
    }
    assert_eq!(closed.values().map(Vec::len).sum::<usize>(), number);
    assert!(calls > 0 && longest < SOON);
    let now = || (whole.session_counts(), tasks(), descriptors());
    until("what there was before", || now() == ((0, 0), 4, descriptors_before)).await;
}
