//! Who is asked for `Authorization`, when a request goes again, and where nothing goes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod judged;

use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};
use judged::{Answer, Asked, Judged, answer, challenged, ok};
use mcp_http::credentials::{Credentials, CredentialsFailed, Destination, FetchedToken, StaticToken};
use mcp_http::proto::{Origin, Proxies};
use mcp_http::{HeadWithin, HttpClient, HttpClientOptions, HttpRefused, OnTaken};
use mcp_transport_core::{BoxFuture, Error, ErrorKind};
use tokio::sync::{Barrier, Notify};
use tokio::time::{Instant, sleep, timeout};

const SOON: Duration = Duration::from_secs(20);

fn request(method: Method, uri: Uri) -> Request<bytes::Bytes> {
    let mut request = Request::new("body".into());
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    request
}

fn client(credentials: impl Credentials + 'static) -> HttpClient {
    HttpClient::new(HttpClientOptions::default().with_credentials(Arc::new(credentials)))
}

/// Status, what was sent, the number of challenges, and the origin.
type Refused = (u16, Option<String>, usize, String);

/// Says one thing after the other, and writes down what it was told.
#[derive(Default)]
struct Told {
    says: Vec<Option<&'static str>>,
    asked: AtomicUsize,
    refusals: Mutex<Vec<Refused>>,
    again: bool,
}

impl Told {
    fn new(says: &[Option<&'static str>], again: bool) -> Arc<Self> {
        Arc::new(Self { says: says.to_vec(), again, ..Self::default() })
    }
}

impl Credentials for Told {
    fn next<'a>(&'a self, _: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        let at = self.asked.fetch_add(1, SeqCst);
        let says = self.says.get(at).or(self.says.last()).copied().flatten();
        Box::pin(ready(Ok(says.map(HeaderValue::from_static))))
    }

    fn refused<'a>(
        &'a self,
        destination: Destination<'a>,
        sent: Option<&'a HeaderValue>,
        refused: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        assert!(sent.is_none_or(HeaderValue::is_sensitive));
        let sent = sent.map(|sent| sent.to_str().unwrap().to_owned());
        let (status, challenges) = (refused.status().as_u16(), refused.challenges().len());
        self.refusals.lock().unwrap().push((status, sent, challenges, destination.uri.path().to_owned()));
        Box::pin(ready(Ok(self.again)))
    }
}

#[tokio::test]
async fn which_authorization_wins() {
    let own = HeaderValue::from_static("Own 1");
    for (of_request, of_options, of_credentials, wins) in [
        (true, true, Some("C 3"), "Own 1"),
        (true, false, Some("C 3"), "Own 1"),
        (false, true, Some("C 3"), "Options 2"),
        (false, false, Some("C 3"), "C 3"),
        (false, false, None, ""),
    ] {
        let server = Judged::new(|_| challenged("401 Unauthorized", "Bearer")).await;
        let told = Told::new(&[of_credentials], true);
        let mut options = HttpClientOptions::default().with_credentials(told.clone());
        if of_options {
            options.headers.insert(AUTHORIZATION, HeaderValue::from_static("Options 2"));
        }
        let mut request = request(Method::POST, server.uri("/"));
        if of_request {
            request.headers_mut().insert(AUTHORIZATION, own.clone());
        }
        let error = HttpClient::new(options).send(request).await.unwrap_err();
        assert_eq!(
            (error.kind(), HttpRefused::of(&error).unwrap().status().as_u16()),
            (ErrorKind::Refused, 401)
        );
        // Who decides by a header is asked nothing, and told nothing.
        let decided = of_request || of_options;
        assert_eq!(server.shown(), vec![wins; if decided { 1 } else { 3 }]);
        assert_eq!(told.asked.load(SeqCst), if decided { 0 } else { 3 });
        assert_eq!(told.refusals.lock().unwrap().len(), if decided { 0 } else { 2 });
    }
}

