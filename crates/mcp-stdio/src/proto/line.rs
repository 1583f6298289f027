//! One message a line.

use bytes::{Buf, Bytes, BytesMut};
use mcp_jsonrpc::{Fault, Malformed, Salvage};
use mcp_transport_core::{Codec, Frame, Outbox};

/// A line that has no end yet is oversize for certain when it is longer than the limit by this much: a byte order mark
/// and a carriage return do not count against it.
const SLACK: usize = 4;
/// U+FEFF in UTF-8: some shells and editors put one before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Newline-delimited JSON: a message ends with a line feed and holds none.
///
/// Reading resumes where the last search stopped, so a line costs time linear in its length however it arrives.
/// A carriage return before the line feed is cut off, blank lines are skipped, one byte order mark before the first
/// line is tolerated, and what stands behind the last line feed when the input ends is a line too.
///
/// A line longer than the limit is discarded while it is read and reported as [`Fault::TooLarge`], with its id if it
/// has one that can be read, also as its last member; the next line is read as usual.
///
/// ```text
/// Line ──longer than the limit──▶ Discarding ──line feed──▶ Line
/// ```
///
/// # Spec
///
/// MCP 2025-11-25, transports, stdio: messages are delimited by newlines and must not contain embedded newlines.
#[derive(Debug)]
pub struct LineCodec {
    /// Bytes of a line, its end excluded.
    max_line: usize,
    /// How much of what was read is known to hold no line feed.
    searched: usize,
    first: bool,
    discarding: Option<Discarded>,
}

#[derive(Debug, Default)]
struct Discarded {
    salvage: Salvage,
    len: u64,
    /// Whether the last byte so far was a carriage return, which is no part of the line if its end follows.
    carriage_return: bool,
}

impl LineCodec {
    /// A codec for lines of at most `max_line` bytes.
    pub fn new(max_line: usize) -> Self {
        Self { max_line, searched: 0, first: true, discarding: None }
    }

    /// Takes what belongs to the oversize line; its report, once it has ended.
    fn discard(&mut self, read: &mut BytesMut, end: bool) -> Option<Frame> {
        let discarded = self.discarding.as_mut()?;
        let line_feed = memchr::memchr(b'\n', read);
        let piece = read.get(..line_feed.unwrap_or(read.len())).unwrap_or_default();
        discarded.push(piece);
        match line_feed {
            Some(at) => read.advance(at + 1),
            None => read.clear(),
        }
        if line_feed.is_none() && !end {
            return None;
        }
        self.discarding.take().map(Discarded::report)
    }

    /// Cuts off the byte order mark of the first line, which `text` begins.
    fn skip_mark(&mut self, text: &mut (impl Buf + AsRef<[u8]>)) {
        if std::mem::take(&mut self.first) && text.as_ref().starts_with(BYTE_ORDER_MARK) {
            text.advance(BYTE_ORDER_MARK.len());
        }
    }

    /// Makes a frame of a line without its line feed; nothing of a blank one.
    fn frame(&mut self, mut line: Bytes) -> Option<Frame> {
        self.skip_mark(&mut line);
        let len = line.len() - usize::from(line.last() == Some(&b'\r'));
        if len > self.max_line {
            let mut discarded = Discarded::default();
            discarded.push(&line);
            return Some(discarded.report());
        }
        line.truncate(len);
        let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        (!blank).then_some(Frame::Text(line))
    }
}

impl Discarded {
    fn push(&mut self, piece: &[u8]) {
        self.salvage.push(piece);
        self.len += piece.len() as u64;
        if let Some(last) = piece.last() {
            self.carriage_return = *last == b'\r';
        }
    }

    fn report(self) -> Frame {
        let found = self.salvage.finish();
        let len = self.len - u64::from(self.carriage_return);
        Frame::Malformed(Malformed::new(Fault::TooLarge, found.id, found.form, len))
    }
}

impl Codec for LineCodec {
    fn decode(&mut self, read: &mut BytesMut, end: bool) -> Option<Frame> {
        loop {
            if self.discarding.is_some() {
                return self.discard(read, end);
            }
            let unsearched = read.get(self.searched..).unwrap_or_default();
            let line = match memchr::memchr(b'\n', unsearched) {
                Some(at) => {
                    let mut line = read.split_to(self.searched + at + 1).freeze();
                    line.truncate(line.len() - 1);
                    line
                }
                None if read.len() > self.max_line.saturating_add(SLACK) => {
                    self.skip_mark(read);
                    self.discarding = Some(Discarded::default());
                    self.searched = 0;
                    continue;
                }
                None if end && !read.is_empty() => read.split().freeze(),
                None => {
                    self.searched = read.len();
                    return None;
                }
            };
            self.searched = 0;
            if let Some(frame) = self.frame(line) {
                return Some(frame);
            }
        }
    }

    fn encode(&mut self, line: Bytes, out: &mut Outbox) {
        out.push(line);
        out.copy(b"\n");
    }
}
