//! CORS, routes that are open to everybody, and requests that are counted: what the router does of itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use mcp_http::proto::Origin;
use mcp_http::{
    Arrived, Authenticate, Cors, PeerAddr, RateLimit, Refusal, Reply, Route, Router, RouterOptions, Spent,
    text_reply,
};
use mcp_transport_core::{BoxFuture, Principal};

const APP: &str = "https://app.example";

/// Lets in who says `yes`.
struct Word;

impl Authenticate for Word {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let known = parts.headers.get("authorization").is_some_and(|value| value == "yes");
        Box::pin(std::future::ready(if known {
            Ok(Some(Principal::new("yes")))
        } else {
            let challenge = HeaderValue::from_static("Bearer");
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "who?\n")
                .with_header(http::header::WWW_AUTHENTICATE, challenge))
        }))
    }
}

fn router(options: RouterOptions) -> Router {
    let served = |arrived: Arrived| -> BoxFuture<'static, Reply> {
        let refused = arrived.count_opening().and_then(|()| arrived.count_in_session("s"));
        let reply = refused.map_or_else(Reply::from, |()| text_reply(StatusCode::OK, "served\n"));
        Box::pin(std::future::ready(reply))
    };
    let route = |path| Route::new(Method::GET, path, Arc::new(served));
    let routes = [route("/mcp"), route("/healthz").public(), route("/.well-known/x/mcp").public().at_root()];
    Router::new(options, routes)
}

fn cors() -> Cors {
    Cors::new([Origin::parse(APP.as_bytes()).unwrap()])
}

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

fn header(reply: &Reply, name: &str) -> Option<String> {
    let values: Vec<_> = reply.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    if values.is_empty() { None } else { Some(values.join(", ")) }
}

#[tokio::test]
async fn a_preflight_is_answered_for_a_listed_origin_and_for_no_other() {
    let on = || RouterOptions::default().cors(cors()).authenticate(Arc::new(Word));
    let off = || RouterOptions::default().authenticate(Arc::new(Word));
    for (options, origin, status) in [
        (on(), APP, 204),
        (on(), "https://app.example:443", 204),
        (on(), "http://app.example", 403),
        (on(), "https://app.example:8443", 403),
        (on(), "https://evil.example", 403),
        (on(), "null", 403),
        (on(), "*", 403),
        // A page of this machine may send requests, and may not read the answers.
        (on(), "http://localhost:5173", 403),
        (off(), APP, 403),
        (off(), "http://localhost:5173", 403),
    ] {
        let ask =
            [("origin", origin), ("access-control-request-method", "POST"), ("sec-fetch-site", "cross-site")];
        let reply = router(options).answer(request(Method::OPTIONS, "/mcp", &ask)).await;
        assert_eq!(reply.status().as_u16(), status, "{origin}");
        let allowed = header(&reply, "access-control-allow-origin");
        assert_eq!(allowed.as_deref(), (status == 204).then_some(origin), "{origin}");
        assert_eq!(header(&reply, "access-control-allow-credentials"), None);
        assert_eq!(header(&reply, "access-control-allow-private-network"), None);
    }
}

#[tokio::test]
async fn a_preflight_names_the_headers_of_mcp() {
    let options = RouterOptions::default().cors(cors().with_max_age(Duration::from_secs(7)));
    let asked = "x-evil, Mcp-Param-City, mcp-param-a, mcp-param-, mcp-param-b c,mcp-param-d";
    let ask = [
        ("origin", APP),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", asked),
        ("access-control-request-private-network", "true"),
    ];
    let reply = router(options).answer(request(Method::OPTIONS, "/mcp", &ask)).await;
    assert_eq!(reply.status(), StatusCode::NO_CONTENT);
    let allowed = header(&reply, "access-control-allow-headers").unwrap();
    for name in ["authorization", "content-type", "last-event-id", "mcp-method", "mcp-name"] {
        assert!(allowed.split(", ").any(|allowed| allowed == name), "{name}");
    }
    assert!(
        allowed.ends_with("mcp-session-id, Mcp-Param-City, mcp-param-a, mcp-param-, mcp-param-d"),
        "{allowed}"
    );
    assert_eq!(header(&reply, "access-control-allow-methods").unwrap(), "DELETE, GET, POST");
    assert_eq!(header(&reply, "access-control-max-age").unwrap(), "7");
    assert_eq!(header(&reply, "vary").unwrap(), "access-control-request-headers, origin");
}

