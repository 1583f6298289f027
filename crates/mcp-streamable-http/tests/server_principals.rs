//! A session of somebody else is answered as one that is not there, byte for byte, and its owner notices nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod held;
mod raw;
mod served;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body::{Body, Frame};
use mcp_http::{Authenticate, Challenge, Refusal, Router, RouterOptions, bearer_token};
use mcp_streamable_http::{StreamableListener, StreamableOptions, StreamableServer};
use mcp_transport_core::{BoxFuture, Endpoint, Exchange, Incoming, Listener, Principal, serve};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use held::{after, note, number, numbers};
use raw::{Client, Raw, initialize, request};
use served::{Served, until, within};

const TOO_LARGE: usize = mcp_http::DEFAULT_MAX_BODY;

/// Everybody is whom their token names; who has none is nobody, or not let in.
#[derive(Clone, Copy)]
struct ByToken {
    lets_nobody_in: bool,
}

impl Authenticate for ByToken {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let challenge = Challenge::of(None);
        let found = match bearer_token(parts) {
            Ok(Some("wrong")) => Err(challenge.invalid()),
            Ok(Some(name)) => Ok(Some(Principal::new(name))),
            Ok(None) if self.lets_nobody_in => Ok(None),
            Ok(None) => Err(challenge.missing()),
            Err(_) => Err(challenge.malformed()),
        };
        Box::pin(std::future::ready(found))
    }
}

fn options(lets_nobody_in: bool) -> RouterOptions {
    RouterOptions::default().authenticate(Arc::new(ByToken { lets_nobody_in }))
}

/// Ann's session, with something going on in every part of it.
struct Victim {
    served: Served,
    _listener: StreamableListener,
    id: String,
    client: Client,
    server: Endpoint,
    /// A request that is being answered, and its response.
    exchange: Exchange,
    posted: Raw,
    general: Raw,
    /// A request of the server's own that waits for ann.
    question: String,
    asking: tokio::task::JoinHandle<bool>,
    /// The first event of a stream that has ended, and has more.
    lost: String,
}

impl Victim {
    async fn new(revision: &str, lets_nobody_in: bool, owner: &str) -> Self {
        let (served, mut listener) =
            Served::behind(options(lets_nobody_in), StreamableOptions::default()).await;
        let sessionless =
            within("the connection without a session", listener.accept()).await.unwrap().unwrap();
        tokio::spawn(serve(sessionless, |_| async {}));
        let mut client = Client { address: served.address, headers: owner.to_owned() };
        let mut asked = client.post(&initialize(revision)).await;
        let mut server = within("a session", listener.accept()).await.unwrap().unwrap().spawn();
        let opened = json!({ "protocolVersion": revision, "capabilities": {}, "serverInfo": {} });
        held::request(&mut server).await.finish(&opened);
        let id = asked.answer().await.header("mcp-session-id").expect("a session").to_owned();
        client.headers += &format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {revision}\r\n");

        let mut finished = client.post(&request(1, "one", "{}")).await;
        let exchange = held::request(&mut server).await;
        for number in 1..=3 {
            exchange.responder().notify(note(number)).await.unwrap();
        }
        assert_eq!(finished.head().await.0, 200);
        let lost = loop {
            let event = finished.event().await.unwrap();
            if event.data.is_some_and(|data| !data.is_empty()) {
                break event.id.unwrap();
            }
        };
        drop(finished);
        exchange.finish(&"done");

        let mut posted = client.post(&request(2, "two", "{}")).await;
        let exchange = held::request(&mut server).await;
        let caller = exchange.responder().caller();
        let asking = tokio::spawn(async move { caller.request("roots/list", &()).await.is_ok() });
        assert_eq!(posted.head().await.0, 200);
        let question = loop {
            let data = posted.event().await.unwrap().data.unwrap_or_default();
            if data.contains("roots/list") {
                let question: serde_json::Value = serde_json::from_str(&data).unwrap();
                break question["id"].to_string();
            }
        };
        let mut general = client.get("").await;
        assert_eq!(general.head().await.0, 200);
        let session = Self {
            served,
            _listener: listener,
            id,
            client,
            server,
            exchange,
            posted,
            general,
            question,
            asking,
            lost,
        };
        until("the lost response to end", || session.server.control.health().in_flight == 1).await;
        session
    }

