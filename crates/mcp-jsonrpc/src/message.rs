//! Messages: what passed the scan or was built from Rust values.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::build::Builder;
use crate::encode::serialize;
use crate::envelope::{self, Envelope, Kind};
use crate::json::{Object, decode, one_line};
use crate::scan::{ScanLimits, Span, unescape};
use crate::{DecodeError, EncodeError, ErrorObject, Id, Json, Malformed};

/// One JSON-RPC message.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// It wants an answer.
    Request(Request),
    /// It wants none.
    Notification(Notification),
    /// It is one: a result or an error.
    Response(Response),
}

/// A message with a method and an id: its sender waits for the response.
#[derive(Clone, PartialEq, Eq)]
pub struct Request(Envelope);

/// A message with a method and no id: it is never answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification(Envelope);

/// The outcome of a request: a result, or an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    envelope: Envelope,
    failed: bool,
}

/// What a response says.
pub enum Outcome<'a> {
    /// The result's text.
    Result(&'a [u8]),
    /// The error.
    Error(ErrorObject),
}

impl Message {
    /// Scans one message: the only way by which raw bytes become one.
    ///
    /// The bytes are kept as they are, and nothing is decoded.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the id where one could be read.
    ///
    /// # Spec
    ///
    /// JSON-RPC 2.0, sections 4 and 5; MCP 2025-11-25, basic, Messages.
    pub fn parse(bytes: impl Into<Bytes>, limits: &ScanLimits) -> Result<Self, Malformed> {
        let (kind, envelope) = envelope::scan(bytes.into(), limits)?;
        Ok(match kind {
            Kind::Request => Self::Request(Request(envelope)),
            Kind::Notification => Self::Notification(Notification(envelope)),
            Kind::Result => Self::Response(Response { envelope, failed: false }),
            Kind::Error => Self::Response(Response { envelope, failed: true }),
        })
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Request(request) => Some(request.method()),
            Self::Notification(notification) => Some(notification.method()),
            Self::Response(_) => None,
        }
    }

    /// The id of a request, or of a response that has one.
    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Request(request) => Some(request.id()),
            Self::Notification(_) => None,
            Self::Response(response) => response.id(),
        }
    }

    /// `"request"`, `"notification"`, `"result"` or `"error"`, for logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Notification(_) => "notification",
            Self::Response(response) if response.failed => "error",
            Self::Response(_) => "result",
        }
    }

    fn envelope(&self) -> &Envelope {
        match self {
            Self::Request(Request(envelope)) | Self::Notification(Notification(envelope)) => envelope,
            Self::Response(response) => &response.envelope,
        }
    }

    fn into_envelope(self) -> Envelope {
        match self {
            Self::Request(Request(envelope)) | Self::Notification(Notification(envelope)) => envelope,
            Self::Response(response) => response.envelope,
        }
    }
}

/// What every message can do, whatever its kind.
macro_rules! text_of {
    ($($kind:ty),*) => {$(
        impl $kind {
            /// The text as it came in or was built; it may hold raw line breaks between tokens.
            pub fn as_bytes(&self) -> &[u8] {
                &self.envelope().bytes
            }

            /// Bytes of the text; never 0.
            #[expect(clippy::len_without_is_empty, reason = "no message is empty")]
            pub fn len(&self) -> usize {
                self.envelope().bytes.len()
            }

            /// The text on one line: what a stdio line or an event's data carries.
            ///
            /// The same bytes without a copy, unless raw line breaks stand between tokens; these become spaces.
            pub fn into_line(self) -> Bytes {
                let envelope = self.into_envelope();
                if envelope.breaks { one_line(&envelope.bytes) } else { envelope.bytes }
            }

            /// The same message with its text on one line, as [`into_line`](Self::into_line) would give it.
            #[must_use]
            pub fn one_line(mut self) -> Self {
                let envelope = self.envelope_mut();
                if std::mem::take(&mut envelope.breaks) {
                    envelope.bytes = one_line(&envelope.bytes);
                }
                self
            }

            /// The same message in memory of its own.
            ///
            /// A message is a slice and keeps the whole buffer alive that it was read into; what is kept for long and
            /// is much smaller than that buffer is better copied.
            #[must_use]
            pub fn detached(mut self) -> Self {
                let envelope = self.envelope_mut();
                envelope.bytes = Bytes::copy_from_slice(&envelope.bytes);
                self
            }
        }
    )*};
}

text_of!(Message, Request, Notification, Response);

impl Message {
    fn envelope_mut(&mut self) -> &mut Envelope {
        match self {
            Self::Request(Request(envelope)) | Self::Notification(Notification(envelope)) => envelope,
            Self::Response(response) => &mut response.envelope,
        }
    }
}

impl Request {
    /// A request without params.
    pub fn new(id: impl Into<Id>, method: &str) -> Self {
        Self(Builder::new().id(&id.into()).method(method).finish())
    }

