//! What a server may answer to a request.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use mcp_http::HttpRefused;
use mcp_jsonrpc::{ErrorCode, Fault, Notification, Outcome};
use mcp_transport_core::{ErrorKind, Incoming, Limits, Options, Transport};

use scripted::{EVENTS, JSON, Scripted, call, failure, response, result, within};

#[tokio::test]
async fn json_and_streams() {
    let mut server = Scripted::new().await;
    let mut endpoint = server.session().await;
    let json = call(&endpoint, "json");
    let request = server.next_is("json").await;
    assert_eq!(request.header("accept"), Some("application/json, text/event-stream"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    request.result("1").await;
    assert_eq!(result(json).await, "1");

    let streamed = call(&endpoint, "streamed");
    let request = server.next_is("streamed").await;
    let id = request.id();
    let mut stream = request.stream().await;
    stream.say(": still here\n\nid: 1\ndata:\n\nevent: other\ndata: x\n\n").await;
    stream.message(r#"{"jsonrpc":"2.0","method":"first"}"#).await;
    stream.message(r#"{"jsonrpc":"2.0","method":"ask","id":"s"}"#).await;
    stream.result(id, "2").await;
    assert_eq!(result(streamed).await, "2");
    let Some(Incoming::Notification(first, _)) = endpoint.receiver.recv().await else { panic!() };
    assert_eq!(first.method(), "first");
    let Some(Incoming::Request(exchange)) = endpoint.receiver.recv().await else { panic!() };
    exchange.finish(&"said");
    let answer = server.next().await;
    assert_eq!(answer.body, r#"{"jsonrpc":"2.0","id":"s","result":"said"}"#);
    answer.accept().await;
}

#[tokio::test]
async fn a_hundred_and_more_in_flight_answered_in_any_order() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let calls: Vec<_> = (0..140).map(|_| call(&endpoint, "work")).collect();
    let mut held = Vec::new();
    for _ in 0..128 {
        held.push(server.next_is("work").await);
    }
    server.silence().await;
    // What the server asks and what is told pass those that wait for room.
    let mut stream = held.pop().unwrap().stream().await;
    stream.message(r#"{"jsonrpc":"2.0","method":"ping","id":"s"}"#).await;
    let mut endpoint = endpoint;
    let Some(Incoming::Request(exchange)) = endpoint.receiver.recv().await else { panic!() };
    exchange.finish(&());
    let answer = server.next().await;
    assert!(answer.body.contains(r#""id":"s""#), "{}", answer.body);
    answer.accept().await;
    drop(stream);
    for _ in 0..12 {
        let request = held.pop().unwrap();
        let id = request.id().to_string();
        request.result(&id).await;
        held.push(server.next_is("work").await);
    }
    for request in held.into_iter().rev() {
        let id = request.id().to_string();
        request.result(&id).await;
    }
    let mut answered = 0;
    for call in calls {
        answered += usize::from(within("the outcome", call).await.unwrap().is_ok());
    }
    // The one whose stream ended.
    assert!(answered >= 138, "{answered}");
}

#[tokio::test]
async fn what_is_no_answer_fails_its_call_and_no_other() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let other = r#"{"jsonrpc":"2.0","id":999,"result":1}"#;
    for (status, headers, body) in [
        ("202 Accepted", "", ""),
        ("204 No Content", "", ""),
        ("200 OK", "", ""),
        ("200 OK", JSON, ""),
        ("200 OK", JSON, "{"),
        ("200 OK", JSON, "[]"),
        ("200 OK", JSON, other),
        ("200 OK", "Content-Type: text/html\r\n", "<p>"),
        ("200 OK", EVENTS, ""),
        ("200 OK", EVENTS, "data: {\n\n"),
        ("200 OK", EVENTS, "data: [1]\n\nid: 1\ndata: x\n\n"),
    ] {
        let (fails, stays) = (call(&endpoint, "fails"), call(&endpoint, "stays"));
        let mut held = [server.next().await, server.next().await];
        held.sort_by_key(|request| request.method());
        let [failing, staying] = held;
        failing.answer(status, headers, body).await;
        let error = failure(fails).await;
        assert_eq!(error.kind(), ErrorKind::Peer, "{status} {headers} {body}: {error}");
        staying.result("1").await;
        assert_eq!(result(stays).await, "1");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_fails_its_call_and_no_other() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let fails = call(&endpoint, "fails");
    drop(server.next_is("fails").await);
    assert_eq!(failure(fails).await.kind(), ErrorKind::Io);
    let fails = call(&endpoint, "fails");
    drop(server.next_is("fails").await.open("200 OK", &format!("{JSON}Content-Length: 100\r\n")).await);
    assert_eq!(failure(fails).await.kind(), ErrorKind::Io);
    let fails = call(&endpoint, "fails");
    drop(server.next_is("fails").await.chunked().await);
    assert_eq!(failure(fails).await.kind(), ErrorKind::Io);
    let works = call(&endpoint, "works");
    server.next_is("works").await.result("1").await;
    assert_eq!(result(works).await, "1");
    server.stop().await;
    assert_eq!(failure(call(&endpoint, "fails")).await.kind(), ErrorKind::Io);
}

#[tokio::test]
async fn what_is_too_large_fails_its_call_and_no_other() {
    let mut server = Scripted::new().await;
    let options = Options::default().with_limits(Limits::default().with_max_message(1000));
    let mut endpoint = server.session_of(server.client().with_options(options)).await;
    let large = format!("\"{}\"", "x".repeat(1000));
    let json = call(&endpoint, "json");
    server.next_is("json").await.result(&large).await;
    assert_eq!(failure(json).await.kind(), ErrorKind::Limit);
    let streamed = call(&endpoint, "streamed");
    let request = server.next_is("streamed").await;
    let id = request.id();
    request.stream().await.result(id, &large).await;
    assert_eq!(failure(streamed).await.kind(), ErrorKind::Limit);
    // A notification that is too large is told, and the stream goes on.
    let streamed = call(&endpoint, "streamed");
    let request = server.next_is("streamed").await;
    let id = request.id();
    let mut stream = request.stream().await;
    stream.message(&format!(r#"{{"jsonrpc":"2.0","method":"n","params":[{large}]}}"#)).await;
    stream.result(id, "1").await;
    assert_eq!(result(streamed).await, "1");
    let mut faults = Vec::new();
    for _ in 0..2 {
        let Some(Incoming::Malformed(malformed, _)) = endpoint.receiver.recv().await else { panic!() };
        faults.push(malformed.fault());
    }
    assert_eq!(faults, [Fault::TooLarge, Fault::TooLarge]);
}

#[tokio::test]
async fn an_error_status_that_explains_itself_is_the_response() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    for id in ["null", "mine"] {
        let asks = call(&endpoint, "asks");
        let request = server.next_is("asks").await;
        let id = if id == "mine" { request.id().to_string() } else { id.to_owned() };
        request.refuse("400 Bad Request", &id, r#"{"code":-32602,"message":"no"}"#).await;
        let answer = response(asks).await;
        let Outcome::Error(error) = answer.outcome() else { panic!() };
        assert_eq!(error.code(), ErrorCode::INVALID_PARAMS);
    }
    // One that is for another, and one that asks for credentials.
    let asks = call(&endpoint, "asks");
    let request = server.next_is("asks").await;
    request.refuse("400 Bad Request", "77", r#"{"code":1,"message":"no"}"#).await;
    assert_eq!(HttpRefused::of(&failure(asks).await).unwrap().status(), 400);
    let asks = call(&endpoint, "asks");
    let request = server.next_is("asks").await;
    request.refuse("403 Forbidden", "null", r#"{"code":1,"message":"no"}"#).await;
    assert_eq!(HttpRefused::of(&failure(asks).await).unwrap().status(), 403);
}

#[tokio::test]
async fn a_header_that_is_set_after_a_challenge() {
    use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
    let mut server = Scripted::new().await;
    let mut client = server.client();
    let headers = client.headers();
    headers.set(ACCEPT, HeaderValue::from_static("text/html"));
    let endpoint = client.dial().await.unwrap().spawn();
    let refused = call(&endpoint, "initialize");
    let request = server.next_is("initialize").await;
    assert_eq!(request.header("authorization"), None);
    let challenge = "WWW-Authenticate: Bearer resource_metadata=\"http://127.0.0.1/x\"\r\n";
    request.answer("401 Unauthorized", challenge, "").await;
    let error = failure(refused).await;
    let refusal = HttpRefused::of(&error).unwrap();
    assert_eq!((refusal.status().as_u16(), refusal.challenges().len()), (401, 1));

    headers.set(AUTHORIZATION, HeaderValue::from_static("Bearer one"));
    let again = call(&endpoint, "initialize");
    let request = server.next_is("initialize").await;
    assert_eq!(request.header("authorization"), Some("Bearer one"));
    assert_eq!(request.header("accept"), Some("application/json, text/event-stream"));
    request.initialized("").await;
    assert!(response(again).await.result_raw().is_some());
    endpoint.sender.send(Notification::new("notifications/initialized")).await.unwrap();
    let request = server.next_is("notifications/initialized").await;
    assert_eq!(request.header("authorization"), Some("Bearer one"));
    request.accept().await;
    let request = server.next_get().await;
    assert_eq!(request.header("authorization"), Some("Bearer one"));
    request.answer("405 Method Not Allowed", "", "").await;
    headers.remove(&AUTHORIZATION);
    let _last = call(&endpoint, "last");
    assert_eq!(server.next_is("last").await.header("authorization"), None);
}

#[tokio::test]
async fn redirects_are_followed_within_the_origin() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let moved = call(&endpoint, "moved");
    let request = server.next_is("moved").await;
    request.answer("307 Temporary Redirect", "Location: /other\r\n", "").await;
    let request = server.next().await;
    assert_eq!(request.line, "POST /other");
    assert_eq!(request.header("mcp-session-id"), Some(scripted::SESSION));
    request.result("1").await;
    assert_eq!(result(moved).await, "1");
    for (status, to) in [
        ("307 Temporary Redirect", "http://localhost:1/mcp"),
        ("301 Moved Permanently", "/mcp"),
        ("303 See Other", "/mcp"),
    ] {
        let moved = call(&endpoint, "moved");
        let request = server.next_is("moved").await;
        request.answer(status, &format!("Location: {to}\r\n"), "").await;
        assert_eq!(failure(moved).await.kind(), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn urls_that_nothing_can_be_sent_to() {
    for url in ["ftp://127.0.0.1/", "http://user@127.0.0.1/mcp"] {
        let mut client = mcp_streamable_http::StreamableClient::new(url.parse().unwrap());
        assert_eq!(client.dial().await.unwrap_err().kind(), ErrorKind::Misuse);
    }
}
