//! Requests that are refused for want of credentials, and go again with others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use mcp_http::credentials::{Credentials, Destination, FetchedToken};
use mcp_http::proto::Origin;
use mcp_http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_jsonrpc::Notification;
use mcp_streamable_http::StreamableClient;
use mcp_transport_core::{BoxFuture, Endpoint, Error, Incoming, Transport};
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use scripted::{JSON, Request, Scripted, call, failure, initialize, response, result, within};

const CHALLENGE: &str = "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n";

/// A client whose token is `t1`, and after each refusal the next.
fn renewing(server: &Scripted) -> StreamableClient {
    let fetched = AtomicUsize::new(0);
    let origin = Origin::of(&format!("http://{}/", server.address).parse().unwrap()).unwrap();
    let token = FetchedToken::new(origin, move || {
        let number = fetched.fetch_add(1, SeqCst) + 1;
        async move { Ok(format!("t{number}")) }
    });
    with(server, token.with_interval(Duration::ZERO))
}

fn with(server: &Scripted, credentials: impl Credentials + 'static) -> StreamableClient {
    let options = HttpClientOptions::default().with_credentials(Arc::new(credentials));
    server.client().with_http(HttpClient::new(options))
}

/// Refuses, and returns what comes then, which is the same with the next token.
async fn refused(server: &mut Scripted, request: Request, number: &mut usize) -> Request {
    assert_eq!(request.header("authorization"), Some(format!("Bearer t{number}").as_str()));
    let (line, body) = (request.line.clone(), request.body.clone());
    let others = |request: &Request| -> Vec<String> {
        let others = request.headers.iter().filter(|header| !header.starts_with("authorization: "));
        others.cloned().collect()
    };
    let headers = others(&request);
    request.answer("401 Unauthorized", CHALLENGE, "").await;
    *number += 1;
    let again = server.next().await;
    assert_eq!((&again.line, &again.body), (&line, &body));
    assert_eq!(others(&again), headers);
    assert_eq!(again.header("authorization"), Some(format!("Bearer t{number}").as_str()));
    again
}

async fn notify(endpoint: &Endpoint, method: &'static str) {
    endpoint.sender.send(Notification::new(method)).await.unwrap();
}

