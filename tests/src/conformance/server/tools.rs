//! The tools of both eras.

use std::time::Duration;

use mcp_transport::Responder;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::content::{audio, blocks, failed, image, resource, said, text};
use super::notify;
use super::shapes::Call;

/// Between two notifications of a tool that is seen at work.
pub(super) const STEP: Duration = Duration::from_millis(50);

/// A tool that takes these arguments, all of them strings and required.
pub(super) fn tool(name: &str, description: &str, arguments: &[&str]) -> Value {
    let properties = arguments.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" })));
    let properties = Value::Object(properties.collect());
    json!({
        "name": name,
        "description": description,
        "inputSchema": { "type": "object", "properties": properties, "required": arguments },
    })
}

/// The suite takes the first tool to be one that needs no arguments.
pub(super) fn list() -> Vec<Value> {
    vec![
        tool("test_simple_text", "Says a text", &[]),
        tool("test_image_content", "Shows an image", &[]),
        tool("test_audio_content", "Plays a sound", &[]),
        tool("test_embedded_resource", "Has a resource in its result", &[]),
        tool("test_multiple_content_types", "Says, shows and embeds", &[]),
        tool("test_error_handling", "Fails, as tools do: in its result", &[]),
        tool("test_tool_with_progress", "Reports its progress, if it was given a token", &[]),
        json!({
            "name": "json_schema_2020_12_tool",
            "description": "Has a schema with keywords that must reach the client as they are",
            "inputSchema": schema_2020_12(),
        }),
    ]
}

/// The result of a tool, if it is one of these.
pub(super) async fn call(call: &Call, responder: &Responder) -> Option<Value> {
    Some(match call.name.as_str() {
        "test_simple_text" => said("This is a simple text response for testing."),
        "test_image_content" => blocks([image()]),
        "test_audio_content" => blocks([audio()]),
        "test_embedded_resource" => blocks([resource(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        )]),
        "test_multiple_content_types" => blocks([
            text("Multiple content types test:"),
            image(),
            resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ]),
        "test_error_handling" => failed("This tool intentionally returns an error for testing"),
        "test_tool_with_progress" => progress(call, responder).await,
        "json_schema_2020_12_tool" => said("This tool is there for its schema."),
        _ => return None,
    })
}

/// # Spec
///
/// MCP 2025-11-25 and 2026-07-28, Progress: only with a token that the client gave, and increasing with each step.
async fn progress(call: &Call, responder: &Responder) -> Value {
    if let Some(token) = &call.meta.progress_token {
        for percent in [0, 50, 100] {
            let params = json!({ "progressToken": token, "progress": percent, "total": 100 });
            notify(responder, "notifications/progress", &params).await;
            sleep(STEP).await;
        }
    }
    said("All steps are done.")
}

fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}