#[tokio::test]
async fn which_refusals_are_told() {
    for (status, challenge, told_of, requests) in [
        ("401 Unauthorized", true, true, 3),
        ("401 Unauthorized", false, true, 3),
        ("403 Forbidden", true, true, 3),
        ("403 Forbidden", false, false, 1),
        ("400 Bad Request", true, false, 1),
        ("404 Not Found", true, false, 1),
        ("407 Proxy Authentication Required", true, false, 1),
        ("429 Too Many Requests", true, false, 1),
        ("503 Service Unavailable", true, false, 1),
    ] {
        for (again, requests) in [(true, requests), (false, 1)] {
            let challenge = if challenge { "WWW-Authenticate: Bearer\r\n" } else { "" };
            let server = Judged::new(move |_| answer(status, challenge, "")).await;
            let told = Told::new(&[Some("Bearer a"), Some("Bearer b"), None], again);
            let client = HttpClient::new(HttpClientOptions::default().with_credentials(told.clone()));
            let error = client.send(request(Method::POST, server.uri("/p?q"))).await.unwrap_err();
            let refused = HttpRefused::of(&error).unwrap();
            assert!(status.starts_with(refused.status().as_str()), "{status}");
            assert_eq!(refused.challenges().len(), usize::from(!challenge.is_empty()), "{status}");
            assert_eq!(server.shown(), ["Bearer a", "Bearer b", ""][..requests], "{status}");
            let told = told.refusals.lock().unwrap();
            assert_eq!(told.len(), if told_of { requests.min(2) } else { 0 }, "{status}");
            for ((told_status, sent, challenges, path), expected) in told.iter().zip(["Bearer a", "Bearer b"])
            {
                assert_eq!((*told_status, sent.as_deref()), (refused.status().as_u16(), Some(expected)));
                assert_eq!((*challenges, path.as_str()), (refused.challenges().len(), "/p"));
            }
        }
    }
}

/// RFC 9110 15.5.2: what was refused so was not carried out, whatever the method.
#[tokio::test]
async fn a_request_goes_again_whole() {
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        let server = Judged::new(|asked| match asked.is_with("new") {
            true => ok("answer"),
            false => challenged("401 Unauthorized", "Bearer error=\"invalid_token\""),
        })
        .await;
        let client = client_of(Told::new(&[Some("Bearer old"), Some("Bearer new")], true));
        let mut request = request(method.clone(), server.uri("/p"));
        request.headers_mut().insert("x-kept", HeaderValue::from_static("7"));
        let taken = Arc::new(AtomicUsize::new(0));
        let counts = taken.clone();
        request.extensions_mut().insert(OnTaken::new(move || {
            counts.fetch_add(1, SeqCst);
        }));
        let response = client.send(request).await.unwrap();
        assert_eq!(response.into_body().collect(99, SOON).await.unwrap(), "answer");
        let asked = server.asked();
        assert_eq!(server.shown(), ["Bearer old", "Bearer new"], "{method}");
        for asked in asked {
            assert_eq!((asked.line, asked.body.as_str()), (format!("{method} /p"), "body"));
            assert!(asked.headers.contains(&"x-kept: 7".into()));
        }
        assert_eq!(taken.load(SeqCst), 2);
    }
}

fn client_of(credentials: Arc<Told>) -> HttpClient {
    HttpClient::new(HttpClientOptions::default().with_credentials(credentials))
}

#[tokio::test]
async fn an_event_stream_and_a_redirect_have_it_too() {
    let server = Judged::new(|asked| match (asked.line.as_str(), asked.is_with("new")) {
        ("GET /from", _) => answer("307 Temporary Redirect", "Location: /sse\r\n", ""),
        (_, true) => answer("200 OK", "Content-Type: text/event-stream\r\n", ": \n\n"),
        _ => challenged("401 Unauthorized", "Bearer"),
    })
    .await;
    let told = Told::new(&[Some("Bearer old"), Some("Bearer old"), Some("Bearer new")], true);
    client_of(told.clone()).event_stream(&server.uri("/from"), HeaderMap::new()).await.unwrap();
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /from", "GET /sse", "GET /sse"]);
    assert_eq!(server.shown(), ["Bearer old", "Bearer old", "Bearer new"]);
    assert_eq!(told.refusals.lock().unwrap().len(), 1);
}

