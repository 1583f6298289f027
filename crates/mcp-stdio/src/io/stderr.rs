//! A child's stderr: always read, hardly kept.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::io::Errno;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;

use super::spec::StderrMode;

/// Most bytes kept of a line, as text.
const LINE: usize = 1024;
/// Bytes read by one call.
const READ: usize = 16 * 1024;
/// Calls in one poll, after which others get their turn: two fillings of a pipe.
const READS: usize = 8;
/// Most bytes looked at after the exit: the most that Linux lets a pipe hold by default.
const LEFT_OVER: usize = 1024 * 1024;

/// Reads a stderr pipe and keeps its last lines.
///
/// Polled by the owner of the child, like its stdout: no thread, no task.
/// The pipe's readiness wakes the owner, so a child that floods stderr is read as fast as its
/// owner runs.
#[derive(Debug)]
pub(super) struct Drain {
    pipe: Option<pipe::Receiver>,
    tail: Tail,
}

impl Drain {
    pub(super) fn new(pipe: Option<pipe::Receiver>, mode: &StderrMode, lines: usize) -> Self {
        let each = match mode {
            StderrMode::Lines(each) => Some(Arc::clone(each)),
            StderrMode::Capture | StderrMode::Inherit => None,
        };
        Self { pipe, tail: Tail::new(lines, each) }
    }

    /// Reads what is there; resolves when the pipe has ended. An error is an end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [const { MaybeUninit::uninit() }; READ];
        for _ in 0..READS {
            let Some(pipe) = &mut self.pipe else {
                return Poll::Ready(());
            };
            let mut buffer = ReadBuf::uninit(&mut space);
            match Pin::new(pipe).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.tail.push(buffer.filled());
                }
                Poll::Ready(_) => self.close(),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads what is left after the exit, without waiting, and lets go of the pipe.
    ///
    /// Not through tokio's readiness, which may not have heard of the last lines yet.
    /// Bounded, because a process that left the group may still be writing.
    pub(super) fn finish(&mut self) {
        let mut space = [0; READ];
        let mut left = LEFT_OVER;
        while let Some(pipe) = &self.pipe {
            match rustix::io::read(pipe, &mut space) {
                Err(Errno::INTR) => {}
                Ok(n) if n > 0 && left > 0 => {
                    left = left.saturating_sub(n);
                    self.tail.push(&space[..n]);
                }
                Ok(_) | Err(_) => self.close(),
            }
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.tail.lines.iter().cloned().collect()
    }

    fn close(&mut self) {
        self.pipe = None;
        self.tail.end();
    }
}

/// What is given each line.
type Each = Arc<dyn Fn(&str) + Send + Sync>;

/// The last lines of a byte stream, in bounded memory.
struct Tail {
    lines: VecDeque<String>,
    keep: usize,
    /// The start of the line that is not complete yet.
    partial: Vec<u8>,
    /// The line has had bytes, whether or not they were kept.
    begun: bool,
    each: Option<Each>,
}

/// Room for a character that starts inside of [`LINE`] and ends beyond it.
const PARTIAL: usize = LINE + 3;

impl Tail {
    fn new(keep: usize, each: Option<Each>) -> Self {
        Self { lines: VecDeque::new(), keep, partial: Vec::new(), begun: false, each }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            self.extend(&bytes[..at]);
            self.complete();
            bytes = &bytes[at + 1..];
        }
        if !bytes.is_empty() {
            self.begun = true;
            self.extend(bytes);
        }
    }

    /// A last line without a line break is a line.
    fn end(&mut self) {
        if self.begun {
            self.complete();
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = PARTIAL.saturating_sub(self.partial.len());
        let kept = &bytes[..bytes.len().min(room)];
        self.partial.extend_from_slice(kept);
    }

    fn complete(&mut self) {
        self.begun = false;
        if self.partial.last() == Some(&b'\r') {
            self.partial.pop();
        }
        if self.keep > 0 || self.each.is_some() {
            let text = String::from_utf8_lossy(&self.partial);
            let text = &text[..boundary(&text, LINE)];
            if let Some(each) = &self.each {
                each(text);
            }
            if self.keep > 0 {
                if self.lines.len() == self.keep {
                    self.lines.pop_front();
                }
                self.lines.push_back(text.to_owned());
            }
        }
        self.partial.clear();
    }
}

/// The last character boundary at or before `limit`.
fn boundary(text: &str, limit: usize) -> usize {
    let mut at = text.len().min(limit);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail")
            .field("lines", &self.lines.len())
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// The pipe of a child's stderr, when it is ours.
pub(super) fn receiver(stderr: Option<std::process::ChildStderr>) -> io::Result<Option<pipe::Receiver>> {
    stderr.map(|stderr| pipe::Receiver::from_owned_fd(stderr.into())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn tail_of(keep: usize, chunks: &[&[u8]]) -> Vec<String> {
        let mut tail = Tail::new(keep, None);
        for chunk in chunks {
            tail.push(chunk);
            assert!(tail.partial.len() <= PARTIAL && tail.lines.len() <= keep);
        }
        tail.end();
        tail.lines.into()
    }

    #[test]
    fn lines_are_the_same_at_every_split() {
        let input = "first\r\n\nzw\u{f6}lf\n\u{20ac}uro\r\rx\r\nno end".as_bytes();
        let expected = ["first", "", "zw\u{f6}lf", "\u{20ac}uro\r\rx", "no end"];
        for at in 0..=input.len() {
            let (left, right) = input.split_at(at);
            assert_eq!(tail_of(9, &[left, right]), expected, "split at {at}");
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(tail_of(9, &bytes), expected);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        assert_eq!(tail_of(2, &[b"1\n2\n3\n4"]), ["3", "4"]);
        assert_eq!(tail_of(2, &[b"1\n2\n3\n"]), ["2", "3"]);
        assert!(tail_of(0, &[b"1\n2\n"]).is_empty());
        assert!(tail_of(2, &[b""]).is_empty());
    }

    #[test]
    fn a_long_line_is_cut_before_the_character_that_does_not_fit() {
        for width in [1, 2, 3, 4] {
            let character = ["a", "\u{e4}", "\u{20ac}", "\u{1f980}"][width - 1];
            for offset in 0..4 {
                let line = "x".repeat(offset) + &character.repeat(2 * LINE);
                let kept = tail_of(1, &[line.as_bytes(), b" and more\n"]).remove(0);
                assert!(line.starts_with(&kept), "width {width} offset {offset}");
                assert!(kept.len() <= LINE && kept.len() > LINE - width);
            }
        }
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_stays_within_the_bound() {
        assert_eq!(tail_of(1, &[b"a\xffb\n"]), ["a\u{fffd}b"]);
        let kept = tail_of(1, &[&[0xff; 5000], b"\n"]).remove(0);
        assert!(kept.len() <= LINE && kept.chars().all(|c| c == '\u{fffd}'));
    }

    #[test]
    fn each_line_is_handed_over_once() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&seen);
        let each = move |line: &str| theirs.lock().unwrap().push(line.to_owned());
        let mut tail = Tail::new(1, Some(Arc::new(each)));
        tail.push(b"one\ntw");
        tail.push(b"o\r\nthree");
        tail.end();
        tail.end();
        assert_eq!(*seen.lock().unwrap(), ["one", "two", "three"]);
    }
}
