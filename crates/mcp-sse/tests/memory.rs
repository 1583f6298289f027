//! What an idle session holds of the server's memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod blocking;
mod served;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use allocation_counter::measure;
use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame};
use mcp_http::{Arrived, Reply, Route, Router, RouterOptions, Server, ServerOptions, event_stream_reply};
use mcp_sse::SseOptions;
use mcp_transport_core::BoxFuture;
use tokio::sync::oneshot;

use blocking::Blocking;
use served::{Served, echo, within};

const SESSIONS: u64 = 200;
/// What is there once, and the first sizes of tables.
const BEFORE: u64 = 300;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// Bytes that are held after so many more sessions, for each of them.
fn bytes_each(
    runtime: &tokio::runtime::Runtime,
    address: SocketAddr,
    open: fn(SocketAddr) -> Vec<Blocking>,
) -> i64 {
    let many = |count: u64| {
        let (done, opened) = oneshot::channel();
        std::thread::spawn(move || {
            let streams: Vec<_> = (0..count).map(|_| open(address)).collect();
            let _ = done.send(streams);
        });
        runtime.block_on(async { within("the sessions", opened).await.unwrap() })
    };
    let _before = many(BEFORE);
    let mut streams = None;
    let held = measure(|| streams = Some(many(SESSIONS)));
    drop(streams);
    held.bytes_current / SESSIONS as i64
}

/// Says one thing, and then nothing: what our own HTTP takes for any stream.
struct Silent(bool);

impl Body for Silent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data: x\n\n")))))
    }
}

#[test]
fn an_idle_session_costs_no_buffers() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let Served { sessions, address, .. } = Served::new(SseOptions::default()).await;
        tokio::spawn(echo(sessions));
        address
    });
    let session = bytes_each(&runtime, address, |address| {
        let (mut stream, mut posts) = (Blocking::connect(address), Blocking::connect(address));
        stream.get("/sse");
        let endpoint = stream.data();
        posts.post(&endpoint, INITIALIZE);
        stream.data();
        posts.post(&endpoint, INITIALIZED);
        // A connection for posting is kept by none of them.
        vec![stream]
    });

    let address = runtime.block_on(async {
        let silent = |_: Arrived| -> BoxFuture<'static, Reply> {
            Box::pin(async { event_stream_reply(Silent(false)) })
        };
        let route = Route::new(Method::GET, "/silent", Arc::new(silent));
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
        let address = server.local_addr();
        tokio::spawn(server.serve(Router::new(RouterOptions::default(), [route])));
        address
    });
    let stream = bytes_each(&runtime, address, |address| {
        let mut stream = Blocking::connect(address);
        stream.get("/silent");
        stream.data();
        vec![stream]
    });
    eprintln!("an idle session holds {session} bytes; {stream} of them are those of any stream over HTTP");
    assert!(stream > 0 && session > stream, "{stream} of {session}");
    assert!(stream <= 2 * 1024, "{stream} bytes of any stream");
    assert!(session - stream <= 4 * 1024, "{} bytes of our own", session - stream);
    assert!(session <= 7 * 1024, "{session}");
}
