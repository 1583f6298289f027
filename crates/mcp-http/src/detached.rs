//! What came in, in memory of its own: as it came it is slices of the connection's read buffer.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use mcp_jsonrpc::Message;

/// What is smaller than this, a quarter of the largest read buffer, is copied before it waits or is kept.
const COPY: usize = 16 * 1024;

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

/// The same message for a queue or a table, in memory of its own if it is smaller than 16 KiB.
///
/// A body in one piece is a slice of a read buffer of up to 64 KiB, and what waits would keep that alive. What is larger
/// keeps alive four times its size at most, and is not worth a copy.
pub fn detached_message(message: Message) -> Message {
    if message.len() < COPY { message.detached() } else { message }
}

/// The same bytes for a queue or a store, by the rule of [`detached_message`].
pub fn detached_bytes(bytes: Bytes) -> Bytes {
    if bytes.len() < COPY { Bytes::copy_from_slice(&bytes) } else { bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether something lies within a buffer.
    fn is_slice_of(inner: &[u8], buffer: &[u8]) -> bool {
        buffer.as_ptr_range().contains(&inner.as_ptr())
    }

    #[test]
    fn what_is_smaller_than_a_quarter_of_a_read_buffer_is_copied() {
        for (len, is_copied) in [(40, true), (COPY - 1, true), (COPY, false), (4 * COPY, false)] {
            let fill = len - r#"{"jsonrpc":"2.0","method":""}"#.len();
            let text = format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, "m".repeat(fill));
            let buffer = Bytes::from(text);
            let kept = detached_bytes(buffer.clone());
            assert_eq!((&kept, !is_slice_of(&kept, &buffer)), (&buffer, is_copied), "{len}");
            let message = Message::parse(buffer.clone(), &Default::default()).unwrap();
            let kept = detached_message(message);
            assert_eq!(kept.as_bytes(), &buffer[..]);
            assert_eq!(!is_slice_of(kept.as_bytes(), &buffer), is_copied, "{len}");
        }
    }
}
