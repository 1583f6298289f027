//! Keeps a session open to a server that drops its streams: `cargo run --example sse_reconnect -- http://127.0.0.1:8808/sse`.
//!
//! Each time it is a new session, which begins with `initialize`. Nothing of the former one goes on, and no call is
//! repeated: only who made it knows whether that is safe.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use mcp_jsonrpc::Notification;
use mcp_sse::SseClient;
use mcp_transport_core::{Backoff, Caller, Endpoint, Error, Reconnect, Sender, Transport};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8808/sse".into());
    let client = SseClient::new(url.parse()?);
    let verdict =
        sessions(client, Backoff::default(), async |caller| match caller.request("tools/list", &()).await {
            Ok(tools) => println!("{}", String::from_utf8_lossy(tools.as_bytes())),
            Err(error) => println!("no tools: {error}"),
        })
        .await;
    Err(verdict.into())
}

/// Works in one session after the other, until there is no hope of another; returns why.
pub(crate) async fn sessions<T: Transport>(
    transport: T,
    backoff: Backoff,
    mut work: impl AsyncFnMut(Caller),
) -> Error {
    let mut dialing = Reconnect::new(transport, backoff);
    loop {
        let connection = match dialing.next().await {
            Ok(connection) => connection,
            Err(verdict) => return verdict,
        };
        // Who only calls receives nothing; what is not received would stop the answers.
        let Endpoint { sender, receiver, control, .. } = connection.spawn();
        drop(receiver);
        match initialize(&sender).await {
            Ok(caller) => work(caller).await,
            Err(error) => {
                println!("no session: {error}");
                control.close();
            }
        }
        println!("disconnected: {}", control.closed().await);
    }
}

/// What a session of this era begins with.
async fn initialize(sender: &Sender) -> Result<Caller, Error> {
    let caller = Caller::new(sender);
    let params = serde_json::json!({
        "protocolVersion": "2024-11-05",
        "capabilities": {},
        "clientInfo": { "name": "reconnect", "version": "0.1.0" },
    });
    caller.request("initialize", &params).await?;
    sender.send(Notification::new("notifications/initialized")).await?;
    Ok(caller)
}
