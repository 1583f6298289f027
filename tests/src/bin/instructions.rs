//! The hot paths with fixed input, for counting instructions: `instructions CASE TIMES`.
//!
//! `cargo xtask instructions` runs each case with two numbers of times and takes the difference, so that what happens
//! once is not counted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here is to be seen")]

use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use mcp_transport::core::Options;
use mcp_transport::http::proto::{Decoded, EventDecoder, EventLimits};
use mcp_transport::http::{Router, RouterOptions};
use mcp_transport::jsonrpc::{Id, Message, Response, ScanLimits};
use mcp_transport::stdio::connection;
use mcp_transport::streamable_http::{Answers, Legacy};
use mcp_transport::{
    Connection, Incoming, Listener, SseOptions, SseServer, StreamableOptions, StreamableServer, serve,
};
use tokio::io::{AsyncRead, ReadBuf};

/// A call of 152 bytes, and its line end.
const LINE: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\",\"params\":{\"name\":\"weather\",\"arguments\":{\"city\":\"Uster on the lake\",\"days\":3},\"_meta\":{\"progressToken\":\"p-42\"}}}\n";
/// What opens a session.
const INITIALIZE: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"instructions","version":"0"}}}"#;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [case, times] = &words[..] else { panic!("instructions CASE TIMES") };
    let times = times.parse().expect("a number of times");
    match case.as_str() {
        "parse-150" => parse(LINE.strip_suffix(b"\n").unwrap().into(), times),
        "parse-4k" => parse(result("A line of some file, \\\"quoted\\\".\\n", 4096), times),
        "parse-1m" => parse(result("QUJDREVGR0hJSktMTU5PUFFSU1RVVldY", 1 << 20), times),
        "result-1m" => {
            build(&"A line of plain text that no escape interrupts. ".repeat((1 << 20) / 48), times)
        }
        "line" => {
            block_on(handle(connection(Peer(times * LINE.len()), tokio::io::sink(), Options::new("peer"))))
        }
        "event-200" => events(200, times),
        "event-64k" => events(64 * 1024, times),
        "sse" => block_on(post_to_event(times)),
        "json" => block_on(post_to_answer(Answers::Json, Legacy::Sessions, times)),
        "stateless" => block_on(post_to_answer(Answers::Json, Legacy::Stateless, times)),
        "stream" => block_on(post_to_answer(Answers::Stream, Legacy::Sessions, times)),
        other => panic!("no case {other}"),
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

/// A result with a text of about that many bytes.
fn result(piece: &str, bytes: usize) -> Bytes {
    let text = piece.repeat(bytes / piece.len());
    format!(r#"{{"jsonrpc":"2.0","id":42,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
        .into()
}

fn parse(message: Bytes, times: usize) {
    for _ in 0..times {
        let parsed = Message::parse(black_box(&message).clone(), &ScanLimits::default());
        assert!(black_box(parsed).is_ok());
    }
}

/// A response with a text.
fn build(text: &str, times: usize) {
    for _ in 0..times {
        let built = Response::result(&Id::from(42), &[black_box(text)]);
        assert!(black_box(built).is_ok());
    }
}

async fn handle(connection: Connection) {
    serve(connection, |incoming| async move {
        if let Incoming::Request(exchange) = incoming {
            exchange.finish("sunny");
        }
    })
    .await;
}

/// A peer in memory that says the line until so many bytes were said.
struct Peer(usize);

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining().min(self.0);
        let mut given = 0;
        while given < room {
            // Where in the line it stands, counted from the end of all.
            let at = (LINE.len() - (self.0 - given) % LINE.len()) % LINE.len();
            let piece = &LINE[at..LINE.len().min(at + room - given)];
            buf.put_slice(piece);
            given += piece.len();
        }
        self.0 -= room;
        Poll::Ready(Ok(()))
    }
}

/// In chunks of 8 KiB, as they come from a socket.
fn events(bytes: usize, times: usize) {
    let event = [b"event: message\ndata: ", &*vec![b'x'; bytes], b"\n\n"].concat();
    let stream = Bytes::from(event.repeat(times));
    let (mut decoder, mut seen) = (EventDecoder::new(EventLimits::default()), 0);
    let mut at = 0;
    while at < stream.len() {
        let end = stream.len().min(at + 8 * 1024);
        decoder.push(stream.slice(at..end));
        at = end;
        for decoded in &mut decoder {
            seen += usize::from(matches!(black_box(decoded), Decoded::Event(_)));
        }
    }
    assert_eq!(seen, times);
}

/// From the request that hyper hands over to the event that it is given.
async fn post_to_event(times: usize) {
    let (sse, mut sessions) = SseServer::new(SseOptions::default());
    let router = Router::new(RouterOptions::default(), sse.routes());
    tokio::spawn(async move {
        while let Some(Ok(session)) = sessions.accept().await {
            tokio::spawn(handle(session));
        }
    });
    let get = Request::get("/sse").header("host", "localhost").body(Full::<Bytes>::default()).unwrap();
    let mut stream = router.answer(get).await.into_body();
    let endpoint = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    let endpoint = std::str::from_utf8(&endpoint).unwrap();
    let path = endpoint.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
    let body = Bytes::from_static(LINE).slice(..LINE.len() - 1);
    for _ in 0..times {
        let post = Request::post(&path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("content-length", body.len())
            .body(Full::new(body.clone()))
            .unwrap();
        assert_eq!(router.answer(post).await.status(), 202);
        let event = stream.frame().await.unwrap().unwrap();
        assert!(event.data_ref().is_some_and(|data| data.starts_with(b"event: message\ndata: ")));
    }
}

/// Over Streamable HTTP, from the request that hyper hands over to the end of the body that it is given.
async fn post_to_answer(answers: Answers, legacy: Legacy, times: usize) {
    let mut options = StreamableOptions::default();
    (options.answers, options.legacy) = (answers, legacy);
    let (endpoint, mut connections) = StreamableServer::new(options);
    let router = Router::new(RouterOptions::default(), endpoint.routes());
    tokio::spawn(async move {
        while let Some(Ok(connection)) = connections.accept().await {
            tokio::spawn(handle(connection));
        }
    });
    let post = |body: Bytes| {
        Request::post("/mcp")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-06-18")
            .header("content-length", body.len())
            .body(Full::new(body))
            .unwrap()
    };
    let mut session = None;
    if legacy == Legacy::Sessions {
        let opened = router.answer(post(Bytes::from_static(INITIALIZE))).await;
        session = opened.headers().get("mcp-session-id").cloned();
        assert!(session.is_some());
        opened.into_body().collect().await.unwrap();
    }
    let form = if answers == Answers::Stream { "\ndata: {" } else { "{" };
    let call = Bytes::from_static(LINE).slice(..LINE.len() - 1);
    for _ in 0..times {
        let mut request = post(call.clone());
        if let Some(session) = &session {
            request.headers_mut().insert("mcp-session-id", session.clone());
        }
        let answer = router.answer(request).await;
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(str::from_utf8(&body).unwrap().contains(form));
    }
}
