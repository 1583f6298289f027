//! What a client makes of a modern server's refusal.

use http::StatusCode;
use mcp_jsonrpc::{ErrorCode, ErrorObject, Message, Object, Request, ScanLimits, replace_part};
use mcp_transport_core::Revision;

use super::body;

/// The newest of our revisions that a server says it supports, after it has refused another.
///
/// `None` when the error is another one, has no readable list, or names none of ours: then there is nothing to try.
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility, Protocol Version Negotiation.
pub fn choose_revision(error: &ErrorObject, ours: &[Revision]) -> Option<Revision> {
    if error.code() != ErrorCode::UNSUPPORTED_PROTOCOL_VERSION {
        return None;
    }
    let supported = Object::new(error.data()?.as_bytes())?.get("supported")?;
    let named = body::elements(supported).into_iter().filter_map(|element| body::text(element.trim_ascii()));
    let known = named.filter_map(|text| text.parse::<Revision>().ok());
    known.filter(|revision| ours.contains(revision)).max()
}

/// The same request with another revision in `params._meta`; every other byte stays.
///
/// `None` when it names none.
pub fn with_revision(request: &Request, revision: Revision) -> Option<Request> {
    let old = body::meta(request.params_object(), body::PROTOCOL_VERSION)?;
    let whole = request.as_bytes();
    let text = replace_part(whole, old, format!("\"{revision}\"").as_bytes())?;
    let mut limits = ScanLimits::default();
    // The id is a request's already.
    limits.max_id_bytes = usize::MAX;
    match Message::parse(text, &limits) {
        Ok(Message::Request(request)) => Some(request),
        _ => None,
    }
}

/// Whether only a server of the modern era sends such an error: then nobody falls back to `initialize`.
///
/// By the code alone: -32020, -32021 or -32022. Where the HTTP status is known, ask [`is_modern_refusal`].
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility, Backward Compatibility.
pub fn is_modern_error(error: &ErrorObject) -> bool {
    error.code().is_modern()
}

/// The same for an error that came as the body of an HTTP response: an unknown method is a modern server's with 404,
/// and anybody's with another status.
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Protocol Version Header and Backward Compatibility.
pub fn is_modern_refusal(status: StatusCode, error: &ErrorObject) -> bool {
    let unknown_method = status == StatusCode::NOT_FOUND && error.code() == ErrorCode::METHOD_NOT_FOUND;
    unknown_method || is_modern_error(error)
}
