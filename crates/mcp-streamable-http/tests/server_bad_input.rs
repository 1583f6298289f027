//! Bad input of both eras: every head and every body, each route of the router, each with its status and code.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod mounted;
mod raw;
mod served;

use std::collections::BTreeMap;

use mcp_http::proto::MediaType;
use mcp_http::{Route, Takes};
use mcp_streamable_http::StreamableOptions;
use mcp_transport_core::Limits;
use serde_json::{Value, json};

use mounted::{Ask, MODERN, Mounted, now};
use served::until;

/// In headers and in the body of every request, and in no answer.
const CANARY: &str = "canary4711";
const MAX: usize = 4000;

type Values = &'static [&'static str];

/// Whether host and origin are good, and what is answered if not.
const FROM: &[(&str, Option<&str>, Option<u16>)] = &[
    ("localhost", None, None),
    ("localhost", Some("http://localhost:3000"), None),
    ("canary4711.example", None, Some(403)),
    ("localhost", Some("http://canary4711.example"), Some(403)),
];

/// Whether they allow an event stream, and JSON.
const ACCEPTS: &[(Values, bool, bool)] = &[
    (&["application/json, text/event-stream"], true, true),
    (&[], true, true),
    (&["text/event-stream"], true, false),
    (&["application/json", "text/canary4711"], false, true),
    (&["text/event-stream;q=0, */*"], false, true),
    (&["canary4711"], false, false),
];

const TYPES: &[(Values, bool)] = &[
    (&["application/json"], true),
    (&["application/json; charset=UTF-8; canary4711=1"], true),
    (&["application/json; charset=canary4711"], false),
    (&[], false),
    (&["application/json", "application/json"], false),
];

/// What `MCP-Protocol-Version` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Missing,
    Legacy,
    Modern,
    Unknown,
    Two,
}

const VERSIONS: &[(Values, Version)] = &[
    (&[], Version::Missing),
    (&["2025-03-26"], Version::Legacy),
    (&[MODERN], Version::Modern),
    (&["canary4711 or so"], Version::Unknown),
    (&["2025-11-25", "2025-11-25"], Version::Two),
];

/// What `Mcp-Session-Id` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Open,
    Missing,
    Unknown,
    Unreadable,
}

const SESSIONS: &[(Values, Session)] = &[
    // The id of the session that is open is not known here.
    (&[], Session::Open),
    (&[], Session::Missing),
    (&["AAAAAAAAAAAAAAAAAAAAAAAcanary4711"], Session::Unknown),
    (&["canary4711"], Session::Unknown),
    (&["canary\u{e9}4711"], Session::Unreadable),
    (&["AAAAAAAAAAAAAAAAAAAAAAAcanary4711", "canary4711"], Session::Unreadable),
];

/// `Mcp-Method` and `Mcp-Name`: whether they agree with a call of the tool `t`.
const MIRRORS: &[(Values, Values, bool)] = &[
    (&["tools/call"], &["t"], true),
    (&["tools/call"], &["=?base64?dA==?="], true),
    (&[], &["t"], false),
    (&["tools/call"], &[], false),
    (&["tools/call", "tools/call"], &["t"], false),
    (&["canary4711/x"], &["t"], false),
    (&["tools/call"], &["canary4711"], false),
    (&["tools/call"], &["=?base64?canary4711?="], false),
    (&["tools/call"], &["t", "t"], false),
];

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of the legacy era, or a modern one without `_meta`; a call of the tool `t`, with this id.
    Call,
    /// The same with all that the modern era wants.
    Modern,
    Note,
    Response,
    Batch,
    /// Is no message, with this code; whether it has an id that can be read.
    Malformed(i64, bool),
    TooLarge,
}

