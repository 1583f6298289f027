//! Every route of the router through the whole pipeline: every head, and every body behind a head that passes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body::Body as _;
use mcp_http::proto::{HostList, MediaType, Origin, OriginList};
use mcp_http::{Reply, ReplyBody, Route, Router, RouterOptions, Takes};
use mcp_sse::{SseListener, SseOptions, SseServer};
use mcp_transport_core::{Connection, Incoming, Limits, Listener};

use served::within;

/// In the query, in headers and in the body of every request, and in no answer.
const CANARY: &str = "canary4711";
const MESSAGE: &str = r#"{"jsonrpc":"2.0","method":"canary4711"}"#;

/// Those of one header, which may stand there several times.
type Values = &'static [&'static str];

/// The `Host` headers, what stands before the path in the target, and what is answered to that.
const HOSTS: &[(Values, &str, Option<u16>)] = &[
    (&["localhost"], "", None),
    (&["localhost:8808"], "", None),
    (&["localhost."], "", None),
    (&["localhost.:8808"], "", None),
    (&["LOCALHOST:8808"], "", None),
    (&["127.0.0.1:8808"], "", None),
    (&["[::1]"], "", None),
    (&["mcp.example"], "", None),
    (&["localhost:8808"], "http://localhost:8808", None),
    (&["localhost"], "http://LocalHost.:80", None),
    (&[], "", Some(400)),
    (&[], "http://localhost:8808", Some(400)),
    (&["localhost", "localhost"], "", Some(400)),
    (&["localhost", "canary4711.example"], "", Some(400)),
    (&[""], "", Some(400)),
    (&["canary4711@localhost"], "", Some(400)),
    (&["localhost:8808"], "http://canary4711.example:8808", Some(400)),
    (&["localhost:8808"], "http://localhost:9999", Some(400)),
    (&["canary4711.example"], "http://localhost", Some(400)),
    (&["canary4711.example"], "", Some(403)),
    (&["canary4711.example"], "http://canary4711.example", Some(403)),
    (&["localhost.canary4711.example"], "", Some(403)),
    (&["localhost:9999"], "", Some(403)),
    (&["0.0.0.0:8808"], "", Some(403)),
];

/// Whether they are allowed.
const ORIGINS: &[(Values, bool)] = &[
    (&[], true),
    (&["http://localhost:8808"], true),
    (&["http://127.0.0.1:3000"], true),
    (&["https://app.example"], true),
    (&["http://app.example"], false),
    (&["http://canary4711.example"], false),
    (&["http://localhost.canary4711.example:8808"], false),
    (&["null"], false),
    (&["canary4711 / nothing"], false),
    (&["https://app.example", "https://app.example"], false),
];

const SITES: &[Values] = &[&[], &["same-origin"], &["none"], &["Cross-Site"]];

/// Whether it is a preflight.
const METHODS: &[(&str, bool)] = &[
    ("GET", false),
    ("POST", false),
    ("DELETE", false),
    ("HEAD", false),
    ("CANARY4711", false),
    ("OPTIONS", false),
    ("OPTIONS", true),
];

/// Whether they allow an event stream, and JSON.
const ACCEPTS: &[(Values, bool, bool)] = &[
    (&[], true, true),
    (&["*/*"], true, true),
    (&["text/event-stream"], true, false),
    (&["application/json, text/canary4711"], false, true),
];

/// Whether it is JSON in UTF-8.
const TYPES: &[(Values, bool)] = &[
    (&["application/json"], true),
    (&["application/json; charset=utf-8"], true),
    (&["application/json; charset=canary4711"], false),
    (&["text/canary4711"], false),
    (&[], false),
];

