//! A look at the members of a body that the rules speak of.

use std::borrow::Cow;

use mcp_jsonrpc::{Message, Object};

/// In `params._meta`: the revision that a request is of.
pub(super) const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// In `params._meta`: what the client can do.
pub(super) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

pub(super) fn params(message: &Message) -> Option<Object<'_>> {
    match message {
        Message::Request(request) => request.params_object(),
        Message::Notification(notification) => notification.params_object(),
        Message::Response(_) => None,
    }
}

/// What stands under a key of `params._meta`.
pub(super) fn meta<'a>(params: Option<Object<'a>>, key: &str) -> Option<&'a [u8]> {
    params?.object("_meta")?.get(key)
}

/// The member of params that `Mcp-Name` repeats, for the methods that have one.
pub(super) fn name_key(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

/// A string, its escapes resolved; `None` for every other value, and for one with a lone surrogate.
pub(super) fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    let [b'"', inside @ .., b'"'] = value else { return None };
    if inside.contains(&b'\\') {
        return serde_json::from_slice(value).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inside).ok().map(Cow::Borrowed)
}

/// The elements of an array that is known to be JSON, each with the blanks around it.
pub(super) fn elements(array: &[u8]) -> Vec<&[u8]> {
    let [b'[', inside @ .., b']'] = array else { return Vec::new() };
    let mut elements = Vec::new();
    let (mut start, mut depth, mut in_string, mut escaped) = (0, 0_u32, false, false);
    for (at, byte) in inside.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                elements.extend(inside.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = inside.get(start..).unwrap_or_default();
    if !last.trim_ascii().is_empty() {
        elements.push(last);
    }
    elements
}
