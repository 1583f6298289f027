//! URLs of servers that want to know who asks, before they say what they are.
#![cfg(all(unix, feature = "connect"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod odd;
mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use mcp_transport::http::credentials::{CredentialsFailed, FetchedToken};
use mcp_transport::http::proto::Origin;
use mcp_transport::http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport::{Binding, Connector, Error, ErrorKind, SseOptions, Strategy, StreamableOptions};

use odd::{Odd, Says, says, within};
use served::{Served, works};

/// A server that only `t2` gets through to.
async fn guarded() -> Odd {
    let served = Served::new(Some(StreamableOptions::default()), Some(SseOptions::default())).await;
    // It is addressed by the port that it has, and not by that of its guard.
    let there = served.address;
    Odd::new(move |asked| match asked.head.contains("\r\nauthorization: bearer t2\r\n") {
        true => Says::Forward(there),
        false => says("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", "who are you?"),
    })
    .await
}

fn connector(server: &Odd, wait: Duration) -> (Connector, Arc<AtomicUsize>) {
    let fetched = Arc::new(AtomicUsize::new(0));
    let counts = fetched.clone();
    let origin = Origin::parse(format!("http://{}", server.address).as_bytes()).unwrap();
    let token = FetchedToken::new(origin, move || {
        let number = counts.fetch_add(1, SeqCst) + 1;
        async move {
            if number == 1 {
                tokio::time::sleep(wait).await;
            }
            Ok(format!("t{number}"))
        }
    });
    let credentials = Arc::new(token.with_interval(Duration::ZERO));
    let options = HttpClientOptions::default().with_credentials(credentials);
    (Connector::new().with_http(HttpClient::new(options)), fetched)
}

#[tokio::test]
async fn a_server_is_found_out_and_spoken_to_with_credentials() {
    for (path, strategy, binding) in [
        ("/mcp", Strategy::HttpFirst, Binding::StreamableHttp),
        ("/mcp", Strategy::SseFirst, Binding::StreamableHttp),
        ("/mcp", Strategy::HttpOnly, Binding::StreamableHttp),
        ("/sse", Strategy::HttpFirst, Binding::Sse),
        ("/sse", Strategy::SseFirst, Binding::Sse),
        ("/sse", Strategy::SseOnly, Binding::Sse),
    ] {
        let server = guarded().await;
        let (connector, fetched) = connector(&server, Duration::ZERO);
        let url: http::Uri = format!("http://{}{path}", server.address).parse().unwrap();
        let connected = within("it", connector.with_strategy(strategy).connect(url)).await.unwrap();
        assert_eq!(connected.binding, binding, "{path} {strategy:?}");
        works(connected).await;
        assert_eq!(fetched.load(SeqCst), 2, "{path} {strategy:?}");
    }
}

/// Asking for a token is not the server's silence.
#[tokio::test]
async fn a_token_may_take_longer_than_the_server() {
    let server = guarded().await;
    for path in ["/mcp", "/sse"] {
        let (connector, fetched) = connector(&server, Duration::from_millis(2500));
        let url: http::Uri = format!("http://{}{path}", server.address).parse().unwrap();
        works(connector.with_probe(Duration::from_secs(2)).connect(url).await.unwrap()).await;
        assert_eq!(fetched.load(SeqCst), 2);
    }
}

#[tokio::test]
async fn a_refusal_and_a_failure_are_final() {
    let server = guarded().await;
    let origin = Origin::parse(format!("http://{}", server.address).as_bytes()).unwrap();
    let connect = async |token: FetchedToken| {
        let options = HttpClientOptions::default().with_credentials(Arc::new(token));
        let connector = Connector::new().with_http(HttpClient::new(options));
        within("it", connector.connect(server.url())).await.unwrap_err()
    };
    let error = connect(FetchedToken::new(origin.clone(), || async { Ok("no".to_owned()) })).await;
    assert_eq!(HttpRefused::of(&error).unwrap().challenges(), ["Bearer"]);
    assert_eq!(server.seen(), ["POST server/discover"]);
    for kind in [ErrorKind::Refused, ErrorKind::Io, ErrorKind::Timeout] {
        let error =
            connect(FetchedToken::new(origin.clone(), move || async move { Err(Error::new(kind, "why")) }))
                .await;
        assert_eq!(
            (error.kind(), CredentialsFailed::of(&error).unwrap().to_string().as_str()),
            (kind, "why")
        );
        assert!(server.seen().is_empty());
    }
}
