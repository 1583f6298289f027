//! Many principals at once, over every binding of one server and with the same ids: nothing of one reaches another.
//!
//! And somebody who knows a session's id and is not its principal learns nothing by it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod whole;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_transport::http::RouterOptions;
use mcp_transport::{Connection, Control, Incoming, Notification, StreamableOptions, serve};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use whole::{Bearers, Setup, Whole};
use wire::{Answer, Wire, get, post, within};

const CLIENTS: usize = 200;
/// Each client asks with 1, 2, 3 and so on, and with "1", "2", "3" and so on.
const IDS: usize = 250;
const REQUESTS: usize = 2 * IDS;
/// Requests that a client has on their way, and those of a batch.
const FLYING: usize = 10;
const BATCH: usize = 50;

/// How a client speaks. Every fourth answer is an event stream, because a notification comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A session of Streamable HTTP.
    Session,
    /// The same with batches.
    Batches,
    /// Streamable HTTP of 2026-07-28, without a session.
    Modern,
    /// A session of HTTP+SSE.
    Sse,
}

/// Half have a session of Streamable HTTP, a quarter none, a quarter one of HTTP+SSE. Most of the sessions have batches,
/// which are cheap: this is a test of what goes where, and not of how fast a head is parsed.
const KINDS: [Kind; 8] = [
    Kind::Session,
    Kind::Modern,
    Kind::Batches,
    Kind::Sse,
    Kind::Batches,
    Kind::Modern,
    Kind::Batches,
    Kind::Sse,
];
/// Of requests, those whose answer has a notification before it.
const TOLD_FIRST: usize = 4;

