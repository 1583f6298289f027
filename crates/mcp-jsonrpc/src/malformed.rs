//! What is no message, and what can still be said about it.

use std::fmt;

use crate::{ErrorCode, ErrorObject, Id, Response};

/// What is wrong with an input that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Not JSON.
    Syntax,
    /// Not UTF-8.
    Utf8,
    /// More containers open at once than the limit allows.
    Depth,
    /// Longer than the limit allows; it was discarded while it was read.
    TooLarge,
    /// JSON, but neither an object nor a batch that was asked for.
    NotAnObject,
    /// A batch, where none is accepted (MCP has them in revision 2025-03-26 only).
    Batch,
    /// An empty batch, or one with more messages than the limit allows.
    BatchLength,
    /// An envelope key stands twice.
    DuplicateKey,
    /// `jsonrpc` is absent or not `"2.0"`.
    Version,
    /// `id` is no string and no integer, or null where null is not allowed.
    IdKind,
    /// `id` is longer than the limit allows.
    IdTooLong,
    /// A result without an id.
    IdMissing,
    /// `method` is no string, or has a lone surrogate.
    Method,
    /// `params` is no object and no array.
    Params,
    /// Both `method` and an outcome, or both `result` and `error`.
    Ambiguous,
    /// Neither `method` nor `result` nor `error`.
    Incomplete,
    /// `error` is no object with an integer `code` and a string `message`.
    ErrorObject,
}

impl Fault {
    /// One line for people, without any of the input.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "not JSON",
            Self::Utf8 => "not UTF-8",
            Self::Depth => "nested too deeply",
            Self::TooLarge => "too large",
            Self::NotAnObject => "not a JSON object",
            Self::Batch => "batches are not accepted here",
            Self::BatchLength => "an empty batch, or one with too many messages",
            Self::DuplicateKey => "an envelope key stands twice",
            Self::Version => "jsonrpc is not \"2.0\"",
            Self::IdKind => "id is no string and no integer",
            Self::IdTooLong => "id is too long",
            Self::IdMissing => "a result without an id",
            Self::Method => "method is not a string",
            Self::Params => "params is no object and no array",
            Self::Ambiguous => "more than one of method, result and error",
            Self::Incomplete => "neither method nor result nor error",
            Self::ErrorObject => "error is no object with an integer code and a string message",
        }
    }

    /// Whether JSON-RPC calls this a parse error rather than an invalid request.
    pub fn is_parse_error(self) -> bool {
        matches!(self, Self::Syntax | Self::Utf8 | Self::Depth)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a malformed input was probably meant to be; it decides who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// It has a `method`: a request if it also has an id, and then its sender is answered.
    Request,
    /// It has a `result` or an `error` and no `method`: whoever waits for that id is told, and nobody is answered.
    Response,
    /// Nothing was readable that would tell.
    Unknown,
}

/// An input that is no message: a value to look at and count, never the end of a connection.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {fault}")]
pub struct Malformed {
    fault: Fault,
    id: Option<Id>,
    form: Form,
    len: u64,
}

impl Malformed {
    /// Describes an input of `len` bytes; transports use it for what they discard themselves.
    pub fn new(fault: Fault, id: Option<Id>, form: Form, len: u64) -> Self {
        Self { fault, id, form, len }
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The id, when exactly one could be read.
    pub fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// What it was probably meant to be.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Bytes of the input, its framing excluded.
    pub fn input_len(&self) -> u64 {
        self.len
    }

    /// The one answer that its sender gets, if it gets one: an input with a readable id that is no response.
    ///
    /// Too large is an internal error with `data.reason` `too_large`, everything else an invalid request.
    pub fn answer(&self) -> Option<Response> {
        let id = self.id.as_ref().filter(|_| self.form != Form::Response)?;
        let error = match self.fault {
            Fault::TooLarge => ErrorObject::with_reason("message is too large", "too_large"),
            fault => ErrorObject::new(ErrorCode::INVALID_REQUEST, fault.as_str()),
        };
        Some(Response::error(id, &error))
    }
}

impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Malformed")
            .field("fault", &self.fault)
            .field("id", &self.id)
            .field("form", &self.form)
            .field("bytes", &self.len)
            .finish()
    }
}
