//! The parts of an event while it is read.

use std::time::Duration;

use bytes::Bytes;
use mcp_jsonrpc::{Fault, Malformed, Salvage};

use super::encoder::MAX_RETRY;

/// A field that means something. Names are compared exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Data,
    Event,
    Id,
    Retry,
}

impl Field {
    /// The longest name has so many bytes.
    pub(super) const MAX_NAME: usize = 5;

    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"data" => Some(Self::Data),
            b"event" => Some(Self::Event),
            b"id" => Some(Self::Id),
            b"retry" => Some(Self::Retry),
            _ => None,
        }
    }
}

/// The data buffer.
#[derive(Default)]
pub(super) enum Data {
    /// No `data` line so far, which is not the same as an empty one.
    #[default]
    Nothing,
    /// One line, which came in one chunk.
    Slice(Bytes),
    /// Copied together, without the line feed behind the last line.
    Joined(Vec<u8>),
    /// Over the limit; followed, not kept.
    Discarded(Box<Discarded>),
}

#[derive(Default)]
pub(super) struct Discarded {
    salvage: Salvage,
    len: u64,
    /// Whether there was a `data` line, so that the next one is joined with a line feed.
    begun: bool,
}

impl Data {
    /// A buffer of so many bytes is prepared at most, before anything has come.
    const MAX_EXPECTED: usize = 64 * 1024;

    /// Takes a whole line.
    pub(super) fn line(&mut self, value: Bytes, max: usize) {
        if matches!(self, Self::Nothing) && value.len() <= max {
            *self = Self::Slice(value);
        } else {
            self.begin_line(max);
            self.push(&value, max, value.len());
        }
    }

    /// Begins a line whose value comes by [`push`](Self::push).
    pub(super) fn begin_line(&mut self, max: usize) {
        match self {
            Self::Nothing => *self = Self::Joined(Vec::new()),
            Self::Discarded(discarded) if !discarded.begun => discarded.begun = true,
            _ => self.push(b"\n", max, 0),
        }
    }

    /// Takes a piece of the line; `expected` is how long the whole of it may become.
    pub(super) fn push(&mut self, piece: &[u8], max: usize, expected: usize) {
        let len = match self {
            Self::Nothing => 0,
            Self::Slice(data) => data.len(),
            // A large event in small chunks comes by here for each of them.
            Self::Joined(data) if piece.len() <= data.capacity().min(max).saturating_sub(data.len()) => {
                return data.extend_from_slice(piece);
            }
            Self::Joined(data) => data.len(),
            Self::Discarded(discarded) => return discarded.push(piece),
        };
        if piece.len() > max.saturating_sub(len) {
            self.discard();
            return self.push(piece, max, expected);
        }
        if let Self::Slice(data) = self {
            *self = Self::Joined(data.to_vec());
        }
        if let Self::Joined(data) = self {
            // Doubling, but never beyond the limit.
            let doubled = data.capacity().saturating_mul(2).max(expected.min(Self::MAX_EXPECTED)).min(max);
            data.reserve_exact(doubled.saturating_sub(data.len()).max(piece.len()));
            data.extend_from_slice(piece);
        }
    }

    /// Stops keeping anything.
    pub(super) fn discard(&mut self) {
        let mut discarded = Discarded { begun: !matches!(self, Self::Nothing), ..Discarded::default() };
        match self {
            Self::Nothing => {}
            Self::Slice(data) => discarded.push(data),
            Self::Joined(data) => discarded.push(data),
            Self::Discarded(_) => return,
        }
        *self = Self::Discarded(Box::new(discarded));
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Nothing | Self::Discarded(_) => 0,
            Self::Slice(data) => data.len(),
            Self::Joined(data) => data.capacity(),
        }
    }
}

/// The buffer of an event that is done. One much too large for it is not handed out with it.
pub(super) fn freeze(data: Vec<u8>) -> Bytes {
    if data.len() < data.capacity() / 4 { Bytes::copy_from_slice(&data) } else { Bytes::from(data) }
}

impl Discarded {
    fn push(&mut self, piece: &[u8]) {
        self.salvage.push(piece);
        self.len += piece.len() as u64;
    }

    pub(super) fn report(self) -> Malformed {
        let found = self.salvage.finish();
        Malformed::new(Fault::TooLarge, found.id, found.form, self.len)
    }
}

/// The value of `retry`: digits only, of any number.
#[derive(Default)]
pub(super) struct Digits {
    milliseconds: u64,
    any: bool,
    other: bool,
}

impl Digits {
    pub(super) fn push(&mut self, piece: &[u8]) {
        for byte in piece {
            match byte {
                b'0'..=b'9' => {
                    self.any = true;
                    let digit = u64::from(byte - b'0');
                    self.milliseconds = self.milliseconds.saturating_mul(10).saturating_add(digit);
                }
                _ => self.other = true,
            }
        }
    }

    pub(super) fn finish(self) -> Option<Duration> {
        (self.any && !self.other).then(|| Duration::from_millis(self.milliseconds).min(MAX_RETRY))
    }
}