    /// All of it goes on as if nobody else had ever been there.
    async fn goes_on(mut self, received: u64) {
        let health = self.server.control.health();
        assert_eq!((health.received, health.in_flight, health.pending), (received, 1, 1), "{health:?}");
        assert_eq!((health.malformed, health.refused, health.unmatched), (0, 0, 0), "{health:?}");
        assert_eq!(self.served.server.session_count(), 1);
        assert!(!self.exchange.responder().is_cancelled());
        assert!(!self.asking.is_finished());

        self.server.sender.send(note(7)).await.unwrap();
        assert_eq!(numbers(&mut self.general, 1).await, [7]);
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, self.question);
        assert_eq!(self.client.ask(&answer).await.status, 202);
        assert!(within("the answer", self.asking).await.unwrap(), "ann's answer is the one that counts");
        self.exchange.responder().notify(note(8)).await.unwrap();
        self.exchange.finish(&"done");
        assert_eq!(numbers(&mut self.posted, 1).await, [8]);
        assert!(self.posted.event().await.unwrap().data.unwrap().contains("done"));
        let mut resumed = self.client.get(&after(&self.lost)).await;
        assert_eq!(resumed.head().await.0, 200);
        let second = resumed.event().await.unwrap().data.unwrap();
        assert_eq!(number(&second), 2);
        assert_eq!(self.client.delete().await.status, 204);
        assert_eq!(self.served.server.session_count(), 0);
    }

    /// What somebody may try with a session: method, lines of the head behind the session's own, body.
    fn attempts(&self) -> Vec<(&'static str, String, String)> {
        let typed =
            |kind: &str| format!("Content-Type: {kind}\r\nAccept: application/json, text/event-stream\r\n");
        let json = typed("application/json");
        let reads = "Accept: text/event-stream\r\n";
        let (lost, question) = (&self.lost, &self.question);
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let two = request(2, "two", "{}");
        let mut attempts = Vec::new();
        for version in ["", "2025-03-26", "2025-06-18", "2025-11-25", "2024-11-05", "1999-01-01", "x"] {
            let version = if version.is_empty() {
                String::new()
            } else {
                format!("MCP-Protocol-Version: {version}\r\n")
            };
            for body in [
                two.clone(),
                note.to_owned(),
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#.to_owned(),
                format!(r#"{{"jsonrpc":"2.0","id":{question},"result":{{"roots":[]}}}}"#),
                format!(r#"{{"jsonrpc":"2.0","id":{question},"error":{{"code":-32603,"message":"no"}}}}"#),
                format!("[{two},{note}]"),
                format!("[{note}]"),
                format!(r#"[{{"jsonrpc":"2.0","id":{question},"result":{{}}}}]"#),
                format!("[{two},1,{{}}]"),
                "[1]".to_owned(),
                "[]".to_owned(),
                initialize("2025-11-25"),
                format!("[{}]", initialize("2025-03-26")),
                // What is no message, with an id and without.
                "".to_owned(),
                "{".to_owned(),
                "null".to_owned(),
                r#"{"jsonrpc":"2.0","id":9}"#.to_owned(),
                r#"{"jsonrpc":"2.0","id":9,"method":1}"#.to_owned(),
                format!("{{{}", " ".repeat(100_000)),
            ] {
                attempts.push(("POST", format!("{json}{version}"), body));
            }
            for more in [
                "".to_owned(),
                after(lost),
                after("0-0"),
                after("99-1"),
                after("no"),
                format!("{}{}", after(lost), after(lost)),
            ] {
                attempts.push(("GET", format!("{reads}{version}{more}"), String::new()));
            }
            attempts.push(("DELETE", version.clone(), String::new()));
            attempts.push(("DELETE", format!("{version}{}", after(lost)), String::new()));
        }
        // What is not got to the session in any case.
        for head in [
            typed("text/plain"),
            "Content-Type: application/json\r\nAccept: text/html\r\n".to_owned(),
            format!("{json}Origin: https://evil.example\r\n"),
            format!("{json}Content-Encoding: gzip\r\n"),
            format!("{json}Mcp-Session-Id: {}\r\n", "B".repeat(32)),
            format!("{json}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: two\r\n"),
        ] {
            attempts.push(("POST", head, two.clone()));
        }
        attempts.push(("POST", json, format!("{two}{}", " ".repeat(TOO_LARGE))));
        attempts.push(("GET", String::new(), String::new()));
        attempts.push(("GET", "Accept: application/json\r\n".into(), String::new()));
        attempts.push(("GET", format!("{reads}MCP-Protocol-Version: 2026-07-28\r\n"), String::new()));
        attempts.push(("DELETE", "MCP-Protocol-Version: 2026-07-28\r\n".into(), String::new()));
        attempts.push(("PUT", String::new(), String::new()));
        attempts.push(("OPTIONS", String::new(), String::new()));
        attempts
    }
}

/// All the bytes of an answer, but for its date.
async fn answer(address: SocketAddr, method: &str, head: &str, body: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let length = if body.is_empty() && method != "POST" {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head =
        format!("{method} /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}{head}\r\n");
    let mut answer = Vec::new();
    within("the end of an answer", async {
        // It may be refused before it was written, and what is far too large is refused for what its head says.
        let _ = socket.write_all(head.as_bytes()).await;
        if body.len() <= TOO_LARGE {
            let _ = socket.write_all(body.as_bytes()).await;
        }
        let _ = socket.read_to_end(&mut answer).await;
    })
    .await;
    assert!(!answer.is_empty(), "{method} {head}");
    let date = answer.windows(6).position(|six| six.eq_ignore_ascii_case(b"date: ")).expect("a date");
    let end = date + answer[date..].iter().position(|byte| *byte == b'\n').unwrap();
    answer.drain(date..=end);
    answer
}

fn status(answer: &[u8]) -> u16 {
    std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap()
}

/// Another id that could be one.
fn unknown(id: &str) -> [String; 2] {
    [id.chars().rev().collect(), "A".repeat(id.len())]
}

#[tokio::test]
async fn a_session_of_somebody_else_is_answered_as_one_that_is_not_there() {
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let victim = Victim::new(revision, false, "Authorization: Bearer ann\r\n").await;
        let received = victim.server.control.health().received;
        let mut found = 0;
        let attempts = victim.attempts();
        for (method, head, body) in &attempts {
            let ask = async |who: &str, id: &str| {
                let head = format!("{head}Mcp-Session-Id: {id}\r\n{who}");
                answer(victim.served.address, method, &head, body).await
            };
            let seen = ask("Authorization: Bearer bob\r\n", &victim.id).await;
            for id in unknown(&victim.id) {
                for who in ["Authorization: Bearer bob\r\n", "Authorization: Bearer ann\r\n"] {
                    let expected = ask(who, &id).await;
                    let (seen, expected) =
                        (String::from_utf8_lossy(&seen), String::from_utf8_lossy(&expected));
                    assert_eq!(seen, expected, "{revision} {method} {head}{body:.200}");
                }
            }
            assert!((400..500).contains(&status(&seen)), "{}", String::from_utf8_lossy(&seen));
            found += usize::from(status(&seen) == 404);
        }
        assert!(
            found > 50 && found < attempts.len(),
            "{found} of {} got as far as the session",
            attempts.len()
        );
        victim.goes_on(received).await;
    }
}

#[tokio::test]
async fn without_credentials_that_are_accepted_an_id_makes_no_difference() {
    let victim = Victim::new("2025-11-25", false, "Authorization: Bearer ann\r\n").await;
    let received = victim.server.control.health().received;
    let attempts = victim.attempts();
    let mut refused = [0; 3];
    for (method, head, body) in &attempts {
        let who = ["", "Authorization: Bearer wrong\r\n", "Authorization: Bearer a b\r\n"];
        for ((who, expected), refused) in who.into_iter().zip([401, 401, 400]).zip(&mut refused) {
            let ask = async |id: &str| {
                answer(victim.served.address, method, &format!("{head}{id}{who}"), body).await
            };
            let seen = ask(&format!("Mcp-Session-Id: {}\r\n", victim.id)).await;
            for id in unknown(&victim.id)
                .map(|id| format!("Mcp-Session-Id: {id}\r\n"))
                .into_iter()
                .chain([String::new()])
            {
                assert_eq!(seen, ask(&id).await, "{method} {head}{body:.200}");
            }
            let text = String::from_utf8_lossy(&seen);
            // A page of another site is refused before.
            if !head.contains("evil") {
                assert_eq!(status(&seen), expected, "{text}");
                assert!(text.to_ascii_lowercase().contains("www-authenticate: bearer"), "{text}");
                *refused += 1;
            }
        }
    }
    assert_eq!(refused, [attempts.len() - 1; 3]);
    victim.goes_on(received).await;
}

/// Where unknown clients are let in, they are one principal, and no other one.
#[tokio::test]
async fn nobody_is_not_somebody() {
    for (owner, other) in [("Authorization: Bearer ann\r\n", ""), ("", "Authorization: Bearer ann\r\n")] {
        let victim = Victim::new("2025-11-25", true, owner).await;
        let received = victim.server.control.health().received;
        for (method, head, body) in victim.attempts() {
            let ask = async |id: &str| {
                let head = format!("{head}Mcp-Session-Id: {id}\r\n{other}");
                answer(victim.served.address, method, &head, &body).await
            };
            let seen = ask(&victim.id).await;
            for id in unknown(&victim.id) {
                assert_eq!(seen, ask(&id).await, "{method} {head}{body:.200}");
            }
        }
        victim.goes_on(received).await;
    }
}

/// Three pieces, and how many of them were taken.
struct Pieces {
    left: Vec<Bytes>,
    taken: Arc<AtomicUsize>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.left.pop();
        self.taken.fetch_add(usize::from(piece.is_some()), SeqCst);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// A server without a socket, whose sessions answer nothing but `initialize`.
async fn mounted(options: StreamableOptions) -> (StreamableServer, Router) {
    let (server, mut listener) = StreamableServer::new(options);
    let router = Router::new(self::options(false), server.routes());
    tokio::spawn(async move {
        while let Some(connection) = listener.accept().await {
            tokio::spawn(serve(connection.unwrap(), |incoming| async move {
                if let Incoming::Request(exchange) = incoming
                    && exchange.request().method() == "initialize"
                {
                    exchange.finish(&json!({ "protocolVersion": "2025-11-25" }));
                }
            }));
        }
    });
    (server, router)
}

/// Status, session, and how many pieces of the body were taken.
async fn post(router: &Router, who: &str, id: Option<&str>, json: &str) -> (u16, Option<String>, usize) {
    let taken = Arc::new(AtomicUsize::new(0));
    let json = Bytes::from(json.to_owned());
    let left = vec![json.slice(20..), json.slice(10..20), json.slice(..10)];
    let mut request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("authorization", format!("Bearer {who}"));
    request = id.into_iter().fold(request, |request, id| request.header("mcp-session-id", id));
    let request = request.body(Pieces { left, taken: taken.clone() }).unwrap();
    let reply = within("a reply", router.answer(request)).await;
    let session = reply.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
    (reply.status().as_u16(), session, taken.load(SeqCst))
}

#[tokio::test]
async fn as_much_is_read_of_a_body_for_either() {
    let (server, router) = mounted(StreamableOptions::default()).await;
    let (_, id, _) = post(&router, "ann", None, &initialize("2025-11-25")).await;
    let id = id.unwrap();
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for id in [Some(id.clone()), Some(unknown(&id)[0].clone()), None] {
        for (json, status) in [(note, if id.is_some() { 404 } else { 400 }), (&note[1..], 400)] {
            assert_eq!(post(&router, "bob", id.as_deref(), json).await, (status, None, 3));
            assert_eq!(post(&router, "wrong", id.as_deref(), json).await, (401, None, 0), "nothing is read");
        }
    }
    assert_eq!(post(&router, "ann", Some(&id), note).await.0, 202);
    assert_eq!(server.session_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_does_not_keep_a_session_alive() {
    let mut options = StreamableOptions::default();
    (options.session_idle, options.first_message) = (Duration::from_secs(600), Duration::from_secs(60));
    let (server, router) = mounted(options).await;
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for (first, lasts) in [(false, 60), (true, 600)] {
        let (_, id, _) = post(&router, "ann", None, &initialize("2025-11-25")).await;
        let id = id.unwrap();
        if first {
            assert_eq!(post(&router, "ann", Some(&id), note).await.0, 202);
        }
        let start = Instant::now();
        while server.session_count() > 0 && start.elapsed().as_secs() < 3 * lasts {
            assert_eq!(post(&router, "bob", Some(&id), note).await.0, 404);
            sleep(Duration::from_secs(5)).await;
        }
        let took = start.elapsed().as_secs();
        assert!((lasts..=lasts + 66).contains(&took), "{took} s");
    }
}
