//! The handler of our servers: what somebody writes who has no SDK.
//!
//! Params are decoded into their types, and the result is made from its types, as the SDKs beside it do.
#![allow(dead_code, reason = "each program takes what it needs")]

use std::borrow::Cow;

use mcp_transport_core::{Connection, Exchange, Incoming, serve};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize)]
pub struct Call<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub arguments: Text<'a>,
}

#[derive(Serialize, Deserialize)]
pub struct Text<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
pub struct Said<'a> {
    #[serde(borrow)]
    pub content: [Block<'a>; 1],
}

#[derive(Serialize, Deserialize)]
pub struct Block<'a> {
    #[serde(borrow)]
    pub r#type: Cow<'a, str>,
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// Serves one connection until it ends.
pub async fn run(connection: Connection) {
    serve(connection, |incoming| async move {
        if let Incoming::Request(exchange) = incoming {
            answer(exchange);
        }
    })
    .await;
}

pub fn answer(exchange: Exchange) {
    let (request, _, responder) = exchange.into_parts();
    match &*request.method() {
        "tools/call" => match serde_json::from_slice(request.params_raw().unwrap_or(b"null")) {
            Ok(Call { name, arguments: Text { text } }) if name == "echo" => {
                responder.finish(&Said { content: [Block { r#type: "text".into(), text }] });
            }
            _ => responder.fail(&refusal("no such tool, or no text")),
        },
        "initialize" => responder.finish(&json!({
            "protocolVersion": "2025-06-18",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "mcp-bench", "version": "0" },
        })),
        "tools/list" => responder.finish(&json!({ "tools": [{
            "name": "echo",
            "inputSchema": { "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"] },
        }] })),
        "ping" => responder.finish(&json!({})),
        _ => responder.fail(&refusal("no such method")),
    }
}

fn refusal(message: &str) -> mcp_jsonrpc::ErrorObject {
    mcp_jsonrpc::ErrorObject::new(mcp_jsonrpc::ErrorCode::METHOD_NOT_FOUND, message)
}
