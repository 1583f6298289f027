//! Requests through a proxy, and what it is told. It is a server like any other, so one of a few lines does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod said;

use std::error::Error as _;
use std::fmt::{self, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};

use http::Uri;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, PROXY_AUTHORIZATION};
use mcp_http::proto::{Proxies, ProxyProblem};
use mcp_http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport_core::ErrorKind;
use said::{Said, get, ok, status, with};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const TARGET: &str = "http://mcp.test/a?b=c";

fn client(proxies: Proxies) -> HttpClient {
    HttpClient::new(HttpClientOptions::default().with_proxies(proxies))
}

fn through(proxy: &Said) -> Proxies {
    Proxies::through(&format!("http://user:secret4711@{}", proxy.address))
}

#[tokio::test]
async fn a_proxy_is_told_the_whole_uri() {
    let proxy = Said::new(&[(TARGET, ok("answer")), ("http://mcp.test:8080/", ok("other"))]).await;
    let client = client(through(&proxy));
    for _ in 0..2 {
        let uri = Uri::from_static(TARGET);
        assert_eq!(client.post_json(&uri, HeaderMap::new(), "{}").await.unwrap().body(), "answer");
    }
    client.send(get(Uri::from_static("http://mcp.test:8080"))).await.unwrap();
    let asked = proxy.asked();
    assert_eq!(asked.len(), 3);
    for line in [
        "POST http://mcp.test/a?b=c HTTP/1.1\r\n",
        "host: mcp.test\r\n",
        "proxy-authorization: Basic dXNlcjpzZWNyZXQ0NzEx\r\n",
        "\r\n\r\n{}",
    ] {
        assert!(asked[0].contains(line) && asked[1].contains(line), "{line} in {asked:?}");
    }
    assert!(asked[2].contains("host: mcp.test:8080\r\n"), "{asked:?}");
}

#[tokio::test]
async fn what_needs_no_proxy_goes_without() {
    let proxy = Said::new(&[]).await;
    let server = Said::new(&[("/", ok("answer"))]).await;
    for proxies in [through(&proxy), Proxies::through("socks5://proxy.test"), Proxies::none()] {
        let mut request = get(server.uri("/"));
        request.headers_mut().insert(PROXY_AUTHORIZATION, HeaderValue::from_static("Basic x"));
        client(proxies).send(request).await.unwrap();
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    for head in asked {
        assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
        assert!(!head.contains("proxy-authorization"), "{head}");
    }
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

/// What was to go through a proxy never goes without one, for whatever reason.
#[tokio::test]
async fn no_proxy_is_no_way_around_it() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refuses =
        Said::new(&[(TARGET, status("407 Proxy Authentication Required", "")), ("/", ok(""))]).await;
    for (proxy, kind, what) in [
        ("socks5://127.0.0.1:1".to_owned(), ErrorKind::Misuse, "the proxy cannot be used"),
        ("http://127.0.0.1:1/x".to_owned(), ErrorKind::Misuse, "the proxy cannot be used"),
        (gone.to_string(), ErrorKind::Io, "cannot connect to the proxy"),
        (refuses.address.to_string(), ErrorKind::Refused, "the proxy asks for authentication"),
    ] {
        let client = client(Proxies::through(&proxy));
        let error = client.send(get(Uri::from_static(TARGET))).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, what), "{proxy}");
        assert_eq!(client.check(&Uri::from_static(TARGET)).is_err(), kind == ErrorKind::Misuse);
        match kind {
            ErrorKind::Misuse => assert!(error.source().unwrap().is::<ProxyProblem>()),
            ErrorKind::Refused => assert_eq!(HttpRefused::of(&error).unwrap().status(), 407),
            _ => assert!(error.source().is_some()),
        }
    }
    if cfg!(not(feature = "tls")) {
        let client = client(Proxies::through("https://127.0.0.1:1"));
        let error = client.send(get(Uri::from_static(TARGET))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("https proxy"), "{error}");
    }
}

/// The variables are for the process, so it is another one that has them.
#[tokio::test]
async fn the_environment_is_asked() {
    let proxy = Said::new(&[(TARGET, ok("answer"))]).await;
    let address = format!("http://{}", proxy.address);
    let malformed = "socks5://127.0.0.1:1";
    for (variables, outcome) in [
        (&[("http_proxy", address.as_str())][..], "through"),
        (&[("ALL_PROXY", &address)], "through"),
        (&[("http_proxy", malformed)], "Misuse"),
        (&[("http_proxy", malformed), ("no_proxy", "a, test")], "without"),
        (&[("http_proxy", malformed), ("TOLD", "none")], "without"),
        (&[("HTTP_PROXY", malformed), ("https_proxy", malformed)], "without"),
    ] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            child.env_remove(name);
        }
        child.env_remove("no_proxy").env_remove("NO_PROXY");
        child.args(["--exact", "in_another_process", "--nocapture"]).env("IN_ANOTHER_PROCESS", outcome);
        child.envs(variables.iter().copied());
        let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{variables:?}: {output:?}");
        assert_eq!(proxy.asked().len(), usize::from(outcome == "through"), "{variables:?}");
        proxy.forget();
    }
}

/// The other process of the test above; alone, it has nothing to do.
#[tokio::test]
async fn in_another_process() {
    let Ok(outcome) = std::env::var("IN_ANOTHER_PROCESS") else { return };
    let mut options = HttpClientOptions::default();
    if std::env::var("TOLD").is_ok() {
        options = options.with_proxies(Proxies::none());
    }
    let client = HttpClient::new(options);
    let target = Uri::from_static(TARGET);
    match outcome.as_str() {
        "through" => assert_eq!(client.send(get(target)).await.unwrap().status(), 200),
        // Nobody is asked where mcp.test is.
        "without" => client.check(&target).unwrap(),
        _ => assert_eq!(client.check(&target).unwrap_err().kind(), ErrorKind::Misuse),
    }
}

/// Remembers all that is traced, spans and events, at every level.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<String>>);

impl Visit for Traced {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0.lock().unwrap(), "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Traced {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// T-CRED: headers, cookies and what the proxy is told, in logs at every level, in `Debug`, and in errors.
#[tokio::test]
async fn secrets_are_not_shown() {
    let cookie = with("Set-Cookie: route=cookie4711\r\n", "");
    let refused = status("407 No", "Set-Cookie: other=cookie4711\r\nProxy-Authenticate: challenge4711\r\n");
    let proxy = Said::new(&[(TARGET, cookie), ("http://mcp.test/407", refused)]).await;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer token4711"));
    let options = HttpClientOptions::default().with_proxies(through(&proxy)).with_headers(headers);

    let traced = Traced::default();
    let guard = tracing::subscriber::set_default(traced.clone());
    let client = HttpClient::new(options);
    for _ in 0..2 {
        client.send(get(Uri::from_static(TARGET))).await.unwrap();
    }
    let error = client.send(get(Uri::from_static("http://mcp.test/407"))).await.unwrap_err();
    drop(guard);

    let asked = proxy.asked();
    assert!(asked[1].contains("route=cookie4711") && asked[1].contains("token4711"), "{asked:?}");
    let mut shown = traced.0.lock().unwrap().clone();
    assert!(shown.contains("mcp.test"), "nothing is traced: {shown}");
    write!(shown, "{client:?} {error} {error:?} {:?}", error.source()).unwrap();
    for secret in ["4711", "dXNlcjpzZWNyZXQ0NzEx"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
