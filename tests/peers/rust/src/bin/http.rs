//! The same server over Streamable HTTP; its URL is its first line on stderr.
//!
//! `mcp-peers-http json` has no sessions and answers in JSON, `stream` has sessions and answers with event streams,
//! `plain` is `stream` served as in the SDK's own tests, without TCP_NODELAY.

#[path = "../echo.rs"]
mod echo;

use std::sync::Arc;

use axum::serve::ListenerExt;
use echo::Echo;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    if !["json", "stream", "plain"].contains(&&*mode) {
        return Err("json, stream or plain?".into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&mode))
}

async fn serve(mode: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = StreamableHttpServerConfig::default();
    config.legacy_session_mode = mode != "json";
    config.json_response = mode == "json";
    let service = StreamableHttpService::new(|| Ok(Echo), Arc::new(LocalSessionManager::default()), config);
    let router = axum::Router::new().nest_service("/mcp", service);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    if mode == "plain" {
        axum::serve(listener, router).await?;
    } else {
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, router).await?;
    }
    Ok(())
}
