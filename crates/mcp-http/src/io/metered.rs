//! Replies of HTTP/2, in small frames, and how long one waits for its reader.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;
use mcp_transport_core::BoxFuture;
use tokio::time::Instant;

use super::ConnectionEnd;
use super::served::Served;
use crate::reply::{Reply, ReplyBody};

/// h2 takes a whole frame when there is room for one byte, so they are small; and a large reply is not done before its
/// reader has taken all but the last of it.
const FRAME: usize = 16 * 1024;

/// What one stream waits for, and why it was ended.
#[derive(Clone, Default)]
pub(crate) struct StreamClock(Arc<Mutex<Flow>>);

#[derive(Default)]
struct Flow {
    /// When a frame was handed over that hyper has not parted with.
    handed: Option<Instant>,
    end: Option<ConnectionEnd>,
}

impl StreamClock {
    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn handed(&self) -> Option<Instant> {
        self.flow().handed
    }

    pub(super) fn stalled(&self) {
        self.flow().end = Some(ConnectionEnd::WriteStalled);
    }

    pub(super) fn end(&self) -> Option<ConnectionEnd> {
        self.flow().end
    }
}

/// The clock of the stream that hyper is at: it calls the service for a request, and then at once the executor with what
/// came of that.
#[derive(Clone, Default)]
pub(super) struct Next(Arc<Mutex<Option<StreamClock>>>);

impl Next {
    fn put(&self, clock: StreamClock) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock);
    }

    pub(super) fn take(&self) -> StreamClock {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

/// The service of HTTP/2.
pub(super) struct AllAtOnce {
    served: Served,
    next: Next,
}

impl AllAtOnce {
    pub(super) fn new(served: Served, next: Next) -> Self {
        Self { served, next }
    }
}

impl Service<Request<Incoming>> for AllAtOnce {
    type Response = Response<Metered>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let clock = StreamClock::default();
        self.next.put(clock.clone());
        let bodiless = request.method() == Method::HEAD;
        let handle = self.served.handle.of_stream(clock.clone());
        Answering { answer: self.served.ask(request, handle), clock, bodiless }
    }
}

pub(super) struct Answering {
    answer: BoxFuture<'static, Result<Reply, Infallible>>,
    clock: StreamClock,
    bodiless: bool,
}

impl Future for Answering {
    type Output = Result<Response<Metered>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx).map_ok(|mut reply| {
            // RFC 9113 8.2.2: what it would say of the connection is said by GOAWAY, and of the rest of the request by
            // the reset that follows the reply.
            reply.headers_mut().remove(CONNECTION);
            // hyper does this for HTTP/1 only: RFC 9110 9.3.2.
            let body = |body| if self.bodiless { ReplyBody::empty() } else { body };
            reply.map(|given| Metered { body: body(given), rest: Bytes::new(), clock: self.clock.clone() })
        })
    }
}

/// A body that tells its clock when hyper is at a frame of it.
pub(super) struct Metered {
    body: ReplyBody,
    /// Of a frame that was too large.
    rest: Bytes,
    clock: StreamClock,
}

impl Body for Metered {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        // It has parted with the frame before, since it asks for more.
        this.clock.flow().handed = None;
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        this.clock.flow().handed = Some(Instant::now());
        let length = this.rest.len().min(FRAME);
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.size_hint();
        hint.exact().map_or(hint, |exact| SizeHint::with_exact(exact + self.rest.len() as u64))
    }
}
