//! An echo server on the official Rust SDK.
//!
//! `mcp-peers stdio` is the transport of its README on a multi-threaded runtime; `mcp-peers pipes` is its fastest:
//! non-blocking pipes on a current-thread runtime.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::{ErrorData, ServiceExt, schemars, tool, tool_router, transport};
use serde::Deserialize;

struct Echo;

#[derive(Deserialize, schemars::JsonSchema)]
struct Text {
    text: String,
}

#[tool_router(server_handler)]
impl Echo {
    /// Says what was said.
    #[tool]
    async fn echo(&self, Parameters(Text { text }): Parameters<Text>) -> Result<CallToolResult, ErrorData> {
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pipes = match std::env::args().nth(1).as_deref() {
        Some("pipes") => true,
        Some("stdio") => false,
        _ => return Err("stdio or pipes?".into()),
    };
    if pipes {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            Echo.serve(transport::stdio_pipes()).await?.waiting().await?;
            Ok(())
        })
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            Echo.serve(transport::stdio()).await?.waiting().await?;
            Ok(())
        })
    }
}
