//! Our echo server over HTTP+SSE; its URL is its first line on stderr.

#[path = "../echo.rs"]
mod echo;

use mcp_http::{Router, RouterOptions, Server, ServerOptions};
use mcp_sse::{SseOptions, SseServer};
use mcp_transport_core::Listener;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut options = SseOptions::default();
        // Idle sessions are counted by the ten thousand.
        options.max_sessions = 20_000;
        let (sse, mut sessions) = SseServer::new(options);
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await?;
        eprintln!("listening on http://{}", server.local_addr());
        tokio::spawn(server.serve(Router::new(RouterOptions::default(), sse.routes())));
        while let Some(Ok(session)) = sessions.accept().await {
            tokio::spawn(echo::run(session));
        }
        Ok(())
    })
}
