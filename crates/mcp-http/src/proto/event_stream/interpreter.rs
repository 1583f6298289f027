//! What the lines of an event stream mean.

use bytes::Bytes;

use super::decoder::EventLimits;
use super::event::{Decoded, Event, EventId, EventName, OversizeEvent};
use super::fields::{Data, Digits, Field, freeze};

/// Reads lines, whole or in pieces; the numbers in its comments are the steps of WHATWG HTML 9.2.6.
pub(super) struct Interpreter {
    limits: EventLimits,
    line: Line,
    /// The value of `event` or `id`, while it comes in pieces; one byte over its limit at most.
    value: Vec<u8>,
    data: Data,
    /// How long the last event was that came in pieces: so much room is made for the next one.
    expected: usize,
    name: EventName,
    /// The last event id buffer, when it differs in anything from `last_id`.
    id: Option<Option<EventId>>,
    fields: u32,
    /// The last event id string.
    pub(super) last_id: Option<EventId>,
}

/// How far a line was read that came without its end.
///
/// ```text
/// Start ──▶ Name ──colon──▶ Colon ──▶ Value
///   │        └── no name of ours ──▶ Ignored
///   └── colon ──▶ Comment
/// ```
#[derive(Default)]
enum Line {
    #[default]
    Start,
    Name {
        len: usize,
        text: [u8; Field::MAX_NAME],
    },
    /// Behind the colon, where one space may follow.
    Colon(Field),
    Value(Field),
    Retry(Digits),
    Ignored,
    Comment,
}

impl Interpreter {
    pub(super) fn new(limits: EventLimits) -> Self {
        Self {
            limits,
            line: Line::Start,
            value: Vec::new(),
            data: Data::Nothing,
            expected: 0,
            name: EventName::Message,
            id: None,
            fields: 0,
            last_id: None,
        }
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.data.held() + self.value.capacity()
    }

    /// The rest of this line means nothing.
    pub(super) fn ignore_line(&mut self) {
        self.line = Line::Ignored;
    }

    /// Takes the rest of a line, from its beginning or from behind the pieces of it that came before.
    pub(super) fn line(&mut self, chunk: &Bytes, from: usize, to: usize) -> Option<Decoded> {
        let text = chunk.get(from..to).unwrap_or_default();
        if !matches!(self.line, Line::Start) {
            self.piece(text);
            return self.end_line();
        }
        match text {
            // 1. If the line is empty, dispatch the event.
            [] => return self.dispatch(),
            // 2. If the line starts with a colon, ignore the line.
            [b':', ..] => return Some(Decoded::Comment),
            // 3. If the line contains a colon, what is before it is the name, and what is behind it, without one
            // leading space, is the value. This is the field that most lines are.
            [b'd', b'a', b't', b'a', b':', value @ ..] => {
                let from = to - value.strip_prefix(b" ").unwrap_or(value).len();
                self.data.line(chunk.slice(from..to), self.limits.max_data);
            }
            _ => {
                let colon = memchr::memchr(b':', text).unwrap_or(text.len());
                let (name, rest) = text.split_at(colon);
                // 4. Otherwise the whole line is the name, and the value is empty.
                let value = rest.get(1..).unwrap_or_default();
                let value = value.strip_prefix(b" ").unwrap_or(value);
                match Field::of(name) {
                    Some(Field::Data) => self.data.line(Bytes::new(), self.limits.max_data),
                    Some(Field::Event) => self.name = EventName::of_line(value),
                    Some(Field::Id) => self.set_id(value),
                    Some(Field::Retry) => {
                        let mut digits = Digits::default();
                        digits.push(value);
                        self.count_field();
                        return digits.finish().map(Decoded::Retry);
                    }
                    // "Otherwise: The field is ignored."
                    None => {}
                }
            }
        }
        self.count_field();
        None
    }

