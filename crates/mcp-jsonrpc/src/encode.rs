//! From Rust values to JSON text that is fit to stand in a message.

use std::fmt;

use serde::Serialize;

use crate::json::flatten;
use crate::scan::{MAX_DEPTH, whole_value};
use crate::writer::write;

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
/// The writer knows what it wrote, and looks at text that a `Serialize` passes through. Where one did what the writer
/// cannot vouch for, the text is scanned like everything else that enters a message.
pub(crate) fn serialize<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
    open: u32,
) -> Result<(), EncodeError> {
    let start = out.len();
    let sound = write(out, value, open).map_err(|error| EncodeError(Reason::Serialize(error)))?;
    let written = out.get_mut(start..).unwrap_or_default();
    if u32::try_from(written.len()).is_err() {
        return Err(EncodeError::too_large());
    }
    if sound {
        debug_assert_eq!(whole_value(written, open, MAX_DEPTH), Ok(false));
        return Ok(());
    }
    let breaks = whole_value(written, open, MAX_DEPTH).map_err(|_| EncodeError::not_json())?;
    if breaks {
        flatten(written);
    }
    Ok(())
}