    /// A request with params, which serialize to an object or an array; `()` and `None` stand for no params.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when they serialize to anything else, fail to serialize, or are nested too deeply.
    pub fn with_params<T: Serialize + ?Sized>(
        id: impl Into<Id>,
        method: &str,
        params: &T,
    ) -> Result<Self, EncodeError> {
        let built = Builder::new().id(&id.into()).method(method).params(|text| serialize(text, params, 1))?;
        Ok(Self(built.finish()))
    }

    /// A request whose params are text already.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the text is neither an object nor an array; `null` stands for no params.
    pub fn with_json_params(id: impl Into<Id>, method: &str, params: &Json) -> Result<Self, EncodeError> {
        let built = Builder::new().id(&id.into()).method(method).params(|text| copy(text, params))?;
        Ok(Self(built.finish()))
    }

    /// The id, to be echoed in the response.
    pub fn id(&self) -> Id {
        Id::keep(self.0.id.of(&self.0.bytes))
    }

    /// The method, its escapes resolved.
    pub fn method(&self) -> Cow<'_, str> {
        method(&self.0)
    }

    /// The text of the params: an object or an array; `None` when absent.
    pub fn params_raw(&self) -> Option<&[u8]> {
        body(&self.0)
    }

    /// The params as an object whose members can be looked at; `None` when they are absent or an array.
    ///
    /// They passed the scan with the message, and are not scanned again.
    pub fn params_object(&self) -> Option<Object<'_>> {
        self.params_raw().and_then(Object::scanned)
    }

    /// Decodes the params; absent ones read as an empty object.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when they do not fit `T`.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        decode(self.params_raw().unwrap_or(b"{}"))
    }

    /// The same request under another id; every other byte stays.
    #[must_use]
    pub fn with_id(&self, id: &Id) -> Self {
        Self(splice_id(&self.0, id))
    }

    fn envelope(&self) -> &Envelope {
        &self.0
    }

    fn envelope_mut(&mut self) -> &mut Envelope {
        &mut self.0
    }

    fn into_envelope(self) -> Envelope {
        self.0
    }
}

impl Notification {
    /// A notification without params.
    pub fn new(method: &str) -> Self {
        Self(Builder::new().method(method).finish())
    }

    /// A notification with params; see [`Request::with_params`].
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when they are neither object nor array, fail to serialize, or are nested too deeply.
    pub fn with_params<T: Serialize + ?Sized>(method: &str, params: &T) -> Result<Self, EncodeError> {
        Ok(Self(Builder::new().method(method).params(|text| serialize(text, params, 1))?.finish()))
    }

    /// A notification whose params are text already.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the text is neither an object nor an array; `null` stands for no params.
    pub fn with_json_params(method: &str, params: &Json) -> Result<Self, EncodeError> {
        Ok(Self(Builder::new().method(method).params(|text| copy(text, params))?.finish()))
    }

    /// The method, its escapes resolved.
    pub fn method(&self) -> Cow<'_, str> {
        method(&self.0)
    }

    /// The text of the params: an object or an array; `None` when absent.
    pub fn params_raw(&self) -> Option<&[u8]> {
        body(&self.0)
    }

    /// The params as an object whose members can be looked at; `None` when they are absent or an array.
    ///
    /// They passed the scan with the message, and are not scanned again.
    pub fn params_object(&self) -> Option<Object<'_>> {
        self.params_raw().and_then(Object::scanned)
    }

    /// Decodes the params; absent ones read as an empty object.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when they do not fit `T`.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        decode(self.params_raw().unwrap_or(b"{}"))
    }

    fn envelope(&self) -> &Envelope {
        &self.0
    }

    fn envelope_mut(&mut self) -> &mut Envelope {
        &mut self.0
    }

    fn into_envelope(self) -> Envelope {
        self.0
    }
}

impl Response {
    /// A response with a result.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the result fails to serialize or is nested too deeply.
    pub fn result<T: Serialize + ?Sized>(id: &Id, result: &T) -> Result<Self, EncodeError> {
        let built = Builder::new().id(id).body(b",\"result\":", |text| serialize(text, result, 1))?;
        Ok(Self { envelope: built.finish(), failed: false })
    }

    /// A response whose result is text already.
    pub fn json_result(id: &Id, result: &Json) -> Self {
        // Copying a checked text cannot fail.
        let built = Builder::new().id(id).body(b",\"result\":", |text| copy(text, result));
        match built {
            Ok(built) => Self { envelope: built.finish(), failed: false },
            Err(_) => Self::error(id, &ErrorObject::with_reason("internal error", "unanswered")),
        }
    }

    /// A response with an error.
    pub fn error(id: &Id, error: &ErrorObject) -> Self {
        Self::failure(Builder::new().id(id), error)
    }

    /// An error that answers nothing in particular, because no id could be read.
    ///
    /// # Spec
    ///
    /// MCP 2025-11-25, basic, Responses: an error may leave out the id.
    pub fn error_without_id(error: &ErrorObject) -> Self {
        Self::failure(Builder::new(), error)
    }

