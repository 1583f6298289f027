//! The pipeline, without a socket: every route with every kind of head (T-REB), bodies, and what is said.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use mcp_http::proto::{HostList, MediaType};
use mcp_http::{
    Arrived, Authenticate, Handler, PeerAddr, Refusal, Reply, Route, Router, RouterOptions, Takes, text_reply,
};
use mcp_jsonrpc::Malformed;
use mcp_transport_core::{BoxFuture, Principal};

/// Answers 200, and counts.
#[derive(Default)]
struct Counting {
    handled: AtomicUsize,
    malformed: AtomicUsize,
}

impl Handler for Counting {
    fn handle(&self, _: Arrived) -> BoxFuture<'static, Reply> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { text_reply(StatusCode::OK, "served\n") })
    }

    fn malformed(&self, _: &Parts, _: &Malformed) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }
}

const MESSAGE: &str = r#"{"jsonrpc":"2.0","method":"ping"}"#;

fn options() -> RouterOptions {
    let hosts = HostList::loopback().allow("mcp.example").unwrap().with_port(8808);
    RouterOptions::default().hosts(hosts)
}

fn routes(handler: Arc<Counting>) -> Vec<Route> {
    let route = |method, path| Route::new(method, path, handler.clone());
    vec![
        route(Method::GET, "/sse").produces(MediaType::EventStream),
        route(Method::POST, "/message").takes(Takes::Message).max_body(64),
        route(Method::POST, "/mcp/")
            .produces(MediaType::EventStream)
            .produces(MediaType::Json)
            .takes(Takes::MessageOrBatch),
        route(Method::GET, "/mcp").produces(MediaType::EventStream),
        route(Method::DELETE, "/mcp"),
        route(Method::GET, "/healthz"),
        route(Method::PUT, "/raw").takes(Takes::Bytes).max_body(8),
        route(Method::GET, "/"),
    ]
}

fn request(method: Method, target: &str, headers: &[(&str, &[u8])], body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(body.to_owned())));
    *request.method_mut() = method;
    *request.uri_mut() = target.parse().unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

fn local(method: Method, target: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let mut all = vec![("host", &b"localhost"[..])];
    all.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    request(method, target, &all, body)
}

