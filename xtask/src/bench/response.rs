//! Reads HTTP/1.1 responses as far as a load client has to.

use crate::Outcome;

/// A part of what was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A head has ended; its text, with its status line.
    Head(&'a str),
    Data(&'a [u8]),
    /// The response has ended.
    End,
}

/// Where in a response the reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Fixed(usize),
    /// The line with the size of a chunk, or the line end before it.
    Size,
    Chunk(usize),
    /// What follows the last chunk.
    Trailer,
}

/// A reader of one connection's responses, one after the other.
#[derive(Debug)]
pub(super) struct Responses {
    state: State,
    /// A head or a line that has not ended yet.
    held: Vec<u8>,
}

impl Responses {
    pub(super) fn new() -> Self {
        Self { state: State::Head, held: Vec::new() }
    }

    /// Reads what has come.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Part<'_>) -> Outcome) -> Outcome {
        while !bytes.is_empty() {
            match self.state {
                State::Head => {
                    let Some(head) = self.take(&mut bytes, b"\r\n\r\n") else { return Ok(()) };
                    let text = std::str::from_utf8(&head)?;
                    self.state = body(text)?;
                    each(Part::Head(text))?;
                    if self.state == State::Fixed(0) {
                        self.state = State::Head;
                        each(Part::End)?;
                    }
                    self.give_back(head);
                }
                State::Fixed(left) => {
                    let (now, rest) = bytes.split_at(left.min(bytes.len()));
                    bytes = rest;
                    each(Part::Data(now))?;
                    self.state = State::Fixed(left - now.len());
                    if left == now.len() {
                        self.state = State::Head;
                        each(Part::End)?;
                    }
                }
                State::Size => {
                    let Some(line) = self.take(&mut bytes, b"\r\n") else { return Ok(()) };
                    let text = std::str::from_utf8(&line)?.trim();
                    // The end of the chunk before is an empty line.
                    if !text.is_empty() {
                        let size = usize::from_str_radix(text.split(';').next().unwrap_or_default(), 16)?;
                        self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
                    }
                    self.give_back(line);
                }
                State::Chunk(left) => {
                    let (now, rest) = bytes.split_at(left.min(bytes.len()));
                    bytes = rest;
                    each(Part::Data(now))?;
                    self.state = if left == now.len() { State::Size } else { State::Chunk(left - now.len()) };
                }
                State::Trailer => {
                    let Some(line) = self.take(&mut bytes, b"\r\n") else { return Ok(()) };
                    if line.len() == 2 {
                        self.state = State::Head;
                        each(Part::End)?;
                    }
                    self.give_back(line);
                }
            }
        }
        Ok(())
    }

    /// What stands up to `end` and with it, once it is there.
    fn take(&mut self, bytes: &mut &[u8], end: &[u8]) -> Option<Vec<u8>> {
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let from = before.saturating_sub(end.len() - 1);
        let at = self.held.get(from..)?.windows(end.len()).position(|window| window == end);
        let Some(at) = at else {
            *bytes = &[];
            return None;
        };
        let whole = from + at + end.len();
        *bytes = bytes.get(whole - before..).unwrap_or_default();
        self.held.truncate(whole);
        Some(std::mem::take(&mut self.held))
    }

    /// Keeps the room of what was read.
    fn give_back(&mut self, mut read: Vec<u8>) {
        read.clear();
        self.held = read;
    }
}

/// How the body behind this head ends.
fn body(head: &str) -> Outcome<State> {
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(State::Fixed(value.trim().parse()?));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked") {
            return Ok(State::Size);
        }
    }
    // Nothing that is measured ends its bodies by closing.
    Ok(State::Fixed(0))
}

/// A header of a head.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Whether a head has a status of success.
pub(super) fn succeeded(head: &str) -> bool {
    head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";

    fn read(pieces: &[&[u8]]) -> (Vec<String>, usize) {
        let (mut responses, mut bodies, mut heads) = (Responses::new(), Vec::new(), 0);
        let mut body = String::new();
        for piece in pieces {
            let read = responses.push(piece, |part| {
                match part {
                    Part::Head(head) => heads += usize::from(succeeded(head)),
                    Part::Data(data) => body.push_str(std::str::from_utf8(data)?),
                    Part::End => bodies.push(std::mem::take(&mut body)),
                }
                Ok(())
            });
            read.unwrap();
        }
        (bodies, heads)
    }

    #[test]
    fn responses_are_read_however_they_come() {
        let wanted = (vec![String::new(), "hello world".into(), "abc".into()], 3);
        let text = TEXT.as_bytes();
        for at in 0..text.len() {
            assert_eq!(read(&[&text[..at], &text[at..]]), wanted, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&bytes), wanted);
    }

    #[test]
    fn headers_are_found() {
        let head = "HTTP/1.1 404 Not Found\r\nMcp-Session-Id: abc\r\n\r\n";
        assert_eq!(header(head, "mcp-session-id"), Some("abc"));
        assert!(!succeeded(head));
    }
}
