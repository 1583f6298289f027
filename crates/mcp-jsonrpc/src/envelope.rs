//! Which parts a message has, and whether they make a message together.

use bytes::Bytes;

use crate::id::is_integer;
use crate::scan::{ScanError, ScanLimits, Scanner, Span, Survey, unescape};
use crate::{Fault, Form, Id, Malformed, Object, Salvage};

/// The longest that an envelope key can be as written: `jsonrpc` with every character as a `\u` escape.
const MAX_KEY: usize = 42;

/// A checked message: its bytes and where its parts are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) bytes: Bytes,
    pub(crate) id: Span,
    pub(crate) method: Span,
    /// `params`, `result` or `error`, whichever the kind has.
    pub(crate) body: Span,
    /// Whether raw line breaks stand between tokens.
    pub(crate) breaks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Notification,
    Result,
    Error,
}

/// The envelope's members as they were found.
#[derive(Default)]
struct Members {
    jsonrpc: Span,
    id: Span,
    method: Span,
    params: Span,
    result: Span,
    error: Span,
    duplicate: bool,
    duplicate_id: bool,
    /// Whether one of them is a string with an escape in it.
    escaped: bool,
}

/// How nearly everybody begins a message.
const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",";
/// Where the value stands in it.
const HEAD_VERSION: Span = Span { start: 11, end: 16 };

/// What is wrong in the text itself, before it is asked whether the parts make a message.
enum Broken {
    Text(ScanError),
    NotAnObject(u8),
}

impl From<ScanError> for Broken {
    fn from(error: ScanError) -> Self {
        Self::Text(error)
    }
}

/// Scans one message. The one way in: everything that becomes a message from raw bytes passes here.
pub(crate) fn scan(bytes: Bytes, limits: &ScanLimits) -> Result<(Kind, Envelope), Malformed> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(Malformed::new(Fault::TooLarge, None, Form::Unknown, bytes.len() as u64));
    }
    let survey = Survey::of(&bytes);
    let mut scanner = Scanner::surveyed(&bytes, survey, limits.max_depth);
    let mut members = Members::default();
    match walk(&mut scanner, &mut members) {
        Err(Broken::Text(ScanError::Syntax)) => return Err(salvaged(Fault::Syntax, &bytes, limits)),
        Err(Broken::Text(ScanError::Depth)) => return Err(salvaged(Fault::Depth, &bytes, limits)),
        _ if !survey.is_utf8(&bytes) => return Err(salvaged(Fault::Utf8, &bytes, limits)),
        Ok(()) => {}
        Err(Broken::NotAnObject(first)) => {
            let fault = if first == b'[' { Fault::Batch } else { Fault::NotAnObject };
            return Err(Malformed::new(fault, None, Form::Unknown, bytes.len() as u64));
        }
    }
    let breaks = scanner.breaks();
    match classify(&bytes, &members, limits) {
        Ok((kind, body)) => {
            Ok((kind, Envelope { id: members.id, method: members.method, body, breaks, bytes }))
        }
        Err(fault) => Err(invalid(fault, &bytes, &members, limits)),
    }
}

/// Passes the whole text and notes the members of the envelope.
fn walk(scanner: &mut Scanner<'_>, members: &mut Members) -> Result<(), Broken> {
    if scanner.literal(HEAD).is_ok() {
        members.jsonrpc = HEAD_VERSION;
        scanner.blanks();
        more_members(scanner, 1, |member, bytes| members.note(member, bytes))?;
        return end(scanner);
    }
    scanner.blanks();
    match scanner.peek() {
        Some(b'{') => {}
        Some(first) => {
            let _ = scanner.value(0)?;
            return end(scanner).and(Err(Broken::NotAnObject(first)));
        }
        None => return Err(ScanError::Syntax.into()),
    }
    each_member(scanner, 1, |member, bytes| members.note(member, bytes))?;
    end(scanner)
}

fn end(scanner: &mut Scanner<'_>) -> Result<(), Broken> {
    scanner.blanks();
    if scanner.at_end() { Ok(()) } else { Err(ScanError::Syntax.into()) }
}

/// One member of an object, and where it stands.
pub(crate) struct Member {
    /// Between the quotes.
    pub(crate) key: Span,
    pub(crate) key_escaped: bool,
    pub(crate) value: Span,
    /// Whether it is a string with an escape in it.
    pub(crate) value_escaped: bool,
}

/// Passes the object that stands here, `open` containers being open inside it, and shows each member.
pub(crate) fn each_member(
    scanner: &mut Scanner<'_>,
    open: u32,
    show: impl FnMut(Member, &[u8]),
) -> Result<(), ScanError> {
    scanner.take(b'{')?;
    scanner.blanks();
    if scanner.take(b'}').is_ok() {
        return Ok(());
    }
    more_members(scanner, open, show)
}

