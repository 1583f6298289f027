//! The routes of the bridge, its own among them, all go through the pipeline.

use std::collections::BTreeMap;

use clap::Parser;
use http::header::{ALLOW, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use mcp_transport::http::{Reply, ReplyBody, Route, Router, Server, ServerOptions};
use mcp_transport::{Listener, SseServer, StreamableServer};

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
    ("PUT", false),
    ("HEAD", false),
    ("CANARY4711", false),
    ("OPTIONS", false),
    ("OPTIONS", true),
];

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

/// The order of the steps, said again as plainly as can be; `None` when everything is passed.
fn refused(
    (routes, path): (&[Route], &str),
    host_refused: Option<u16>,
    (origins, origin_is_allowed): (Values, bool),
    site: Values,
    (method, is_preflight): (&str, bool),
) -> Option<u16> {
    if host_refused.is_some() {
        return host_refused;
    }
    if !origin_is_allowed {
        return Some(403);
    }
    if site.contains(&"cross-site") && origins.is_empty() {
        return Some(403);
    }
    if is_preflight {
        return Some(403);
    }
    let inner = path.strip_prefix("/a/b");
    if !routes.iter().any(|route| Some(route.path()) == inner) {
        return Some(404);
    }
    if !routes.iter().any(|route| Some(route.path()) == inner && route.method() == method) {
        return Some(405);
    }
    None
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

#[tokio::test]
async fn every_head_with_every_route() {
    let args = Cli::try_parse_from(FLAGS).unwrap().args;
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
    let control = server.control();
    let (sse, mut sessions) = SseServer::new(args.sse());
    let (streamable, _connections) = StreamableServer::new(args.streamable(&Default::default()));
    let settings = args.listen.router(PORT, &[]).unwrap().prefix(&args.listen.prefix().unwrap());
    let gate = args.access.gate(args.listen.is_loopback()).unwrap();
    let router = args.router(settings, &gate, &sse, &streamable, &control);
    let routes = router.routes();
    let mut paths: Vec<String> = routes.iter().map(|route| format!("/a/b{}", route.path())).collect();
    paths.extend(routes.iter().map(|route| route.path().to_owned()));
    paths.push(format!("/a/b/{CANARY}"));

    let mut seen = BTreeMap::<u16, u32>::new();
    for is_draining in [false, true] {
        if is_draining {
            control.shutdown();
        }
        for path in &paths {
            for (hosts, authority, host_refused) in HOSTS {
                let target = format!("{authority}{path}?q={CANARY}");
                for origin in ORIGINS {
                    for site in SITES {
                        for method in METHODS {
                            let mut headers = HeaderMap::new();
                            add(&mut headers, "host", hosts);
                            add(&mut headers, "origin", origin.0);
                            add(&mut headers, "sec-fetch-site", site);
                            add(&mut headers, "x-canary", &[CANARY]);
                            if method.1 {
                                add(&mut headers, "access-control-request-method", &["POST"]);
                            }
                            let expected = refused((routes, path), *host_refused, *origin, site, *method)
                                .unwrap_or_else(|| served(method.0, path, is_draining));
                            let reply = ask(&router, method.0, &target, headers).await;
                            let case = (&target, hosts, origin, site, method, is_draining);
                            assert_eq!(reply.status().as_u16(), expected, "{case:?}");
                            assert_eq!(reply.headers().contains_key(ALLOW), expected == 405, "{case:?}");
                            for (name, value) in reply.headers() {
                                let is_clean = !value.to_str().unwrap().contains(CANARY);
                                assert!(is_clean && !name.as_str().starts_with("access-control"), "{name}");
                            }
                            *seen.entry(expected).or_default() += 1;
                            let opens = expected == 200 && path == "/a/b/sse";
                            assert_eq!(sse.session_count(), usize::from(opens), "{case:?}");
                            if opens {
                                drop(reply);
                                drop(sessions.accept().await.unwrap().unwrap());
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [200, 400, 403, 404, 405, 415, 503]);
}
