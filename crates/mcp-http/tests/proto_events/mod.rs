//! Event streams in any chunks, in a form that a table can hold, and a naive twin of the decoder.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part, and helpers of tests panic")]

use std::time::Duration;

use bytes::Bytes;
use mcp_http::proto::{Decoded, EventDecoder, EventId, EventLimits};

/// What comes of a stream that arrives in these pieces, and the last event id after its end.
///
/// Never holds more than the limits.
pub(crate) fn decode<'a>(
    limits: EventLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<String>, Option<String>) {
    let mut decoder = EventDecoder::new(limits);
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        for decoded in &mut decoder {
            found.push(show(&decoded));
        }
        assert!(decoder.buffered() <= limits.max_data + 2 * EventId::MAX_LEN + 1, "{}", decoder.buffered());
    }
    decoder.finish();
    assert_eq!(decoder.next(), None, "nothing is behind the end");
    assert_eq!(decoder.buffered(), 0);
    (found, decoder.last_event_id().map(|id| escape(id.as_bytes())))
}

/// `name: data #id`, or what else it is.
pub(crate) fn show(decoded: &Decoded) -> String {
    let id_of = |id: &Option<EventId>| match id {
        Some(id) => format!(" #{}", escape(id.as_bytes())),
        None => String::new(),
    };
    match decoded {
        Decoded::Event(event) => {
            format!("{}: {}{}", escape(event.name.as_bytes()), escape(&event.data), id_of(&event.id))
        }
        Decoded::Oversize(event) => {
            let (name, malformed) = (escape(event.name.as_bytes()), &event.malformed);
            let (id, form, len) = (malformed.id(), malformed.form(), malformed.input_len());
            format!("{name}: {} {id:?} {form:?} {len}{}", malformed.fault(), id_of(&event.id))
        }
        Decoded::Cursor(id) => format!("cursor{}", id_of(id)),
        Decoded::Retry(wait) => format!("retry {}", wait.as_millis()),
        Decoded::Comment => "comment".to_owned(),
        _ => unreachable!("unknown to this test"),
    }
}

/// As it stands in a table: text as it is, control characters and what is not UTF-8 escaped.
fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                ' '.. if !character.is_control() => out.push(character),
                other => out.extend(other.escape_default()),
            }
        }
        out.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    out
}

/// What the standard says, in the plainest way, on the whole stream at once. No limit is reached.
pub(crate) fn twin(input: &[u8]) -> (Vec<String>, Option<String>) {
    let mut rest = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let mut found = Vec::new();
    let (mut data, mut name, mut id): (Vec<u8>, Vec<u8>, Vec<u8>) = Default::default();
    let mut last_id = Vec::new();
    while let Some(at) = rest.iter().position(|byte| b"\r\n".contains(byte)) {
        let line = &rest[..at];
        rest = &rest[at + if rest[at..].starts_with(b"\r\n") { 2 } else { 1 }..];
        if line.is_empty() {
            let moved = last_id != id;
            last_id.clone_from(&id);
            let tail = if id.is_empty() { String::new() } else { format!(" #{}", escape(&id)) };
            if data.pop().is_some() {
                let name = if name.is_empty() { "message".to_owned() } else { escape(&name) };
                found.push(format!("{name}: {}{tail}", escape(&data)));
            } else if moved {
                found.push(format!("cursor{tail}"));
            }
            data.clear();
            name.clear();
            continue;
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(0) => {
                found.push("comment".to_owned());
                continue;
            }
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => data.extend(value.iter().chain(b"\n")),
            b"id" if value.is_empty() || EventId::new(value).is_ok() => id = value.to_vec(),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let wait = std::str::from_utf8(value).unwrap().parse().unwrap_or(u64::MAX);
                let day = Duration::from_secs(24 * 60 * 60);
                found.push(format!("retry {}", Duration::from_millis(wait).min(day).as_millis()));
            }
            _ => {}
        }
    }
    (found, (!last_id.is_empty()).then(|| escape(&last_id)))
}