/// What it is, what is declared as its length, and what is answered to it where a message is taken.
const BODIES: &[(&str, Option<&str>, Option<u16>)] = &[
    (MESSAGE, None, None),
    (MESSAGE, Some("1001"), Some(413)),
    (MESSAGE, Some("18446744073709551615"), Some(413)),
    ("", None, Some(400)),
    (r#"{"canary4711":"#, None, Some(400)),
    (r#"{"jsonrpc":"2.0","canary4711":1}"#, None, Some(400)),
];

/// What the query says of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Open,
    Unknown,
    Missing,
}

/// The head of a request: a path, and one of each table above.
#[derive(Clone, Copy, Debug)]
struct Head<'a> {
    path: &'a str,
    host: (Values, &'static str, Option<u16>),
    origin: (Values, bool),
    site: Values,
    method: (&'static str, bool),
    accept: (Values, bool, bool),
    content_type: (Values, bool),
}

impl<'a> Head<'a> {
    /// All that there are.
    fn all(paths: &'a [&'a str]) -> impl Iterator<Item = Self> {
        let lengths =
            [paths.len(), HOSTS.len(), ORIGINS.len(), SITES.len(), METHODS.len(), ACCEPTS.len(), TYPES.len()];
        (0..lengths.iter().product()).map(move |number: usize| {
            let mut rest = number;
            let [path, host, origin, site, method, accept, content_type] = lengths.map(|length| {
                let at = rest % length;
                rest /= length;
                at
            });
            Self {
                path: paths[path],
                host: HOSTS[host],
                origin: ORIGINS[origin],
                site: SITES[site],
                method: METHODS[method],
                accept: ACCEPTS[accept],
                content_type: TYPES[content_type],
            }
        })
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        add(&mut headers, "host", self.host.0);
        add(&mut headers, "origin", self.origin.0);
        add(&mut headers, "sec-fetch-site", self.site);
        add(&mut headers, "accept", self.accept.0);
        add(&mut headers, "content-type", self.content_type.0);
        add(&mut headers, "x-canary", &[CANARY]);
        if self.method.1 {
            add(&mut headers, "access-control-request-method", &["POST"]);
        }
        headers
    }

    fn route<'r>(&self, routes: &'r [Route]) -> Option<&'r Route> {
        routes.iter().find(|route| route.path() == self.path && route.method() == self.method.0)
    }

    /// The order of the steps, said again as plainly as can be; `None` when the head passes them all.
    fn refused(&self, routes: &[Route]) -> Option<u16> {
        let (_, _, host_refused) = self.host;
        if host_refused.is_some() {
            return host_refused;
        }
        let (origins, origin_is_allowed) = self.origin;
        if !origin_is_allowed {
            return Some(403);
        }
        let cross_site = self.site.iter().any(|site| site.eq_ignore_ascii_case("cross-site"));
        if cross_site && origins.is_empty() {
            return Some(403);
        }
        let (_, is_preflight) = self.method;
        if is_preflight {
            return Some(403);
        }
        if routes.iter().all(|route| route.path() != self.path) {
            return Some(404);
        }
        let Some(route) = self.route(routes) else { return Some(405) };
        let (_, stream_is_accepted, json_is_accepted) = self.accept;
        let produces = |wanted| route.media_types().contains(&wanted);
        if produces(MediaType::EventStream) && !stream_is_accepted {
            return Some(406);
        }
        if produces(MediaType::Json) && !json_is_accepted {
            return Some(406);
        }
        let (_, is_json) = self.content_type;
        if takes_message(route) && !is_json {
            return Some(415);
        }
        None
    }

    /// What it is told when everything is as it should be.
    fn served(&self, session: Session) -> u16 {
        match (self.method.0, self.path, session) {
            ("GET", "/sse", _) => 200,
            ("POST", "/message", Session::Open) => 202,
            ("POST", "/message", Session::Unknown) => 404,
            ("POST", "/message", Session::Missing) => 400,
            _ => panic!("{} {} is new: say here what it answers", self.method.0, self.path),
        }
    }
}

fn takes_message(route: &Route) -> bool {
    matches!(route.body(), Takes::Message | Takes::MessageOrBatch)
}