async fn text(reply: Reply) -> String {
    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Names of a host, what it does to the head, and the status that it gets by itself.
type HostCase = (&'static [&'static str], Option<&'static str>, u16);

const HOSTS: &[HostCase] = &[
    (&["mcp.example"], None, 200),
    (&["mcp.example:8808"], None, 200),
    (&["localhost"], None, 200),
    (&["127.0.0.1"], None, 200),
    (&["[::1]:8808"], None, 200),
    (&["LOCALHOST"], None, 200),
    (&["localhost."], None, 200),
    (&["localhost"], Some("http://localhost"), 200),
    (&["localhost:9999"], None, 403),
    (&["mcp.example:80"], None, 403),
    (&["evil.example"], None, 403),
    (&["localhost.evil.example"], None, 403),
    (&["127.0.0.1.evil.example"], None, 403),
    (&["0.0.0.0"], None, 403),
    (&[], None, 400),
    (&["localhost", "localhost"], None, 400),
    (&["localhost", "evil.example"], None, 400),
    (&["localhost"], Some("http://evil.example"), 400),
    (&["user@localhost"], None, 400),
    (&["local host"], None, 400),
    (&[""], None, 400),
];

const ORIGINS: &[(Option<&[u8]>, bool)] = &[
    (None, true),
    (Some(b"http://localhost:8808"), true),
    (Some(b"http://localhost:3000"), true),
    (Some(b"null"), false),
    (Some(b"http://evil.example"), false),
    (Some(b"http://localhost.evil.example"), false),
    (Some(b"ftp://localhost"), false),
    (Some(b"\xff\xfe"), false),
    (Some(b""), false),
];

const TYPES: &[(Option<&str>, bool)] = &[
    (Some("application/json"), true),
    (Some("application/json; charset=utf-8"), true),
    (Some("text/plain"), false),
    (Some("application/x-www-form-urlencoded"), false),
    (None, false),
];

const SITES: &[Option<&str>] = &[None, Some("same-origin"), Some("cross-site")];

const METHODS: &[(Method, bool)] = &[
    (Method::GET, false),
    (Method::POST, false),
    (Method::DELETE, false),
    (Method::PUT, false),
    (Method::HEAD, false),
    (Method::OPTIONS, false),
    (Method::OPTIONS, true),
];

/// T-REB: the order of the pipeline, said again as plainly as can be, over every route that the router has.
#[tokio::test]
async fn every_route_goes_through_all_of_it() {
    let counting = Arc::new(Counting::default());
    let router = Router::new(options(), routes(counting.clone()));
    let mut paths: Vec<&str> = router.routes().iter().map(Route::path).collect();
    paths.dedup();
    paths.push("/nowhere");
    let mut served = 0;
    let mut seen = std::collections::BTreeMap::<u16, u32>::new();
    for path in paths {
        for &(hosts, absolute, host_status) in HOSTS {
            for &(origin, origin_is_fine) in ORIGINS {
                for &(content_type, type_is_fine) in TYPES {
                    for &site in SITES {
                        for (method, preflight) in METHODS {
                            let mut headers: Vec<(&str, &[u8])> = Vec::new();
                            headers.extend(hosts.iter().map(|host| ("host", host.as_bytes())));
                            headers.extend(origin.map(|origin| ("origin", origin)));
                            headers.extend(content_type.map(|of| ("content-type", of.as_bytes())));
                            headers.extend(site.map(|site| ("sec-fetch-site", site.as_bytes())));
                            if *preflight {
                                headers.push(("access-control-request-method", b"POST"));
                            }
                            let path = if path.is_empty() { "/" } else { path };
                            let target = format!("{}{path}", absolute.unwrap_or(""));
                            let route = router.routes().iter().find(|route| {
                                route.method() == method && route.path() == path.trim_end_matches('/')
                            });
                            let is_known =
                                router.routes().iter().any(|r| r.path() == path.trim_end_matches('/'));
                            let takes_json = route
                                .is_some_and(|r| matches!(r.body(), Takes::Message | Takes::MessageOrBatch));

                            let expected = if host_status != 200 {
                                host_status
                            } else if !origin_is_fine
                                || (site == Some("cross-site") && origin.is_none())
                                || *preflight
                            {
                                403
                            } else if !is_known {
                                404
                            } else if route.is_none() {
                                405
                            } else if takes_json && !type_is_fine {
                                415
                            } else if path == "/raw" {
                                413
                            } else {
                                200
                            };
                            let reply =
                                router.answer(request(method.clone(), &target, &headers, MESSAGE)).await;
                            let status = reply.status().as_u16();
                            let case = (&target, hosts, origin, content_type, site, method, preflight);
                            assert_eq!(status, expected, "{case:?}");
                            assert_eq!(reply.headers()["x-content-type-options"], "nosniff");
                            assert!(!reply.headers().contains_key("access-control-allow-origin"));
                            assert_eq!(status == 405, reply.headers().contains_key(ALLOW), "{case:?}");
                            served += usize::from(status == 200);
                            *seen.entry(status).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(counting.handled.load(Ordering::Relaxed), served, "a refused request reached its handler");
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [200, 400, 403, 404, 405, 413, 415]);
}

#[tokio::test]
async fn finds_paths_and_methods() {
    let counting = Arc::new(Counting::default());
    let router = Router::new(options().prefix("/base/"), routes(counting));
    assert_eq!(router.prefix(), "/base");
    let get = Method::GET;
    for (method, target, status, allow) in [
        (get.clone(), "/base/healthz", 200, None),
        (get.clone(), "/base/healthz/", 200, None),
        (get.clone(), "/base/healthz?a=b", 200, None),
        (get.clone(), "/base", 200, None),
        (get.clone(), "/base/", 200, None),
        (get.clone(), "/healthz", 404, None),
        (get.clone(), "/basehealthz", 404, None),
        (get.clone(), "/base/healthz//", 404, None),
        (get.clone(), "/base//healthz", 404, None),
        (get.clone(), "/base/Healthz", 404, None),
        (get.clone(), "/base/health%7a", 404, None),
        (get.clone(), "/base/x/../healthz", 404, None),
        (get, "/base/message", 405, Some("POST")),
        (Method::PUT, "/base/mcp/", 405, Some("POST, GET, DELETE")),
        (Method::HEAD, "/base/healthz", 405, Some("GET")),
    ] {
        let reply = router.answer(local(method.clone(), target, &[], "")).await;
        assert_eq!(reply.status(), status, "{method} {target}");
        assert_eq!(
            reply.headers().get(ALLOW).map(|allow| allow.to_str().unwrap()),
            allow,
            "{method} {target}"
        );
        assert!(!reply.status().is_redirection());
    }
}

#[tokio::test]
async fn a_post_with_a_final_slash_is_served_where_it_is() {
    let router = Router::new(options(), routes(Arc::default()));
    for path in ["/message", "/message/"] {
        let post = local(Method::POST, path, &[("content-type", "application/json")], MESSAGE);
        assert_eq!(router.answer(post).await.status(), 200);
    }
}

#[tokio::test]
async fn accept_is_looked_at_before_content_type() {
    let router = Router::new(options(), routes(Arc::default()));
    for (accept, status) in [
        (None, 415),
        (Some("*/*"), 415),
        (Some("application/json, text/event-stream"), 415),
        (Some("application/json"), 406),
        (Some("text/event-stream"), 406),
        (Some("text/html"), 406),
    ] {
        let headers: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().collect();
        let reply = router.answer(local(Method::POST, "/mcp", &headers, MESSAGE)).await;
        assert_eq!(reply.status(), status, "{accept:?}");
    }
}

#[tokio::test]
async fn bodies_up_to_the_limit() {
    let counting = Arc::new(Counting::default());
    let router = Router::new(options(), routes(counting.clone()));
    for (length, status) in [(0, 200), (7, 200), (8, 200), (9, 413), (1000, 413)] {
        let reply = router.answer(local(Method::PUT, "/raw", &[], &"x".repeat(length))).await;
        assert_eq!(reply.status(), status, "{length}");
    }
    // The head lies: no more is believed than comes, and no more is read than is allowed.
    for (declared, length, status) in [("9", 1, 413), ("99999999999999999999", 1, 200), ("2", 9, 413)] {
        let put = local(Method::PUT, "/raw", &[("content-length", declared)], &"x".repeat(length));
        assert_eq!(router.answer(put).await.status(), status, "{declared} {length}");
    }
    assert_eq!(counting.handled.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn what_is_no_message_is_answered_once() {
    let counting = Arc::new(Counting::default());
    let router = Router::new(options(), routes(counting.clone()));
    let no_id = |code: i64, text: &str| {
        format!(r#"{{"jsonrpc":"2.0","error":{{"code":{code},"message":"{text}"}}}}"#)
    };
    for (body, expected) in [
        ("", no_id(-32700, "not JSON")),
        ("{", no_id(-32700, "not JSON")),
        ("7", no_id(-32600, "not a JSON object")),
        ("[]", no_id(-32600, "batches are not accepted here")),
        (r#"{"jsonrpc":"2.0"}"#, no_id(-32600, "neither method nor result nor error")),
    ] {
        let post = local(Method::POST, "/message", &[("content-type", "application/json")], body);
        let reply = router.answer(post).await;
        assert_eq!(reply.status(), 400, "{body}");
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(reply.headers()["cache-control"], "no-store");
        assert_eq!(text(reply).await, expected, "{body}");
    }
    let post = local(
        Method::POST,
        "/message",
        &[("content-type", "application/json")],
        r#"{"jsonrpc":"1.0","id":"a\u0062","method":"canary"}"#,
    );
    let answer = text(router.answer(post).await).await;
    assert!(answer.contains(r#""id":"a\u0062""#) && answer.contains("-32600"), "{answer}");
    assert!(!answer.contains("canary"));
    assert_eq!(counting.malformed.load(Ordering::Relaxed), 6);
    assert_eq!(counting.handled.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_batch_only_where_it_is_taken() {
    let router = Router::new(options(), routes(Arc::default()));
    let batch = format!("[{MESSAGE}]");
    let json = [("content-type", "application/json")];
    assert_eq!(router.answer(local(Method::POST, "/mcp", &json, &batch)).await.status(), 200);
    assert_eq!(router.answer(local(Method::POST, "/mcp", &json, "[]")).await.status(), 400);
    assert_eq!(router.answer(local(Method::POST, "/message", &json, &batch)).await.status(), 400);
}

/// Whatever is refused, nothing of the request comes back.
#[tokio::test]
async fn nothing_is_echoed() {
    const CANARY: &str = "canary4711";
    let router = Router::new(options(), routes(Arc::default()));
    let json = ("content-type", "application/json");
    let mut cases = vec![
        request(Method::GET, "/sse", &[("host", b"canary4711.example")], ""),
        request(Method::GET, "/sse", &[("host", b"canary4711 x")], ""),
        local(Method::GET, "/sse", &[("origin", "http://canary4711.example")], ""),
        local(Method::GET, "/canary4711", &[], ""),
        local(Method::from_bytes(b"CANARY4711").unwrap(), "/sse", &[], ""),
        local(Method::GET, "/sse", &[("accept", "text/canary4711")], ""),
        local(Method::POST, "/message", &[("content-type", "text/canary4711")], CANARY),
        local(Method::POST, "/message", &[json], CANARY),
        local(Method::POST, "/message", &[json], r#"{"canary4711":1}"#),
        local(Method::PUT, "/raw", &[], CANARY),
    ];
    for case in &mut cases {
        case.headers_mut().insert("x-secret", HeaderValue::from_static(CANARY));
    }
    for case in cases {
        let reply = router.answer(case).await;
        assert!(reply.status().is_client_error());
        let head = format!("{:?}{reply:?}", reply.headers()).to_lowercase();
        assert!(!head.contains(CANARY), "{head}");
        let text = text(reply).await;
        assert!(!text.to_lowercase().contains(CANARY), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_names_what_to_change() {
    let router = Router::new(options(), routes(Arc::default()));
    let host = router.answer(request(Method::GET, "/sse", &[("host", b"evil.example")], "")).await;
    assert!(text(host).await.contains("--allow-host"));
    let origin = router.answer(local(Method::GET, "/sse", &[(ORIGIN.as_str(), "null")], "")).await;
    assert!(text(origin).await.contains("--allow-origin"));
}

#[tokio::test]
async fn a_mounted_router_answers_to_loopback_only() {
    let router = Router::new(RouterOptions::default(), routes(Arc::default()));
    for (host, status) in [("localhost:1234", 200), ("127.0.0.1", 200), ("mcp.example", 403)] {
        let get = request(Method::GET, "/healthz", &[("host", host.as_bytes())], "");
        assert_eq!(router.answer(get).await.status(), status, "{host}");
    }
}

/// Lets those with the right word pass.
struct Word;

impl Authenticate for Word {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        Box::pin(async {
            match parts.headers.get("authorization").map(HeaderValue::as_bytes) {
                Some(b"Bearer word") => Ok(Some(Principal::new("somebody"))),
                _ => Err(Refusal::new(StatusCode::UNAUTHORIZED, "who are you?\n")
                    .with_header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            }
        })
    }
}

#[tokio::test]
async fn authentication_comes_after_origin_and_before_the_route() {
    struct Who;
    impl Handler for Who {
        fn handle(&self, arrived: Arrived) -> BoxFuture<'static, Reply> {
            assert_eq!(arrived.principal, Some(Principal::new("somebody")));
            assert_eq!(arrived.peer, Some("192.0.2.1:7".parse().unwrap()));
            Box::pin(async { text_reply(StatusCode::OK, "served\n") })
        }
    }
    let routes = [Route::new(Method::GET, "/x", Arc::new(Who))];
    let router = Router::new(options().authenticate(Arc::new(Word)), routes);
    assert!(router.has_authentication());
    let word = ("authorization", "Bearer word");
    for (target, headers, status) in [
        ("/x", vec![word], 200),
        ("/x", vec![], 401),
        ("/y", vec![], 401),
        ("/y", vec![word], 404),
        ("/x", vec![("origin", "null")], 403),
    ] {
        let mut get = local(Method::GET, target, &headers, "");
        get.extensions_mut().insert(PeerAddr("192.0.2.1:7".parse().unwrap()));
        let reply = router.answer(get).await;
        assert_eq!(reply.status(), status, "{target} {headers:?}");
        let challenge: Option<&HeaderValue> = HeaderMap::get(reply.headers(), "www-authenticate");
        assert_eq!(challenge.is_some(), status == 401);
    }
}

#[tokio::test]
async fn is_a_service_that_can_be_sent() {
    fn service<S: hyper::service::Service<Request<Full<Bytes>>, Response = Reply> + Send + Sync + Clone>(
        _: &S,
    ) where
        S::Future: Send,
    {
    }
    let router = Router::new(RouterOptions::default().prefix("/p"), routes(Arc::default()));
    service(&router);
    let answered = tokio::time::timeout(
        Duration::from_secs(5),
        hyper::service::Service::call(&router, local(Method::GET, "/p/healthz", &[], "")),
    );
    assert_eq!(answered.await.unwrap().unwrap().status(), 200);
}
