//! Headers that repeat what the body says, so that a proxy need not read it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use mcp_jsonrpc::{Message, Request};

use super::body;

/// The revision of a request.
pub const MCP_PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The method of the body; modern era.
pub const MCP_METHOD: &str = "mcp-method";
/// The name, URI or task id in the body; modern era.
pub const MCP_NAME: &str = "mcp-name";
/// What every header begins with that repeats a parameter of a tool; modern era.
pub const MCP_PARAM_PREFIX: &str = "mcp-param-";
/// The session; legacy era.
pub const MCP_SESSION_ID: &str = "mcp-session-id";
/// The last event that a client has seen; legacy era.
pub const LAST_EVENT_ID: &str = "last-event-id";

// Ready to be looked up, without a look at their characters for each request.
pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(MCP_PROTOCOL_VERSION);
pub(crate) const METHOD: HeaderName = HeaderName::from_static(MCP_METHOD);
pub(crate) const NAME: HeaderName = HeaderName::from_static(MCP_NAME);
pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static(MCP_SESSION_ID);

const OPENING: &str = "=?base64?";
const CLOSING: &str = "?=";

/// Why the value of a header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueProblem {
    /// It holds something other than visible ASCII characters, spaces and tabs.
    #[error("holds invalid characters")]
    Characters,
    /// What stands between the markers is not base64 in its one form: alphabet, padding, no bits left over.
    #[error("is not base64")]
    Base64,
    /// What is encoded is not UTF-8.
    #[error("is not UTF-8")]
    Utf8,
}

/// Writes a text as the value of `Mcp-Name` or `Mcp-Param-*`.
///
/// Visible ASCII characters with spaces between them stay as they are, and so does the empty text. Everything else is
/// written in base64 between markers: other characters, tabs, a space at either end, and what begins and ends like
/// the markers.
///
/// ```
/// use mcp_streamable_http::proto::encode_value;
/// assert_eq!(encode_value("us-west1"), "us-west1");
/// assert_eq!(encode_value(" a"), "=?base64?IGE=?=");
/// ```
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Value Encoding.
pub fn encode_value(text: &str) -> HeaderValue {
    let marked = text.starts_with(OPENING) && text.ends_with(CLOSING);
    if let Some(value) = plain(text).filter(|_| !marked) {
        return value;
    }
    let encoded = format!("{OPENING}{}{CLOSING}", STANDARD.encode(text));
    match HeaderValue::try_from(encoded) {
        Ok(value) => value,
        Err(_) => unreachable!("base64 and its markers are visible ASCII"),
    }
}

/// The text as it is, where that can stand in a header and comes out the same.
fn plain(text: &str) -> Option<HeaderValue> {
    let inner = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let ends = text.starts_with(' ') || text.ends_with(' ');
    if inner && !ends { HeaderValue::from_str(text).ok() } else { None }
}

/// Reads the value of `Mcp-Name` or `Mcp-Param-*`.
///
/// A value with both markers, which do not overlap, is decoded; every other one is taken as it is. The markers are
/// compared exactly: `=?BASE64?` is no marker. Blanks around the value do not belong to it.
///
/// # Errors
///
/// [`ValueProblem`].
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Value Encoding.
pub fn decode_value(value: &HeaderValue) -> Result<Cow<'_, str>, ValueProblem> {
    let text = literal(value)?;
    let Some(encoded) = text.strip_prefix(OPENING).and_then(|rest| rest.strip_suffix(CLOSING)) else {
        return Ok(Cow::Borrowed(text));
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| ValueProblem::Base64)?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| ValueProblem::Utf8)
}

/// A value as it is written, without the blanks around it.
pub(super) fn literal(value: &HeaderValue) -> Result<&str, ValueProblem> {
    // Visible ASCII, space and tab.
    let text = value.to_str().map_err(|_| ValueProblem::Characters)?;
    Ok(text.trim_matches([' ', '\t']))
}

/// The headers of the modern era that repeat what every message has: `Mcp-Method` for a request or notification, and
/// `Mcp-Name` for a request whose method has one.
///
/// `Mcp-Name` is `params.name` of `tools/call` and `prompts/get`, `params.uri` of `resources/read`, and `params.taskId`
/// of `tasks/get`, `tasks/update` and `tasks/cancel`. Where that is no string there is no header, and neither is there
/// one for a method that cannot stand in a header as it is, since methods are never encoded. The revision is not among
/// them: see [`revision_in`].
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Standard Request Headers; the extension `io.modelcontextprotocol/tasks`.
pub fn standard_headers(message: &Message) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(method) = message.method() else { return headers };
    if let Some(value) = plain(&method) {
        headers.insert(METHOD, value);
    }
    if let Message::Request(request) = message
        && let Some(key) = body::name_key(&method)
        && let Some(params) = request.params_object()
        && let Some(name) = params.get(key).and_then(body::text)
    {
        headers.insert(NAME, encode_value(&name));
    }
    headers
}

/// The revision that a request names in `params._meta`, known or not; `None` where that is no string.
///
/// It is also the value of `MCP-Protocol-Version`, which is never encoded.
///
/// # Spec
///
/// MCP 2026-07-28, basic, `_meta`.
pub fn revision_in(request: &Request) -> Option<String> {
    let params = request.params_object();
    body::meta(params, body::PROTOCOL_VERSION).and_then(body::text).map(Cow::into_owned)
}
