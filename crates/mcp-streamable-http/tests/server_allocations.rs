//! How often one call asks the server's allocator on its way from a request to the end of its answer: the numbers that
//! are promised.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::future::poll_fn;
use std::pin::Pin;

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body::{Body, Frame, SizeHint};
use mcp_http::{Router, RouterOptions};
use mcp_streamable_http::{Answers, Legacy, StreamableOptions, StreamableServer};
use mcp_transport_core::{Incoming, Listener, serve};

const ROUNDS: usize = 500;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"0"}}}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"weather","arguments":{"city":"Uster on the lake","days":3},"_meta":{"progressToken":"p-42"}}}"#;

/// A body in one piece, as hyper gives a short one.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}

fn post(body: &'static str, session: Option<&HeaderValue>) -> Request<Whole> {
    let mut request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .header("content-length", body.len())
        .body(Whole(Some(Bytes::from_static(body.as_bytes()))))
        .unwrap();
    if let Some(id) = session {
        request.headers_mut().insert("mcp-session-id", id.clone());
    }
    request
}

/// Allocations for each call.
fn allocations(answers: Answers, legacy: Legacy) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut options = StreamableOptions::default();
    (options.answers, options.legacy) = (answers, legacy);
    let (endpoint, mut connections) = StreamableServer::new(options);
    let router = Router::new(RouterOptions::default(), endpoint.routes());
    runtime.spawn(async move {
        while let Some(connection) = connections.accept().await {
            tokio::spawn(serve(connection.unwrap(), |incoming| async move {
                if let Incoming::Request(exchange) = incoming {
                    exchange.finish(&());
                }
            }));
        }
    });
    let ask = async |request| {
        let reply = router.answer(request).await;
        assert_eq!(reply.status(), 200);
        let (head, mut body) = reply.into_parts();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            assert!(frame.unwrap().is_data());
        }
        head.headers.get("mcp-session-id").cloned()
    };
    let session = match legacy {
        Legacy::Sessions => Some(runtime.block_on(ask(post(INITIALIZE, None))).unwrap()),
        _ => None,
    };
    // What is kept for clients that come back has its full size after the first ones.
    let calls = |count: usize| -> Vec<_> { (0..count).map(|_| post(CALL, session.as_ref())).collect() };
    let (before, counted) = (calls(200), calls(ROUNDS));
    let all = async |calls: Vec<Request<Whole>>| {
        for call in calls {
            ask(call).await;
        }
    };
    runtime.block_on(all(before));
    let counted = measure(|| runtime.block_on(all(counted)));
    let each = counted.count_total as f64 / ROUNDS as f64;
    eprintln!(
        "{each:.2} allocations, {} bytes a call, {answers:?}, {legacy:?}",
        counted.bytes_total / ROUNDS as u64
    );
    each
}

#[test]
fn one_call_from_request_to_answer() {
    // Measured, and a tenth.
    let table = [
        (Answers::Json, Legacy::Sessions, 12.1),
        (Answers::Json, Legacy::Stateless, 9.9),
        (Answers::Auto, Legacy::Sessions, 12.1),
        (Answers::Stream, Legacy::Sessions, 21.2),
    ];
    let counted = table.map(|(answers, legacy, _)| allocations(answers, legacy));
    for ((answers, legacy, limit), each) in table.into_iter().zip(counted) {
        assert!(each <= limit, "{each} allocations a call, {answers:?}, {legacy:?}");
    }
}
