//! Headers that a caller adds, and may change while connections are open.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;

/// Headers that every later request of a client carries, on all of its connections: a handle, to be changed at any time.
///
/// After a 401 a caller sets `Authorization`, and sends the request again. A stream of the server's own that was refused
/// with 401 or 403 is asked for again by itself, when a header has changed.
///
/// ```
/// use http::header::{AUTHORIZATION, HeaderValue};
///
/// let client = mcp_streamable_http::StreamableClient::new("http://127.0.0.1:8808/mcp".parse()?);
/// let headers = client.headers();
/// let mut token = HeaderValue::from_static("Bearer secret");
/// token.set_sensitive(true);
/// headers.set(AUTHORIZATION, token);
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
///
/// They go to the origin of the client's URL and to no other, since no redirect to another is followed. Where the
/// protocol itself sets a header (`Accept`, `Content-Type`, `Last-Event-ID`, `Mcp-…`), its own value is sent.
#[derive(Clone, Default)]
pub struct SharedHeaders(Arc<watch::Sender<HeaderMap>>);

impl SharedHeaders {
    /// Sets a header, in place of whatever it was.
    pub fn set(&self, name: HeaderName, value: HeaderValue) {
        self.0.send_modify(|headers| {
            headers.insert(name, value);
        });
    }

    /// Removes a header.
    pub fn remove(&self, name: &HeaderName) {
        self.0.send_modify(|headers| {
            headers.remove(name);
        });
    }

    /// Sets all of them.
    pub fn replace(&self, headers: HeaderMap) {
        self.0.send_replace(headers);
    }

    pub(super) fn snapshot(&self) -> HeaderMap {
        self.0.borrow().clone()
    }

    /// Tells when they have changed from now on.
    pub(super) fn changes(&self) -> watch::Receiver<HeaderMap> {
        self.0.subscribe()
    }
}

/// Names, never values.
impl fmt::Debug for SharedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.borrow().keys()).finish()
    }
}