fn add(headers: &mut HeaderMap, name: &'static str, values: Values) {
    for value in values {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

fn request(method: &str, target: &str, headers: HeaderMap, body: &'static str) -> Request<ReplyBody> {
    let mut request = Request::new(ReplyBody::full(Bytes::from_static(body.as_bytes())));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    *request.uri_mut() = target.parse().unwrap();
    *request.headers_mut() = headers;
    request
}

/// What a body has at once; nothing when it has ended.
fn at_once(body: &mut ReplyBody) -> String {
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(None) => String::new(),
        Poll::Ready(Some(frame)) => String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap(),
        Poll::Pending => panic!("the body is not there"),
    }
}

/// A server without a socket.
struct Mounted {
    sse: SseServer,
    router: Router,
    sessions: SseListener,
}

impl Mounted {
    fn new() -> Self {
        let mut options = SseOptions::default();
        options.limits = Limits::default().with_max_message(1000);
        let (sse, sessions) = SseServer::new(options);
        let hosts = HostList::loopback().allow("mcp.example").unwrap().with_port(8808);
        let origins = OriginList::new(hosts.clone()).allow(Origin::parse(b"https://app.example").unwrap());
        let router = Router::new(RouterOptions::default().hosts(hosts).origins(origins), sse.routes());
        Self { sse, router, sessions }
    }

    async fn ask(&self, method: &str, target: &str, headers: HeaderMap, body: &'static str) -> Reply {
        self.router.answer(request(method, target, headers, body)).await
    }

    async fn accept(&mut self) -> Connection {
        within("a session", self.sessions.accept()).await.unwrap().unwrap()
    }
}

/// An answer that is there whole.
fn assert_says_nothing(reply: Reply, session: &str, case: &dyn Fn() -> String) {
    let (head, mut body) = reply.into_parts();
    for (name, value) in &head.headers {
        let value = value.to_str().unwrap();
        assert!(!value.contains(CANARY) && !value.contains(session), "{name}: {value}: {}", case());
        assert!(!name.as_str().starts_with("access-control"), "{name}: {}", case());
    }
    let text = at_once(&mut body);
    assert!(!text.contains(CANARY) && !text.contains(session), "{text}: {}", case());
    assert_eq!(at_once(&mut body), "", "{}", case());
}

#[tokio::test]
async fn every_head_and_every_body_behind_one_that_passes() {
    let mut mounted = Mounted::new();
    let host = || HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
    let mut stream = mounted.ask("GET", "/sse", host(), "").await.into_body();
    let endpoint = at_once(&mut stream);
    let (_, session) = endpoint.trim_end().split_once("/message?sessionId=").unwrap();
    let mut driven = mounted.accept().await.spawn();

    let unknown: String = session.chars().rev().collect();
    let queries = [
        (Session::Open, format!("&sessionId={session}")),
        (Session::Unknown, format!("&session_id={unknown}")),
        (Session::Missing, String::new()),
    ];
    let tails: Vec<_> =
        BODIES.iter().flat_map(|body| queries.iter().map(move |query| (body, query))).collect();

    let routes = mounted.router.routes().to_vec();
    let mut paths: Vec<&str> = routes.iter().map(|route| route.path()).collect();
    paths.dedup();
    paths.push("/canary4711");
    let mut seen = BTreeMap::<u16, u64>::new();
    for (number, head) in Head::all(&paths).enumerate() {
        let refused = head.refused(&routes);
        let takes = head.route(&routes).is_some_and(takes_message);
        let (method, headers) = (head.method.0, head.headers());
        // They make no difference to a head that is refused, nor where nothing is taken: one for each, in turn, and
        // out of step with every table above.
        let tails = if refused.is_some() || !takes {
            tails.chunks(1).nth(number / 7 % tails.len()).unwrap()
        } else {
            &tails
        };
        for ((body, length, body_refused), (session_is, query)) in tails {
            let target = format!("{}{}?q={CANARY}{query}", head.host.1, head.path);
            let mut headers = headers.clone();
            headers.extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from_static(length))));
            let expected =
                refused.or(body_refused.filter(|_| takes)).unwrap_or_else(|| head.served(*session_is));
            let case = || format!("{head:?} {query} {body:?} {length:?}");

            let mut reply = mounted.ask(method, &target, headers, body).await;
            assert_eq!(reply.status().as_u16(), expected, "{}", case());
            assert_eq!(reply.headers()["x-content-type-options"], "nosniff");
            assert_eq!(reply.headers().contains_key(ALLOW), expected == 405, "{}", case());
            *seen.entry(expected).or_default() += 1;
            if expected == 200 {
                // The query of the stream is part of where to post, and nothing else of the request is.
                let first = at_once(reply.body_mut());
                let new =
                    first.strip_prefix("event: endpoint\ndata: /message?q=canary4711&sessionId=").unwrap();
                assert!(new.trim_end().len() == 32 && new.trim_end() != session, "{first}");
                drop(reply);
                drop(mounted.accept().await);
            } else {
                assert_says_nothing(reply, session, &case);
            }
            assert_eq!(mounted.sse.session_count(), 1, "{}", case());
            if expected == 202 {
                let came = within("it", driven.receiver.recv()).await;
                assert!(matches!(came, Some(Incoming::Notification(..))), "{came:?}: {}", case());
            }
        }
    }
    eprintln!("{seen:?}");
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [200, 202, 400, 403, 404, 405, 406, 413, 415]);
    assert_eq!(driven.control.health().received, seen[&202], "something that was refused came in");

    // The session that was there from the start.
    let mut headers = host();
    add(&mut headers, "content-type", &["application/json"]);
    let target = format!("/message?sessionId={session}");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(mounted.ask("POST", &target, headers, ping).await.status(), 202);
    let Some(Incoming::Request(exchange)) = within("it", driven.receiver.recv()).await else { panic!() };
    exchange.finish(&());
    let answer = loop {
        let frame = within("a frame", poll_fn(|cx| Pin::new(&mut stream).poll_frame(cx))).await;
        let bytes = frame.unwrap().unwrap().into_data().unwrap();
        if !bytes.starts_with(b":") {
            break bytes;
        }
    };
    assert_eq!(answer, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n\n");
}
