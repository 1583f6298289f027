//! From Rust values to JSON text that is fit to stand in a message.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::json::one_line;
use crate::scan::{MAX_DEPTH, whole_value};

/// A value that cannot become part of a message.
pub struct EncodeError(Reason);

enum Reason {
    NotJson,
    Structure,
    Serialize(serde_json::Error),
}

impl EncodeError {
    pub(crate) fn not_json() -> Self {
        Self(Reason::NotJson)
    }

    pub(crate) fn structure() -> Self {
        Self(Reason::Structure)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::NotJson => write!(f, "not one JSON value in UTF-8 of at most {MAX_DEPTH} levels"),
            Reason::Structure => f.write_str("params are neither an object nor an array"),
            Reason::Serialize(error) => write!(f, "the value does not serialize: {error}"),
        }
    }
}

impl fmt::Debug for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodeError({self})")
    }
}

impl std::error::Error for EncodeError {}

/// Appends `value` as it stands inside `open` containers.
///
/// What serde_json writes is JSON on one line by construction, with two exceptions that [`Checked`] sees to: depth, and
/// raw fragments.
pub(crate) fn serialize<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
    open: u32,
) -> Result<(), EncodeError> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Checked { depth: open });
    value.serialize(&mut serializer).map_err(|error| EncodeError(Reason::Serialize(error)))
}

/// serde_json's compact form, with a bound on depth and with raw fragments scanned and put on one line.
struct Checked {
    depth: u32,
}

impl Checked {
    fn open(&mut self) -> io::Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(io::Error::other("nested too deeply")) } else { Ok(()) }
    }
}

impl Formatter for Checked {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let invalid = |_| io::Error::other("a raw value is not JSON or is nested too deeply");
        let breaks = whole_value(fragment.as_bytes(), self.depth, MAX_DEPTH).map_err(invalid)?;
        if breaks {
            writer.write_all(&one_line(fragment.as_bytes()))
        } else {
            writer.write_all(fragment.as_bytes())
        }
    }
}
