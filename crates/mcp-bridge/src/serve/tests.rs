//! The routes of the bridge, its own among them, all go through the pipeline, and only health is open to who is unknown.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Parser;
use http::header::{ALLOW, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use mcp_transport::core::{BoxFuture, Principal};
use mcp_transport::http::{Authenticate, Refusal, Reply, ReplyBody, Route, Router, Server, ServerOptions};
use mcp_transport::{Listener, SseListener, SseServer, StreamableServer};

use super::Args;

/// In every request, and in no answer.
const CANARY: &str = "canary4711";
const MESSAGE: &[u8] = br#"{"jsonrpc":"2.0","method":"canary4711"}"#;
const FLAGS: &[&str] = &[
    "serve",
    "--demo",
    "--path-prefix=/a/b",
    "--allow-host=mcp.example",
    "--allow-origin=https://app.example",
];
const PORT: u16 = 8808;

type Values = &'static [&'static str];

/// The `Host` headers, what stands before the path in the target, and what is answered to that.
const HOSTS: &[(Values, &str, Option<u16>)] = &[
    (&["127.0.0.1:8808"], "", None),
    (&["LocalHost."], "", None),
    (&["mcp.example:8808"], "", None),
    (&["mcp.example"], "http://mcp.example", None),
    (&[], "", Some(400)),
    (&["localhost", "localhost"], "", Some(400)),
    (&["localhost"], "http://canary4711.example", Some(400)),
    (&["canary4711.example"], "", Some(403)),
    (&["localhost:9999"], "", Some(403)),
    (&["0.0.0.0:8808"], "", Some(403)),
];

/// Whether they are allowed.
const ORIGINS: &[(Values, bool)] = &[
    (&[], true),
    (&["http://localhost:3000"], true),
    (&["http://mcp.example:8808"], true),
    (&["https://app.example"], true),
    (&["http://app.example"], false),
    (&["http://canary4711.example"], false),
    (&["null"], false),
    (&["canary4711"], false),
];

const SITES: &[Values] = &[&[], &["same-origin"], &["none"], &["cross-site"]];

/// Whether it is a preflight.
const METHODS: &[(&str, bool)] = &[
    ("GET", false),
    ("POST", false),
    ("DELETE", false),
    ("PUT", false),
    ("HEAD", false),
    ("CANARY4711", false),
    ("OPTIONS", false),
    ("OPTIONS", true),
];

/// The values of `Authorization`.
const TOKENS: &[Values] = &[&[], &["Bearer canary4711"], &["Bearer canary4711?"]];
const GOOD: Values = TOKENS[1];

/// Every route that there is to be, and whether it is open to who is unknown. One that is not in here is a mistake.
const ROUTES: &[(&str, &str, bool)] = &[
    ("GET", "/sse", false),
    ("POST", "/message", false),
    ("POST", "/mcp", false),
    ("GET", "/mcp", false),
    ("DELETE", "/mcp", false),
    ("GET", "/healthz", true),
    ("GET", "/readyz", true),
];

/// Knows one token.
struct Bearer;

