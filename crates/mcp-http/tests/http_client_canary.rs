//! What is logged, shown and said about requests with secrets in them, whatever becomes of the requests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod judged;

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};
use judged::{Judged, answer};
use mcp_http::credentials::{Credentials, Destination, FetchedToken, StaticToken};
use mcp_http::proto::Proxies;
use mcp_http::{HttpClient, HttpClientOptions};
use mcp_transport_core::{Error, ErrorKind};
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

/// Part of every secret.
const CANARY: &str = "4711canary";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The error and all that is behind it, in every form.
fn chain(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, "\n{error} {error:?} {error:#?}");
        source = error.source();
    }
    text
}

fn secret(scheme: &str) -> HeaderValue {
    HeaderValue::try_from(format!("{scheme}{CANARY}")).unwrap()
}

#[tokio::test]
async fn nothing_that_is_said_has_a_secret_in_it() {
    let log = Log::default();
    let writes = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writes.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let echo =
        format!("WWW-Authenticate: Bearer error_description=\"{CANARY}\"\r\nSet-Cookie: a={CANARY}\r\n");
    let server = Judged::new(move |asked| {
        let line = asked.line.clone();
        // It got every secret, and gives them back where it can.
        assert!(asked.authorization.concat().contains(CANARY), "{asked:?}");
        assert!(asked.headers.iter().any(|header| header == &format!("x-api-key: {CANARY}")));
        match line.split(' ').next_back().unwrap().split('?').next().unwrap() {
            "/ok" => answer("200 OK", &echo, CANARY),
            "/sse" => answer("200 OK", "Content-Type: text/event-stream\r\n", &format!("data: {CANARY}\n\n")),
            "/401" => answer("401 Unauthorized", &echo, CANARY),
            "/403" => answer("403 Forbidden", &echo, CANARY),
            "/500" => answer("500 Internal Server Error", &echo, CANARY),
            "/away" => {
                answer("307 Temporary Redirect", &format!("Location: http://mcp.test/{CANARY}\r\n"), "")
            }
            "/back" => answer("307 Temporary Redirect", &format!("Location: /ok?{CANARY}\r\n"), ""),
            "/garbage" => format!("{CANARY} {CANARY}\r\n\r\n"),
            other => panic!("{other}"),
        }
    })
    .await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody: Uri = format!("http://{gone}/?{CANARY}").parse().unwrap();
    let mut shown = String::new();
    let token = format!("{CANARY}.token");
    let fetched = || {
        let token = token.clone();
        FetchedToken::new(server.origin(), move || {
            let token = token.clone();
            async move { Ok(token) }
        })
        .with_interval(Duration::ZERO)
    };
    let credentials: [Option<Arc<dyn Credentials>>; 3] =
        [None, Some(Arc::new(StaticToken::new(server.origin(), &token).unwrap())), Some(Arc::new(fetched()))];
    for credentials in credentials {
        let mut options = HttpClientOptions::default();
        options.headers.insert("x-api-key", secret(""));
        options.credentials = credentials.clone();
        if credentials.is_none() {
            // Not marked as sensitive, as somebody may have forgotten.
            options.headers.insert(AUTHORIZATION, secret("Bearer "));
        }
        let client = HttpClient::new(options);
        let _ = write!(shown, "{client:?} {client:#?} {:?}", client.options());
        for (path, good) in [
            ("/ok", true),
            ("/sse", true),
            ("/401", false),
            ("/403", false),
            ("/500", false),
            ("/away", false),
            ("/back", true),
            ("/garbage", false),
        ] {
            let result =
                client.post_json(&server.uri(&format!("{path}?{CANARY}")), HeaderMap::new(), CANARY).await;
            assert_eq!(result.is_ok(), good, "{path}: {result:?}");
            if let Err(error) = result {
                let _ = write!(shown, "{}", chain(&error));
            }
        }
        let stream = client.event_stream(&server.uri("/sse"), HeaderMap::new()).await.unwrap();
        let _ = write!(shown, "{:?}", stream.body());
        let error = client.send(Request::new(bytes::Bytes::new())).await.unwrap_err();
        let _ = write!(shown, "{}", chain(&error));
        let mut request = Request::new(bytes::Bytes::new());
        (*request.method_mut(), *request.uri_mut()) = (Method::DELETE, nobody.clone());
        let error = client.send(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let _ = write!(shown, "{}", chain(&error));
    }
    // A token that is none, and one that nobody could fetch.
    let error = StaticToken::new(server.origin(), &format!(" {CANARY}")).unwrap_err();
    let _ = write!(shown, "{}", chain(&error));
    let origin = server.origin();
    let uri: Uri = server.uri(&format!("/?{CANARY}"));
    let destination = Destination::new(&origin, &uri);
    let _ = write!(shown, "{destination:?} {:?} {:?}", fetched(), StaticToken::new(origin.clone(), &token));
    let bad = FetchedToken::new(origin.clone(), || async { Ok(format!("{CANARY} {CANARY}")) });
    let _ = write!(shown, "{}", chain(&bad.next(destination).await.unwrap_err()));
    // What a proxy is told.
    let proxies = Proxies::through(&format!("http://user:{CANARY}@{gone}"));
    let options = HttpClientOptions::default().with_proxies(proxies);
    let _ = write!(shown, "{options:?}");
    let error =
        HttpClient::new(options).event_stream(&Uri::from_static("http://mcp.test/"), HeaderMap::new()).await;
    let _ = write!(shown, "{}", chain(&error.unwrap_err()));

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // There is something to find it in: words of hyper's client, and our own.
    assert!(log.contains("hyper_util") && log.contains("TRACE") && log.contains("mcp.http"), "{log}");
    assert!(shown.contains("the server asks for authentication") && shown.contains("status 401"), "{shown}");
    for (what, text) in [("log", &log), ("shown", &shown)] {
        for secret in [CANARY, "NDcxMWNhbmFyeQ", "dXNlcjo0NzExY2FuYXJ5"] {
            let found = text.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "in the {what}");
        }
    }
}
