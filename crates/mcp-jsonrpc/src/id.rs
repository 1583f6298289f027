//! Request ids.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use crate::scan::unescape;

/// Room for ids that need no allocation: every integer of 64 bits, and a UUID with its quotes.
const INLINE: usize = 46;

/// The id of a request: a string or an integer.
///
/// It is kept as it was written, so that an answer echoes it to the byte, and compared by value: `"a\u0062"` is `"ab"`,
/// and `1` is not `"1"`.
/// An integer may have any number of digits; `1.0` and `1e2` are no ids.
///
/// # Spec
///
/// MCP 2025-11-25, basic, Requests: a string or integer, never null.
#[derive(Clone)]
pub struct Id(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, text: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Id {
    /// Reads an id as it stands in a message: digits, or a string with its quotes.
    ///
    /// `None` when it is something else, or a string with a lone surrogate.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        match text {
            [b'"', inside @ .., b'"'] => {
                std::str::from_utf8(inside).ok()?;
                let text_ok = match memchr::memchr(b'\\', inside) {
                    Some(_) => unescape(inside).is_some(),
                    None => inside.iter().all(|&byte| byte >= 0x20 && byte != b'"'),
                };
                text_ok.then(|| Self::keep(text))
            }
            _ => is_integer(text).then(|| Self::keep(text)),
        }
    }

    /// `text` is known to be an id.
    pub(crate) fn keep(text: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        Self(match inline.get_mut(..text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                Repr::Inline { len: text.len() as u8, text: inline }
            }
            None => Repr::Heap(text.into()),
        })
    }

    /// The id as it is written in JSON: digits, or a string with its quotes and escapes.
    pub fn as_json(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, text } => text.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Heap(text) => text,
        }
    }

    /// The integer, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        std::str::from_utf8(self.as_json()).ok()?.parse().ok()
    }

    /// The string, its escapes resolved, if it is one.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        let [b'"', inside @ .., b'"'] = self.as_json() else { return None };
        match memchr::memchr(b'\\', inside) {
            Some(_) => unescape(inside).map(Cow::Owned),
            None => std::str::from_utf8(inside).ok().map(Cow::Borrowed),
        }
    }

    /// What equality and hashing look at: `-0` is `0`, and a string counts with its escapes resolved.
    fn value(&self) -> (bool, Cow<'_, [u8]>) {
        match self.as_json() {
            b"-0" => (false, Cow::Borrowed(b"0")),
            [b'"', inside @ .., b'"'] => match memchr::memchr(b'\\', inside) {
                Some(_) => (true, Cow::Owned(unescape(inside).unwrap_or_default().into_bytes())),
                None => (true, Cow::Borrowed(inside)),
            },
            digits => (false, Cow::Borrowed(digits)),
        }
    }
}

/// `-?(0|[1-9][0-9]*)`
pub(crate) fn is_integer(text: &[u8]) -> bool {
    match text.strip_prefix(b"-").unwrap_or(text) {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json() || self.value() == other.value()
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value().hash(state);
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As written in JSON, with control characters escaped and cut after 64 bytes: what a log line needs.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.as_json());
        for (at, character) in text.char_indices() {
            if at + character.len_utf8() > 64 {
                return f.write_char('…');
            }
            if character.is_control() {
                write!(f, "\\u{:04x}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

impl From<i64> for Id {
    fn from(number: i64) -> Self {
        let digits = number.unsigned_abs().into();
        if number < 0 { Self::digits(b"-", digits) } else { Self::digits(b"", digits) }
    }
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self::digits(b"", number.into())
    }
}

impl From<i32> for Id {
    fn from(number: i32) -> Self {
        i64::from(number).into()
    }
}

impl From<u32> for Id {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl Id {
    /// Writes digits without an allocation: a caller makes one id for each request.
    fn digits(sign: &[u8], mut number: u128) -> Self {
        let mut text = [0; INLINE];
        let mut at = INLINE;
        loop {
            at -= 1;
            text[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        if let [sign] = sign {
            at -= 1;
            text[at] = *sign;
        }
        Self::keep(text.get(at..).unwrap_or_default())
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        // A string serializes without fail; the empty id is what a reader would see if that ever changed.
        Self::keep(&serde_json::to_vec(text).unwrap_or_else(|_| b"\"\"".to_vec()))
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}