/// Fails where it is told to.
struct Fails {
    next: Option<ErrorKind>,
    refused: Option<ErrorKind>,
}

impl Credentials for Fails {
    fn next<'a>(&'a self, _: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        match self.next {
            Some(ErrorKind::Timeout) => Box::pin(pending()),
            Some(kind) => Box::pin(ready(Err(Error::new(kind, "no token")))),
            None => Box::pin(ready(Ok(None))),
        }
    }

    fn refused<'a>(
        &'a self,
        _: Destination<'a>,
        _: Option<&'a HeaderValue>,
        _: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        match self.refused {
            Some(ErrorKind::Timeout) => Box::pin(pending()),
            Some(kind) => Box::pin(ready(Err(Error::new(kind, "no token")))),
            None => Box::pin(ready(Ok(true))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_fail_or_never_end() {
    for kind in [ErrorKind::Refused, ErrorKind::Io, ErrorKind::Timeout] {
        for (next, refused, requests) in [(Some(kind), None, 0), (None, Some(kind), 1)] {
            let server = Judged::new(|_| challenged("401 Unauthorized", "Bearer")).await;
            let client = client(Fails { next, refused });
            let begun = Instant::now();
            let error = client.send(request(Method::POST, server.uri("/"))).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(HttpRefused::of(&error).is_none());
            assert_eq!(server.asked().len(), requests);
            let late = kind == ErrorKind::Timeout;
            assert_eq!(error.to_string(), "the credentials for the server cannot be had");
            let failed = CredentialsFailed::of(&error).unwrap();
            assert_eq!(failed.error().kind(), kind);
            assert_eq!(failed.to_string(), if late { "the credentials take too long" } else { "no token" });
            assert_eq!(begun.elapsed().as_secs(), if late { 60 } else { 0 });
        }
    }
}

/// Slow, and never content.
struct Slow(Duration);

impl Credentials for Slow {
    fn next<'a>(&'a self, _: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        Box::pin(async {
            sleep(self.0).await;
            Ok(Some(HeaderValue::from_static("Bearer a")))
        })
    }

    fn refused<'a>(
        &'a self,
        _: Destination<'a>,
        _: Option<&'a HeaderValue>,
        _: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async {
            sleep(self.0).await;
            Ok(true)
        })
    }
}

/// What the credentials take is not the server's time, and what the server takes for all its answers is.
#[tokio::test(start_paused = true)]
async fn the_time_of_the_server() {
    let judge = |asked: Asked| -> Answer {
        Box::pin(async move {
            let wait: u64 = asked.line.rsplit('/').next().unwrap().parse().unwrap();
            sleep(Duration::from_secs(wait)).await;
            challenged("401 Unauthorized", "Bearer")
        })
    };
    for (path, within, requests, late) in
        [("/0", 5, 3, false), ("/2", 5, 3, true), ("/2", 7, 3, false), ("/6", 5, 1, true)]
    {
        let server = Judged::slowly(judge).await;
        let client = client(Slow(Duration::from_secs(9)));
        let mut request = request(Method::POST, server.uri(path));
        request.extensions_mut().insert(HeadWithin(Duration::from_secs(within)));
        let error = client.send(request).await.unwrap_err();
        assert_eq!(error.is_timeout(), late, "{path} {within}: {error}");
        assert_eq!(server.asked().len(), requests, "{path} {within}");
    }
}