#[tokio::test]
async fn every_answer_says_who_may_read_it_refusals_too() {
    let options = RouterOptions::default().cors(cors()).authenticate(Arc::new(Word));
    let router = router(options);
    for (path, headers, status, readable) in [
        ("/mcp", vec![("origin", APP), ("authorization", "yes")], 200, true),
        (
            "/mcp",
            vec![("origin", APP), ("sec-fetch-site", "cross-site"), ("authorization", "yes")],
            200,
            true,
        ),
        ("/mcp", vec![("origin", APP)], 401, true),
        ("/none", vec![("origin", APP), ("authorization", "yes")], 404, true),
        ("/mcp", vec![("authorization", "yes")], 200, false),
        ("/mcp", vec![("origin", "http://localhost:1"), ("authorization", "yes")], 200, false),
        ("/mcp", vec![("origin", "https://evil.example")], 403, false),
        ("/mcp", vec![("origin", APP), ("origin", APP)], 403, false),
    ] {
        let reply = router.answer(request(Method::GET, path, &headers)).await;
        assert_eq!(reply.status().as_u16(), status, "{path} {headers:?}");
        let allowed = header(&reply, "access-control-allow-origin");
        assert_eq!(allowed.as_deref(), readable.then_some(APP), "{path} {headers:?}");
        let exposed = header(&reply, "access-control-expose-headers");
        assert_eq!(exposed.is_some_and(|names| names.contains("mcp-session-id")), readable);
        assert_eq!(header(&reply, "vary").as_deref(), Some("origin"));
    }
    let without = self::router(RouterOptions::default());
    let reply = without.answer(request(Method::GET, "/mcp", &[])).await;
    assert_eq!((header(&reply, "vary"), header(&reply, "access-control-allow-origin")), (None, None));
}

#[tokio::test]
async fn public_routes_ask_nobody_and_check_everything_else() {
    let router = router(RouterOptions::default().prefix("/a").authenticate(Arc::new(Word)));
    let yes = ("authorization", "yes");
    for (method, path, headers, status) in [
        (Method::GET, "/a/mcp", vec![], 401),
        (Method::GET, "/a/mcp", vec![yes], 200),
        (Method::GET, "/a/mcp/", vec![yes], 200),
        (Method::GET, "/a/healthz", vec![], 200),
        (Method::GET, "/healthz", vec![yes], 404),
        (Method::GET, "/.well-known/x/mcp", vec![], 200),
        (Method::GET, "/.well-known/x/mcp/", vec![], 200),
        (Method::GET, "/a/.well-known/x/mcp", vec![], 401),
        (Method::GET, "/a/.well-known/x/mcp", vec![yes], 404),
        (Method::POST, "/a/healthz", vec![], 401),
        (Method::POST, "/a/healthz", vec![yes], 405),
        (Method::GET, "/a/healthz", vec![("origin", "https://evil.example")], 403),
        (Method::GET, "/a/healthz", vec![("host", "evil.example")], 400),
    ] {
        let reply = router.answer(request(method.clone(), path, &headers)).await;
        assert_eq!(reply.status().as_u16(), status, "{method} {path} {headers:?}");
    }
}

/// Writes down what it is asked, and says no to one kind.
struct Book {
    asked: Mutex<Vec<String>>,
    no: &'static str,
}

impl RateLimit for Book {
    fn take(&self, what: Spent<'_>) -> Result<(), Duration> {
        let what = format!("{what:?}");
        let refuse = what == self.no;
        self.asked.lock().unwrap().push(what);
        if refuse { Err(Duration::from_millis(2001)) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_request_is_counted_where_it_has_got_to() {
    for (no, said, path, status, asked) in [
        ("", "yes", "/mcp", 200, &["Request", "Principal", "Opening", "Session"][..]),
        ("", "no", "/mcp", 401, &["Request", "Unauthenticated"]),
        ("", "no", "/healthz", 200, &["Request", "Opening", "Session"]),
        ("Request", "yes", "/mcp", 429, &["Request"]),
        ("Request", "no", "/healthz", 429, &["Request"]),
        ("Unauthenticated", "no", "/mcp", 429, &["Request", "Unauthenticated"]),
        ("Principal", "yes", "/mcp", 429, &["Request", "Principal"]),
        ("Opening", "yes", "/mcp", 429, &["Request", "Principal", "Opening"]),
        ("Session", "yes", "/mcp", 429, &["Request", "Principal", "Opening", "Session"]),
    ] {
        let book = Arc::new(Book { asked: Mutex::default(), no });
        let options = RouterOptions::default().authenticate(Arc::new(Word)).rate_limit(book.clone());
        let mut request = request(Method::GET, path, &[("authorization", said)]);
        request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 1))));
        let reply = router(options).answer(request).await;
        assert_eq!(reply.status().as_u16(), status, "{no} {said} {path}");
        assert_eq!(header(&reply, "retry-after").as_deref(), (status == 429).then_some("3"));
        assert_eq!(*book.asked.lock().unwrap(), asked, "{no} {said} {path}");
    }
}

#[tokio::test]
async fn what_the_pipeline_refuses_before_is_not_counted() {
    let book = Arc::new(Book { asked: Mutex::default(), no: "" });
    let router = router(RouterOptions::default().cors(cors()).rate_limit(book.clone()));
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("host", "two.example")],
    ] {
        router.answer(request(Method::GET, "/mcp", &headers)).await;
    }
    let ask = [("origin", APP), ("access-control-request-method", "GET")];
    router.answer(request(Method::OPTIONS, "/mcp", &ask)).await;
    assert!(book.asked.lock().unwrap().is_empty());
}
