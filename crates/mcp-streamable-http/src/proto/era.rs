//! Whether a request is of the legacy or the modern era: each says so itself.

use http::{HeaderMap, HeaderValue};
use mcp_jsonrpc::Message;
use mcp_transport_core::{Era, Revision};

use super::body;
use super::mirror::PROTOCOL_VERSION;

/// The era of a POST with one message.
///
/// Modern when the headers are ([`era_of_headers`]), or when `params._meta` has the key that names a revision, whatever
/// stands there: what is wrong with it is said in the words of the modern era.
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility: a server of both eras goes by how the client opens.
pub fn era_of(headers: &HeaderMap, message: &Message) -> Era {
    match era_of_headers(headers) {
        Era::Legacy if !names_revision(message) => Era::Legacy,
        _ => Era::Modern,
    }
}

/// Whether a message has the key that names a revision in its `params._meta`.
pub(crate) fn names_revision(message: &Message) -> bool {
    let params = match message {
        Message::Request(request) => request.params_raw(),
        Message::Notification(notification) => notification.params_raw(),
        Message::Response(_) => None,
    };
    let Some(params) = params else { return false };
    // The key has a slash, as it is or escaped. Most legacy params have none: that is seen many bytes at a time.
    memchr::memchr2(b'/', b'\\', params).is_some()
        && body::meta(body::params(message), body::PROTOCOL_VERSION).is_some()
}

/// The era of a request without a message: GET, DELETE, and batches.
///
/// Modern when `MCP-Protocol-Version` is there and is not a revision of the legacy era. One that names nothing known is
/// modern too, because the modern era is the one that can answer with the revisions that there are.
pub fn era_of_headers(headers: &HeaderMap) -> Era {
    let legacy = |value: &HeaderValue| {
        let revision = value.to_str().ok().and_then(|text| text.parse::<Revision>().ok());
        revision.is_some_and(|revision| revision.era() == Era::Legacy)
    };
    if headers.get_all(&PROTOCOL_VERSION).iter().all(legacy) { Era::Legacy } else { Era::Modern }
}
