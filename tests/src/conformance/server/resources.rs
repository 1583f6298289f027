//! Resources: two that are listed, and a template.

use mcp_transport::{ErrorCode, ErrorObject};
use serde_json::{Value, json};

use super::content::PNG;
use super::{Answer, with_data};

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";

pub(super) fn list() -> Value {
    json!([
        { "uri": TEXT, "name": "Static text", "description": "A text", "mimeType": "text/plain" },
        { "uri": BINARY, "name": "Static binary", "description": "An image", "mimeType": "image/png" },
    ])
}

pub(super) fn templates() -> Value {
    json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "Data by id",
        "description": "A resource for each id",
        "mimeType": "application/json",
    }])
}

pub(super) fn read(uri: &str) -> Answer {
    let content = match uri {
        TEXT => json!({
            "uri": uri,
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }),
        BINARY => json!({ "uri": uri, "mimeType": "image/png", "blob": PNG }),
        _ => {
            let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let id = id.ok_or_else(|| unknown(uri))?;
            let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            json!({ "uri": uri, "mimeType": "application/json", "text": text.to_string() })
        }
    };
    Ok(json!({ "contents": [content] }))
}

/// # Spec
///
/// MCP 2026-07-28, Resources, Error Handling: -32602, with the URI. The code of earlier revisions was a should, -32002.
fn unknown(uri: &str) -> ErrorObject {
    let error = ErrorObject::new(ErrorCode::INVALID_PARAMS, "there is no such resource");
    with_data(error, &json!({ "uri": uri }))
}
