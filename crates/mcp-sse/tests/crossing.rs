//! Nothing of one session reaches another.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use std::time::Duration;

use mcp_http::{HttpClient, HttpClientOptions};
use mcp_jsonrpc::{Message, Notification, Request};
use mcp_sse::SseOptions;
use mcp_transport_core::{Incoming, Listener, Transport, serve};
use tokio::time::timeout;

use served::Served;

const SESSIONS: u64 = 200;
const REQUESTS: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(100);

/// Sends each request's params back, as a notification and as the answer.
async fn tell(incoming: Incoming) {
    let Incoming::Request(exchange) = incoming else { return };
    let params: (u64, u64) = exchange.request().params().unwrap();
    // One in eight gives others their turn in between.
    if (params.0 + params.1).is_multiple_of(8) {
        tokio::task::yield_now().await;
    }
    exchange.responder().notify(Notification::with_params("told", &params).unwrap()).await.unwrap();
    exchange.finish(&params);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_sessions_use_the_same_ids() {
    let served = Served::new(SseOptions::default()).await;
    // On a busy machine the system's own retries of a connection take longer than a client would wait.
    let patient = HttpClientOptions::default().with_connect(PATIENCE).with_head(PATIENCE);
    let client = || served.client().with_http(HttpClient::new(patient.clone()));
    let clients: Vec<_> = (0..SESSIONS).map(|_| client()).collect();
    let mut sessions = served.sessions;
    tokio::spawn(async move {
        while let Some(session) = sessions.accept().await {
            tokio::spawn(serve(session.unwrap(), tell));
        }
    });
    let mut running = tokio::task::JoinSet::new();
    for (session, mut client) in (0..SESSIONS).zip(clients) {
        running.spawn(async move {
            let mut endpoint = client.dial().await.unwrap().spawn();
            for id in 1..=REQUESTS {
                let request = Request::with_params(id, "tell", &(session, id)).unwrap();
                endpoint.sender.send(Message::from(request)).await.unwrap();
            }
            let (mut told, mut answered) = (vec![0; REQUESTS as usize + 1], vec![0; REQUESTS as usize + 1]);
            for _ in 0..2 * REQUESTS {
                let Some(incoming) = timeout(PATIENCE, endpoint.receiver.recv()).await.expect("in time")
                else {
                    panic!("it ended: {:?}", endpoint.control.close_reason())
                };
                match incoming {
                    Incoming::Notification(notification, _) => {
                        let (from, id): (u64, u64) = notification.params().unwrap();
                        assert_eq!(from, session, "a notification of another session");
                        told[id as usize] += 1;
                    }
                    Incoming::Response(response, _) => {
                        assert!(!response.is_error(), "{}", String::from_utf8_lossy(response.as_bytes()));
                        let result: (u64, u64) =
                            serde_json::from_slice(response.result_raw().unwrap()).unwrap();
                        assert_eq!(result.0, session, "an answer of another session");
                        assert_eq!(response.id(), Some(result.1.into()));
                        answered[result.1 as usize] += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert!(told[1..].iter().chain(&answered[1..]).all(|&count| count == 1));
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}
