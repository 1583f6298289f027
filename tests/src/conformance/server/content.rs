//! Blocks of content, and results made of them.

use serde_json::{Value, json};

/// A PNG of one pixel.
pub(super) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A WAV without a sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

pub(super) fn text(text: impl Into<String>) -> Value {
    json!({ "type": "text", "text": text.into() })
}

pub(super) fn image() -> Value {
    json!({ "type": "image", "data": PNG, "mimeType": "image/png" })
}

pub(super) fn audio() -> Value {
    json!({ "type": "audio", "data": WAV, "mimeType": "audio/wav" })
}

pub(super) fn resource(uri: &str, mime_type: &str, text: &str) -> Value {
    json!({ "type": "resource", "resource": { "uri": uri, "mimeType": mime_type, "text": text } })
}

/// The result of a tool.
pub(super) fn blocks(blocks: impl IntoIterator<Item = Value>) -> Value {
    json!({ "content": blocks.into_iter().collect::<Vec<_>>() })
}

/// The result of a tool that says one thing.
pub(super) fn said(what: impl Into<String>) -> Value {
    blocks([text(what)])
}

/// The result of a tool that failed.
pub(super) fn failed(why: impl Into<String>) -> Value {
    json!({ "content": [text(why)], "isError": true })
}
