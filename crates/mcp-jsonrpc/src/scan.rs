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

/// Sets the high bit of each byte that is a quote or a backslash; exact for the lowest one that is set.
#[inline(always)]
fn marks(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // Neither mask touches a high bit, so `!word` stands for both.
    (quote.wrapping_sub(ONES) | backslash.wrapping_sub(ONES)) & !word & HIGHS
}

/// The same for a quote, a backslash and what is below 0x20.
#[inline(always)]
fn string_stops(word: u64) -> u64 {
    marks(word) | word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

/// Which kinds of bytes occur anywhere in a text; found at several times the speed of the scan, which is spared a look
/// at every byte for what is rarely there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Survey {
    /// Below 0x20. Without one, a string ends at the next quote or backslash.
    control: bool,
    /// 0x80 and above. Without one, the text is UTF-8.
    high: bool,
}

impl Survey {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        // A loop that the compiler makes a vector's.
        let (least, all) =
            bytes.iter().fold((u8::MAX, 0), |(least, all), &byte| (byte.min(least), all | byte));
        Self { control: least < 0x20, high: all >= 0x80 }
    }

    /// The same for [`next_stop`], which a look at all of a short text would not make faster.
    pub(crate) fn for_strings(bytes: &[u8]) -> Self {
        if bytes.len() < 4 * LONG_STRING { Self { control: true, high: true } } else { Self::of(bytes) }
    }

    /// Whether the text, of which this is the survey, is UTF-8.
    pub(crate) fn is_utf8(self, bytes: &[u8]) -> bool {
        !self.high || std::str::from_utf8(bytes).is_ok()
    }
}

/// How many bytes stand before the next one that has to be escaped in a string.
pub(crate) fn next_stop(bytes: &[u8], survey: Survey) -> usize {
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let stops = string_stops(u64::from_le_bytes(*word));
        let at = bytes.len() - rest.len();
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        if at >= LONG_STRING && !survey.control {
            return at + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        }
        rest = behind;
    }
    let is_stop = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    bytes.len() - rest.len() + rest.iter().position(is_stop).unwrap_or(rest.len())
}