#[tokio::test]
async fn a_static_token() {
    let server = Judged::new(|asked| match asked.line.as_str() {
        "POST /ok" => ok(""),
        _ => challenged("401 Unauthorized", "Bearer"),
    })
    .await;
    let token = StaticToken::new(server.origin(), "secret4711").unwrap();
    assert!(!format!("{token:?}").contains("secret4711"));
    let client = client(token);
    client.send(request(Method::POST, server.uri("/ok"))).await.unwrap();
    let error = client.send(request(Method::POST, server.uri("/no"))).await.unwrap_err();
    assert_eq!(HttpRefused::of(&error).unwrap().challenges(), ["Bearer"]);
    assert_eq!(server.shown(), ["Bearer secret4711"; 2]);
    // Another host, though it is the same address.
    let elsewhere = format!("http://localhost:{}/ok", server.address.port()).parse().unwrap();
    client.send(request(Method::POST, elsewhere)).await.unwrap();
    assert_eq!(server.shown().pop().unwrap(), "");
    for bad in ["", " ", "a b", "Bearer a", "a\nb", "sécret", &"x".repeat(8193)] {
        let error = StaticToken::new(server.origin(), bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(bad.trim().is_empty() || !format!("{error} {error:?}").contains(bad), "{error:?}");
    }
}

/// Counts what is fetched: a token of the number.
fn counting(origin: Origin, interval: Duration) -> (FetchedToken, Arc<AtomicUsize>) {
    let fetched = Arc::new(AtomicUsize::new(0));
    let counts = fetched.clone();
    let token = FetchedToken::new(origin, move || {
        let number = counts.fetch_add(1, SeqCst) + 1;
        async move {
            // Long enough for everybody to be there.
            tokio::task::yield_now().await;
            Ok(format!("t{number}"))
        }
    });
    (token.with_interval(interval), fetched)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_refusals_at_once_are_one_refresh() {
    const MANY: usize = 64;
    // Nobody is answered before all have come, so that all are refused with the same token.
    let barrier = Arc::new(Barrier::new(MANY));
    let judge = move |asked: Asked| -> Answer {
        let barrier = barrier.clone();
        Box::pin(async move {
            if asked.is_with("t2") {
                return ok("");
            }
            barrier.wait().await;
            challenged("401 Unauthorized", "Bearer error=\"invalid_token\"")
        })
    };
    let server = Judged::slowly(judge).await;
    let (token, fetched) = counting(server.origin(), Duration::ZERO);
    let client = client(token);
    let sends: Vec<_> = (0..MANY)
        .map(|_| {
            let (client, request) = (client.clone(), request(Method::POST, server.uri("/")));
            tokio::spawn(async move { client.send(request).await.map(drop) })
        })
        .collect();
    for send in sends {
        timeout(SOON, send).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(fetched.load(SeqCst), 2);
    let shown = server.shown();
    assert_eq!(shown.len(), 2 * MANY);
    assert_eq!(shown.iter().filter(|shown| *shown == "Bearer t1").count(), MANY);
}

#[tokio::test]
async fn a_server_that_refuses_every_token() {
    let server = Judged::new(|_| challenged("401 Unauthorized", "Bearer")).await;
    let (token, fetched) = counting(server.origin(), Duration::from_secs(3600));
    let client = client(token);
    for _ in 0..20 {
        let error = client.send(request(Method::POST, server.uri("/"))).await.unwrap_err();
        assert_eq!(HttpRefused::of(&error).unwrap().status(), 401);
    }
    // The first one is fetched, and no other for an hour.
    assert_eq!((fetched.load(SeqCst), server.asked().len()), (1, 20));
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_the_fetch_to_others() {
    let server =
        Judged::new(|asked| if asked.is_with("t1") { ok("") } else { challenged("401 x", "Bearer") }).await;
    let (go, begun, count) =
        (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (waits, tells, counts) = (go.clone(), begun.clone(), count.clone());
    let token = FetchedToken::new(server.origin(), move || {
        let (go, begun, number) = (waits.clone(), tells.clone(), counts.fetch_add(1, SeqCst) + 1);
        async move {
            begun.notify_one();
            go.notified().await;
            Ok(format!("t{number}"))
        }
    });
    let client = client(token);
    let given_up = tokio::spawn({
        let (client, request) = (client.clone(), request(Method::POST, server.uri("/")));
        async move { client.send(request).await.map(drop) }
    });
    timeout(SOON, begun.notified()).await.unwrap();
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    go.notify_one();
    timeout(SOON, client.send(request(Method::POST, server.uri("/")))).await.unwrap().unwrap();
    assert_eq!(count.load(SeqCst), 1);
}

/// The shape of a client of OAuth: it is told where to ask, asks there, and asks again for more.
struct Discovers {
    http: HttpClient,
    token: Mutex<Option<HeaderValue>>,
    asked: Mutex<Vec<String>>,
}

impl Credentials for Discovers {
    fn next<'a>(&'a self, _: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        Box::pin(ready(Ok(self.token.lock().unwrap().clone())))
    }

    fn refused<'a>(
        &'a self,
        destination: Destination<'a>,
        sent: Option<&'a HeaderValue>,
        refused: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            if self.token.lock().unwrap().as_ref() != sent {
                return Ok(true);
            }
            let challenge = refused.challenges()[0].to_str().unwrap().to_owned();
            let parameter = |name: &str| {
                let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
                rest.split_once('"').map(|(value, _)| value.to_owned())
            };
            self.asked.lock().unwrap().push(format!("{} {challenge}", refused.status().as_u16()));
            // RFC 9728 3.1: where nothing is said, it is found by the path of the URI.
            let inserted = format!("/.well-known/oauth-protected-resource{}", destination.uri.path());
            let metadata = parameter("resource_metadata").unwrap_or(inserted);
            let scope = parameter("scope").unwrap_or_default();
            let uri = format!("{}{metadata}?{scope}", destination.origin).parse().unwrap();
            let token = self.http.post_json(&uri, HeaderMap::new(), "").await?.into_body();
            *self.token.lock().unwrap() = Some(HeaderValue::from_maybe_shared(token).unwrap());
            Ok(true)
        })
    }
}

#[tokio::test]
async fn discovery_and_more_scope() {
    let server = Judged::new(|asked| match (asked.line.as_str(), asked.authorization.concat().as_str()) {
        ("POST /metadata?", "") => ok("Bearer read"),
        ("POST /.well-known/oauth-protected-resource/mcp?files:write", "") => ok("Bearer write"),
        ("POST /mcp", "") => challenged("401 Unauthorized", "Bearer resource_metadata=\"/metadata\""),
        ("POST /mcp", "Bearer read") => {
            challenged("403 Forbidden", "Bearer error=\"insufficient_scope\", scope=\"files:write\"")
        }
        ("POST /mcp", "Bearer write") => ok("done"),
        other => panic!("{other:?}"),
    })
    .await;
    let credentials = Arc::new(Discovers {
        http: HttpClient::new(HttpClientOptions::default()),
        token: Mutex::default(),
        asked: Mutex::default(),
    });
    let client = HttpClient::new(HttpClientOptions::default().with_credentials(credentials.clone()));
    for _ in 0..2 {
        let done = client.post_json(&server.uri("/mcp"), HeaderMap::new(), "body").await.unwrap();
        assert_eq!(done.body(), "done");
    }
    assert_eq!(credentials.asked.lock().unwrap().len(), 2);
    assert_eq!(server.asked().len(), 6);
}

/// T-CRED: where a redirect leads, and what goes along.
#[tokio::test]
async fn nothing_goes_to_another_origin() {
    let other = Judged::new(|_| ok("stolen")).await;
    let server = Judged::new(|asked| {
        let target = asked.line.strip_prefix("GET /from?").map(|target| target.replace('|', "://"));
        match target {
            Some(target) => answer("307 Temporary Redirect", &format!("Location: {target}\r\n"), ""),
            None => ok("arrived"),
        }
    })
    .await;
    let (here, there) = (server.address, other.address);
    let token = StaticToken::new(server.origin(), "secret4711").unwrap();
    let mut options = HttpClientOptions::default().with_credentials(Arc::new(token));
    options.headers.insert("x-api-key", HeaderValue::from_static("secret4712"));
    let client = HttpClient::new(options);
    let cases = [
        // The same origin, however it is spelled.
        ("/here".to_owned(), true),
        (format!("http|{here}/here"), true),
        (format!("HTTP|{here}/here"), true),
        (format!("//{here}/here"), true),
        // Another port, scheme or host.
        (format!("http|{there}/here"), false),
        (format!("//{there}/here"), false),
        (format!("https|{here}/here"), false),
        (format!("http|localhost:{}/here", here.port()), false),
        (format!("//localhost:{}/here", here.port()), false),
        (format!("http|[::1]:{}/here", here.port()), false),
        (format!("http|[::ffff:127.0.0.1]:{}/here", here.port()), false),
        (format!("http|127.1:{}/here", here.port()), false),
        (format!("http|user@{here}/here"), false),
        (format!("http|{here}@{there}/here"), false),
        (format!("http|{here}:80@{there}/here"), false),
        ("http|127.0.0.1/here".into(), false),
        ("http|127.0.0.1:80/here".into(), false),
        ("//127.0.0.1/here".into(), false),
    ];
    for (location, followed) in cases {
        let before = server.asked().len();
        let mut request = request(Method::GET, server.uri(&format!("/from?{location}")));
        request.headers_mut().insert("x-tenant", HeaderValue::from_static("secret4713"));
        let result = client.send(request).await;
        assert_eq!(result.is_ok(), followed, "{location}: {result:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Refused, "{location}: {error}");
        }
        let asked = server.asked().split_off(before);
        assert_eq!(asked.len(), if followed { 2 } else { 1 }, "{location}: {asked:?}");
        for asked in asked {
            assert!(asked.is_with("secret4711"), "{location}: {asked:?}");
            for header in ["x-api-key: secret4712", "x-tenant: secret4713"] {
                assert!(asked.headers.contains(&header.into()), "{location}: {asked:?}");
            }
        }
    }
    assert_eq!(other.asked(), []);
}

/// A default port that is written, and one that is not, are one origin. Nobody here may listen at port 80, so a proxy
/// stands for the server.
#[tokio::test]
async fn the_default_port_is_the_same_origin() {
    for (from, to, followed) in [
        ("http://mcp.test/from", "http://mcp.test:80/here", true),
        ("http://mcp.test:80/from", "http://mcp.test/here", true),
        ("http://mcp.test:80/from", "http://MCP.test./here", true),
        ("http://mcp.test/from", "http://mcp.test:8080/here", false),
        ("http://mcp.test/from", "http://mcp.test:443/here", false),
        ("http://mcp.test/from", "https://mcp.test/here", false),
    ] {
        let proxy = Judged::new(move |asked| match asked.line.ends_with("/from") {
            true => answer("307 Temporary Redirect", &format!("Location: {to}\r\n"), ""),
            false => ok("arrived"),
        })
        .await;
        let token = StaticToken::new(Origin::parse(b"http://mcp.test").unwrap(), "secret4711").unwrap();
        let options = HttpClientOptions::default().with_credentials(Arc::new(token));
        let proxies = Proxies::through(&proxy.address.to_string());
        let client = HttpClient::new(options.with_proxies(proxies));
        let result = client.send(request(Method::GET, Uri::from_static(from))).await;
        assert_eq!(result.is_ok(), followed, "{to}: {result:?}");
        assert_eq!(proxy.shown(), vec!["Bearer secret4711"; if followed { 2 } else { 1 }], "{to}");
    }
}
