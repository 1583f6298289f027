//! Parameters of a query string.
//!
//! A name is compared as it is written, without regard to percent-encoding.
//! A parameter that stands there twice is refused: whoever checked the one must not be answered by way of the other.

use std::borrow::Cow;

/// How session parameters are spelled: by TypeScript and most others, by Python, by Go.
const SESSION_NAMES: [&str; 3] = ["sessionId", "session_id", "sessionid"];

/// Why a parameter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryProblem {
    /// The parameter stands there more than once, in one spelling or in several.
    #[error("the parameter stands twice")]
    Several,
    /// Its value is no percent-encoded UTF-8.
    #[error("malformed percent-encoding")]
    Malformed,
}

/// One parameter, its value decoded; without `=` it is empty. `+` is a plus.
///
/// # Errors
///
/// See [`QueryProblem`].
pub fn parameter<'a>(query: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, QueryProblem> {
    one_of(query, &[name])
}

/// The session that a message is posted to: `sessionId`, `session_id` or `sessionid`.
///
/// # Errors
///
/// See [`QueryProblem`].
pub fn session_parameter(query: Option<&str>) -> Result<Option<Cow<'_, str>>, QueryProblem> {
    let Some(query) = query else { return Ok(None) };
    // What our own endpoints look like.
    if let Some(value) = query.strip_prefix("sessionId=")
        && !value.bytes().any(|byte| matches!(byte, b'&' | b'%'))
    {
        return Ok(Some(Cow::Borrowed(value)));
    }
    one_of(query, &SESSION_NAMES)
}

fn one_of<'a>(query: &'a str, names: &[&str]) -> Result<Option<Cow<'a, str>>, QueryProblem> {
    let mut values = query.split('&').map(name_and_value).filter(|(name, _)| names.contains(name));
    let Some((_, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(QueryProblem::Several);
    }
    decode(value).map(Some)
}

/// Whether a query string has a parameter of this name, however it is encoded, and also where `;` parts it from others,
/// as it once did: for what must not be there at all.
pub(crate) fn mentions(query: &str, name: &str) -> bool {
    let names = query.split(['&', ';']).map(|parameter| name_and_value(parameter).0);
    names.into_iter().any(|written| decode(written).is_ok_and(|written| written == name))
}

fn name_and_value(parameter: &str) -> (&str, &str) {
    parameter.split_once('=').unwrap_or((parameter, ""))
}

/// Adds a parameter to a path with or without a query, and keeps what is there.
///
/// Name and value are percent-encoded.
pub fn append_parameter(path_and_query: &str, name: &str, value: &str) -> String {
    let mut out = String::with_capacity(path_and_query.len() + name.len() + value.len() + 2);
    out.push_str(path_and_query);
    if !path_and_query.contains('?') {
        out.push('?');
    } else if !path_and_query.ends_with(['?', '&']) {
        out.push('&');
    }
    encode(&mut out, name);
    out.push('=');
    encode(&mut out, value);
    out
}

/// Where the messages of a session are to be posted to: the path, the query of the stream's own request, and
/// `sessionId`.
///
/// A session parameter in that query is left out, in every spelling, so that the result has exactly one.
/// The path begins with exactly one slash, because with two it would name a host.
pub fn session_endpoint(path: &str, query: Option<&str>, session: &str) -> String {
    let mut out = format!("/{}", path.trim_start_matches('/'));
    let parameters = query.unwrap_or_default().split('&');
    let kept = parameters
        .filter(|parameter| !parameter.is_empty() && !SESSION_NAMES.contains(&name_and_value(parameter).0));
    for (at, parameter) in kept.enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        out.push_str(parameter);
    }
    append_parameter(&out, SESSION_NAMES[0], session)
}

pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, QueryProblem> {
    let Some((before, mut rest)) = text.split_once('%') else { return Ok(Cow::Borrowed(text)) };
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(before.as_bytes());
    loop {
        let digits = rest.get(..2).ok_or(QueryProblem::Malformed)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(QueryProblem::Malformed);
        }
        out.push(u8::from_str_radix(digits, 16).map_err(|_| QueryProblem::Malformed)?);
        let (before, next) = match rest.get(2..).unwrap_or_default().split_once('%') {
            Some((before, next)) => (before, Some(next)),
            None => (rest.get(2..).unwrap_or_default(), None),
        };
        out.extend_from_slice(before.as_bytes());
        match next {
            Some(next) => rest = next,
            None => return String::from_utf8(out).map(Cow::Owned).map_err(|_| QueryProblem::Malformed),
        }
    }
}

/// Everything but the unreserved characters of RFC 3986 is encoded.
fn encode(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.extend(['%', digit(byte >> 4), digit(byte)]),
        }
    }
}
