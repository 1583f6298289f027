//! What an event stream consists of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use mcp_jsonrpc::Malformed;

/// What the decoder found next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoded {
    /// An event.
    Event(Event),
    /// An event whose data was too long and was discarded.
    Oversize(OversizeEvent),
    /// An event without any data that set or reset the last event id: there is nothing to deliver, but the next
    /// connection resumes behind it.
    Cursor(Option<EventId>),
    /// How long to wait before the next connection: 0 to 24 hours.
    Retry(Duration),
    /// A comment. It carries nothing, but shows that the peer is alive.
    Comment,
}

/// One event.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What kind of event it is.
    pub name: EventName,
    /// Its data: the values of its `data` lines, joined with line feeds.
    ///
    /// It is the bytes that came in, which need not be UTF-8: the scan of a message refuses them then, with the id if
    /// one can be read, where a replacement character would change a message without a word.
    /// When one line came in one chunk, this is a slice of that chunk and keeps it alive.
    pub data: Bytes,
    /// The last event id as of this event: its own, or that of an earlier one. `None` is the empty id.
    pub id: Option<EventId>,
}

impl Event {
    /// The data, if this is a message that has any.
    ///
    /// An event with an id and an empty `data` line (the priming event of MCP 2025-11-25) moves the cursor and is no
    /// message.
    pub fn into_message(self) -> Option<Bytes> {
        (self.name == EventName::Message && !self.data.is_empty()).then_some(self.data)
    }
}

/// Its name, its id and the length of its data.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name)
            .field("bytes", &self.data.len())
            .field("id", &self.id)
            .finish()
    }
}

/// An event whose data was discarded while it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OversizeEvent {
    /// What kind of event it was.
    pub name: EventName,
    /// [`TooLarge`](mcp_jsonrpc::Fault::TooLarge), with the JSON-RPC id if one could be read and the length of the data.
    pub malformed: Malformed,
    /// The last event id as of this event: the next connection resumes behind it.
    pub id: Option<EventId>,
}

/// The name of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventName {
    /// A JSON-RPC message: `message`, or no name at all.
    #[default]
    Message,
    /// Where messages are to be posted to, in the HTTP+SSE binding: `endpoint`.
    Endpoint,
    /// Something that this project does not know.
    Other(OtherName),
}

impl EventName {
    /// The most bytes of a name. A longer one is cut off by the decoder, and is none of ours in any case.
    pub const MAX_LEN: usize = 256;

    /// The name that is written so.
    ///
    /// # Errors
    ///
    /// When it holds a carriage return or line feed, or is longer than [`EventName::MAX_LEN`].
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self, InvalidField> {
        match name.as_ref() {
            name if name.len() > Self::MAX_LEN => Err(InvalidField::TooLong),
            name if memchr::memchr2(b'\r', b'\n', name).is_some() => Err(InvalidField::Byte),
            name => Ok(Self::of_line(name)),
        }
    }

    /// `name` is known to hold no line end; it is cut off at the limit.
    pub(super) fn of_line(name: &[u8]) -> Self {
        match name {
            b"" | b"message" => Self::Message,
            b"endpoint" => Self::Endpoint,
            other => Self::Other(OtherName(other.get(..Self::MAX_LEN).unwrap_or(other).into())),
        }
    }

    /// The name as it is written.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Message => b"message",
            Self::Endpoint => b"endpoint",
            Self::Other(OtherName(name)) => name,
        }
    }
}

/// A name other than those that MCP gives a meaning; see [`EventName::new`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OtherName(Arc<[u8]>);

impl fmt::Debug for OtherName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The id of an event: one to 1,024 bytes that may stand in a `Last-Event-ID` header.
///
/// An absent id is an `Option`; there is no empty one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventId(Arc<[u8]>);

impl EventId {
    /// The most bytes of an id.
    pub const MAX_LEN: usize = 1024;

    /// The id that is written so.
    ///
    /// # Errors
    ///
    /// When it is empty, longer than [`EventId::MAX_LEN`], or holds a control character other than a tab.
    pub fn new(id: impl AsRef<[u8]>) -> Result<Self, InvalidField> {
        match id.as_ref() {
            [] => Err(InvalidField::Empty),
            id if id.len() > Self::MAX_LEN => Err(InvalidField::TooLong),
            id if id.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) => Err(InvalidField::Byte),
            id => Ok(Self(id.into())),
        }
    }

    /// The id as it was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id, if it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The value of `Last-Event-ID`: the bytes of the id.
    pub fn to_header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.0).ok()
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Why something cannot be the name or the id of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidField {
    /// It is empty.
    #[error("empty")]
    Empty,
    /// It is longer than the limit.
    #[error("too long")]
    TooLong,
    /// It holds a byte that may not stand there.
    #[error("holds a control character")]
    Byte,
}
