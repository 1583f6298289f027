//! The token in a request's `Authorization`.

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::proto::query;

/// The most bytes of a bearer token, inclusive.
///
/// Signed tokens with many claims have two or three KiB; a head has 32 KiB in all.
pub const MAX_TOKEN: usize = 8 * 1024;

const SCHEME: &str = "Bearer";

/// A kind of credentials that a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presented {
    /// None.
    None,
    /// A bearer token, or something in its place that cannot be read as one.
    Bearer,
    /// The client's certificate of mutual TLS.
    Certificate,
    /// Something that only one authenticator judges.
    Own,
}

impl Presented {
    /// Whether a request has a bearer token, good or bad.
    pub fn bearer(parts: &Parts) -> Self {
        if bearer_token(parts) == Ok(None) { Self::None } else { Self::Bearer }
    }
}

/// Why the credentials of a request are neither there nor absent. All of them are answered with 400
/// ([`Challenge::malformed`](super::Challenge::malformed)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCredentials {
    /// More than one `Authorization`: whoever reads another one than we do would see somebody else.
    #[error("more than one Authorization")]
    Several,
    /// `access_token` in the query string, where logs and histories keep it.
    #[error("a token in the query string")]
    InQuery,
    /// `Bearer` without a token, or with something that is none.
    #[error("no bearer token of RFC 6750")]
    Malformed,
    /// A token of more than [`MAX_TOKEN`] bytes.
    #[error("the token is longer than 8 KiB")]
    TooLong,
}

/// The bearer token of a request; `None` when it has no `Authorization`, or one of another scheme.
///
/// The scheme is compared without regard to case, and one space or more come behind it.
///
/// ```
/// use http::Request;
/// use mcp_http::{BadCredentials, bearer_token};
/// let of = |request: http::request::Builder| request.body(()).unwrap().into_parts().0;
/// let parts = of(Request::get("/mcp").header("authorization", "bearer mF_9.B5f-4.1JqM"));
/// assert_eq!(bearer_token(&parts), Ok(Some("mF_9.B5f-4.1JqM")));
/// let parts = of(Request::get("/mcp?a=1&access_token=mF_9.B5f-4.1JqM"));
/// assert_eq!(bearer_token(&parts), Err(BadCredentials::InQuery));
/// ```
///
/// # Errors
///
/// See [`BadCredentials`].
///
/// # Spec
///
/// RFC 6750 2.1; RFC 9110 11.6.2. MCP 2025-03-26 authorization and later, Token Requirements: tokens must not stand in
/// the query string, also when there is a header beside it.
pub fn bearer_token(parts: &Parts) -> Result<Option<&str>, BadCredentials> {
    if parts.uri.query().is_some_and(|query| query::mentions(query, "access_token")) {
        return Err(BadCredentials::InQuery);
    }
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(BadCredentials::Several);
    }
    let value = value.as_bytes();
    let Some((scheme, rest)) = value.split_at_checked(SCHEME.len()) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) {
        return Ok(None);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    // `BearerX` is another scheme; `Bearer`, `Bearer,` and `Bearer/abc` are ours, and wrong.
    if rest.first().copied().is_some_and(is_token_char) {
        return Ok(None);
    }
    let token = rest.get(spaces..).filter(|_| spaces > 0).ok_or(BadCredentials::Malformed)?;
    if token.len() > MAX_TOKEN {
        return Err(BadCredentials::TooLong);
    }
    if !is_token(token) {
        return Err(BadCredentials::Malformed);
    }
    std::str::from_utf8(token).map(Some).map_err(|_| BadCredentials::Malformed)
}

/// Whether it is a `b64token` of RFC 6750 2.1. Its length is another question.
pub(super) fn is_token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let inside =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    end > 0 && text.iter().take(end).all(inside)
}

/// What the name of a scheme may go on with: `tchar` of RFC 9110 5.6.2.
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
