//! Replies and their bodies.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

/// An answer to a request.
pub type Reply = Response<ReplyBody>;

const NOSNIFF: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));

/// The body of a reply: nothing, bytes, or a stream of them.
pub struct ReplyBody(Kind);

enum Kind {
    Empty,
    Full(Bytes),
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>),
}

impl ReplyBody {
    /// No body.
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body that is ready.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { Kind::Empty } else { Kind::Full(bytes) })
    }

    /// A body that comes bit by bit. An error of it cuts the connection, so that the client sees a broken stream.
    ///
    /// It should yield pieces of at most 16 KiB: while 64 KiB wait to be written, the body is not polled, and cannot end
    /// itself. A stream in reply to a GET ends its connection, and says so in its head.
    pub fn stream(body: impl Body<Data = Bytes, Error = io::Error> + Send + 'static) -> Self {
        Self(Kind::Stream(Box::pin(body)))
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.0, Kind::Stream(_))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Kind::Stream(body) = &mut self.0 {
            return body.as_mut().poll_frame(cx);
        }
        match std::mem::replace(&mut self.0, Kind::Empty) {
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

/// Kind and length, never content.
impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Empty"),
            Kind::Full(bytes) => f.debug_struct("Full").field("bytes", &bytes.len()).finish(),
            Kind::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A reply of one status and body, without a type.
pub fn reply(status: StatusCode, body: ReplyBody) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let (name, value) = NOSNIFF;
    reply.headers_mut().insert(name, value);
    reply
}

/// A reply in JSON, which no cache keeps.
pub fn json_reply(status: StatusCode, json: impl Into<Bytes>) -> Reply {
    let mut reply = reply(status, ReplyBody::full(json));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A reply of one line of plain text, which is a fixed one: nothing that a peer sent is ever part of it.
pub fn text_reply(status: StatusCode, text: &'static str) -> Reply {
    let mut reply = reply(status, ReplyBody::full(Bytes::from_static(text.as_bytes())));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

/// An event stream, with the headers that keep proxies from holding it back.
///
/// # Spec
///
/// WHATWG HTML, Server-sent events. `X-Accel-Buffering` is nginx's.
pub fn event_stream_reply(body: impl Body<Data = Bytes, Error = io::Error> + Send + 'static) -> Reply {
    let mut reply = reply(StatusCode::OK, ReplyBody::stream(body));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    reply
}

/// Why a request is not served: a status, a fixed line of text, and headers.
#[derive(Clone)]
pub struct Refusal {
    status: StatusCode,
    text: &'static str,
    headers: HeaderMap,
}

impl Refusal {
    /// A refusal with a text that says what to change.
    pub fn new(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, headers: HeaderMap::new() }
    }

    /// 503: something is full or shuts down, and it is worth another try after a second.
    ///
    /// # Spec
    ///
    /// RFC 9110 10.2.3, Retry-After.
    pub fn unavailable(text: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The same refusal with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Says that the connection ends, because a part of the request was not read.
    pub(crate) fn closing(self) -> Self {
        self.with_header(CONNECTION, HeaderValue::from_static("close"))
    }

    pub(crate) fn allowing(self, methods: HeaderValue) -> Self {
        self.with_header(ALLOW, methods)
    }

    /// What it asks a client to prove.
    pub(crate) fn challenges(&self) -> impl Iterator<Item = &HeaderValue> {
        self.headers.get_all(WWW_AUTHENTICATE).iter()
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The text, which is the body of the reply.
    pub fn text(&self) -> &'static str {
        self.text
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut reply = text_reply(refusal.status, refusal.text);
        reply.headers_mut().extend(refusal.headers);
        reply
    }
}

/// Without headers: a challenge may hold what is nobody else's business.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({}: {})", self.status.as_u16(), self.text)
    }
}
