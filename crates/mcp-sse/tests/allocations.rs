//! How often one message asks the server's allocator on its way from POST to event: the numbers that are promised.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod blocking;
mod served;

use allocation_counter::measure;
use mcp_jsonrpc::Message;
use mcp_sse::SseOptions;
use mcp_transport_core::{Incoming, Listener, serve};
use tokio::sync::oneshot;

use blocking::Blocking;
use served::{Served, within};

const ROUNDS: u64 = 500;
const CALL: &str = r#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"weather","arguments":{"city":"Uster on the lake","days":3},"_meta":{"progressToken":"p-42"}}}"#;

#[test]
fn one_call_from_post_to_event() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let Served { mut sessions, address, .. } = Served::new(SseOptions::default()).await;
        tokio::spawn(async move {
            while let Some(session) = sessions.accept().await {
                tokio::spawn(serve(session.unwrap(), |incoming| async move {
                    if let Incoming::Request(exchange) = incoming {
                        exchange.finish(&());
                    }
                }));
            }
        });
        address
    });
    let talk = |rounds: u64, talking: Option<(Blocking, Blocking, String)>| {
        let (done, talked) = oneshot::channel();
        std::thread::spawn(move || {
            let (mut stream, mut posts, endpoint) = talking.unwrap_or_else(|| {
                let mut stream = Blocking::connect(address);
                stream.get("/sse");
                let endpoint = stream.data();
                (stream, Blocking::connect(address), endpoint)
            });
            for _ in 0..rounds {
                posts.post(&endpoint, CALL);
                let answer = stream.data();
                assert!(Message::parse(answer.into_bytes(), &Default::default()).is_ok());
            }
            let _ = done.send((stream, posts, endpoint));
        });
        runtime.block_on(async { within("the answers", talked).await.unwrap() })
    };
    let mut talking = Some(talk(50, None));
    let counted = measure(|| talking = Some(talk(ROUNDS, talking.take())));
    let each = counted.count_total as f64 / ROUNDS as f64;
    eprintln!("{each:.2} allocations, {} bytes a call, from POST to event", counted.bytes_total / ROUNDS);
    assert!(each <= LIMIT, "{each} allocations a call");
}

/// Measured, and a tenth.
const LIMIT: f64 = 17.6;
