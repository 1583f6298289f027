//! Our echo server over Streamable HTTP; its URL is its first line on stderr.
//!
//! `ours-http json` has sessions and answers in JSON, `stateless` has none and does too, `stream` has sessions and
//! answers with event streams that can be resumed.

#[path = "../echo.rs"]
mod echo;

use mcp_http::{Router, RouterOptions, Server, ServerOptions};
use mcp_streamable_http::{Answers, Legacy, StreamableOptions, StreamableServer};
use mcp_transport_core::Listener;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = StreamableOptions::default();
    match std::env::args().nth(1).as_deref() {
        Some("json") => options.answers = Answers::Json,
        Some("stateless") => (options.answers, options.legacy) = (Answers::Json, Legacy::Stateless),
        Some("stream") => options.answers = Answers::Stream,
        _ => return Err("json, stateless or stream?".into()),
    }
    options.max_sessions = 20_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (endpoint, mut connections) = StreamableServer::new(options);
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await?;
        eprintln!("listening on http://{}", server.local_addr());
        tokio::spawn(server.serve(Router::new(RouterOptions::default(), endpoint.routes())));
        while let Some(Ok(connection)) = connections.accept().await {
            tokio::spawn(echo::run(connection));
        }
        Ok(())
    })
}
