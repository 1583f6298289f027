//! Reads an event stream.

use std::fmt;

use bytes::Bytes;

use super::event::{Decoded, EventId};
use super::interpreter::Interpreter;

/// What the decoder holds at most, besides one chunk.
///
/// The id of an event is bounded by [`EventId::MAX_LEN`], its name by
/// [`EventName::MAX_LEN`](super::EventName::MAX_LEN); comments and unknown fields are not kept at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventLimits {
    /// Bytes of the data of one event, inclusive. Default 16 MiB, as for a message of any transport.
    pub max_data: usize,
    /// Fields of one event, inclusive, comments not counted. Default 1,048,576: far beyond any indented JSON text of
    /// the size above that somebody sends, and few enough to be read in milliseconds.
    pub max_fields: u32,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self { max_data: 16 * 1024 * 1024, max_fields: 1 << 20 }
    }
}

impl EventLimits {
    /// Sets [`EventLimits::max_data`].
    #[must_use]
    pub fn with_max_data(mut self, max_data: usize) -> Self {
        self.max_data = max_data;
        self
    }

    /// Sets [`EventLimits::max_fields`].
    #[must_use]
    pub fn with_max_fields(mut self, max_fields: u32) -> Self {
        self.max_fields = max_fields;
        self
    }
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = *b"\xEF\xBB\xBF";

/// Reads events from chunks: `push` a chunk, then take what [`next`](Iterator::next) gives until it gives nothing.
///
/// Where the chunks begin and end makes no difference, and every byte is looked at once.
/// An event is handed out with the line end of its blank line, also when that is a carriage return whose line feed
/// has not come yet.
///
/// An event over the limits is discarded while it is read and reported as [`Decoded::Oversize`], with its JSON-RPC id
/// if it has one that can be read; the next event is read as usual.
///
/// ```
/// use mcp_http::proto::{Decoded, EventDecoder, EventLimits};
///
/// let mut decoder = EventDecoder::new(EventLimits::default());
/// decoder.push("event: endpoint\r\ndata: /mess"[..].into());
/// assert_eq!(decoder.next(), None);
/// decoder.push("ages?sessionId=1\r\n\r".into());
/// let Some(Decoded::Event(event)) = decoder.next() else { unreachable!() };
/// assert_eq!(event.data, "/messages?sessionId=1");
/// ```
///
/// # Spec
///
/// WHATWG HTML, 9.2.5 and 9.2.6, with these differences:
/// bytes that are not UTF-8 stay as they are (see [`Event::data`](super::Event::data));
/// an id is ignored not only when it has a NUL, but whenever it is no [`EventId`], because it could not be sent back;
/// a wait is cut to 24 hours.
pub struct EventDecoder {
    chunk: Bytes,
    /// How much of the chunk was read.
    at: usize,
    /// How many bytes of a byte order mark the stream began with; all three also when it is certain that it has none.
    mark: usize,
    /// The last line ended with a carriage return: a line feed that follows belongs to it.
    after_carriage_return: bool,
    interpreter: Interpreter,
}

impl EventDecoder {
    /// Begins a stream.
    pub fn new(limits: EventLimits) -> Self {
        Self {
            chunk: Bytes::new(),
            at: 0,
            mark: 0,
            after_carriage_return: false,
            interpreter: Interpreter::new(limits),
        }
    }

    /// Begins a stream that resumes behind an event of an earlier one.
    #[must_use]
    pub fn with_last_event_id(mut self, id: Option<EventId>) -> Self {
        self.interpreter.last_id = id;
        self
    }

    /// Takes the next chunk.
    ///
    /// What was not yet read of the one before is copied in front of it, so it is better read first.
    pub fn push(&mut self, chunk: Bytes) {
        let unread = self.unread();
        self.chunk = if unread.is_empty() { chunk } else { [unread, &chunk].concat().into() };
        self.at = 0;
    }

    /// Ends the stream: an event without its blank line is dropped, and its id with it. Whether there was one.
    ///
    /// The decoder is then at the beginning of a new stream, which resumes behind the last event.
    pub fn finish(&mut self) -> bool {
        let unread = !self.unread().is_empty();
        (self.chunk, self.at, self.mark, self.after_carriage_return) = (Bytes::new(), 0, 0, false);
        self.interpreter.finish() || unread
    }

    /// The id of the last event, for `Last-Event-ID`. `None` is the empty id.
    pub fn last_event_id(&self) -> Option<&EventId> {
        self.interpreter.last_id.as_ref()
    }

    /// Bytes that are held of an unfinished event, and of a chunk that is not yet read.
    ///
    /// Never more than [`EventLimits::max_data`], twice the longest id, and the unread chunk.
    pub fn buffered(&self) -> usize {
        self.unread().len() + self.interpreter.held()
    }

    fn unread(&self) -> &[u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }

    /// Lets go of a chunk that was read: only the events that are slices of it keep it alive.
    fn release(&mut self) -> Option<Decoded> {
        (self.chunk, self.at) = (Bytes::new(), 0);
        None
    }
}

/// Where it stands; never what it holds.
impl fmt::Debug for EventDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventDecoder")
            .field("buffered", &self.buffered())
            .field("last_event_id", &self.last_event_id())
            .finish_non_exhaustive()
    }
}

impl Iterator for EventDecoder {
    type Item = Decoded;

    /// The next thing that is complete. After `None` another chunk is due; it is not the end.
    fn next(&mut self) -> Option<Decoded> {
        loop {
            let rest = self.chunk.get(self.at..).unwrap_or_default();
            let Some(&first) = rest.first() else {
                return self.release();
            };
            if std::mem::take(&mut self.after_carriage_return) && first == b'\n' {
                self.at += 1;
                continue;
            }
            // 9.2.5: one leading byte order mark is ignored. What only begins like one begins the name of a field, and
            // that is a field that nobody knows.
            if let Some(expected) = BYTE_ORDER_MARK.get(self.mark) {
                if first == *expected {
                    self.mark += 1;
                    self.at += 1;
                    continue;
                }
                if self.mark > 0 {
                    self.interpreter.ignore_line();
                }
                self.mark = BYTE_ORDER_MARK.len();
            }
            // 9.2.5: lines end with CR LF, LF or CR. Most blank lines are found without a search.
            let end = if first == b'\n' { Some(0) } else { memchr::memchr2(b'\n', b'\r', rest) };
            let Some(end) = end else {
                self.interpreter.piece(rest);
                return self.release();
            };
            self.after_carriage_return = rest.get(end) == Some(&b'\r');
            let from = self.at;
            self.at += end + 1;
            if let Some(decoded) = self.interpreter.line(&self.chunk, from, from + end) {
                return Some(decoded);
            }
        }
    }
}