fn bodies() -> Vec<(String, Kind)> {
    let call = |id: &str, params: Value| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#)
    };
    let bare = || json!({ "name": "t", "arguments": { "a": CANARY } });
    let mut full = bare();
    full["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": { "x": CANARY },
    });
    let large = call("5", json!({ "name": "t", "a": CANARY.repeat(500) }));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let long = format!("\"{}\"", CANARY.repeat(200));
    let (wrong, parse) = (|known| Kind::Malformed(-32600, known), Kind::Malformed(-32700, false));
    vec![
        (call("5", bare()), Kind::Call),
        (call("5", full.clone()), Kind::Modern),
        (format!(r#"{{"jsonrpc":"2.0","method":"{CANARY}"}}"#), Kind::Note),
        (format!(r#"{{"jsonrpc":"2.0","id":"{CANARY}","result":{{"a":"{CANARY}"}}}}"#), Kind::Response),
        (format!("[{},{}]", call("5", bare()), call("6", full.clone())), Kind::Batch),
        (large, Kind::TooLarge),
        (String::new(), parse),
        ("[".into(), parse),
        ("[]".into(), wrong(false)),
        (format!(r#"{{"{CANARY}":"#), parse),
        (format!("{CANARY} "), parse),
        (format!("\"{CANARY}\""), wrong(false)),
        ("7".into(), wrong(false)),
        ("{}".into(), wrong(false)),
        (call("null", full.clone()), wrong(false)),
        (call("1.5", full.clone()), wrong(false)),
        (call("true", full.clone()), wrong(false)),
        (call(r#"{"a":1}"#, full.clone()), wrong(false)),
        (call("[5]", bare()), wrong(false)),
        (call(&long, full.clone()), wrong(false)),
        (call(&"9".repeat(3000), bare()), wrong(false)),
        (call("5", Value::Null).replace("null", &deep), wrong(true)),
        (call("5", bare()).replace("2.0", CANARY), wrong(true)),
        (call("5", bare()).replace("\"tools/call\"", "7"), wrong(true)),
        (call("5", bare()).replacen('{', "\u{feff}{", 1), parse),
        (format!(r#"{{"jsonrpc":"2.0","id":5,"{CANARY}":1}}"#), wrong(true)),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Head {
    method: &'static str,
    from: (&'static str, Option<&'static str>, Option<u16>),
    accept: (Values, bool, bool),
    content_type: (Values, bool),
    version: (Values, Version),
    session: (Values, Session),
    mirror: (Values, Values, bool),
}

const METHODS: &[&str] = &["POST", "GET", "DELETE", "PUT"];

impl Head {
    /// All that there are.
    fn all() -> impl Iterator<Item = Self> {
        let lengths = [
            METHODS.len(),
            FROM.len(),
            ACCEPTS.len(),
            TYPES.len(),
            VERSIONS.len(),
            SESSIONS.len(),
            MIRRORS.len(),
        ];
        (0..lengths.iter().product()).map(move |number: usize| {
            let mut rest = number;
            let [method, from, accept, content_type, version, session, mirror] = lengths.map(|length| {
                let at = rest % length;
                rest /= length;
                at
            });
            Self {
                method: METHODS[method],
                from: FROM[from],
                accept: ACCEPTS[accept],
                content_type: TYPES[content_type],
                version: VERSIONS[version],
                session: SESSIONS[session],
                mirror: MIRRORS[mirror],
            }
        })
    }

    fn ask(&self, open: &str, body: &str) -> Ask {
        let mut ask = Ask::new(self.method).without("host").with("host", self.from.0);
        let origin = self.from.1;
        let fields: [(&'static str, Values); 6] = [
            ("accept", self.accept.0),
            ("content-type", self.content_type.0),
            ("mcp-protocol-version", self.version.0),
            ("mcp-session-id", self.session.0),
            ("mcp-method", self.mirror.0),
            ("mcp-name", self.mirror.1),
        ];
        for (name, values) in fields {
            ask = values.iter().fold(ask, |ask, value| ask.with(name, *value));
        }
        ask = origin.into_iter().fold(ask, |ask, origin| ask.with("origin", origin));
        if self.session.1 == Session::Open {
            ask = ask.with("mcp-session-id", open);
        }
        let body = if self.method == "POST" { body } else { "" };
        Ask { body: body.to_owned(), ..ask.with("x-canary", CANARY) }
    }

    /// What is said before anything of MCP is looked at.
    fn refused(&self, routes: &[Route]) -> Option<u16> {
        if self.from.2.is_some() {
            return self.from.2;
        }
        let Some(route) = routes.iter().find(|route| route.method() == self.method) else { return Some(405) };
        let produces = |wanted| route.media_types().contains(&wanted);
        let (_, stream, json) = self.accept;
        if produces(MediaType::EventStream) && !stream || produces(MediaType::Json) && !json {
            return Some(406);
        }
        (route.body() != Takes::Nothing && !self.content_type.1).then_some(415)
    }

    /// What a head that passed is told, without regard to any body.
    fn bodiless(&self) -> u16 {
        let served = if self.method == "GET" { 200 } else { 204 };
        match (self.version.1, self.session.1) {
            (Version::Modern, _) => 405,
            (Version::Unknown | Version::Two, _) => 400,
            (_, session) => in_session(session).unwrap_or(served),
        }
    }

    /// What a POST that passed is told, and the code if it is told in JSON.
    fn posted(&self, body: Kind) -> (u16, Option<i64>) {
        match body {
            Kind::TooLarge => return (413, None),
            Kind::Malformed(code, _) => return (400, Some(code)),
            _ => {}
        }
        let named = matches!(self.version.1, Version::Modern | Version::Unknown);
        if named || body == Kind::Modern { self.modern(body) } else { self.legacy(body) }
    }

    fn modern(&self, body: Kind) -> (u16, Option<i64>) {
        let mirrored = self.mirror.2;
        match (body, self.version.1) {
            (Kind::Batch | Kind::Response, _) => (400, Some(-32600)),
            // The method of the notification is another one.
            (Kind::Note, _) if !self.mirror.0.is_empty() => (400, Some(-32020)),
            (Kind::Note, Version::Modern) => (202, None),
            (Kind::Note, _) => (400, Some(-32022)),
            _ if !mirrored => (400, Some(-32020)),
            (Kind::Call, _) => (400, Some(-32602)),
            (_, Version::Modern) => (200, None),
            _ => (400, Some(-32020)),
        }
    }

    fn legacy(&self, body: Kind) -> (u16, Option<i64>) {
        if self.version.1 == Version::Two {
            return (400, None);
        }
        if let Some(refused) = in_session(self.session.1) {
            return (refused, None);
        }
        match body {
            Kind::Call => (200, None),
            // The session is of 2025-11-25, whatever the header says.
            Kind::Batch => (400, Some(-32600)),
            _ => (202, None),
        }
    }
}

fn in_session(session: Session) -> Option<u16> {
    match session {
        Session::Open => None,
        Session::Unknown => Some(404),
        Session::Missing | Session::Unreadable => Some(400),
    }
}

#[tokio::test]
async fn every_head_and_every_body() {
    let mut options = StreamableOptions::default();
    options.limits = Limits::default().with_max_message(MAX);
    let mounted = Mounted::new(options).await;
    let open = mounted.session("2025-11-25").await;
    let mut dies = mounted.session("2025-11-25").await;
    let routes = mounted.router.routes().to_vec();
    let bodies = bodies();
    let mut seen = BTreeMap::<(u16, Option<i64>), u64>::new();
    for (number, head) in Head::all().enumerate() {
        let refused = head.refused(&routes);
        // Bodies make no difference to a head that is refused: one of them, in turn, out of step with the tables.
        let tails = match refused {
            None if head.method == "POST" => &bodies[..],
            _ => std::slice::from_ref(&bodies[number / 11 % bodies.len()]),
        };
        for (body, kind) in tails {
            let (status, code) = match (refused, head.method) {
                (Some(status), _) => (status, None),
                (None, "POST") => head.posted(*kind),
                (None, _) => (head.bodiless(), None),
            };
            let deletes = status == 204;
            let ask = head.ask(if deletes { &dies } else { &open }, body);
            let mut reply = mounted.ask(&ask).await;
            let case = || format!("{head:?} {body}");
            assert_eq!(reply.status().as_u16(), status, "{}", case());
            assert_eq!(reply.headers().contains_key("allow"), status == 405, "{}", case());
            let mut text = String::new();
            while let Some(more) = now(reply.body_mut()).filter(|more| !more.is_empty()) {
                text += &more;
            }
            let told: Value = serde_json::from_str(&text).unwrap_or_default();
            assert_eq!(told["error"]["code"].as_i64(), code, "{text}: {}", case());
            match (kind, code) {
                (Kind::Call | Kind::Modern | Kind::Malformed(_, true), Some(_)) => assert_eq!(told["id"], 5),
                (_, Some(_)) => assert_eq!(told.get("id"), None, "{text}: {}", case()),
                _ => {}
            }
            assert_eq!(told.get("result").is_some(), status == 200 && head.method == "POST", "{}", case());
            assert!(!matches!(status, 202 | 204) || text.is_empty(), "{text}: {}", case());
            let says = |what: &str| {
                let in_head = |value: &http::HeaderValue| value.to_str().unwrap().contains(what);
                text.contains(what) || reply.headers().values().any(in_head)
            };
            assert!(!says(CANARY) && !says(&open) && !says(&dies), "{reply:?} {text}: {}", case());
            *seen.entry((status, code)).or_default() += 1;
            if deletes {
                dies = mounted.session("2025-11-25").await;
            }
        }
        if number % 4096 == 0 {
            mounted.still_works(&open).await;
        }
    }
    eprintln!("{seen:?}");
    let statuses: std::collections::BTreeSet<u16> = seen.keys().map(|(status, _)| *status).collect();
    assert!(statuses.into_iter().eq([200, 202, 204, 400, 403, 404, 405, 406, 413, 415]), "{seen:?}");
    mounted.still_works(&open).await;
    until("the end", || mounted.alone.health().in_flight == 0).await;
    assert_eq!(mounted.server.session_count(), 2);
}
