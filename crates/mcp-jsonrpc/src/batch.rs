//! Batches, which one revision has.

use std::fmt;

use bytes::Bytes;

use crate::scan::{ScanError, ScanLimits, Scanner, Span, whole_value};
use crate::{Fault, Form, Malformed, Message};

/// Several messages in one array, accepted only where the caller asks for it.
///
/// # Spec
///
/// MCP 2025-03-26, basic, Batching: receivers accept batches; `initialize` is never part of one.
/// Every other revision has none.
#[derive(Clone)]
pub struct Batch {
    bytes: Bytes,
    spans: Vec<Span>,
    limits: ScanLimits,
}

impl Batch {
    /// Whether an input begins like an array, so that it has to be read as a batch or refused.
    pub fn is_batch(bytes: &[u8]) -> bool {
        bytes.trim_ascii_start().first() == Some(&b'[')
    }

    /// Checks the array as a whole; its messages are scanned one by one as they are taken.
    ///
    /// # Errors
    ///
    /// [`Malformed`] without an id when it is no JSON array, is empty, or has more messages than
    /// [`ScanLimits::max_batch`].
    pub fn parse(bytes: impl Into<Bytes>, limits: &ScanLimits) -> Result<Self, Malformed> {
        let bytes: Bytes = bytes.into();
        match spans(&bytes, limits) {
            Ok(spans) => Ok(Self { bytes, spans, limits: *limits }),
            Err(fault) => Err(Malformed::new(fault, None, Form::Unknown, bytes.len() as u64)),
        }
    }

    /// The messages, in order; what is no message is a value of its own and keeps the others alive.
    pub fn messages(&self) -> impl Iterator<Item = Result<Message, Malformed>> + '_ {
        let slice = |span: &Span| self.bytes.slice(span.start as usize..span.end as usize);
        self.spans.iter().map(move |span| Message::parse(slice(span), &self.limits))
    }

    /// How many messages it has; never 0.
    #[expect(clippy::len_without_is_empty, reason = "an empty batch is refused")]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Joins messages to the text of one batch, on one line.
    pub fn join(messages: impl IntoIterator<Item = Message>) -> Bytes {
        let mut text = vec![b'['];
        for message in messages {
            if text.len() > 1 {
                text.push(b',');
            }
            text.extend_from_slice(&message.into_line());
        }
        text.push(b']');
        text.into()
    }
}

/// Count only.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("messages", &self.spans.len())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

fn spans(bytes: &[u8], limits: &ScanLimits) -> Result<Vec<Span>, Fault> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(Fault::TooLarge);
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(Fault::Utf8);
    }
    let fault = |error| match error {
        ScanError::Depth => Fault::Depth,
        ScanError::Syntax => Fault::Syntax,
    };
    if !Batch::is_batch(bytes) {
        return Err(whole_value(bytes, 0, limits.max_depth).map_or_else(fault, |_| Fault::NotAnObject));
    }
    let mut scanner = Scanner::new(bytes, limits.max_depth);
    let mut spans = Vec::new();
    scanner.blanks();
    scanner.take(b'[').map_err(fault)?;
    scanner.blanks();
    if scanner.take(b']').is_ok() {
        return Err(Fault::BatchLength);
    }
    loop {
        let start = scanner.at();
        scanner.value(1).map_err(fault)?;
        spans.push(Span::new(start, scanner.at()));
        if spans.len() > limits.max_batch {
            return Err(Fault::BatchLength);
        }
        scanner.blanks();
        if scanner.take(b']').is_ok() {
            break;
        }
        scanner.take(b',').map_err(fault)?;
        scanner.blanks();
    }
    scanner.blanks();
    if scanner.at_end() { Ok(spans) } else { Err(Fault::Syntax) }
}
