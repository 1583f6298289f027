//! Bodies of requests.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Is told when a connection has taken a request that has a body: put it among the request's extensions.
///
/// Two requests that are sent one after the other go over two connections, one of which may have to be made first. Who
/// has to know that the first is on its way before the second begins, waits for this and not for the response.
/// A redirect takes a request again, as does another try after a refusal, and tells it again.
#[derive(Clone)]
pub struct OnTaken {
    taken: Arc<dyn Fn() + Send + Sync>,
    returned: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl OnTaken {
    /// Calls this, which must not block.
    pub fn new(told: impl Fn() + Send + Sync + 'static) -> Self {
        Self { taken: Arc::new(told), returned: None }
    }

    /// Calls this, which must not block, when the server has refused the request: it fails, or it is sent again, and is
    /// not on its way until it is taken again.
    #[must_use]
    pub fn with_returned(mut self, told: impl Fn() + Send + Sync + 'static) -> Self {
        self.returned = Some(Arc::new(told));
        self
    }

    pub(crate) fn returned(&self) {
        if let Some(told) = &self.returned {
            told();
        }
    }
}

impl fmt::Debug for OnTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnTaken")
    }
}

/// One piece, and who is told when it is taken.
pub(crate) struct RequestBody {
    bytes: Bytes,
    on_taken: Option<OnTaken>,
}

impl RequestBody {
    pub(crate) fn new(bytes: Bytes, on_taken: Option<OnTaken>) -> Self {
        Self { bytes, on_taken }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(OnTaken { taken, .. }) = &self.on_taken {
            taken();
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
