//! A JSON value as text, and a look into an object without decoding it.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserializer, Serialize};

use crate::EncodeError;
use crate::encode::serialize;
use crate::envelope::each_member;
use crate::scan::{MAX_DEPTH, Scanner, unescape, whole_value};

/// One JSON value as its text, checked, on one line.
///
/// It is how a result, params or error data that are already text enter a message: through the same scan as everything
/// else, and copied to the byte, except that raw line breaks between tokens become spaces.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    /// Checks a text; blanks around the value are cut off.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when it is not one JSON value in UTF-8, or is nested deeper than a message can hold.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self, EncodeError> {
        let text: Bytes = text.into();
        if std::str::from_utf8(&text).is_err() {
            return Err(EncodeError::not_json());
        }
        // One level is the envelope that it will stand in.
        let breaks = whole_value(&text, 1, MAX_DEPTH).map_err(|_| EncodeError::not_json())?;
        let text = text.slice_ref(text.trim_ascii());
        Ok(Self(if breaks { one_line(&text) } else { text }))
    }

    /// Serializes a value.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when its `Serialize` fails or nests deeper than a message can hold.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        Self::within(value, 1)
    }

    /// Serializes a value that will stand inside `open` containers.
    pub(crate) fn within<T: Serialize + ?Sized>(value: &T, open: u32) -> Result<Self, EncodeError> {
        let mut text = Vec::new();
        serialize(&mut text, value, open)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Decodes the text.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it does not fit `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        decode(&self.0)
    }
}

/// Length only: a value is somebody's data.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// Raw line breaks stand only between tokens, so spaces in their place change no value and no length.
pub(crate) fn one_line(text: &[u8]) -> Bytes {
    let mut text = text.to_vec();
    flatten(&mut text);
    text.into()
}

/// The same, in place.
pub(crate) fn flatten(text: &mut [u8]) {
    for byte in text {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

pub(crate) fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(text).map_err(|error| DecodeError { error })
}

/// The text of a string that passed the scan, with replacement characters for lone surrogates.
///
/// Programs that cut a text after so many UTF-16 units write them, and what they have to say is still worth reading.
pub(crate) fn text_lossy(value: &[u8]) -> Option<String> {
    struct Lossy;
    impl Visitor<'_> for Lossy {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            // serde_json gives a lone surrogate as three bytes that are not UTF-8.
            Ok(String::from_utf8_lossy(bytes).replace("\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}"))
        }
    }
    match decode(value) {
        Ok(text) => Some(text),
        Err(_) => serde_json::Deserializer::from_slice(value).deserialize_bytes(Lossy).ok(),
    }
}

/// A look at the members of a JSON object, without decoding any of them.
///
/// ```
/// let object = mcp_jsonrpc::Object::new(br#"{"_meta":{"progressToken":1e2}}"#).unwrap();
/// let meta = object.object("_meta").unwrap();
/// assert_eq!(meta.get("progressToken"), Some(&b"1e2"[..]));
/// assert_eq!(meta.get("progresstoken"), None);
/// ```
#[derive(Clone, Copy)]
pub struct Object<'a>(&'a [u8]);

impl<'a> Object<'a> {
    /// `None` when the text is no JSON object.
    pub fn new(text: &'a [u8]) -> Option<Self> {
        let checked = std::str::from_utf8(text).is_ok() && whole_value(text, 0, MAX_DEPTH).is_ok();
        checked.then(|| text.trim_ascii()).and_then(Self::scanned)
    }

    /// A look at a value that passed the scan; `None` when it is no object.
    pub(crate) fn scanned(value: &'a [u8]) -> Option<Self> {
        value.starts_with(b"{").then_some(Self(value))
    }

    /// The value of a key as it is written; the last one where the key stands twice, as most readers take it.
    ///
    /// Takes one pass over the object.
    pub fn get(&self, key: &str) -> Option<&'a [u8]> {
        let mut found = None;
        let mut scanner = Scanner::new(self.0, MAX_DEPTH);
        let passed = each_member(&mut scanner, 1, |member, bytes| {
            let name = member.key.of(bytes);
            let same = match member.key_escaped {
                true => unescape(name).is_some_and(|name| name == key),
                false => name == key.as_bytes(),
            };
            if same {
                found = Some(member.value);
            }
        });
        passed.ok().and(found).map(|span| span.of(self.0))
    }

    /// The value of a key as an object, which is not scanned again; `None` when it is absent or none.
    pub fn object(&self, key: &str) -> Option<Self> {
        self.get(key).and_then(Self::scanned)
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} bytes)", self.0.len())
    }
}

/// A value did not fit the type that was asked for.
///
/// `Display` and `Debug` say what and where and never quote the value; [`DecodeError::detail`] may.
pub struct DecodeError {
    error: serde_json::Error,
}

impl DecodeError {
    /// serde's own words, which may quote the value.
    pub fn detail(&self) -> String {
        self.error.to_string()
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value does not fit the type asked for, at column {}", self.error.column())
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({:?}, column {})", self.error.classify(), self.error.column())
    }
}

impl std::error::Error for DecodeError {}