    fn failure(builder: Builder, error: &ErrorObject) -> Self {
        let write = |text: &mut Vec<u8>| {
            error.write(text);
            Ok::<(), EncodeError>(())
        };
        let envelope = match builder.body(b",\"error\":", write) {
            Ok(built) => built.finish(),
            Err(_) => unreachable!("writing an error object returns Ok"),
        };
        Self { envelope, failed: true }
    }

    /// The id of the request that this answers; `None` only for an error with a null id or none.
    pub fn id(&self) -> Option<Id> {
        let text = self.envelope.id.of(&self.envelope.bytes);
        (!text.is_empty() && text != b"null").then(|| Id::keep(text))
    }

    /// The result's text, or the error.
    pub fn outcome(&self) -> Outcome<'_> {
        let body = self.envelope.body.of(&self.envelope.bytes);
        if !self.failed {
            return Outcome::Result(body);
        }
        let unreadable = || ErrorObject::new(crate::ErrorCode::INTERNAL_ERROR, "unreadable error");
        Outcome::Error(ErrorObject::read(body).unwrap_or_else(unreadable))
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.failed
    }

    /// The text of the result; `None` for an error.
    pub fn result_raw(&self) -> Option<&[u8]> {
        (!self.failed).then(|| self.envelope.body.of(&self.envelope.bytes))
    }

    /// The result as an object whose members can be looked at; `None` for an error and for every other value.
    ///
    /// It passed the scan with the message, and is not scanned again.
    pub fn result_object(&self) -> Option<Object<'_>> {
        self.result_raw().and_then(Object::scanned)
    }

    /// The same response under another id; every other byte stays.
    ///
    /// A response without an id stays as it is.
    #[must_use]
    pub fn with_id(&self, id: &Id) -> Self {
        if !self.envelope.id.is_some() {
            return self.clone();
        }
        Self { envelope: splice_id(&self.envelope, id), failed: self.failed }
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn envelope_mut(&mut self) -> &mut Envelope {
        &mut self.envelope
    }

    fn into_envelope(self) -> Envelope {
        self.envelope
    }
}

fn copy(out: &mut Vec<u8>, json: &Json) -> Result<(), EncodeError> {
    out.extend_from_slice(json.as_bytes());
    Ok(())
}

fn method(envelope: &Envelope) -> Cow<'_, str> {
    let [b'"', inside @ .., b'"'] = envelope.method.of(&envelope.bytes) else { return Cow::Borrowed("") };
    if memchr::memchr(b'\\', inside).is_some() {
        return Cow::Owned(unescape(inside).unwrap_or_default());
    }
    Cow::Borrowed(std::str::from_utf8(inside).unwrap_or_default())
}

fn body(envelope: &Envelope) -> Option<&[u8]> {
    envelope.body.is_some().then(|| envelope.body.of(&envelope.bytes))
}

/// Puts another id in the place of the old one and moves the spans that stand behind it.
fn splice_id(old: &Envelope, id: &Id) -> Envelope {
    let new = id.as_json();
    let (start, end) = (old.id.start as usize, old.id.end as usize);
    let mut bytes = Vec::with_capacity(old.bytes.len() - (end - start) + new.len());
    bytes.extend_from_slice(old.bytes.get(..start).unwrap_or_default());
    bytes.extend_from_slice(new);
    bytes.extend_from_slice(old.bytes.get(end..).unwrap_or_default());
    let moved = |span: Span| {
        if (span.start as usize) < end {
            return span;
        }
        let at = |offset: u32| offset as usize - end + start + new.len();
        Span::new(at(span.start), at(span.end))
    };
    Envelope {
        id: Span::new(start, start + new.len()),
        method: moved(old.method),
        body: moved(old.body),
        breaks: old.breaks,
        bytes: bytes.into(),
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Notification> for Message {
    fn from(notification: Notification) -> Self {
        Self::Notification(notification)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// Size only: a result is somebody's data.
impl fmt::Debug for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result(text) => write!(f, "Result({} bytes)", text.len()),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// A method in a log line, cut after 64 bytes; it has any length that a peer likes.
struct Brief<'a>(&'a str);

impl fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.0.char_indices().find(|(at, character)| at + character.len_utf8() > 64);
        match cut.and_then(|(at, _)| self.0.get(..at)) {
            Some(start) => write!(f, "{start:?}…"),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Kind, method, id and length; never payload.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(message) => message.fmt(f),
            Self::Notification(message) => message.fmt(f),
            Self::Response(message) => message.fmt(f),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &Brief(&self.method()))
            .field("id", &self.id())
            .field("bytes", &self.len())
            .finish()
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("method", &Brief(&self.method()))
            .field("bytes", &self.len())
            .finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.failed { "error" } else { "result" };
        f.debug_struct("Response")
            .field("kind", &kind)
            .field("id", &self.id())
            .field("bytes", &self.len())
            .finish()
    }
}
