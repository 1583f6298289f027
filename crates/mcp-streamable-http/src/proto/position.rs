//! Event ids that say where in which stream they stand.

use std::fmt;

use mcp_http::proto::EventId;

/// The longest that a position can be as written: two numbers of 64 bits and a dash.
const MAX_LEN: usize = 41;

/// The place of an event: its stream, of those of one session, and how many events of that stream precede it and it.
///
/// ```
/// use mcp_streamable_http::proto::EventPosition;
/// let position = EventPosition { stream: 3, seq: 17 };
/// assert_eq!(position.to_string(), "3-17");
/// assert_eq!(EventPosition::parse(b"3-17"), Some(position));
/// assert_eq!(EventPosition::parse(b"3-017"), None);
/// ```
///
/// # Spec
///
/// MCP 2025-11-25, transports, Resumability and Redelivery: ids are unique in a session and find their stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventPosition {
    /// The number of the stream.
    pub stream: u64,
    /// The number of the event.
    pub seq: u64,
}

impl EventPosition {
    /// Reads an id as a client sends it back; `None` when it cannot be one of ours.
    ///
    /// A position has one form: two decimal numbers without signs and leading zeros, and a dash between them.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX_LEN)?;
        let (stream, seq) = text.split_once('-')?;
        Some(Self { stream: number(stream)?, seq: number(seq)? })
    }

    /// The id of the event. Every position has one: digits and a dash may stand in an id.
    pub fn to_event_id(self) -> Option<EventId> {
        EventId::new(self.to_string()).ok()
    }
}

fn number(digits: &str) -> Option<u64> {
    let canonical =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (!digits.starts_with('0') || digits == "0");
    if canonical { digits.parse().ok() } else { None }
}

impl fmt::Display for EventPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.seq)
    }
}
