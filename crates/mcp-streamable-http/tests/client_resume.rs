//! Streams that break off, and go on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;

use std::time::{Duration, Instant};

use mcp_http::HttpRefused;
use mcp_transport_core::{Backoff, Endpoint, ErrorKind, Incoming};

use scripted::{Call, Scripted, call, failure, result};

/// An answer in four events, and the id of the last one that is whole in the first bytes of it.
struct Answer {
    text: String,
    ends: Vec<usize>,
}

impl Answer {
    fn new(id: u64) -> Self {
        let events = [
            "id: e0\nretry: 0\ndata:\n\n".to_owned(),
            "id: e1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"one\"}\n\n".to_owned(),
            ": still here\n\nid: e2\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"two\"}\n\n"
                .to_owned(),
            format!("id: e3\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":3}}\n\n"),
        ];
        let mut text = String::new();
        let mut ends = Vec::new();
        for event in events {
            text.push_str(&event);
            ends.push(text.len());
        }
        Self { text, ends }
    }

    /// Events that are whole within so many bytes.
    fn whole(&self, cut: usize) -> usize {
        self.ends.iter().filter(|&&end| end <= cut).count()
    }
}

async fn notifications(endpoint: &mut Endpoint, of: usize) -> Vec<String> {
    let mut methods = Vec::new();
    for _ in 0..of {
        let Some(Incoming::Notification(one, _)) = endpoint.receiver.recv().await else { panic!() };
        methods.push(one.method().into_owned());
    }
    methods
}

async fn cut_everywhere(chunked: bool) {
    let mut server = Scripted::new().await;
    let mut endpoint = server.session().await;
    let length = Answer::new(100).text.len();
    for cut in 0..length {
        let work = call(&endpoint, "work");
        let request = server.next_is("work").await;
        let answer = Answer::new(request.id());
        let cut = cut.min(answer.text.len());
        let mut stream = if chunked { request.chunked().await } else { request.stream().await };
        stream.say(&answer.text[..cut]).await;
        drop(stream);
        let whole = answer.whole(cut);
        if whole == 0 {
            let kind = if chunked { ErrorKind::Io } else { ErrorKind::Peer };
            assert_eq!(failure(work).await.kind(), kind, "cut at {cut}");
            continue;
        }
        if whole < 4 {
            let get = server.next_get().await;
            assert_eq!(get.header("last-event-id"), Some(&*format!("e{}", whole - 1)), "cut at {cut}");
            assert_eq!(get.header("mcp-session-id"), Some(scripted::SESSION));
            let mut stream = get.stream().await;
            stream.say(&answer.text[answer.ends[whole - 1]..]).await;
        }
        assert_eq!(result(work).await, "3", "cut at {cut}");
        assert_eq!(notifications(&mut endpoint, 2).await, ["one", "two"], "cut at {cut}");
    }
    assert_eq!(endpoint.control.health().unmatched, 0);
    drop(endpoint);
    assert!(server.next().await.line.starts_with("DELETE "), "and nothing was asked twice");
}

#[tokio::test]
async fn an_answer_that_is_cut_at_any_byte() {
    cut_everywhere(false).await;
}

#[tokio::test]
async fn an_answer_that_breaks_at_any_byte() {
    cut_everywhere(true).await;
}

/// A call whose stream was primed and then ended.
async fn primed(server: &mut Scripted, endpoint: &Endpoint, events: &str) -> (Call, u64) {
    let work = call(endpoint, "work");
    let request = server.next_is("work").await;
    let id = request.id();
    request.stream().await.say(events).await;
    (work, id)
}

#[tokio::test]
async fn the_server_says_how_long_to_wait() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let (work, id) = primed(&mut server, &endpoint, "id: 1\nretry: 300\ndata:\n\n").await;
    for _ in 0..2 {
        let start = Instant::now();
        let get = server.next_get().await;
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(290), "{waited:?}");
        get.answer("503 Service Unavailable", "", "").await;
    }
    let get = server.next_get().await;
    get.stream().await.result(id, "1").await;
    assert_eq!(result(work).await, "1");
    // In seconds, where the status says so.
    let (work, _) = primed(&mut server, &endpoint, "id: 1\ndata:\n\n").await;
    server.next_get().await.answer("429 Too Many Requests", "Retry-After: 1\r\n", "").await;
    let start = Instant::now();
    server.next_get().await.answer("404 Not Found", "", "").await;
    assert!(start.elapsed() >= Duration::from_millis(950));
    assert!(failure(work).await.is_closed());
}

