//! Names of what a token allows.

/// For clients that want a refresh token: the business of the authorization server, and of nobody who only takes
/// tokens (MCP 2026-07-28 authorization, Scopes).
pub(super) const OFFLINE_ACCESS: &str = "offline_access";

/// Whether it is a `scope-token` of RFC 6749 3.3: visible ASCII without the quote and the backslash. So a list of them
/// stands in a quoted string as it is.
pub(super) fn is_scope(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.bytes().all(inside)
}
