//! The validating scan: one pass over the bytes, no recursion, no allocation.

/// The deepest nesting that a message may have, and the default bound.
///
/// The open containers are kept as bits of one `u128`, which is what makes the scan free of recursion and allocation.
pub const MAX_DEPTH: u32 = 128;

/// What the scan of a message refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanLimits {
    /// Containers open at once, the envelope included: 1 to [`MAX_DEPTH`], default [`MAX_DEPTH`].
    pub max_depth: u32,
    /// Bytes of an id as written, quotes included. Default 1,024: an id is kept in tables for as long as its request
    /// runs, so it has a bound of its own.
    pub max_id_bytes: usize,
    /// Messages in one batch. Default 100, which is what other implementations accept.
    pub max_batch: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { max_depth: MAX_DEPTH, max_id_bytes: 1024, max_batch: 100 }
    }
}

impl ScanLimits {
    /// The same limits with another bound on depth; values above [`MAX_DEPTH`] count as [`MAX_DEPTH`].
    #[must_use]
    pub fn with_max_depth(mut self, max_depth: u32) -> Self {
        self.max_depth = max_depth.clamp(1, MAX_DEPTH);
        self
    }
}

/// Why a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanError {
    Syntax,
    Depth,
}

type Scan<T> = Result<T, ScanError>;

/// A part of a message, as offsets into its bytes.
///
/// No value of an object starts at offset 0, where its brace is, so `start == 0` says that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// `end` fits `u32`: a longer text is refused before it is scanned.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    pub(crate) fn is_some(self) -> bool {
        self.start != 0
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// A plain run of this many bytes makes it likely that a long string follows, for which `memchr` is faster.
const LONG_STRING: usize = 64;

/// Sets the high bit of each byte that is a quote, a backslash or below 0x20; exact for the lowest one that is set.
#[inline]
fn string_stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20);
    // Neither mask touches a high bit, so `!word` stands for all three.
    (quote.wrapping_sub(ONES) | backslash.wrapping_sub(ONES) | control) & !word & HIGHS
}