#[tokio::test]
async fn attempts_are_bounded_and_progress_begins_anew() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let (work, _) = primed(&mut server, &endpoint, "id: 1\ndata:\n\n").await;
    // Nothing, the same again, a status, and no connection to speak of: four attempts, as the policy says.
    let mut stream = server.next_get().await.stream().await;
    stream.say(": nothing\n\n").await;
    drop(stream);
    server.next_get().await.stream().await.say("id: 1\ndata:\n\n").await;
    server.next_get().await.answer("502 Bad Gateway", "", "").await;
    // Progress.
    server.next_get().await.stream().await.say("id: 2\ndata:\n\n").await;
    for _ in 0..4 {
        let get = server.next_get().await;
        assert_eq!(get.header("last-event-id"), Some("2"));
        drop(get);
    }
    assert_eq!(failure(work).await.kind(), ErrorKind::Io);
    server.silence().await;
}

#[tokio::test]
async fn a_server_that_repeats_everything_each_time_is_given_up() {
    let mut server = Scripted::new().await;
    let mut endpoint = server.session().await;
    const ALL: &str = "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"one\"}\n\nid: 2\ndata:\n\n\
                       id: 3\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"two\"}\n\n";
    let (work, _) = primed(&mut server, &endpoint, ALL).await;
    for _ in 0..4 {
        server.next_get().await.stream().await.say(ALL).await;
    }
    assert_eq!(failure(work).await.kind(), ErrorKind::Peer);
    server.silence().await;
    assert_eq!(notifications(&mut endpoint, 2).await, ["one", "two"]);
    drop(endpoint.sender);
    endpoint.control.close();
    assert!(endpoint.receiver.recv().await.is_none(), "each was delivered once");
}

