//! From Rust values to JSON text that is fit to stand in a message.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::json::flatten;
use crate::scan::{MAX_DEPTH, whole_value};

/// A value that cannot become part of a message.
pub struct EncodeError(Reason);

enum Reason {
    NotJson,
    Structure,
    TooLarge,
    Serialize(serde_json::Error),
}

impl EncodeError {
    pub(crate) fn not_json() -> Self {
        Self(Reason::NotJson)
    }

    pub(crate) fn structure() -> Self {
        Self(Reason::Structure)
    }

    pub(crate) fn too_large() -> Self {
        Self(Reason::TooLarge)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::NotJson => write!(f, "not one JSON value in UTF-8 of at most {MAX_DEPTH} levels"),
            Reason::Structure => f.write_str("params are neither an object nor an array"),
            Reason::TooLarge => f.write_str("the message would be longer than 4 GiB"),
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

/// Appends `value` as it stands inside `open` containers, on one line.
///
/// What was written is scanned like everything else that enters a message: a `Serialize` may pass raw text through, and
/// one with a mistake in it makes serde_json write what is no JSON.
pub(crate) fn serialize<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
    open: u32,
) -> Result<(), EncodeError> {
    let start = out.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Bounded { depth: open });
    value.serialize(&mut serializer).map_err(|error| EncodeError(Reason::Serialize(error)))?;
    let written = out.get_mut(start..).unwrap_or_default();
    let breaks = whole_value(written, open, MAX_DEPTH).map_err(|_| EncodeError::not_json())?;
    if breaks {
        flatten(written);
    }
    Ok(())
}

/// serde_json's compact form, which stops at the bound on depth instead of at the end of the stack.
struct Bounded {
    depth: u32,
}

impl Bounded {
    fn open(&mut self) -> io::Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(io::Error::other("nested too deeply")) } else { Ok(()) }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

impl Formatter for Bounded {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open()?;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close();
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open()?;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close();
        writer.write_all(b"}")
    }
}
