//! Connecting that is given up: no child and no session is left, wherever it was.
#![cfg(all(target_os = "linux", feature = "connect"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod children;
mod odd;
mod served;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mcp_transport::{Connected, Connector, Era, Error, SseOptions, StreamableOptions, Target};

use children::{Children, shell};
use odd::{Odd, Says, text, within};
use served::Served;

#[test]
fn futures_can_be_spawned_and_connectors_shared() {
    fn spawned<T: Send>(_: &T) {}
    fn shared<T: Send + Sync>(_: &T) {}
    let connector = Connector::new();
    shared(&connector);
    spawned(&connector.connect(Target::url("http://127.0.0.1/").unwrap()));
    spawned(&mcp_transport::connect(Target::url("http://127.0.0.1/").unwrap()));
    fn connected(connected: Connected) {
        spawned(&connected);
    }
    let _ = connected;
}

/// Polls so many times, and drops it then; what it had come to, if it had.
async fn given_up(
    future: impl Future<Output = Result<Connected, Error>>,
    polls: u32,
) -> Option<Result<Connected, Error>> {
    let (mut future, mut left) = (pin!(future), polls);
    within(
        "the next poll",
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            future.as_mut().poll(cx).map(Some)
        }),
    )
    .await
}

/// Looks until it is so.
async fn eventually(what: &str, so: impl Fn() -> bool) {
    let looking = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(what, looking).await;
}

#[tokio::test]
async fn no_child_is_left() {
    let dies = r#"read -r line; case "$line" in *server/discover*) exit 3;; esac; cat"#;
    let answers = r#"read -r line; printf '{"jsonrpc":"2.0","id":"mcp-transport-probe","error":{"code":-32601,"message":""}}\n'; cat"#;
    for script in [dies, answers] {
        for polls in 0..200 {
            let children = Children::default();
            let connector = Connector::new();
            let done = given_up(connector.connect(shell(&children, script)), polls).await;
            let is_done = done.is_some();
            assert!(done.is_none_or(|done| done.is_ok()));
            children.none_at_all().await;
            if is_done {
                break;
            }
            assert!(polls < 199, "it never ends");
        }
    }
}

/// With questions that open a session, and with none.
#[tokio::test]
async fn no_session_is_left() {
    let server = Served::new(Some(StreamableOptions::default()), Some(SseOptions::default())).await;
    let (there, streamable) = (server.address, server.streamable.as_ref().unwrap().clone());
    let front = Odd::new(move |asked| match &*asked.what {
        "POST server/discover" => text("400 Bad Request"),
        _ => Says::Forward(there),
    })
    .await;
    for (url, era) in
        [(front.url(), Era::Legacy), (server.url("/sse"), Era::Legacy), (server.url("/mcp"), Era::Modern)]
    {
        for polls in 0..200 {
            let connector = Connector::new();
            let done = given_up(connector.connect(url.clone()), polls).await;
            let is_done = done.is_some();
            if let Some(connected) = done {
                assert_eq!(connected.unwrap().era, Some(era));
                assert_eq!(streamable.session_count(), 0);
            }
            eventually("no session", || {
                streamable.session_count() == 0 && server.sse.as_ref().unwrap().session_count() == 0
            })
            .await;
            if is_done {
                break;
            }
            assert!(polls < 199, "it never ends");
        }
    }
}
