//! Writes events that their data cannot break.

use std::time::Duration;

use bytes::BytesMut;

use super::event::{EventId, EventName};

/// What ends an event that [`event_prefix`] began.
pub const EVENT_SUFFIX: &[u8] = b"\n\n";

/// The longest wait that [`encode_retry`] writes, and that the decoder reports.
pub(super) const MAX_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

/// Writes everything of an event that stands before its data.
///
/// Data and [`EVENT_SUFFIX`] follow, so that large data need not be copied.
/// That data must hold no carriage return and no line feed, as no message does that was put on one line
/// ([`Message::into_line`](mcp_jsonrpc::Message::into_line)); [`encode_event`] takes any.
pub fn event_prefix(out: &mut BytesMut, name: Option<&EventName>, id: Option<&EventId>) {
    if let Some(name) = name {
        line(out, b"event: ", name.as_bytes());
    }
    if let Some(id) = id {
        line(out, b"id: ", id.as_bytes());
    }
    out.extend_from_slice(b"data: ");
}

/// Writes an event.
///
/// Where the data has a line break (CR LF, CR or LF) a new `data` line begins, so that it reads back with a line feed
/// there; everything else reads back as it is.
pub fn encode_event(out: &mut BytesMut, name: Option<&EventName>, id: Option<&EventId>, data: &[u8]) {
    out.reserve(data.len() + 64);
    event_prefix(out, name, id);
    let mut lines = Lines(Some(data));
    out.extend_from_slice(lines.next().unwrap_or_default());
    for more in lines {
        out.extend_from_slice(b"\ndata: ");
        out.extend_from_slice(more);
    }
    out.extend_from_slice(EVENT_SUFFIX);
}

/// Writes a comment: to be sent between events, to show that the stream is alive.
///
/// A text of several lines becomes several comments.
pub fn encode_comment(out: &mut BytesMut, text: &str) {
    for text in Lines(Some(text.as_bytes())) {
        match text {
            [] => line(out, b":", b""),
            text => line(out, b": ", text),
        }
    }
    // Some readers look at a stream in pieces between blank lines, and this ends the piece.
    out.extend_from_slice(b"\n");
}

/// Writes how long a client should wait before it connects again: whole milliseconds, at most 24 hours.
pub fn encode_retry(out: &mut BytesMut, wait: Duration) {
    let milliseconds = wait.min(MAX_RETRY).as_millis();
    line(out, b"retry: ", milliseconds.to_string().as_bytes());
    out.extend_from_slice(b"\n");
}

fn line(out: &mut BytesMut, field: &[u8], value: &[u8]) {
    out.extend_from_slice(field);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\n");
}

/// The pieces of a text between its line breaks; one more than there are breaks.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.0.take()?;
        let Some(at) = memchr::memchr2(b'\r', b'\n', text) else { return Some(text) };
        let (line, rest) = text.split_at(at);
        let width = if rest.starts_with(b"\r\n") { 2 } else { 1 };
        self.0 = rest.get(width..);
        Some(line)
    }
}
