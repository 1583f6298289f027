//! Tools that only the modern era has.

use mcp_transport::{ErrorCode, ErrorObject, Responder};
use serde_json::{Value, json};

use super::content::said;
use super::listening::Lists;
use super::shapes::{Call, Level};
use super::tools::tool;
use super::{Answer, invalid_params, notify, with_data};

pub(super) fn list() -> Vec<Value> {
    vec![
        tool("test_missing_capability", "Needs a client that samples", &[]),
        tool("test_logging_tool", "Logs, if the request says at which level", &[]),
        tool("test_trigger_tool_change", "Tells who listens that the tools have changed", &[]),
        tool("test_trigger_prompt_change", "Tells who listens that the prompts have changed", &[]),
        json!({
            "name": "test_custom_header",
            "description": "Has an argument that a header mirrors",
            "inputSchema": {
                "type": "object",
                "properties": { "value": { "type": "string", "x-mcp-header": "Value" } },
                "required": ["value"],
            },
        }),
    ]
}

pub(super) async fn call(call: &Call, lists: &Lists, responder: &Responder) -> Answer {
    match call.name.as_str() {
        "test_missing_capability" => {
            if !call.client_can("sampling") {
                return Err(missing(["sampling"]));
            }
            Ok(said("This client samples."))
        }
        "test_logging_tool" => {
            // MCP 2026-07-28, Logging: nothing is sent for a request that does not name a level.
            if call.meta.log_level.is_some_and(|least| Level::Info >= least) {
                let params = json!({ "level": Level::Info, "data": "The tool is called." });
                notify(responder, "notifications/message", &params).await;
            }
            Ok(said("The tool was called."))
        }
        "test_trigger_tool_change" => {
            lists.tools_changed();
            Ok(said("The tools have changed."))
        }
        "test_trigger_prompt_change" => {
            lists.prompts_changed();
            Ok(said("The prompts have changed."))
        }
        "test_custom_header" => Ok(said(call.text("value")?)),
        unknown => Err(invalid_params(format_args!("no such tool: {unknown}"))),
    }
}

/// # Spec
///
/// MCP 2026-07-28, basic, `_meta`: a capability that the request needs and the client has not declared, -32021.
pub(super) fn missing<'a>(capabilities: impl IntoIterator<Item = &'a str>) -> ErrorObject {
    let required = capabilities.into_iter().map(|name| (name.to_owned(), json!({})));
    let required = Value::Object(required.collect());
    with_data(
        ErrorObject::new(ErrorCode::MISSING_CLIENT_CAPABILITY, "the client lacks a capability"),
        &json!({ "requiredCapabilities": required }),
    )
}