impl Authenticate for Bearer {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let is_good = parts.headers.get(AUTHORIZATION).is_some_and(|value| GOOD == [value]);
        let found = Ok(Some(Principal::new("somebody")));
        let refused = Err(Refusal::new(StatusCode::UNAUTHORIZED, "who asks?\n"));
        Box::pin(std::future::ready(if is_good { found } else { refused }))
    }
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn add(headers: &mut HeaderMap, name: &'static str, values: Values) {
    for value in values {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

async fn ask(router: &Router, method: &str, target: &str, headers: HeaderMap) -> Reply {
    let mut request = Request::new(ReplyBody::full(MESSAGE));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    *request.uri_mut() = target.parse().unwrap();
    *request.headers_mut() = headers;
    router.answer(request).await
}

/// The head of a request: one of each table above.
#[derive(Clone, Copy, Debug)]
struct Head {
    host: &'static (Values, &'static str, Option<u16>),
    origin: (Values, bool),
    site: Values,
    method: (&'static str, bool),
    token: Values,
}

impl Head {
    fn all() -> impl Iterator<Item = Self> {
        HOSTS.iter().flat_map(|host| {
            ORIGINS.iter().flat_map(move |&origin| {
                SITES.iter().flat_map(move |&site| {
                    METHODS.iter().flat_map(move |&method| {
                        TOKENS.iter().map(move |&token| Self { host, origin, site, method, token })
                    })
                })
            })
        })
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        add(&mut headers, "host", self.host.0);
        add(&mut headers, "origin", self.origin.0);
        add(&mut headers, "sec-fetch-site", self.site);
        add(&mut headers, "authorization", self.token);
        add(&mut headers, "x-canary", &[CANARY]);
        if self.method.1 {
            add(&mut headers, "access-control-request-method", &["POST"]);
        }
        headers
    }

    /// The order of the steps, said again as plainly as can be; `None` when everything is passed. `asks` is whether
    /// somebody asks who it is.
    fn refused(&self, path: &str, asks: bool) -> Option<u16> {
        let (_, _, host_refused) = self.host;
        if host_refused.is_some() {
            return *host_refused;
        }
        let (origins, origin_is_allowed) = self.origin;
        if !origin_is_allowed {
            return Some(403);
        }
        if self.site.contains(&"cross-site") && origins.is_empty() {
            return Some(403);
        }
        let (method, is_preflight) = self.method;
        if is_preflight {
            return Some(403);
        }
        let here = || ROUTES.iter().filter(|(_, inner, _)| path.strip_prefix("/a/b") == Some(inner));
        let route = here().find(|(known, ..)| *known == method);
        let is_public = route.is_some_and(|(.., is_public)| *is_public);
        if asks && !is_public && self.token != GOOD {
            return Some(401);
        }
        if here().next().is_none() {
            return Some(404);
        }
        if route.is_none() {
            return Some(405);
        }
        None
    }
}

/// What is answered to a request that was not refused.
fn served(method: &str, path: &str, is_draining: bool) -> u16 {
    match (method, path) {
        // It is the drain of the server that ends the sessions, and this one does not run.
        ("GET", "/a/b/sse" | "/a/b/healthz") => 200,
        // It does not say what it is.
        ("POST", "/a/b/message") => 415,
        ("POST", "/a/b/mcp") => 415,
        // They name no session.
        ("GET" | "DELETE", "/a/b/mcp") => 400,
        ("GET", "/a/b/readyz") if is_draining => 503,
        ("GET", "/a/b/readyz") => 200,
        _ => panic!("{method} {path} is new: say here what it answers"),
    }
}

/// Where the routes of a router and those that there are to be disagree.
fn disagreements(routes: &[Route]) -> Vec<String> {
    let is = |route: &Route, (method, path, _): &(&str, &str, bool)| {
        route.method() == *method && route.path() == *path
    };
    let wrong = routes.iter().filter(|route| {
        let rule = ROUTES.iter().find(|rule| is(route, rule));
        rule.is_none_or(|(.., is_public)| route.is_public() != *is_public) || route.is_at_root()
    });
    let missing = ROUTES.iter().filter(|rule| !routes.iter().any(|route| is(route, rule)));
    wrong.map(|route| format!("{route:?}")).chain(missing.map(|rule| format!("{rule:?}"))).collect()
}

/// A bridge without a socket.
struct Stage {
    sse: SseServer,
    sessions: SseListener,
    router: Router,
    paths: Vec<String>,
    seen: BTreeMap<u16, u32>,
}

impl Stage {
    async fn ask_all(&mut self, asks: bool, is_draining: bool) {
        for path in self.paths.clone() {
            for (number, head) in Head::all().enumerate() {
                // Where nobody asks tokens make no difference, and take turns.
                let (group, place) = (number / TOKENS.len(), number % TOKENS.len());
                if asks || place == (group + group / METHODS.len()) % TOKENS.len() {
                    let expected = head.refused(&path, asks);
                    let expected = expected.unwrap_or_else(|| served(head.method.0, &path, is_draining));
                    self.ask(&path, &head, expected).await;
                }
            }
        }
    }

    async fn ask(&mut self, path: &str, head: &Head, expected: u16) {
        let target = format!("{}{path}?q={CANARY}", head.host.1);
        let reply = ask(&self.router, head.method.0, &target, head.headers()).await;
        assert_eq!(reply.status().as_u16(), expected, "{path} {head:?}");
        assert_eq!(reply.headers().contains_key(ALLOW), expected == 405, "{path} {head:?}");
        for (name, value) in reply.headers() {
            let is_clean = !value.to_str().unwrap().contains(CANARY);
            assert!(is_clean && !name.as_str().starts_with("access-control"), "{name}");
        }
        *self.seen.entry(expected).or_default() += 1;
        let opens = expected == 200 && path == "/a/b/sse";
        assert_eq!(self.sse.session_count(), usize::from(opens), "{path} {head:?}");
        if opens {
            drop(reply);
            drop(self.sessions.accept().await.unwrap().unwrap());
        }
    }
}

#[tokio::test]
async fn every_head_with_every_route() {
    let args = Cli::try_parse_from(FLAGS).unwrap().args;
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
    let control = server.control();
    let (sse, sessions) = SseServer::new(args.sse());
    let (streamable, _connections) = StreamableServer::new(args.streamable(&Default::default()));
    let settings = args.listen.router(PORT, &[]).unwrap().prefix(&args.listen.prefix().unwrap());
    let gate = args.access.gate(args.listen.is_loopback()).unwrap();
    let router = args.router(settings, &gate, &sse, &streamable, &control);
    let routes = router.routes().to_vec();
    assert_eq!(disagreements(&routes), [""; 0]);
    assert_eq!(disagreements(&routes[1..]).len(), 1, "one is missing");
    let closed = Route::new(Method::GET, "/metrics", Arc::new(|_| unreachable!()));
    assert_eq!(disagreements(&[&routes[..], &[closed]].concat()).len(), 1, "one that nobody thought of");
    let opened: Vec<_> = routes.iter().cloned().map(Route::public).collect();
    assert_eq!(disagreements(&opened).len(), 5, "all but health");

    let mut paths: Vec<String> = routes.iter().map(|route| format!("/a/b{}", route.path())).collect();
    paths.extend(routes.iter().map(|route| route.path().to_owned()));
    paths.push(format!("/a/b/{CANARY}"));
    paths.sort();
    paths.dedup();
    let mut stage = Stage { sse, sessions, router, paths, seen: BTreeMap::new() };
    stage.ask_all(false, false).await;
    // The same routes where somebody asks who it is.
    let options = args.listen.router(PORT, &[]).unwrap().prefix(&args.listen.prefix().unwrap());
    let open =
        std::mem::replace(&mut stage.router, Router::new(options.authenticate(Arc::new(Bearer)), routes));
    stage.ask_all(true, false).await;
    control.shutdown();
    stage.ask_all(true, true).await;
    stage.router = open;
    stage.ask_all(false, true).await;
    let seen: Vec<_> = stage.seen.keys().copied().collect();
    assert_eq!(seen, [200, 400, 401, 403, 404, 405, 415, 503]);
}
