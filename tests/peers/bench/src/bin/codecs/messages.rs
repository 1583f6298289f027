//! The messages that are parsed.

use serde_json::{Value, json};

use crate::Outcome;

/// A message by its name.
pub fn named(name: &str) -> Outcome<Vec<u8>> {
    let value = match name {
        "call" => json!({
            "jsonrpc": "2.0", "id": 42, "method": "tools/call",
            "params": {
                "name": "weather",
                "arguments": { "city": "Uster on the lake", "days": 3, "units": "metric" },
                "_meta": { "progressToken": "p-42" },
            },
        }),
        "text-4k" => result(json!([{ "type": "text", "text": prose(3_700) }])),
        "structured" => {
            let rows: Vec<Value> = (0..40)
                .map(|row| json!({ "id": row, "name": format!("row {row}"), "price": 1.25, "tags": ["a", "b"], "ok": true }))
                .collect();
            json!({ "jsonrpc": "2.0", "id": 42, "result": { "content": [], "structuredContent": { "rows": rows } } })
        }
        "text-1m" => result(json!([{ "type": "text", "text": prose(1 << 20) }])),
        "image-1m" => result(json!([{ "type": "image", "mimeType": "image/png", "data": base64(1 << 20) }])),
        other => return Err(format!("no message {other}").into()),
    };
    Ok(serde_json::to_vec(&value)?)
}

fn result(content: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 42, "result": { "content": content, "isError": false } })
}

/// Text as it is read from files: lines, quotes and some letters beyond ASCII.
pub fn prose(bytes: usize) -> String {
    const LINE: &str =
        "A line of some file, \"quoted\" where it has to be, and naïve – as code has comments.\n";
    LINE.chars()
        .cycle()
        .scan(0, |len, next| {
            *len += next.len_utf8();
            (*len <= bytes).then_some(next)
        })
        .collect()
}

fn base64(bytes: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 1u32;
    (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(ALPHABET[(state >> 26) as usize])
        })
        .collect()
}
