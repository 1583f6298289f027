//! What waits to be written of a stream.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

/// One frame of a body holds at most this much.
///
/// A body is not polled while more is stuck than the connection's buffer takes, and a stalled stream could then not end
/// itself.
const FRAME: usize = 16 * 1024;
/// A piece larger than this is sent from where it is; smaller ones share a frame.
const COPY: usize = 4 * 1024;

/// Pieces of a stream on their way into frames of a body: small ones share a frame, large ones are cut without a copy.
///
/// It has no bound of its own: whoever fills it looks at [`FrameBuffer::len`].
#[derive(Default)]
pub struct FrameBuffer {
    /// Before `tail` in order.
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl FrameBuffer {
    /// Appends a piece.
    pub fn push(&mut self, piece: Bytes) {
        if piece.len() <= COPY {
            return self.extend(&piece);
        }
        let tail = self.tail.split().freeze();
        if !tail.is_empty() {
            self.pieces.push_back(tail);
        }
        self.len += piece.len();
        self.pieces.push_back(piece);
    }

    /// Appends several pieces, with one allocation for all that are copied.
    pub fn push_all<const N: usize>(&mut self, pieces: [Bytes; N]) {
        self.tail.reserve(pieces.iter().map(Bytes::len).filter(|&len| len <= COPY).sum());
        pieces.into_iter().for_each(|piece| self.push(piece));
    }

    /// Appends a copy of some bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        self.tail.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next frame, of at most 16 KiB.
    pub fn take(&mut self) -> Option<Bytes> {
        let frame = match self.pieces.front_mut() {
            Some(piece) if piece.len() > FRAME => piece.split_to(FRAME),
            Some(_) => self.pieces.pop_front()?,
            None if self.tail.is_empty() => return None,
            None => {
                let len = self.tail.len().min(FRAME);
                self.tail.split_to(len).freeze()
            }
        };
        self.len -= frame.len();
        if self.len == 0 {
            // An idle stream keeps no buffer.
            *self = Self::default();
        }
        Some(frame)
    }
}

impl fmt::Debug for FrameBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameBuffer").field("bytes", &self.len).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_share_a_frame_and_large_ones_are_cut() {
        let mut frames = FrameBuffer::default();
        frames.extend(b"a");
        frames.push(Bytes::from_static(b"b"));
        frames.push(vec![b'c'; FRAME + 1].into());
        frames.extend(b"d");
        assert_eq!(frames.len(), FRAME + 4);
        let lengths: Vec<usize> = std::iter::from_fn(|| frames.take().map(|frame| frame.len())).collect();
        assert_eq!(lengths, [2, FRAME, 1, 1]);
        assert!(frames.is_empty());
    }
}
