//! Requests that are refused for want of credentials, and go again with others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use mcp_http::credentials::FetchedToken;
use mcp_http::proto::Origin;
use mcp_http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_jsonrpc::Notification;
use mcp_sse::SseClient;
use mcp_transport_core::{Caller, Incoming, Transport};
use tokio::sync::Semaphore;

use scripted::{Request, Scripted, within};

/// A client whose token is `t1`, and after each refusal the next, as soon as there is a permit for it.
fn renewing(server: &Scripted) -> (SseClient, Arc<Semaphore>) {
    let (fetched, permits) = (AtomicUsize::new(0), Arc::new(Semaphore::new(1000)));
    let waits = permits.clone();
    let origin = Origin::of(&format!("http://{}/", server.address).parse().unwrap()).unwrap();
    let token = FetchedToken::new(origin, move || {
        let (number, permits) = (fetched.fetch_add(1, SeqCst) + 1, waits.clone());
        async move {
            permits.acquire().await.unwrap().forget();
            Ok(format!("t{number}"))
        }
    });
    let credentials = Arc::new(token.with_interval(Duration::ZERO));
    let options = HttpClientOptions::default().with_credentials(credentials);
    (server.client().with_http(HttpClient::new(options)), permits)
}

fn authorization(request: &Request) -> &str {
    let mut found = request.headers.iter().filter_map(|line| line.strip_prefix("authorization: "));
    let value = found.next().unwrap();
    assert_eq!(found.next(), None);
    value
}

/// Refuses, and returns what comes then, which is the same with the next token.
async fn refused(server: &mut Scripted, request: Request, number: &mut usize) -> Request {
    assert_eq!(authorization(&request), format!("Bearer t{number}"));
    let (line, body) = (request.line.clone(), request.body.clone());
    request.answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", "").await;
    *number += 1;
    let again = server.next().await;
    assert_eq!((&again.line, &again.body), (&line, &body));
    assert_eq!(authorization(&again), format!("Bearer t{number}"));
    again
}

#[tokio::test]
async fn every_kind_of_request_goes_again() {
    let mut server = Scripted::new().await;
    let (mut client, _permits) = renewing(&server);
    let mut number = 1;
    let dialing = tokio::spawn(async move { client.dial().await });
    let get = server.next().await;
    assert_eq!(get.line, "GET /v1/sse?tenant=7");
    let mut stream = refused(&mut server, get, &mut number).await.stream().await;
    stream.say("event: endpoint\ndata: /m?s=1\n\n").await;
    let mut endpoint = within("the session", dialing).await.unwrap().unwrap().spawn();

    let caller = Caller::new(&endpoint.sender);
    let call = tokio::spawn(async move { caller.request("a", &()).await });
    let request = server.posted().await;
    let again = refused(&mut server, request, &mut number).await;
    stream.result(again.id(), "1").await;
    again.accept().await;
    assert_eq!(within("it", call).await.unwrap().unwrap().result_raw(), Some(&b"1"[..]));

    endpoint.sender.send(Notification::new("note")).await.unwrap();
    let request = server.posted().await;
    refused(&mut server, request, &mut number).await.accept().await;

    stream.message(r#"{"jsonrpc":"2.0","id":"q","method":"ask"}"#).await;
    let Some(Incoming::Request(exchange)) = within("a request", endpoint.receiver.recv()).await else {
        panic!()
    };
    exchange.finish(&serde_json::json!({}));
    let request = server.posted().await;
    refused(&mut server, request, &mut number).await.accept().await;

    // What stays refused fails its call, and is the refusal that it was.
    let caller = Caller::new(&endpoint.sender);
    let call = tokio::spawn(async move { caller.request("a", &()).await });
    for _ in 0..3 {
        server.posted().await.answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", "").await;
    }
    let error = within("the failure", call).await.unwrap().unwrap_err();
    assert_eq!(HttpRefused::of(&error).unwrap().challenges(), ["Bearer"]);
}

/// The order of messages is kept while a token is fetched: the time of the credentials is nobody else's.
#[tokio::test]
async fn what_follows_a_notification_waits_for_its_token() {
    let mut server = Scripted::new().await;
    let (client, permits) = renewing(&server);
    let (endpoint, _stream) = server.session_with(client).await;
    permits.forget_permits(1000);
    endpoint.sender.send(Notification::new("first")).await.unwrap();
    endpoint.sender.send(Notification::new("second")).await.unwrap();
    let request = server.posted().await;
    assert_eq!(request.method(), "first");
    request.answer("401 Unauthorized", "", "").await;
    tokio::time::timeout(Duration::from_millis(60), server.next())
        .await
        .map(|request| request.line)
        .unwrap_err();
    permits.add_permits(1);
    let request = server.posted().await;
    assert_eq!((request.method().as_str(), authorization(&request)), ("first", "Bearer t2"));
    request.accept().await;
    let request = server.posted().await;
    assert_eq!((request.method().as_str(), authorization(&request)), ("second", "Bearer t2"));
    request.accept().await;
}
