//! The server that all of these programs have.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::{ErrorData, schemars, tool, tool_router};
use serde::Deserialize;

#[derive(Clone)]
pub struct Echo;

#[derive(Deserialize, schemars::JsonSchema)]
pub struct Text {
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
