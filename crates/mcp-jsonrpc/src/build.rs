//! Messages from Rust values: written once, their parts known by construction.

use std::cell::Cell;

use bytes::Bytes;

use crate::envelope::Envelope;
use crate::scan::Span;
use crate::{EncodeError, Id};

thread_local! {
    /// Room to serialize into, so that a built message costs one allocation of its exact size.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A longer text leaves as it is instead of being copied, and takes the scratch with it.
const KEEP: usize = 64 * 1024;

/// A text may keep this part of its length as spare room.
const SPARE: usize = 8;

/// A message in the making.
pub(crate) struct Builder {
    text: Vec<u8>,
    id: Span,
    method: Span,
    body: Span,
}

impl Builder {
    pub(crate) fn new() -> Self {
        // A thread that is ending may have no scratch any more; what it drops last may still answer.
        let mut text = SCRATCH.try_with(Cell::take).unwrap_or_default();
        text.clear();
        text.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
        Self { text, id: Span::default(), method: Span::default(), body: Span::default() }
    }

    pub(crate) fn id(mut self, id: &Id) -> Self {
        self.id = self.member(b",\"id\":", |text| text.extend_from_slice(id.as_json()));
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        // Writing a string to a vector cannot fail.
        self.method = self.member(b",\"method\":", |text| drop(serde_json::to_writer(text, method)));
        self
    }

    /// Appends `params`, `result` or `error`.
    pub(crate) fn body(
        mut self,
        key: &[u8],
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        let mut outcome = Ok(());
        self.body = self.member(key, |text| outcome = write(text));
        outcome?;
        // The longest text that has spans, with the brace to come.
        if self.text.len() >= u32::MAX as usize { Err(EncodeError::too_large()) } else { Ok(self) }
    }

    /// Appends params; `null`, which is how serde writes `()` and `None`, stands for no params.
    pub(crate) fn params(
        self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        let before = self.text.len();
        let mut built = self.body(b",\"params\":", write)?;
        match built.body.of(&built.text) {
            b"null" => {
                built.text.truncate(before);
                built.body = Span::default();
                Ok(built)
            }
            [b'{' | b'[', ..] => Ok(built),
            _ => Err(EncodeError::structure()),
        }
    }

    fn member(&mut self, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> Span {
        self.text.extend_from_slice(key);
        let start = self.text.len();
        write(&mut self.text);
        Span::new(start, self.text.len())
    }

    pub(crate) fn finish(mut self) -> Envelope {
        self.text.push(b'}');
        let bytes = if self.text.len() > KEEP {
            // Nobody sees the spare room, and so nobody counts it. A little of it is left: to give back every page
            // would have the allocator map the next such text anew, which costs more than to write it.
            if self.text.capacity() - self.text.len() > self.text.len() / SPARE {
                self.text.shrink_to_fit();
            }
            Bytes::from(std::mem::take(&mut self.text))
        } else {
            Bytes::copy_from_slice(&self.text)
        };
        Envelope { bytes, id: self.id, method: self.method, body: self.body, breaks: false }
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        // Growth doubles, so a text of `KEEP` bytes may have left twice the room.
        if self.text.capacity() <= 2 * KEEP {
            let text = std::mem::take(&mut self.text);
            let _ = SCRATCH.try_with(|scratch| scratch.set(text));
        }
    }
}
