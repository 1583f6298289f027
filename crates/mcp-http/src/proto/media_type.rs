//! `Accept` and `Content-Type`, as far as MCP needs them.
//!
//! # Spec
//!
//! RFC 9110, 8.3.1 (media types), 8.3.2 (charset), 12.4.2 (weights), 12.5.1 (`Accept`).

use http::{HeaderMap, header};

/// What MCP sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaType {
    /// `application/json`
    Json,
    /// `text/event-stream`
    EventStream,
}

/// What a body says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentType {
    /// `application/json` in UTF-8, whatever its other parameters.
    Json,
    /// `application/json` with a charset other than UTF-8.
    JsonInOtherCharset,
    /// `text/event-stream`, which is UTF-8 whatever its parameters say.
    EventStream,
    /// Something else, or nothing that can be read.
    Other,
    /// It does not say.
    Missing,
    /// It says so more than once.
    Several,
}

/// What clients of Streamable HTTP write, which allows both types.
const BOTH: [&[u8]; 2] = [b"application/json, text/event-stream", b"text/event-stream, application/json"];

impl ContentType {
    /// Reads the `Content-Type` of a request or a response.
    ///
    /// The type is compared whole and without regard to case; parameters that cannot be read count for nothing.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(value) = values.next() else { return Self::Missing };
        if values.next().is_some() {
            return Self::Several;
        }
        if value.as_bytes() == MediaType::Json.as_str().as_bytes() {
            return Self::Json;
        }
        let mut parts = split(value.as_bytes(), b';');
        let name = parts.next().unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(MediaType::EventStream.as_str().as_bytes()) {
            Self::EventStream
        } else if !name.eq_ignore_ascii_case(MediaType::Json.as_str().as_bytes()) {
            Self::Other
        } else if parts.filter_map(|part| value_of(part, b"charset")).all(is_utf8) {
            Self::Json
        } else {
            Self::JsonInOtherCharset
        }
    }
}

/// Whether the `Accept` of a request allows every [`MediaType`] in the words that most clients write. One that does not
/// may allow them all the same: this spares most requests the reading of it, and decides nothing.
pub(crate) fn accepts_all(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter();
    matches!((values.next(), values.next()), (Some(only), None) if BOTH.contains(&only.as_bytes()))
}

impl MediaType {
    /// The type as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::EventStream => "text/event-stream",
        }
    }

    /// Whether the `Accept` headers of a request, or their absence, allow this type.
    ///
    /// The most specific range decides, so that `text/event-stream;q=0, */*` does not allow an event stream.
    /// Parts that cannot be read are ignored, and so are parameters other than `q`.
    pub fn is_accepted(self, headers: &HeaderMap) -> bool {
        let mut anything_said = false;
        let mut best = (0, false);
        let values = headers.get_all(header::ACCEPT).iter();
        for part in values.flat_map(|value| split(value.as_bytes(), b',')) {
            anything_said |= !part.trim_ascii().is_empty();
            let (range, parameters) = match memchr::memchr(b';', part) {
                None => (part, &b""[..]),
                Some(at) => part.split_at(at),
            };
            let specificity = self.specificity(range.trim_ascii());
            let weight = split(parameters, b';').find_map(|piece| value_of(piece, b"q"));
            let Some(allowed) = weight.map_or(Some(true), is_above_zero) else { continue };
            if specificity > best.0 {
                best = (specificity, allowed);
            } else if specificity == best.0 {
                best.1 |= allowed;
            }
        }
        !anything_said || best.0 > 0 && best.1
    }

    /// How closely a range fits this type; 0 is not at all.
    fn specificity(self, range: &[u8]) -> u8 {
        let family: &[u8] = match self {
            Self::Json => b"application/*",
            Self::EventStream => b"text/*",
        };
        if range.eq_ignore_ascii_case(self.as_str().as_bytes()) {
            3
        } else if range.eq_ignore_ascii_case(family) {
            2
        } else {
            u8::from(range == b"*/*")
        }
    }
}

/// The pieces between separators that stand outside of quoted strings.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let has_quotes = memchr::memchr(b'"', text).is_some();
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |&byte| {
        match byte {
            _ if !has_quotes => return byte == separator,
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return !quoted && byte == separator,
        }
        false
    })
}

/// The value of a parameter, if it is the one that is asked for.
fn value_of<'a>(parameter: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let equals = memchr::memchr(b'=', parameter)?;
    let (written, value) = parameter.split_at(equals);
    written.trim_ascii().eq_ignore_ascii_case(name).then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

fn is_utf8(charset: &[u8]) -> bool {
    let bare = charset.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(charset);
    // The second is no registered name, and is written all the same.
    bare.eq_ignore_ascii_case(b"utf-8") || bare.eq_ignore_ascii_case(b"utf8")
}

/// Whether a weight lets its range pass; `None` when it is no weight.
fn is_above_zero(weight: &[u8]) -> Option<bool> {
    let (whole, fraction) = match memchr::memchr(b'.', weight) {
        None => (weight, &b""[..]),
        Some(at) => (weight.get(..at)?, weight.get(at + 1..)?),
    };
    let digits = fraction.len() <= 3 && fraction.iter().all(u8::is_ascii_digit);
    let zeros = fraction.iter().all(|&byte| byte == b'0');
    match whole {
        b"0" if digits => Some(!zeros),
        b"1" if digits && zeros => Some(true),
        _ => None,
    }
}
