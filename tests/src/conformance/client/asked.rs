//! What a server asks its client: by requests in the legacy era, in results in the modern one.

use mcp_transport::{ErrorCode, ErrorObject, Incoming, Receiver};
use serde_json::{Value, json};

use super::arguments::minimal;

/// Answers what comes in, until the connection ends.
pub(super) async fn answer(mut receiver: Receiver) {
    while let Some(incoming) = receiver.recv().await {
        let Incoming::Request(exchange) = incoming else { continue };
        let request = exchange.request();
        let params = request.params().unwrap_or_default();
        match reply(&request.method(), &params) {
            Some(result) => exchange.finish(&result),
            None => exchange.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no such method")),
        }
    }
}

/// The result of a question.
pub(super) fn reply(method: &str, params: &Value) -> Option<Value> {
    Some(match method {
        "ping" => json!({}),
        "elicitation/create" => {
            let schema = params.get("requestedSchema").unwrap_or(&Value::Null);
            json!({ "action": "accept", "content": minimal(schema) })
        }
        "sampling/createMessage" => json!({
            "role": "assistant",
            "content": { "type": "text", "text": "This is what a model says." },
            "model": "none",
            "stopReason": "endTurn",
        }),
        "roots/list" => json!({ "roots": [{ "uri": "file:///conformance", "name": "conformance" }] }),
        _ => return None,
    })
}
