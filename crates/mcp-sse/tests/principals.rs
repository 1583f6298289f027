//! A session of somebody else is answered as one that is not there, byte for byte, and its owner notices nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use mcp_http::{Authenticate, Challenge, Refusal, RouterOptions, ServerOptions, bearer_token};
use mcp_jsonrpc::Notification;
use mcp_sse::SseOptions;
use mcp_transport_core::{BoxFuture, Caller, Endpoint, Incoming, Principal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use raw::{Raw, ask, session_of};
use served::{Served, within};

const TOO_LARGE: usize = mcp_http::DEFAULT_MAX_BODY;
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// Everybody is whom their token names; who has none is nobody, or not let in.
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

/// Ann's session: its stream is open, and a question of the server waits for her.
struct Victim {
    served: Served,
    owner: &'static str,
    stream: Raw,
    endpoint: String,
    id: String,
    server: Endpoint,
    question: String,
    asking: tokio::task::JoinHandle<bool>,
}

impl Victim {
    async fn new(lets_nobody_in: bool, owner: &'static str) -> Self {
        let options = RouterOptions::default().authenticate(Arc::new(ByToken { lets_nobody_in }));
        let mut served = Served::with(SseOptions::default(), ServerOptions::default(), options).await;
        let mut stream = Raw::connect(served.address).await;
        stream.send(&format!("GET /sse HTTP/1.1\r\nHost: localhost\r\n{owner}\r\n")).await;
        assert_eq!(stream.head().await.0, 200);
        let endpoint = stream.event("endpoint").await;
        let id = session_of(&endpoint);
        let mut server = served.endpoint().await;
        let head =
            format!("POST {endpoint} HTTP/1.1\r\nContent-Type: application/json\r\n{}", owner.trim_end());
        assert_eq!(ask(served.address, head.trim_end(), NOTE).await.status, 202);
        assert!(matches!(within("it", server.receiver.recv()).await, Some(Incoming::Notification(..))));
        let caller = Caller::new(&server.sender);
        let asking = tokio::spawn(async move { caller.request("roots/list", &()).await.is_ok() });
        let question: serde_json::Value = serde_json::from_str(&stream.event("message").await).unwrap();
        let question = question["id"].to_string();
        Self { served, owner, stream, endpoint, id, server, question, asking }
    }

    async fn goes_on(mut self) {
        let health = self.server.control.health();
        assert_eq!((health.received, health.pending, health.in_flight), (1, 1, 0), "{health:?}");
        assert_eq!((health.malformed, health.refused, health.unmatched), (0, 0, 0), "{health:?}");
        assert!(!self.asking.is_finished());
        assert!(self.server.receiver.try_recv().is_none());
        self.server.sender.send(Notification::with_params("note", &[7]).unwrap()).await.unwrap();
        assert!(self.stream.event("message").await.contains("[7]"));
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, self.question);
        let Self { endpoint, owner, .. } = &self;
        let head = format!("POST {endpoint} HTTP/1.1\r\nContent-Type: application/json\r\n{owner}");
        assert_eq!(ask(self.served.address, head.trim_end(), &answer).await.status, 202);
        assert!(within("the answer", self.asking).await.unwrap(), "ann's answer is the one that counts");
        assert_eq!(self.served.sse.session_count(), 1);
    }

    /// What somebody may try with a session: method, target with `@` for the id, lines of the head, body.
    fn attempts(&self) -> Vec<(&'static str, String, &'static str, String)> {
        let json = "Content-Type: application/json\r\n";
        let question = &self.question;
        let mut attempts = Vec::new();
        let good = [
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#.to_owned(),
            NOTE.to_owned(),
            format!(r#"{{"jsonrpc":"2.0","id":{question},"result":{{"roots":[]}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":{question},"error":{{"code":-32603,"message":"no"}}}}"#),
        ];
        let bad = [
            format!("[{NOTE}]"),
            format!(r#"[{{"jsonrpc":"2.0","id":{question},"result":{{}}}}]"#),
            "[]".to_owned(),
            "".to_owned(),
            "{".to_owned(),
            r#"{"jsonrpc":"2.0","id":9}"#.to_owned(),
            r#"{"jsonrpc":"2.0","id":9,"method":1}"#.to_owned(),
            format!("{{{}", " ".repeat(100_000)),
        ];
        for target in [
            "/message?sessionId=@",
            "/message?session_id=@",
            "/message?sessionid=@",
            "/message/?a=1&sessionId=@&b=2",
            "/message?sessionId=@&sessionId=@",
            "/message?sessionId=@&session_id=@",
            "/message?sessionId=@%00",
            "/message?sessionId=%",
            "/message?SESSIONID=@",
            "http://localhost/message?sessionId=@",
        ] {
            for body in good.iter().chain(&bad) {
                attempts.push(("POST", target.to_owned(), json, body.clone()));
            }
        }
        let usual = || "/message?sessionId=@".to_owned();
        let [request, ..] = &good;
        for head in [
            "Content-Type: text/plain\r\n",
            "",
            "Content-Type: application/json; charset=latin1\r\n",
            "Content-Type: application/json\r\nOrigin: https://evil.example\r\n",
            "Content-Type: application/json\r\nMcp-Session-Id: @\r\n",
            "Content-Type: application/json\r\nExpect: 100-continue\r\n",
        ] {
            attempts.push(("POST", usual(), head, request.clone()));
        }
        attempts.push(("POST", usual(), json, format!("{request}{}", " ".repeat(TOO_LARGE))));
        for method in ["GET", "DELETE", "PUT", "OPTIONS"] {
            attempts.push((method, usual(), "", String::new()));
            attempts.push((method, "/message".to_owned(), "Mcp-Session-Id: @\r\n", String::new()));
        }
        attempts.push(("DELETE", "/sse?sessionId=@".to_owned(), "", String::new()));
        attempts
    }
}

/// All the bytes of an answer, but for its date.
async fn answer(address: SocketAddr, method: &str, target: &str, head: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let length = if body.is_empty() && method != "POST" {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}{head}\r\n");
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
    let answer = String::from_utf8(answer).unwrap();
    let lines = answer.split_inclusive("\r\n");
    let (dates, rest): (Vec<_>, Vec<_>) =
        lines.partition(|line| line.to_ascii_lowercase().starts_with("date: "));
    assert_eq!(dates.len(), 1, "{answer}");
    rest.concat()
}

/// Another id that could be one.
fn unknown(id: &str) -> [String; 2] {
    [id.chars().rev().collect(), "A".repeat(id.len())]
}

async fn attempt(victim: &Victim, attempt: &(&str, String, &str, String), who: &str, id: &str) -> String {
    let (method, target, head, body) = attempt;
    let (target, head) = (target.replace('@', id), format!("{}{who}", head.replace('@', id)));
    answer(victim.served.address, method, &target, &head, body).await
}

fn has_status(answer: &str, status: u16) -> bool {
    let last = answer.rfind("HTTP/1.1 ").unwrap();
    answer[last..].starts_with(&format!("HTTP/1.1 {status} "))
}

#[tokio::test]
async fn a_session_of_somebody_else_is_answered_as_one_that_is_not_there() {
    const ANN: &str = "Authorization: Bearer ann\r\n";
    const BOB: &str = "Authorization: Bearer bob\r\n";
    for (lets_nobody_in, owner, other) in [(false, ANN, BOB), (true, ANN, ""), (true, "", ANN)] {
        let victim = Victim::new(lets_nobody_in, owner).await;
        let mut found = 0;
        for attempted in victim.attempts() {
            let seen = attempt(&victim, &attempted, other, &victim.id).await;
            for id in unknown(&victim.id) {
                for who in [other, owner] {
                    let expected = attempt(&victim, &attempted, who, &id).await;
                    assert_eq!(seen, expected, "{other} instead of {owner}: {attempted:?}");
                }
            }
            assert!(["HTTP/1.1 4", "HTTP/1.1 100"].iter().any(|start| seen.starts_with(start)), "{seen}");
            found += usize::from(has_status(&seen, 404));
        }
        assert!(found >= 5 * 4 + 2, "{found} got as far as the session");
        victim.goes_on().await;
    }
}

#[tokio::test]
async fn without_credentials_that_are_accepted_an_id_makes_no_difference() {
    let victim = Victim::new(false, "Authorization: Bearer ann\r\n").await;
    let mut refused = 0;
    for attempted in victim.attempts() {
        for (who, status) in
            [("", 401), ("Authorization: Bearer wrong\r\n", 401), ("Authorization: Bearer a b\r\n", 400)]
        {
            let seen = attempt(&victim, &attempted, who, &victim.id).await;
            for id in unknown(&victim.id) {
                assert_eq!(seen, attempt(&victim, &attempted, who, &id).await, "{attempted:?}");
            }
            if !attempted.2.contains("evil") {
                assert!(has_status(&seen, status), "{seen}");
                assert!(seen.to_ascii_lowercase().contains("www-authenticate: bearer"), "{seen}");
                refused += 1;
            }
        }
    }
    assert!(refused > 300, "{refused}");
    victim.goes_on().await;
}

/// A stream that is opened with somebody's session in its query is a new one.
#[tokio::test]
async fn nobody_takes_over_a_stream() {
    let victim = Victim::new(false, "Authorization: Bearer ann\r\n").await;
    let mut other = Raw::connect(victim.served.address).await;
    let (id, bob) = (&victim.id, "Authorization: Bearer bob\r\nAccept: text/event-stream\r\n");
    other.send(&format!("GET /sse?sessionId={id}&a=1 HTTP/1.1\r\nHost: localhost\r\n{bob}\r\n")).await;
    assert_eq!(other.head().await.0, 200);
    let endpoint = other.event("endpoint").await;
    assert!(!endpoint.contains(&victim.id), "{endpoint}");
    assert_eq!(victim.served.sse.session_count(), 2);
    drop(other);
    served::until("the other one to end", || victim.served.sse.session_count() == 1).await;
    victim.goes_on().await;
}