/// A position in a text that is checked to be JSON as far as it has been read.
///
/// UTF-8 is not its business: the whole text is checked once by std, at several times the speed.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether a raw CR or LF stood between tokens.
    breaks: bool,
    /// Whether a byte below 0x20 occurs anywhere: without one, a long string ends at the next quote or backslash.
    control: bool,
    max_depth: u32,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8], max_depth: u32) -> Self {
        let control = bytes.iter().fold(false, |any, &byte| any | (byte < 0x20));
        Self { bytes, at: 0, breaks: false, control, max_depth: max_depth.clamp(1, MAX_DEPTH) }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn breaks(&self) -> bool {
        self.breaks
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn blanks(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.some_blanks();
        }
    }

    fn some_blanks(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for &byte in rest {
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.breaks = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    /// Passes `expected`, or says that something else stands here.
    #[inline]
    pub(crate) fn take(&mut self, expected: u8) -> Scan<()> {
        if self.peek() != Some(expected) {
            return Err(ScanError::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    /// Passes a key with its colon and the blanks around it; the span is the text between the quotes.
    #[inline]
    pub(crate) fn key(&mut self) -> Scan<(Span, bool)> {
        self.take(b'"')?;
        let start = self.at;
        let escaped = self.string()?;
        let span = Span::new(start, self.at - 1);
        self.blanks();
        self.take(b':')?;
        self.blanks();
        Ok((span, escaped))
    }

    /// Passes one whole value that stands inside `open` containers.
    pub(crate) fn value(&mut self, open: u32) -> Scan<()> {
        let mut objects: u128 = 0; // one bit a level, the innermost lowest: 1 is an object, 0 an array
        let mut depth = open;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                }
                Some(bracket @ (b'{' | b'[')) => {
                    if depth == self.max_depth {
                        return Err(ScanError::Depth);
                    }
                    depth += 1;
                    self.at += 1;
                    self.blanks();
                    let object = bracket == b'{';
                    objects = objects << 1 | u128::from(object);
                    if self.peek() != Some(bracket + 2) {
                        // `{` and `}`, `[` and `]` are two apart in ASCII
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                    self.at += 1;
                    objects >>= 1;
                    depth -= 1;
                }
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                Some(_) => self.number()?,
                None => return Err(ScanError::Syntax),
            }
            // A value has ended: close what it closes, then stand before the next one.
            loop {
                if depth == open {
                    return Ok(());
                }
                self.blanks();
                let object = objects & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.blanks();
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ => return Err(ScanError::Syntax),
                }
                self.at += 1;
                objects >>= 1;
                depth -= 1;
            }
        }
    }

    /// From behind the opening quote to behind the closing one; says whether there was an escape.
    #[inline]
    fn string(&mut self) -> Scan<bool> {
        // Most strings are keys and words, and their closing quote is the first stop.
        let mut at = self.at;
        while at - self.at < LONG_STRING {
            let Some(word) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
            let stops = string_stops(u64::from_le_bytes(*word));
            if stops == 0 {
                at += 8;
                continue;
            }
            at += (stops.trailing_zeros() / 8) as usize;
            if self.bytes.get(at) != Some(&b'"') {
                break;
            }
            self.at = at + 1;
            return Ok(false);
        }
        self.rest_of_string(at)
    }

    /// Goes on with a string at `at`, before which it is plain.
    #[inline(never)]
    fn rest_of_string(&mut self, at: usize) -> Scan<bool> {
        let start = std::mem::replace(&mut self.at, at);
        let mut escaped = false;
        loop {
            self.plain(start, escaped)?;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return Err(ScanError::Syntax),
            }
        }
    }

    /// Passes bytes that need no look, a word at a time, up to one that may.
    #[inline]
    fn plain(&mut self, start: usize, escaped: bool) -> Scan<()> {
        while let Some(word) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let stops = string_stops(u64::from_le_bytes(*word));
            if stops != 0 {
                self.at += (stops.trailing_zeros() / 8) as usize;
                return Ok(());
            }
            self.at += 8;
            if !self.control && !escaped && self.at - start >= LONG_STRING {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                self.at += memchr::memchr2(b'"', b'\\', rest).ok_or(ScanError::Syntax)?;
                return Ok(());
            }
        }
        Ok(())
    }

    fn escape(&mut self) -> Scan<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(ScanError::Syntax)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(ScanError::Syntax);
                }
                self.at += 6;
            }
            _ => return Err(ScanError::Syntax),
        }
        Ok(())
    }

    fn number(&mut self) -> Scan<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(ScanError::Syntax),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(ScanError::Syntax) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &[u8]) -> Scan<()> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            return Err(ScanError::Syntax);
        }
        self.at += literal.len();
        Ok(())
    }
}

/// Scans a text that is one value and nothing else, inside `open` containers; says whether raw line breaks occur.
///
/// A text whose offsets do not fit a [`Span`] is no part of any message.
pub(crate) fn whole_value(bytes: &[u8], open: u32, max_depth: u32) -> Scan<bool> {
    u32::try_from(bytes.len()).map_err(|_| ScanError::Syntax)?;
    let mut scanner = Scanner::new(bytes, max_depth);
    scanner.blanks();
    scanner.value(open)?;
    scanner.blanks();
    if scanner.at_end() { Ok(scanner.breaks()) } else { Err(ScanError::Syntax) }
}

/// The text between a key's or string's quotes, its escapes resolved; `None` for a lone surrogate.
#[cold]
pub(crate) fn unescape(between_quotes: &[u8]) -> Option<String> {
    let mut quoted = Vec::with_capacity(between_quotes.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(between_quotes);
    quoted.push(b'"');
    serde_json::from_slice(&quoted).ok()
}

#[cfg(test)]
mod tests;