/// A position in a text that is checked to be JSON as far as it has been read.
///
/// UTF-8 is not its business: the whole text is checked once by std, at several times the speed.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    /// What has not been read: the end of `bytes`.
    rest: &'a [u8],
    /// Whether a raw CR or LF stood between tokens.
    breaks: bool,
    control: bool,
    max_depth: u32,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8], max_depth: u32) -> Self {
        Self::surveyed(bytes, Survey::of(bytes), max_depth)
    }

    /// With the survey of these bytes, or of a text that they are a part of.
    pub(crate) fn surveyed(bytes: &'a [u8], survey: Survey, max_depth: u32) -> Self {
        let max_depth = max_depth.clamp(1, MAX_DEPTH);
        Self { bytes, rest: bytes, breaks: false, control: survey.control, max_depth }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    pub(crate) fn breaks(&self) -> bool {
        self.breaks
    }

    pub(crate) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline(always)]
    pub(crate) fn blanks(&mut self) {
        self.rest = behind_blanks(self.rest, &mut self.breaks);
    }

    /// Passes `expected`, or says that something else stands here.
    #[inline(always)]
    pub(crate) fn take(&mut self, expected: u8) -> Scan<()> {
        self.rest = behind_byte(self.rest, expected)?;
        Ok(())
    }

    /// Passes just this text, or says that something else stands here.
    pub(crate) fn literal(&mut self, literal: &[u8]) -> Scan<()> {
        self.rest = self.rest.strip_prefix(literal).ok_or(ScanError::Syntax)?;
        Ok(())
    }

    /// Passes a key with its colon and the blanks around it; the span is the text between the quotes.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Scan<(Span, bool)> {
        self.take(b'"')?;
        let start = self.at();
        let (rest, escaped) = behind_string(self.rest, self.control)?;
        self.rest = rest;
        let span = Span::new(start, self.at() - 1);
        self.blanks();
        self.take(b':')?;
        self.blanks();
        Ok((span, escaped))
    }

    /// Passes one whole value that stands inside `open` containers; says whether it is a string with an escape.
    #[inline]
    pub(crate) fn value(&mut self, open: u32) -> Scan<bool> {
        match self.rest {
            // What most members of an envelope are.
            [b'"', rest @ ..] => {
                let (rest, escaped) = behind_string(rest, self.control)?;
                self.rest = rest;
                Ok(escaped)
            }
            [b'{' | b'[', ..] => self.containers(open).map(|()| false),
            rest => {
                self.rest = behind_word(rest)?;
                Ok(false)
            }
        }
    }

    /// Passes a container, and all that it holds.
    fn containers(&mut self, open: u32) -> Scan<()> {
        let (mut rest, control, max_depth) = (self.rest, self.control, self.max_depth);
        let mut breaks = false;
        let mut objects: u128 = 0; // one bit a level, the innermost lowest: 1 is an object, 0 an array
        let mut depth = open;
        loop {
            match rest {
                [b'"', behind @ ..] => (rest, _) = behind_string(behind, control)?,
                [bracket @ (b'{' | b'['), behind @ ..] => {
                    if depth == max_depth {
                        return Err(ScanError::Depth);
                    }
                    depth += 1;
                    rest = behind_blanks(behind, &mut breaks);
                    let object = *bracket == b'{';
                    objects = objects << 1 | u128::from(object);
                    // `{` and `}`, `[` and `]` are two apart in ASCII
                    let Ok(behind) = behind_byte(rest, *bracket + 2) else {
                        if object {
                            rest = behind_key(rest, control, &mut breaks)?;
                        }
                        continue;
                    };
                    rest = behind;
                    objects >>= 1;
                    depth -= 1;
                }
                _ => rest = behind_word(rest)?,
            }
            // A value has ended: close what it closes, then stand before the next one.
            loop {
                if depth == open {
                    (self.rest, self.breaks) = (rest, self.breaks | breaks);
                    return Ok(());
                }
                rest = behind_blanks(rest, &mut breaks);
                let object = objects & 1 == 1;
                match rest {
                    [b',', behind @ ..] => {
                        rest = behind_blanks(behind, &mut breaks);
                        if object {
                            rest = behind_key(rest, control, &mut breaks)?;
                        }
                        break;
                    }
                    [b'}', behind @ ..] if object => rest = behind,
                    [b']', behind @ ..] if !object => rest = behind,
                    _ => return Err(ScanError::Syntax),
                }
                objects >>= 1;
                depth -= 1;
            }
        }
    }
}

// What stands behind something. They take what is left and give what is left then: what is passed from hand to hand
// stays in registers.

#[inline(always)]
fn behind_blanks<'a>(rest: &'a [u8], breaks: &mut bool) -> &'a [u8] {
    if rest.first().is_some_and(|&byte| byte <= b' ') { behind_some_blanks(rest, breaks) } else { rest }
}

#[inline(never)]
fn behind_some_blanks<'a>(mut rest: &'a [u8], breaks: &mut bool) -> &'a [u8] {
    while let [byte @ (b' ' | b'\t' | b'\n' | b'\r'), behind @ ..] = rest {
        *breaks |= matches!(byte, b'\n' | b'\r');
        rest = behind;
    }
    rest
}

#[inline(always)]
fn behind_byte(rest: &[u8], expected: u8) -> Scan<&[u8]> {
    match rest {
        [byte, behind @ ..] if *byte == expected => Ok(behind),
        _ => Err(ScanError::Syntax),
    }
}

/// Behind a key, its colon and the blanks around it.
#[inline(always)]
fn behind_key<'a>(rest: &'a [u8], control: bool, breaks: &mut bool) -> Scan<&'a [u8]> {
    let (rest, _) = behind_string(behind_byte(rest, b'"')?, control)?;
    let rest = behind_byte(behind_blanks(rest, breaks), b':')?;
    Ok(behind_blanks(rest, breaks))
}