    /// Takes a piece of a line, which holds no line end.
    pub(super) fn piece(&mut self, mut piece: &[u8]) {
        while let [first, rest @ ..] = piece {
            match &mut self.line {
                Line::Start if *first == b':' => self.line = Line::Comment,
                Line::Start => self.line = Line::Name { len: 0, text: [0; Field::MAX_NAME] },
                Line::Name { len, text } if *first == b':' => {
                    let field = Field::of(text.get(..*len).unwrap_or_default());
                    self.begin_value(field);
                    piece = rest;
                }
                Line::Name { len, text } => match text.get_mut(*len) {
                    Some(room) => {
                        *room = *first;
                        *len += 1;
                        piece = rest;
                    }
                    None => self.line = Line::Ignored,
                },
                Line::Colon(field) => {
                    if *first == b' ' {
                        piece = rest;
                    }
                    self.line = match field {
                        Field::Retry => Line::Retry(Digits::default()),
                        field => Line::Value(*field),
                    };
                }
                Line::Value(Field::Data) => {
                    return self.data.push(piece, self.limits.max_data, self.expected);
                }
                Line::Value(_) => {
                    let room = (EventId::MAX_LEN + 1).saturating_sub(self.value.len());
                    let kept = piece.get(..room).unwrap_or(piece);
                    return self.value.extend_from_slice(kept);
                }
                Line::Retry(digits) => return digits.push(piece),
                Line::Ignored | Line::Comment => return,
            }
        }
    }

    /// The name of the field is known, and its value begins.
    fn begin_value(&mut self, field: Option<Field>) {
        self.value.clear();
        if field == Some(Field::Data) {
            self.data.begin_line(self.limits.max_data);
        }
        self.line = field.map_or(Line::Ignored, Line::Colon);
    }

    /// Ends a line that came in pieces.
    fn end_line(&mut self) -> Option<Decoded> {
        if let Line::Name { len, text } = &self.line {
            let field = Field::of(text.get(..*len).unwrap_or_default());
            self.begin_value(field);
        }
        let mut found = None;
        match std::mem::take(&mut self.line) {
            Line::Comment => return Some(Decoded::Comment),
            Line::Colon(Field::Event) | Line::Value(Field::Event) => {
                self.name = EventName::of_line(&self.value)
            }
            Line::Colon(Field::Id) | Line::Value(Field::Id) => {
                let value = std::mem::take(&mut self.value);
                self.set_id(&value);
            }
            Line::Retry(digits) => found = digits.finish().map(Decoded::Retry),
            // Data has gone to its buffer, and what is empty, unknown or no name changes nothing.
            Line::Colon(_) | Line::Value(_) | Line::Ignored | Line::Start | Line::Name { .. } => {}
        }
        self.value = Vec::new();
        self.count_field();
        found
    }

    /// "If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field value."
    fn set_id(&mut self, value: &[u8]) {
        if value.is_empty() {
            self.id = Some(None);
        } else if let Ok(id) = EventId::new(value) {
            self.id = Some(Some(id));
        }
    }

    fn count_field(&mut self) {
        self.fields = self.fields.saturating_add(1);
        if self.fields > self.limits.max_fields {
            self.data.discard();
        }
    }

    fn dispatch(&mut self) -> Option<Decoded> {
        self.fields = 0;
        // 1. Set the last event ID string to the last event ID buffer.
        let moved = self.id.take().is_some_and(|id| {
            let moved = id != self.last_id;
            self.last_id = id;
            moved
        });
        // 5, 6. The type is `message` or the event type buffer. 7. Both buffers are emptied, also for the next step.
        let name = std::mem::take(&mut self.name);
        let data = match std::mem::take(&mut self.data) {
            // 2. If the data buffer is empty, return. It is not for an empty `data` line, which leaves a line feed.
            Data::Nothing => return moved.then(|| Decoded::Cursor(self.last_id.clone())),
            // 3. One line feed at the end is removed: here it was never put there.
            Data::Slice(data) => data,
            Data::Joined(data) => {
                self.expected = data.len();
                freeze(data)
            }
            Data::Discarded(discarded) => {
                let malformed = discarded.report();
                return Some(Decoded::Oversize(OversizeEvent { name, malformed, id: self.last_id.clone() }));
            }
        };
        // 4, 8. Create the event and hand it out.
        Some(Decoded::Event(Event { name, data, id: self.last_id.clone() }))
    }

    /// "Once the end of the file is reached, any pending data must be discarded."
    pub(super) fn finish(&mut self) -> bool {
        let last_id = self.last_id.take();
        let fresh = Self { last_id, expected: self.expected, ..Self::new(self.limits) };
        let old = std::mem::replace(self, fresh);
        old.fields > 0 || !matches!(old.line, Line::Start)
    }
}
