//! A server that answers `initialize`, `ping` and `add`: `cargo run --example sse_server`, ended by ctrl-c.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use mcp_http::{Router, RouterOptions, Server, ServerOptions};
use mcp_jsonrpc::{ErrorCode, ErrorObject};
use mcp_sse::{SseOptions, SseServer};
use mcp_transport_core::{Incoming, Listener, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (sse, mut sessions) = SseServer::new(SseOptions::default());
    let router = Router::new(RouterOptions::default(), sse.routes());
    let mut server = Server::bind("127.0.0.1:8808".parse()?, ServerOptions::default()).await?;
    println!("http://{}/sse", server.local_addr());

    // Streams do not end by themselves: a drain has to end the sessions first.
    server.on_drain(move || Box::pin(async move { sse.shutdown() }));
    let control = server.control();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            control.shutdown();
        }
    });
    tokio::spawn(async move {
        while let Some(Ok(session)) = sessions.accept().await {
            tokio::spawn(serve(session, answer));
        }
    });
    server.serve(router).await?;
    Ok(())
}

async fn answer(incoming: Incoming) {
    let Incoming::Request(exchange) = incoming else { return };
    match &*exchange.request().method() {
        "initialize" => exchange.finish(&serde_json::json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "serverInfo": { "name": "example", "version": "0.1.0" },
        })),
        "ping" => exchange.finish(&serde_json::json!({})),
        "add" => match exchange.request().params::<Vec<i32>>() {
            Ok(numbers) => exchange.finish(&numbers.iter().map(|&number| i64::from(number)).sum::<i64>()),
            Err(_) => {
                exchange.fail(&ErrorObject::new(ErrorCode::INVALID_PARAMS, "an array of numbers is needed"))
            }
        },
        _ => exchange.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "there is no such method")),
    }
}
