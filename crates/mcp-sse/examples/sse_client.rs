//! Asks a server to add: `cargo run --example sse_client`, while the example `sse_server` runs.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use mcp_http::HttpRefused;
use mcp_jsonrpc::Notification;
use mcp_sse::SseClient;
use mcp_transport_core::{CallOptions, Caller, Transport};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8808/sse".into());
    let connection = match SseClient::new(url.parse()?).dial().await {
        Ok(connection) => connection,
        Err(error) => {
            if let Some(refused) = HttpRefused::of(&error) {
                println!("{}: {:?}", refused.status(), refused.challenges());
            }
            return Err(error.into());
        }
    };
    let mut endpoint = connection.spawn();
    let caller = Caller::new(&endpoint.sender).with_options(CallOptions::timeout(Duration::from_secs(10)));
    let params = serde_json::json!({
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": { "name": "example", "version": "0.1.0" },
    });
    let work = async move {
        let server = caller.request("initialize", &params).await?;
        println!("{}", String::from_utf8_lossy(server.as_bytes()));
        endpoint.sender.send(Notification::new("notifications/initialized")).await?;
        let sum = caller.request("add", &[1, 2, 3]).await?;
        println!("{}", String::from_utf8_lossy(sum.as_bytes()));
        endpoint.control.shutdown();
        // Whatever else came in.
        while let Some(incoming) = endpoint.receiver.recv().await {
            println!("{incoming:?}");
        }
        Ok(())
    };
    work.await
}
