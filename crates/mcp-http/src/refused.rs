//! A request that was answered with something else than success.

use std::fmt;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use mcp_transport_core::{Error, ErrorKind};

use crate::proto::ContentType;

/// The status that a server refused a request with, as the source of an [`Error`].
///
/// ```
/// # use mcp_http::HttpRefused;
/// fn needs_login(error: &mcp_transport_core::Error) -> bool {
///     HttpRefused::of(error).is_some_and(|refused| refused.status() == 401)
/// }
/// ```
#[derive(Clone)]
pub struct HttpRefused {
    status: StatusCode,
    challenges: Vec<HeaderValue>,
    retry_after: Option<HeaderValue>,
    content_type: ContentType,
    body: Bytes,
}

impl HttpRefused {
    pub(crate) fn new<B>(response: &Response<B>, body: Bytes) -> Self {
        let headers: &HeaderMap = response.headers();
        Self {
            status: response.status(),
            challenges: headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect(),
            retry_after: headers.get(http::header::RETRY_AFTER).cloned(),
            content_type: ContentType::of(headers),
            body,
        }
    }

    /// The refusal behind an error, if one is.
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The values of `WWW-Authenticate`, in order.
    pub fn challenges(&self) -> &[HeaderValue] {
        &self.challenges
    }

    /// The value of `Retry-After`.
    pub fn retry_after(&self) -> Option<&HeaderValue> {
        self.retry_after.as_ref()
    }

    /// The body, and what it says that it is; empty if it was larger than 64 KiB or did not come within a second.
    ///
    /// A server of revision 2026-07-28 explains a 400 with a JSON-RPC error. It is input like any other, and no text to
    /// show as it is.
    pub fn body(&self) -> (ContentType, &Bytes) {
        (self.content_type, &self.body)
    }

    /// Refused is what the same request would meet again; the rest may pass.
    pub(crate) fn into_error(self) -> Error {
        let passes = self.status.is_server_error()
            || matches!(self.status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            || !self.status.is_client_error();
        let (kind, what) = match self.status {
            StatusCode::UNAUTHORIZED => (ErrorKind::Refused, "the server asks for authentication"),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                (ErrorKind::Refused, "the proxy asks for authentication")
            }
            StatusCode::FORBIDDEN => (ErrorKind::Refused, "the server forbids it"),
            _ if passes => (ErrorKind::Peer, "the server answered with an error"),
            _ => (ErrorKind::Refused, "the server refused the request"),
        };
        Error::new(kind, what).with_source(self)
    }
}

impl fmt::Display for HttpRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)
    }
}

/// Without headers and body: a challenge may hold what is nobody else's business.
impl fmt::Debug for HttpRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRefused")
            .field("status", &self.status.as_u16())
            .field("challenges", &self.challenges.len())
            .field("bytes", &self.body.len())
            .finish()
    }
}

impl std::error::Error for HttpRefused {}