/// What only the principal of this number is to see.
fn secret(number: usize) -> String {
    format!("secret-{:x}", (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[derive(Deserialize)]
struct Asked {
    /// What the client has made up for this request.
    nonce: String,
    /// Whether a notification comes before the answer, which makes it a stream.
    first: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    nonce: &'a str,
    secret: String,
}

/// Answers with what the principal of the request is to see, and with what the request was.
async fn tell(incoming: Incoming) {
    let Incoming::Request(exchange) = incoming else { return };
    let principal = exchange.context().principal.as_ref().expect("everybody is known").as_str();
    let number: usize = principal.strip_prefix("client ").unwrap().parse().unwrap();
    if exchange.request().method() == "initialize" {
        let version = exchange.request().params::<Value>().unwrap()["protocolVersion"].clone();
        return exchange.finish(&json!({ "protocolVersion": version }));
    }
    let asked: Asked = exchange.request().params().unwrap();
    let told = Told { nonce: &asked.nonce, secret: secret(number) };
    if asked.first {
        let note = Notification::with_params("told", &told).unwrap();
        exchange.responder().notify(note).await.unwrap();
    }
    // Others get their turn in between, so that answers come in any order.
    for _ in 0..asked.nonce.len() % 3 {
        tokio::task::yield_now().await;
    }
    exchange.finish(&told);
}

/// The id of a request, as it is written.
fn id(request: usize) -> String {
    if request < IDS { (request + 1).to_string() } else { format!("\"{}\"", request - IDS + 1) }
}

/// What only this client makes up for this request; of several lengths.
fn nonce(number: usize, request: usize) -> String {
    format!("{number}:{}", request.pow(1 + (number % 3) as u32))
}

/// What one client asks and has been told.
struct Client {
    number: usize,
    kind: Kind,
    /// What each request is known by, beside its id.
    nonces: HashMap<String, usize>,
    /// By request, and by whether it is the answer or the notification before it.
    told: Vec<[u32; 2]>,
}

impl Client {
    fn new(number: usize) -> Self {
        let nonces = (0..REQUESTS).map(|request| (nonce(number, request), request)).collect();
        Self { number, kind: KINDS[number % KINDS.len()], nonces, told: vec![[0; 2]; REQUESTS] }
    }

    fn request(&self, request: usize) -> String {
        let id = id(request);
        let nonce = nonce(self.number, request);
        let first = request.is_multiple_of(TOLD_FIRST);
        let meta = if self.kind == Kind::Modern {
            r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
        } else {
            ""
        };
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tell","params":{{"nonce":"{nonce}","first":{first}{meta}}}}}"#
        )
    }

    /// Looks at what came: it is ours, it was asked, and it is that to the byte.
    fn take(&mut self, message: &str) {
        let nonce = message.split_once("\"nonce\":\"").and_then(|(_, rest)| rest.split('"').next());
        let nonce = nonce.unwrap_or_else(|| panic!("{message}"));
        let request = *self.nonces.get(nonce).unwrap_or_else(|| panic!("somebody else's: {message}"));
        let told = format!(r#"{{"nonce":"{nonce}","secret":"{}"}}"#, secret(self.number));
        let is_note = message.contains("\"method\"");
        let expected = if is_note {
            format!(r#"{{"jsonrpc":"2.0","method":"told","params":{told}}}"#)
        } else {
            format!(r#"{{"jsonrpc":"2.0","id":{},"result":{told}}}"#, id(request))
        };
        assert_eq!(message, expected, "somebody else's, or another request's");
        self.told[request][usize::from(!is_note)] += 1;
    }

    async fn run(mut self, address: SocketAddr) -> usize {
        let token = format!("Authorization: Bearer token-{}\r\n", self.number);
        match self.kind {
            Kind::Sse => self.run_sse(address, &token).await,
            _ => self.run_streamable(address, &token).await,
        }
        let notes = self.told.iter().map(|[notes, _]| *notes as usize).sum::<usize>();
        assert_eq!(notes, REQUESTS / TOLD_FIRST, "{:?}", self.kind);
        assert!(self.told.iter().all(|[_, answers]| *answers == 1), "{:?}: {:?}", self.kind, self.told);
        self.told.len()
    }

    async fn run_streamable(&mut self, address: SocketAddr, token: &str) {
        let mut wire = Wire::connect(address).await;
        let mut headers = token.to_owned();
        if self.kind == Kind::Modern {
            headers += "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tell\r\n";
        } else {
            let version = if self.kind == Kind::Batches { "2025-03-26" } else { "2025-11-25" };
            let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize",
                "params": { "protocolVersion": version } });
            wire.send(post("/mcp", &headers, &hello.to_string()).as_bytes()).await;
            let answer = wire.answer().await;
            let session = answer.header("mcp-session-id").unwrap_or_else(|| panic!("{answer:?}"));
            headers += &format!("Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: {version}\r\n");
        }
        let step = if self.kind == Kind::Batches { BATCH } else { FLYING };
        for start in (0..REQUESTS).step_by(step) {
            let requests: Vec<_> = (start..start + step).map(|request| self.request(request)).collect();
            if self.kind == Kind::Batches {
                let batch = format!("[{}]", requests.join(","));
                wire.send(post("/mcp", &headers, &batch).as_bytes()).await;
                self.take_answer(&wire.answer().await, true);
                continue;
            }
            // All at once: they are answered in turn.
            let bytes: String = requests.iter().map(|json| post("/mcp", &headers, json)).collect();
            wire.send(bytes.as_bytes()).await;
            for request in start..start + step {
                self.take_answer(&wire.answer().await, request.is_multiple_of(TOLD_FIRST));
            }
        }
    }

    fn take_answer(&mut self, answer: &Answer, is_stream: bool) {
        assert_eq!(answer.status, 200, "{answer:?}");
        let content_type = if is_stream { "text/event-stream" } else { "application/json" };
        assert_eq!(answer.header("content-type"), Some(content_type), "{answer:?}");
        answer.messages().into_iter().for_each(|message| self.take(message));
    }

    async fn run_sse(&mut self, address: SocketAddr, token: &str) {
        let mut stream = Wire::connect(address).await;
        stream.send(get("/sse", token).as_bytes()).await;
        assert_eq!(stream.head().await.0, 200);
        let endpoint = stream.data().await;
        let mut wire = Wire::connect(address).await;
        for start in (0..REQUESTS).step_by(FLYING) {
            let posts = (start..start + FLYING).map(|request| post(&endpoint, token, &self.request(request)));
            let bytes: String = posts.collect();
            wire.send(bytes.as_bytes()).await;
            let told_first =
                (start..start + FLYING).filter(|request| request.is_multiple_of(TOLD_FIRST)).count();
            for _ in 0..FLYING + told_first {
                let message = stream.data().await;
                self.take(&message);
            }
            for _ in 0..FLYING {
                assert_eq!(wire.answer().await.status, 202);
            }
        }
    }
}

/// A server that knows all clients.
fn start() -> Whole {
    let tokens: Vec<_> =
        (0..CLIENTS).map(|number| (format!("token-{number}"), format!("client {number}"))).collect();
    let tokens = tokens.iter().map(|(token, name)| (token.as_str(), name.as_str()));
    let router = RouterOptions::default().authenticate(Arc::new(Bearers::new(tokens)));
    let mut streamable = StreamableOptions::default();
    // Nobody comes back for a stream that was read.
    streamable.keep_finished = Duration::ZERO;
    Whole::start(Setup { router, streamable, ..Setup::default() }, tell)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_principals_use_the_same_ids() {
    let whole = start();
    let started = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        running.spawn(Client::new(number).run(whole.address));
    }
    let mut answers = 0;
    while let Some(done) = running.join_next().await {
        answers += done.unwrap();
    }
    assert_eq!(answers, 100_000);
    eprintln!("{answers} answers in {:.1} s", started.elapsed().as_secs_f64());
}

/// Holds requests until they are let go, and sends into sessions what belongs to no request.
#[derive(Clone)]
struct Keeper {
    sessions: Arc<Mutex<HashMap<String, (mcp_transport::Sender, Control)>>>,
    held: Arc<Semaphore>,
}

impl Keeper {
    fn take(&self, connection: Connection) {
        let control = connection.control();
        if let Some(session) = control.context().session.as_deref() {
            let entry = (connection.sender(), control.clone());
            self.sessions.lock().unwrap().insert(session.to_owned(), entry);
        }
        let held = self.held.clone();
        tokio::spawn(serve(connection, move |incoming| Self::answer(incoming, held.clone())));
    }

    async fn answer(incoming: Incoming, held: Arc<Semaphore>) {
        let Incoming::Request(exchange) = incoming else { return };
        match &*exchange.request().method() {
            "initialize" => {
                let version = exchange.request().params::<Value>().unwrap()["protocolVersion"].clone();
                exchange.finish(&json!({ "protocolVersion": version }));
            }
            "hold" => {
                exchange.responder().notify(Notification::new("held")).await.unwrap();
                let _permit = held.acquire().await.unwrap();
                exchange.finish(&"let go");
            }
            _ => exchange.finish(&"pong"),
        }
    }

    /// Messages that have come into a session.
    fn received(&self, session: &str) -> u64 {
        self.sessions.lock().unwrap()[session].1.health().received
    }

    async fn tell(&self, session: &str, method: &str) {
        let sender = self.sessions.lock().unwrap()[session].0.clone();
        within("room", sender.send(Notification::new(method))).await.unwrap();
    }
}

const VICTIM: &str = "Authorization: Bearer of-the-victim\r\n";
const THIEF: &str = "Authorization: Bearer of-the-thief\r\n";
const HOLD: &str = r#"{"jsonrpc":"2.0","id":1,"method":"hold"}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;

/// One request on a connection of its own.
async fn ask(address: SocketAddr, bytes: String) -> Answer {
    let mut wire = Wire::connect(address).await;
    wire.send(bytes.as_bytes()).await;
    wire.answer().await
}

/// The headers of a session of Streamable HTTP.
fn of_session(token: &str, id: &str, version: &str) -> String {
    format!("{token}Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {version}\r\n")
}

/// The victim opens a session: its id.
async fn opened(address: SocketAddr, version: &str) -> String {
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "protocolVersion": version } });
    let answer = ask(address, post("/mcp", VICTIM, &hello.to_string())).await;
    answer.header("mcp-session-id").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// The victim has a call held, and has read its first event: the stream, and the id of that event.
async fn held(address: SocketAddr, session: &str, hold: &str) -> (Wire, String) {
    let mut wire = Wire::connect(address).await;
    wire.send(post("/mcp", &of_session(VICTIM, session, "2025-11-25"), hold).as_bytes()).await;
    assert_eq!(wire.head().await.0, 200);
    loop {
        let event = wire.event().await.unwrap();
        if event.contains("held") {
            let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
            return (wire, id.to_owned());
        }
    }
}

/// Everything that can be sent with a session's id; `events` are the ids of events of the victim's streams.
fn attempts(token: &str, session: &str, events: &[String]) -> Vec<(String, String)> {
    let bodies = [
        ("request", PING.to_owned()),
        ("the same id as one in flight", HOLD.into()),
        (
            "notification",
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#.into(),
        ),
        ("response", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.into()),
        ("batch", format!("[{PING},{HOLD}]")),
        ("batch of notifications", r#"[{"jsonrpc":"2.0","method":"x"}]"#.into()),
        ("initialize", PING.replace("ping", "initialize")),
        ("no JSON", "{".into()),
        ("no request", r#"{"jsonrpc":"2.0","id":7}"#.into()),
    ];
    let mut attempts = Vec::new();
    for version in ["2025-11-25", "2025-03-26"] {
        let headers = of_session(token, session, version);
        for (what, body) in &bodies {
            attempts.push((format!("POST {what} {version}"), post("/mcp", &headers, body)));
        }
        attempts.push((format!("GET {version}"), get("/mcp", &headers)));
        for event in events {
            let headers = format!("{headers}Last-Event-ID: {event}\r\n");
            attempts.push((format!("GET after {event} {version}"), get("/mcp", &headers)));
        }
        let delete = format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        attempts.push((format!("DELETE {version}"), delete));
    }
    // Without a revision, 2025-03-26 is meant.
    let headers = format!("{token}Mcp-Session-Id: {session}\r\n");
    attempts.push(("POST without a revision".into(), post("/mcp", &headers, PING)));
    for (what, body) in &bodies {
        let target = format!("/message?sessionId={session}");
        attempts.push((format!("POST {what} HTTP+SSE"), post(&target, token, body)));
    }
    attempts
}

#[tokio::test]
async fn a_session_of_somebody_else_is_one_that_is_not_there() {
    let bearers = Bearers::new([("of-the-victim", "victim"), ("of-the-thief", "thief")]);
    let router = RouterOptions::default().authenticate(Arc::new(bearers));
    let keeper = Keeper { sessions: Arc::default(), held: Arc::new(Semaphore::new(0)) };
    let whole = Whole::with(Setup { router, ..Setup::default() }, {
        let keeper = keeper.clone();
        move |connection| keeper.take(connection)
    });
    let address = whole.address;

    // What the victim has: three sessions; in one of them the stream of the server's own, a call that it waits for, and
    // one whose stream was lost.
    let (session, batches) = (opened(address, "2025-11-25").await, opened(address, "2025-03-26").await);
    let mut general = Wire::connect(address).await;
    general.send(get("/mcp", &of_session(VICTIM, &session, "2025-11-25")).as_bytes()).await;
    assert_eq!(general.head().await.0, 200);
    keeper.tell(&session, "hello").await;
    let hello = loop {
        let event = general.event().await.unwrap();
        if event.contains("hello") {
            break event;
        }
    };
    let id_of = |event: &str| event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let (mut waiting, waiting_id) = held(address, &session, HOLD).await;
    let (lost, lost_id) = held(address, &session, &HOLD.replace(":1,", ":3,")).await;
    drop(lost);
    let mut sse = Wire::connect(address).await;
    sse.send(get("/sse", VICTIM).as_bytes()).await;
    assert_eq!(sse.head().await.0, 200);
    let endpoint = sse.data().await;
    let (_, sse_session) = endpoint.split_once("sessionId=").unwrap();
    let sessions = [session.as_str(), &batches, sse_session];
    let events = [id_of(&hello), waiting_id, lost_id.clone()];

    let received = sessions.map(|session| keeper.received(session));
    let open = whole.session_counts();
    assert_eq!(open, (2, 1));
    // As long, of the same letters, and never anybody's.
    let unknown: String = session.chars().rev().collect();
    let mut seen = BTreeMap::new();
    for token in [THIEF, "Authorization: Bearer of-nobody\r\n", ""] {
        let unknown = attempts(token, &unknown, &events);
        for session in sessions {
            for ((what, bytes), (_, of_unknown)) in
                attempts(token, session, &events).into_iter().zip(&unknown)
            {
                let answer = ask(address, bytes).await;
                assert_eq!(answer, ask(address, of_unknown.clone()).await, "{what}: {token:?}");
                let leaks = format!("{}{}", answer.head, answer.body).contains(session);
                assert!(!leaks, "{what}: {answer:?}");
                *seen.entry(answer.status).or_insert(0) += 1;
            }
        }
    }
    // 400 is what is said of a body that is no message, whoever sends it.
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [400, 401, 404], "{seen:?}");
    assert_eq!(sessions.map(|session| keeper.received(session)), received, "something came in");
    assert_eq!(whole.session_counts(), open);

    // The victim goes on where it was.
    keeper.tell(&session, "still there").await;
    assert!(general.data().await.contains("still there"));
    keeper.held.add_permits(2);
    assert_eq!(waiting.data().await, r#"{"jsonrpc":"2.0","id":1,"result":"let go"}"#);
    let mut resumed = Wire::connect(address).await;
    let headers = of_session(VICTIM, &session, "2025-11-25");
    resumed.send(get("/mcp", &format!("{headers}Last-Event-ID: {lost_id}\r\n")).as_bytes()).await;
    assert_eq!(resumed.head().await.0, 200);
    assert_eq!(resumed.data().await, r#"{"jsonrpc":"2.0","id":3,"result":"let go"}"#);
    let pong = r#"{"jsonrpc":"2.0","id":2,"result":"pong"}"#;
    assert_eq!(ask(address, post(&endpoint, VICTIM, PING)).await.status, 202);
    assert_eq!(sse.data().await, pong);
    let batch =
        ask(address, post("/mcp", &of_session(VICTIM, &batches, "2025-03-26"), &format!("[{PING}]"))).await;
    assert_eq!(batch.messages(), [pong]);
    let delete = format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    assert_eq!(ask(address, delete).await.status, 204);
}