/// Every request of a session is refused once, and nothing of the session is lost.
#[tokio::test]
async fn every_kind_of_request_goes_again() {
    let mut server = Scripted::new().await;
    let mut endpoint = renewing(&server).dial().await.unwrap().spawn();
    let mut number = 1;
    let initialized = initialize(&endpoint);

    let request = server.next_is("initialize").await;
    let session = format!("Mcp-Session-Id: {}\r\n", scripted::SESSION);
    refused(&mut server, request, &mut number).await.initialized(&session).await;
    let request = server.next_is("notifications/initialized").await;
    refused(&mut server, request, &mut number).await.accept().await;
    within("the session", initialized).await.unwrap();

    // The server's own stream, and the same after a break.
    let get = server.next_get().await;
    let mut stream = refused(&mut server, get, &mut number).await.stream().await;
    stream.say("id: 5\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"ask\"}\n\n").await;
    let Some(Incoming::Request(exchange)) = within("a request", endpoint.receiver.recv()).await else {
        panic!()
    };
    drop(stream);
    let get = server.next_get().await;
    assert_eq!(get.header("last-event-id"), Some("5"));
    let mut stream = refused(&mut server, get, &mut number).await.stream().await;

    // A response, a notification, a request and the stream that its answer goes on with.
    exchange.finish(&serde_json::json!({}));
    let request = server.next().await;
    assert!(request.body.contains("\"id\":\"q\""), "{}", request.body);
    refused(&mut server, request, &mut number).await.accept().await;
    notify(&endpoint, "notifications/roots/list_changed").await;
    let request = server.next_is("notifications/roots/list_changed").await;
    refused(&mut server, request, &mut number).await.accept().await;
    let work = call(&endpoint, "work");
    let request = server.next_is("work").await;
    let id = request.id();
    let mut answer = refused(&mut server, request, &mut number).await.stream().await;
    answer.say("id: 7\ndata:\n\n").await;
    drop(answer);
    let get = server.next_get().await;
    assert_eq!(get.header("last-event-id"), Some("7"));
    refused(&mut server, get, &mut number).await.stream().await.result(id, "1").await;
    assert_eq!(result(work).await, "1");

    // And the end of the session.
    stream.message(r#"{"jsonrpc":"2.0","method":"last"}"#).await;
    let last = within("a message", endpoint.receiver.recv()).await;
    assert!(matches!(last, Some(Incoming::Notification(..))), "{last:?}");
    endpoint.control.shutdown();
    let request = server.next().await;
    assert_eq!(request.line, "DELETE /mcp?tenant=7");
    refused(&mut server, request, &mut number).await.answer("200 OK", "", "").await;
    assert_eq!(number, 10);
}

#[tokio::test]
async fn what_stays_refused_is_the_error_it_was() {
    let mut server = Scripted::new().await;
    let endpoint = renewing(&server).dial().await.unwrap().spawn();
    let initializing = call(&endpoint, "initialize");
    for number in 1..=3 {
        let request = server.next_is("initialize").await;
        assert_eq!(request.header("authorization"), Some(format!("Bearer t{number}").as_str()));
        request.refuse("401 Unauthorized", "null", r#"{"code":1,"message":"no"}"#).await;
    }
    let error = failure(initializing).await;
    let refusal = HttpRefused::of(&error).unwrap();
    assert_eq!(
        (refusal.status().as_u16(), error.to_string().as_str()),
        (401, "the server asks for authentication")
    );
    let again = call(&endpoint, "initialize");
    server.next_is("initialize").await.initialized("").await;
    assert!(response(again).await.result_raw().is_some());
}

/// A token that is fetched when the test says so.
async fn fetched_on_word(server: &Scripted) -> (StreamableClient, mpsc::Sender<&'static str>) {
    let (says, said) = mpsc::channel::<&str>(1);
    let said = Arc::new(Mutex::new(said));
    let origin = Origin::of(&format!("http://{}/", server.address).parse().unwrap()).unwrap();
    let token = FetchedToken::new(origin, move || {
        let said = said.clone();
        async move { Ok(said.lock().await.recv().await.unwrap().to_owned()) }
    });
    (with(server, token.with_interval(Duration::ZERO)), says)
}

/// A server that hears of a cancellation before it has the request works for nobody.
#[tokio::test]
async fn a_cancellation_does_not_overtake_a_request_that_came_back() {
    let mut server = Scripted::new().await;
    let (client, says) = fetched_on_word(&server).await;
    says.send("t1").await.unwrap();
    let endpoint = server.session_of(client).await;
    let work = call(&endpoint, "work");
    let request = server.next_is("work").await;
    let id = request.id();
    request.answer("401 Unauthorized", CHALLENGE, "").await;
    server.silence().await;
    // Its caller gives up while nobody has the next token.
    work.abort();
    server.silence().await;
    says.send("t2").await.unwrap();
    let request = server.next_is("work").await;
    assert_eq!((request.id(), request.header("authorization")), (id, Some("Bearer t2")));
    let cancel = server.next_is("notifications/cancelled").await;
    assert!(cancel.body.contains(&format!("\"requestId\":{id}")), "{}", cancel.body);
    cancel.accept().await;
    request.hung_up().await;
}

/// Without anybody to ask, a notification waits for a header that changes, and nobody waits for it.
#[tokio::test]
async fn a_notification_waits_for_a_header() {
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let headers = client.headers();
    let endpoint = client.dial().await.unwrap().spawn();
    let initialized = initialize(&endpoint);
    server.next_is("initialize").await.initialized("").await;
    server.next_is("notifications/initialized").await.answer("401 Unauthorized", CHALLENGE, "").await;
    within("the session", initialized).await.unwrap();
    notify(&endpoint, "other").await;
    let begun = Instant::now();
    server.next_is("other").await.answer("403 Forbidden", CHALLENGE, "").await;
    let work = call(&endpoint, "work");
    server.next_is("work").await.answer("401 Unauthorized", CHALLENGE, "").await;
    assert_eq!(HttpRefused::of(&failure(work).await).unwrap().status(), 401);
    // A notification that is waited for would have held these back for five seconds each.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    server.silence().await;

    headers.set(AUTHORIZATION, HeaderValue::from_static("Bearer two"));
    let (one, two) = (server.next().await, server.next().await);
    let mut methods = [one.method(), two.method()];
    methods.sort();
    assert_eq!(methods, ["notifications/initialized", "other"]);
    for request in [one, two] {
        assert_eq!(request.header("authorization"), Some("Bearer two"));
        request.accept().await;
    }
    // Only now the server knows that the session is open, and is listened to.
    server.next_get().await.answer("405 Method Not Allowed", "", "").await;
    // What was taken is not sent again.
    headers.set(AUTHORIZATION, HeaderValue::from_static("Bearer three"));
    server.silence().await;
}

/// A token that cannot be had for a while.
struct Later(AtomicUsize);

impl Credentials for Later {
    fn next<'a>(&'a self, _: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        let number = self.0.load(SeqCst);
        Box::pin(ready(Ok(Some(HeaderValue::try_from(format!("Bearer t{number}")).unwrap()))))
    }

    fn refused<'a>(
        &'a self,
        _: Destination<'a>,
        _: Option<&'a HeaderValue>,
        _: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        // Not now, and by the next time somebody asks.
        self.0.fetch_add(1, SeqCst);
        Box::pin(ready(Ok(false)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_notification_goes_once_more_after_a_while() {
    let mut server = Scripted::new().await;
    let endpoint = with(&server, Later(AtomicUsize::new(1))).dial().await.unwrap().spawn();
    for second in ["202 Accepted", "401 Unauthorized"] {
        notify(&endpoint, "note").await;
        server.next_is("note").await.answer("401 Unauthorized", CHALLENGE, "").await;
        // Half a minute of the clock of the test.
        tokio::time::sleep(Duration::from_secs(29)).await;
        server.silence().await;
        let request = server.next_is("note").await;
        assert_ne!(request.header("authorization"), Some("Bearer t1"));
        request.answer(second, CHALLENGE, "").await;
    }
    // Twice is enough: nothing but another comes.
    tokio::time::sleep(Duration::from_secs(120)).await;
    server.silence().await;
    notify(&endpoint, "last").await;
    server.next_is("last").await.accept().await;
}

/// The stream of the server's own is tried again by itself, since it is the credentials that change.
#[tokio::test]
async fn the_own_stream_of_the_server_asks_again() {
    let mut server = Scripted::new().await;
    let (mut endpoint, stream) = server.session_with_stream(with(&server, Later(AtomicUsize::new(1)))).await;
    drop(stream);
    for number in 1..=6 {
        let get = server.next_get().await;
        assert_eq!(get.header("authorization"), Some(format!("Bearer t{number}").as_str()));
        get.answer(if number % 2 == 0 { "403 Forbidden" } else { "401 Unauthorized" }, CHALLENGE, "").await;
    }
    server.next_get().await.stream().await.message(r#"{"jsonrpc":"2.0","method":"one"}"#).await;
    assert!(within("a message", endpoint.receiver.recv()).await.is_some());
    // Also when the first of them is refused.
    let mut server = Scripted::new().await;
    let endpoint = with(&server, Later(AtomicUsize::new(1))).dial().await.unwrap().spawn();
    let initialized = initialize(&endpoint);
    server.open_session().await;
    server.next_get().await.answer("401 Unauthorized", CHALLENGE, "").await;
    server.next_get().await.answer("405 Method Not Allowed", "", "").await;
    within("the session", initialized).await.unwrap();
    let works = call(&endpoint, "works");
    server.next_is("works").await.answer("200 OK", JSON, r#"{"jsonrpc":"2.0","id":null}"#).await;
    failure(works).await;
}
