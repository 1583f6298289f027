//! The example that dials again does it as it says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

#[path = "../examples/sse_reconnect.rs"]
#[allow(dead_code, reason = "its main is not run")]
mod example;
mod scripted;

use std::time::Duration;

use mcp_transport_core::{Backoff, ErrorKind};

use scripted::{Scripted, within};

#[tokio::test]
async fn every_session_is_new_and_begins_with_initialize() {
    let mut server = Scripted::new().await;
    let client = server.client();
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20), 5);
    let mut answers = Vec::new();
    let working = example::sessions(client, backoff, async |caller| {
        answers.push(caller.request("work", &()).await.map(drop).map_err(|error| error.kind()));
    });
    let serving = async {
        for session in 0..4 {
            let get = server.next().await;
            assert_eq!(get.line, "GET /v1/sse?tenant=7");
            let mut stream = get.stream().await;
            stream.say(&format!("event: endpoint\ndata: /m?s={session}\n\n")).await;
            for method in ["initialize", "notifications/initialized", "work"] {
                let post = server.next().await;
                assert_eq!(post.line, format!("POST /m?s={session}"));
                assert_eq!(post.method(), method);
                // The stream of every other session drops in the middle of the call.
                if method == "initialize" || method == "work" && session % 2 == 0 {
                    stream.result(post.id(), "{}").await;
                }
                post.accept().await;
            }
        }
        // A dial that fails is tried again, one that is refused is not.
        server.next().await.answer("503 Service Unavailable", "", "").await;
        server.next().await.answer("404 Not Found", "", "").await;
    };
    let (verdict, ()) = within("the verdict", async { tokio::join!(working, serving) }).await;
    assert_eq!(answers, [Ok(()), Err(ErrorKind::Closed), Ok(()), Err(ErrorKind::Closed)]);
    assert_eq!(verdict.kind(), ErrorKind::Refused);
    assert!(server.has_come().is_none());
}

#[tokio::test]
async fn a_server_that_never_says_anything_is_given_up() {
    let mut server = Scripted::new().await;
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(5), 3);
    let working = example::sessions(server.client(), backoff, async |_| panic!("there is no session"));
    let mut dials = 0;
    let serving = async {
        loop {
            let request = server.next().await;
            if request.line.starts_with("GET") {
                dials += 1;
                request.stream().await.say("event: endpoint\ndata: /m\n\n").await;
            }
        }
    };
    let verdict = tokio::select! {
        verdict = working => verdict,
        () = serving => unreachable!(),
    };
    assert_eq!(verdict.kind(), ErrorKind::Peer);
    assert_eq!(dials, 3);
}
