//! Reads the id out of an input that is thrown away.

use std::fmt;

use crate::scan::unescape;
use crate::{Form, Id};

/// The longest id that is kept while an input is discarded, in bytes as written.
const MAX_ID: usize = 256;
/// Bytes that are kept of a key. The longest of ours, with every character as a `\u` escape, has 36; what was cut has
/// at least eight characters and so is none of them.
const MAX_KEY: usize = 48;

/// Follows an input that is being discarded and keeps its top-level id.
///
/// Only depth and string state are followed, so it takes any bytes, in pieces, in a fixed amount of memory.
/// An id of more than 256 bytes is not kept.
/// It goes on to the end, because some programs write the id last.
///
/// ```
/// let mut salvage = mcp_jsonrpc::Salvage::new();
/// for piece in [&br#"{"method":"x","params":{"id":1,"a":["#[..], &br#""]}"]},"i"#[..], &br#"d":"seven"}"#[..]] {
///     salvage.push(piece);
/// }
/// assert_eq!(salvage.finish().id, Some("seven".into()));
/// ```
pub struct Salvage {
    at: At,
    depth: u64,
    /// Inside a string, whether the last byte was a backslash.
    escape: bool,
    /// The key that is being read or whose value is being read.
    key: Vec<u8>,
    /// The value of `id`, while it is being read.
    value: Vec<u8>,
    keep_value: bool,
    ids: u32,
    id: Option<Id>,
    method: bool,
    outcome: bool,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the opening brace.
    Start,
    /// At depth 1, where a key may begin.
    Key,
    InKey,
    /// Behind a key, before its colon.
    Colon,
    /// In a value of the envelope, outside strings.
    Value,
    InString,
    /// Behind the envelope, or the input is no object.
    Done,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// The id, if exactly one stood at the top level, complete and of an allowed kind.
    pub id: Option<Id>,
    /// What the input was probably meant to be.
    pub form: Form,
}

/// Where it stands; never what it has read.
impl fmt::Debug for Salvage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Salvage").field("at", &self.at).field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl Default for Salvage {
    fn default() -> Self {
        Self::new()
    }
}

impl Salvage {
    /// Begins with the first byte of an input.
    pub fn new() -> Self {
        Self {
            at: At::Start,
            depth: 0,
            escape: false,
            key: Vec::new(),
            value: Vec::new(),
            keep_value: false,
            ids: 0,
            id: None,
            method: false,
            outcome: false,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let [byte, tail @ ..] = rest {
            if self.at == At::Done {
                return;
            }
            if self.at == At::InString && !self.keep_value && !self.escape {
                // Nothing in this string matters but its end.
                let Some(stop) = memchr::memchr2(b'"', b'\\', rest) else { return };
                let (_, from_stop) = rest.split_at(stop);
                let [byte, tail @ ..] = from_stop else { return };
                self.step(*byte);
                rest = tail;
                continue;
            }
            self.step(*byte);
            rest = tail;
        }
    }

    /// Ends the input.
    pub fn finish(self) -> Salvaged {
        let form = match (self.method, self.outcome) {
            (true, _) => Form::Request,
            (false, true) => Form::Response,
            (false, false) => Form::Unknown,
        };
        Salvaged { id: self.id.filter(|_| self.ids == 1), form }
    }

    fn step(&mut self, byte: u8) {
        match self.at {
            At::Start => match byte {
                b'{' => (self.at, self.depth) = (At::Key, 1),
                b' ' | b'\t' | b'\n' | b'\r' => {}
                _ => self.at = At::Done,
            },
            At::Key => match byte {
                b'"' => {
                    self.key.clear();
                    self.at = At::InKey;
                }
                b'}' => self.at = At::Done,
                _ => {}
            },
            At::InKey => {
                if self.string_ends(byte) {
                    self.at = At::Colon;
                } else if self.key.len() < MAX_KEY {
                    self.key.push(byte);
                }
            }
            At::Colon => match byte {
                b':' => self.begin_value(),
                b' ' | b'\t' | b'\n' | b'\r' => {}
                // Whose value comes next is a guess from here on, and a wrong id is worse than none.
                _ => self.at = At::Done,
            },
            At::Value => self.in_value(byte),
            At::InString => {
                let ended = self.string_ends(byte);
                self.keep(byte);
                if ended {
                    self.at = At::Value;
                }
            }
            At::Done => {}
        }
    }

    /// In a string: follows escapes, and says whether this byte is the closing quote.
    fn string_ends(&mut self, byte: u8) -> bool {
        if self.escape {
            self.escape = false;
            return false;
        }
        self.escape = byte == b'\\';
        byte == b'"'
    }

    fn begin_value(&mut self) {
        self.at = At::Value;
        self.value.clear();
        let name = if self.key.contains(&b'\\') {
            unescape(&self.key).unwrap_or_default().into_bytes()
        } else {
            std::mem::take(&mut self.key)
        };
        self.keep_value = name == b"id";
        self.ids = self.ids.saturating_add(u32::from(self.keep_value));
        self.method |= name == b"method";
        self.outcome |= name == b"result" || name == b"error";
    }

    fn in_value(&mut self, byte: u8) {
        match byte {
            b'"' => self.at = At::InString,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if self.depth > 1 => self.depth -= 1,
            b'}' | b']' => {
                self.end_value();
                self.at = At::Done;
                return;
            }
            b',' if self.depth == 1 => {
                self.end_value();
                self.at = At::Key;
                return;
            }
            _ => {}
        }
        self.keep(byte);
    }

    fn keep(&mut self, byte: u8) {
        // One byte over the bound is kept, so that what is too long is known to be.
        if self.keep_value && self.value.len() <= MAX_ID {
            self.value.push(byte);
        }
    }

    fn end_value(&mut self) {
        if self.keep_value {
            let text = self.value.trim_ascii();
            self.id = if text.len() <= MAX_ID { Id::from_json(text) } else { None };
            self.keep_value = false;
        }
    }
}
