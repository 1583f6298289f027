//! A request's head in memory of its own.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

/// The same head in memory of its own: as it came it is slices of the connection's read buffer, and would keep all of
/// that for as long as it is kept.
pub fn detached(mut parts: Parts) -> Parts {
    if let Ok(uri) = parts.uri.to_string().parse() {
        parts.uri = uri;
    }
    let mut headers = HeaderMap::with_capacity(parts.headers.keys_len());
    for (name, value) in &parts.headers {
        let copies =
            (HeaderName::from_bytes(name.as_str().as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        if let (Ok(name), Ok(mut copy)) = copies {
            copy.set_sensitive(value.is_sensitive());
            headers.append(name, copy);
        }
    }
    parts.headers = headers;
    parts
}