/// From behind the opening quote to behind the closing one; says whether there was an escape.
#[inline(always)]
fn behind_string(string: &[u8], control: bool) -> Scan<(&[u8], bool)> {
    // Most strings are keys and words, and their closing quote is the first mark.
    let mut rest = string;
    if !control {
        for _ in 0..LONG_STRING / 8 {
            let Some((word, behind)) = rest.split_first_chunk::<8>() else { break };
            let marks = marks(u64::from_le_bytes(*word));
            if marks == 0 {
                rest = behind;
                continue;
            }
            rest = rest.get((marks.trailing_zeros() / 8) as usize..).unwrap_or_default();
            if let [b'"', behind @ ..] = rest {
                return Ok((behind, false));
            }
            break;
        }
    }
    behind_rest_of_string(string, rest, control)
}

/// Goes on with a string where `rest` begins, before which it is plain.
#[inline(never)]
fn behind_rest_of_string<'a>(string: &'a [u8], mut rest: &'a [u8], control: bool) -> Scan<(&'a [u8], bool)> {
    let mut escaped = false;
    // Bytes since the last mark, as far as they were counted.
    let mut plain = string.len() - rest.len();
    loop {
        if let Some((word, behind)) = rest.split_first_chunk::<8>() {
            let stops = string_stops(u64::from_le_bytes(*word));
            if stops == 0 {
                rest = behind;
                plain += 8;
                if plain >= LONG_STRING && !control {
                    let mark = memchr::memchr2(b'"', b'\\', rest).ok_or(ScanError::Syntax)?;
                    rest = rest.get(mark..).unwrap_or_default();
                }
                continue;
            }
            rest = rest.get((stops.trailing_zeros() / 8) as usize..).unwrap_or_default();
        }
        match rest {
            [b'"', behind @ ..] => return Ok((behind, escaped)),
            [b'\\', behind @ ..] => {
                (escaped, plain) = (true, 0);
                rest = escape(behind)?;
            }
            [0x20..=u8::MAX, behind @ ..] => rest = behind,
            _ => return Err(ScanError::Syntax),
        }
    }
}

/// Behind a literal or a number.
fn behind_word(rest: &[u8]) -> Scan<&[u8]> {
    let literal = |text: &[u8]| rest.strip_prefix(text).ok_or(ScanError::Syntax);
    match rest.first() {
        Some(b't') => literal(b"true"),
        Some(b'f') => literal(b"false"),
        Some(b'n') => literal(b"null"),
        Some(_) => behind_number(rest),
        None => Err(ScanError::Syntax),
    }
}

fn behind_number(rest: &[u8]) -> Scan<&[u8]> {
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    let mut rest = match rest {
        [b'0', behind @ ..] => behind,
        _ => behind_digits(rest)?,
    };
    if let [b'.', behind @ ..] = rest {
        rest = behind_digits(behind)?;
    }
    match rest {
        [b'e' | b'E', b'+' | b'-', behind @ ..] | [b'e' | b'E', behind @ ..] => behind_digits(behind),
        _ => Ok(rest),
    }
}

/// Behind one digit or more.
fn behind_digits(rest: &[u8]) -> Scan<&[u8]> {
    let [b'0'..=b'9', rest @ ..] = rest else { return Err(ScanError::Syntax) };
    let mut rest = rest;
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    Ok(rest)
}

/// What follows an escape, from behind its backslash.
#[inline(always)]
fn escape(rest: &[u8]) -> Scan<&[u8]> {
    match rest {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => Ok(rest),
        [b'u', a, b, c, d, rest @ ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => Ok(rest),
        _ => Err(ScanError::Syntax),
    }
}

/// Scans a text that is one value and nothing else, inside `open` containers; says whether raw line breaks occur.
///
/// A text whose offsets do not fit a [`Span`] is no part of any message.
pub(crate) fn whole_value(bytes: &[u8], open: u32, max_depth: u32) -> Scan<bool> {
    u32::try_from(bytes.len()).map_err(|_| ScanError::Syntax)?;
    let mut scanner = Scanner::new(bytes, max_depth);
    scanner.blanks();
    let _ = scanner.value(open)?;
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