/// Passes what is left of an object from before a key on.
#[inline]
fn more_members(
    scanner: &mut Scanner<'_>,
    open: u32,
    mut show: impl FnMut(Member, &[u8]),
) -> Result<(), ScanError> {
    loop {
        let (key, key_escaped) = scanner.key()?;
        let start = scanner.at();
        let value_escaped = scanner.value(open)?;
        let value = Span::new(start, scanner.at());
        show(Member { key, key_escaped, value, value_escaped }, scanner.bytes());
        scanner.blanks();
        if scanner.take(b'}').is_ok() {
            return Ok(());
        }
        scanner.take(b',')?;
        scanner.blanks();
    }
}

impl Members {
    #[inline]
    fn note(&mut self, member: Member, bytes: &[u8]) {
        let name = member.key.of(bytes);
        self.escaped |= member.value_escaped;
        if member.key_escaped {
            // A lone surrogate makes no name of ours, and neither does what is too long to be one.
            if let Some(name) = Some(name).filter(|name| name.len() <= MAX_KEY).and_then(unescape) {
                self.set(name.as_bytes(), member.value);
            }
        } else {
            self.set(name, member.value);
        }
    }

    #[inline]
    fn set(&mut self, name: &[u8], value: Span) {
        let slot = match name {
            b"jsonrpc" => &mut self.jsonrpc,
            b"id" => {
                self.duplicate_id |= self.id.is_some();
                &mut self.id
            }
            b"method" => &mut self.method,
            b"params" => &mut self.params,
            b"result" => &mut self.result,
            b"error" => &mut self.error,
            _ => return,
        };
        self.duplicate |= slot.is_some();
        *slot = value;
    }
}

/// Decides what the members make together, in the order in which a reader would want to be told.
fn classify(bytes: &[u8], members: &Members, limits: &ScanLimits) -> Result<(Kind, Span), Fault> {
    if members.duplicate {
        return Err(Fault::DuplicateKey);
    }
    if !is_version(members.jsonrpc.of(bytes)) {
        return Err(Fault::Version);
    }
    let outcomes = [members.result, members.error].iter().filter(|span| span.is_some()).count();
    if outcomes + usize::from(members.method.is_some()) > 1 {
        return Err(Fault::Ambiguous);
    }
    let id = members.id.is_some().then(|| members.id.of(bytes));
    let null_id_allowed = members.error.is_some();
    match id {
        None => {}
        Some(b"null") if null_id_allowed => {}
        Some(text) if text.len() > limits.max_id_bytes => return Err(Fault::IdTooLong),
        Some([b'"', ..]) if !members.escaped => {}
        Some(text) if is_integer(text) => {}
        Some(text) => drop(Id::from_json(text).ok_or(Fault::IdKind)?),
    }
    if members.method.is_some() {
        match members.method.of(bytes) {
            [b'"', inside @ .., b'"'] if !members.escaped || unescape(inside).is_some() => {}
            _ => return Err(Fault::Method),
        }
        if members.params.is_some() && !matches!(members.params.of(bytes).first(), Some(b'{' | b'[')) {
            return Err(Fault::Params);
        }
        let kind = if id.is_some() { Kind::Request } else { Kind::Notification };
        return Ok((kind, members.params));
    }
    if members.result.is_some() {
        return if id.is_some() { Ok((Kind::Result, members.result)) } else { Err(Fault::IdMissing) };
    }
    if members.error.is_some() {
        return if is_error_object(members.error.of(bytes)) {
            Ok((Kind::Error, members.error))
        } else {
            Err(Fault::ErrorObject)
        };
    }
    Err(Fault::Incomplete)
}

fn is_version(text: &[u8]) -> bool {
    match text {
        b"\"2.0\"" => true,
        [b'"', inside @ .., b'"'] if inside.contains(&b'\\') => {
            unescape(inside).is_some_and(|text| text == "2.0")
        }
        _ => false,
    }
}

/// MCP requires an integer `code` and a string `message`; `data` is free.
fn is_error_object(value: &[u8]) -> bool {
    let Some(object) = Object::scanned(value) else { return false };
    let code = object.get("code").and_then(Id::from_json).and_then(|code| code.as_i64());
    code.is_some() && object.get("message").is_some_and(|message| message.starts_with(b"\""))
}

fn invalid(fault: Fault, bytes: &[u8], members: &Members, limits: &ScanLimits) -> Malformed {
    let id = (members.id.is_some() && !members.duplicate_id)
        .then(|| members.id.of(bytes))
        .filter(|text| text.len() <= limits.max_id_bytes)
        .and_then(Id::from_json);
    let form = if members.method.is_some() {
        Form::Request
    } else if members.result.is_some() || members.error.is_some() {
        Form::Response
    } else {
        Form::Unknown
    };
    Malformed::new(fault, id, form, bytes.len() as u64)
}

/// For a text that is not JSON: reads on, loosely, for the id and the form.
#[cold]
fn salvaged(fault: Fault, bytes: &[u8], limits: &ScanLimits) -> Malformed {
    let mut salvage = Salvage::new();
    salvage.push(bytes);
    let found = salvage.finish();
    let id = found.id.filter(|id| id.as_json().len() <= limits.max_id_bytes);
    Malformed::new(fault, id, found.form, bytes.len() as u64)
}