#[tokio::test]
async fn what_has_no_id_of_its_own_is_never_taken_for_a_repetition() {
    let mut server = Scripted::new().await;
    let mut endpoint = server.session().await;
    let first = "id: 1\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"one\"}\n\n";
    let (work, id) = primed(&mut server, &endpoint, first).await;
    let mut stream = server.next_get().await.stream().await;
    stream.message(r#"{"jsonrpc":"2.0","method":"two"}"#).await;
    stream.result(id, "1").await;
    assert_eq!(result(work).await, "1");
    assert_eq!(notifications(&mut endpoint, 2).await, ["one", "two"]);
}

#[tokio::test]
async fn statuses_that_end_it() {
    for (status, number) in [
        ("400 Bad Request", 400),
        ("401 Unauthorized", 401),
        ("403 Forbidden", 403),
        ("405 Method Not Allowed", 405),
        ("204 No Content", 204),
    ] {
        let mut server = Scripted::new().await;
        let endpoint = server.session().await;
        let (work, _) = primed(&mut server, &endpoint, "id: 1\ndata:\n\n").await;
        server.next_get().await.answer(status, "", "").await;
        let error = failure(work).await;
        assert_eq!(HttpRefused::of(&error).unwrap().status(), number);
        server.silence().await;
    }
}

#[tokio::test]
async fn two_streams_resume_by_themselves() {
    let mut server = Scripted::new().await;
    let endpoint = server.session().await;
    let (one, first) = primed(&mut server, &endpoint, "id: a1\ndata:\n\n").await;
    let get_one = server.next_get().await;
    let (two, second) = primed(&mut server, &endpoint, "id: b1\ndata:\n\n").await;
    let get_two = server.next_get().await;
    assert_eq!((get_one.header("last-event-id"), get_two.header("last-event-id")), (Some("a1"), Some("b1")));
    get_two.stream().await.result(second, "2").await;
    assert_eq!(result(two).await, "2");
    get_one.stream().await.result(first, "1").await;
    assert_eq!(result(one).await, "1");
}

#[tokio::test]
async fn a_response_that_comes_by_another_stream_comes_once() {
    let mut server = Scripted::new().await;
    let (mut endpoint, mut own) = server.session_with_stream(server.client()).await;
    let work = call(&endpoint, "work");
    let request = server.next_is("work").await;
    let id = request.id();
    let mut stream = request.stream().await;
    stream.say("id: 1\ndata:\n\n").await;
    own.result(id, "1").await;
    assert_eq!(result(work).await, "1");
    // Its own stream is let go, and not resumed.
    stream.hung_up().await;
    own.message(r#"{"jsonrpc":"2.0","method":"last"}"#).await;
    assert_eq!(notifications(&mut endpoint, 1).await, ["last"]);
    assert_eq!(endpoint.control.health().unmatched, 0);
}

#[tokio::test]
async fn a_response_that_comes_again_is_dropped() {
    let mut server = Scripted::new().await;
    let (mut endpoint, mut own) = server.session_with_stream(server.client()).await;
    for streamed in [false, true] {
        let work = call(&endpoint, "work");
        let request = server.next_is("work").await;
        let id = request.id();
        // Of the second call, the stream goes on for a while.
        let mut kept = None;
        if streamed {
            let mut stream = request.stream().await;
            stream.result(id, "1").await;
            kept = Some(stream);
        } else {
            request.result("1").await;
        }
        assert_eq!(result(work).await, "1");
        own.result(id, "2").await;
        own.message(r#"{"jsonrpc":"2.0","method":"next"}"#).await;
        assert_eq!(notifications(&mut endpoint, 1).await, ["next"]);
        assert_eq!(endpoint.control.health().unmatched, 0);
        drop(kept);
    }
}

#[tokio::test]
async fn the_own_stream_of_the_server_comes_back() {
    let mut server = Scripted::new().await;
    let (mut endpoint, mut stream) = server.session_with_stream(server.client()).await;
    stream.message(r#"{"jsonrpc":"2.0","method":"one"}"#).await;
    drop(stream);
    let get = server.next_get().await;
    assert_eq!(get.header("last-event-id"), None);
    let mut stream = get.stream().await;
    stream.say("id: 5\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"two\"}\n\n").await;
    drop(stream);
    let get = server.next_get().await;
    assert_eq!(get.header("last-event-id"), Some("5"));
    get.answer("409 Conflict", "", "").await;
    server.next_get().await.stream().await.message(r#"{"jsonrpc":"2.0","method":"three"}"#).await;
    assert_eq!(notifications(&mut endpoint, 3).await, ["one", "two", "three"]);
    // And when it does not, the session goes on.
    loop {
        let get = server.next_get().await;
        let header = get.header("last-event-id").map(str::to_owned);
        assert_eq!(header.as_deref(), Some("5"));
        if endpoint.control.health().received > 0 {
            get.answer("405 Method Not Allowed", "", "").await;
            break;
        }
    }
    let works = call(&endpoint, "works");
    server.next_is("works").await.result("1").await;
    assert_eq!(result(works).await, "1");
}

#[tokio::test]
async fn a_server_without_attempts() {
    let mut server = Scripted::new().await;
    let client =
        server.client().with_backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(1), 0));
    let endpoint = server.session_of(client).await;
    let (work, _) = primed(&mut server, &endpoint, "id: 1\ndata:\n\n").await;
    assert_eq!(failure(work).await.kind(), ErrorKind::Peer);
    server.silence().await;
}

/// A token that is not valid any more, and its successor.
#[tokio::test]
async fn the_own_stream_of_the_server_waits_for_credentials() {
    use http::header::{AUTHORIZATION, HeaderValue};
    let mut server = Scripted::new().await;
    let client = server.client();
    let headers = client.headers();
    let (mut endpoint, stream) = server.session_with_stream(client).await;
    drop(stream);
    for status in ["401 Unauthorized", "403 Forbidden"] {
        server.next_get().await.answer(status, "", "").await;
        server.silence().await;
        headers.set(AUTHORIZATION, HeaderValue::from_static("Bearer two"));
    }
    let get = server.next_get().await;
    assert_eq!(get.header("authorization"), Some("Bearer two"));
    get.stream().await.message(r#"{"jsonrpc":"2.0","method":"one"}"#).await;
    assert_eq!(notifications(&mut endpoint, 1).await, ["one"]);
}
