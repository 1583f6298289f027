//! The router, as one connection sees it, and replies on their way out.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;
use mcp_transport_core::BoxFuture;
use tokio::sync::watch;

use super::clock::Flight;
use super::drive::{Peer, Stage};
use super::stream::{Framing, Handover};
use super::{ConnectionHandle, Protocol};
use crate::reply::{Reply, ReplyBody};
use crate::router::Router;

/// The router, as one connection sees it.
pub(super) struct Served {
    pub(super) router: Router,
    pub(super) handle: ConnectionHandle,
    pub(super) handover: Handover,
    pub(super) peer: Peer,
    pub(super) stage: watch::Receiver<Stage>,
}

impl Service<Request<Incoming>> for Served {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Answering {
        let flight = self.handle.request_came();
        let extensions = request.extensions_mut();
        if let Some(address) = self.peer.address {
            extensions.insert(address);
        }
        #[cfg(feature = "tls")]
        if let Some(certificate) = &self.peer.certificate {
            extensions.insert(certificate.clone());
        }
        extensions.insert(self.handle.clone());
        let framing = Framing::of(&request);
        let answer = self.router.call(request);
        Answering {
            answer,
            framing,
            protocol: self.peer.protocol,
            flight: Some(flight),
            #[cfg(feature = "http2")]
            handle: self.handle.clone(),
            handover: self.handover.clone(),
            stage: self.stage.clone(),
        }
    }
}

/// A request at work. Dropping it drops its handler.
pub(super) struct Answering {
    answer: BoxFuture<'static, Result<Reply, Infallible>>,
    framing: Option<Framing>,
    protocol: Protocol,
    /// `None` once there is a reply.
    flight: Option<Flight>,
    #[cfg(feature = "http2")]
    handle: ConnectionHandle,
    handover: Handover,
    stage: watch::Receiver<Stage>,
}

impl Future for Answering {
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.answer.as_mut().poll(cx).map_ok(|mut reply| {
            let mut way = Way::Whole;
            match this.protocol {
                Protocol::Http1 => {
                    let framing = this.framing.filter(|_| Framing::is_of(&reply));
                    if framing.is_some() || *this.stage.borrow() > Stage::Serving {
                        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    }
                    if let Some(framing) = framing {
                        way = Way::HandedOver(this.handover.clone(), framing);
                    }
                }
                #[cfg(feature = "http2")]
                Protocol::Http2 => {
                    // RFC 9113 8.2.2: what concerns the connection is not said in headers.
                    reply.headers_mut().remove(CONNECTION);
                    if reply.body().is_stream() {
                        way = Way::Windowed(Window::new(this.handle.clone()));
                    }
                }
            }
            reply.map(|body| Tracked { body: Some(body), flight: this.flight.take(), way })
        })
    }
}

/// How a body is asked for.
enum Way {
    /// By hyper, to its end.
    Whole,
    /// By hyper, until it has nothing to say for now; then it leaves hyper.
    HandedOver(Handover, Framing),
    /// By hyper, when its reader has a window for it.
    #[cfg(feature = "http2")]
    Windowed(Window),
}

/// A body that tells the clock when it is done.
pub(super) struct Tracked {
    /// `None` while it is left to the handover.
    body: Option<ReplyBody>,
    flight: Option<Flight>,
    way: Way,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if self.body.is_none()
            && let Some(flight) = &mut self.flight
        {
            flight.goes_on();
        }
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let (handover, framing) = match &mut this.way {
            Way::HandedOver(handover, framing) => (handover, framing),
            Way::Whole => {
                return this.body.as_mut().map_or(Poll::Pending, |body| Pin::new(body).poll_frame(cx));
            }
            #[cfg(feature = "http2")]
            Way::Windowed(window) => {
                window.is_open();
                let frame = this.body.as_mut().map_or(Poll::Pending, |body| Pin::new(body).poll_frame(cx));
                if matches!(frame, Poll::Ready(Some(Ok(_)))) {
                    window.waits();
                }
                return frame;
            }
        };
        // It is asked again when hyper could not write all that it has, and so was not parted with.
        let Some(mut body) = this.body.take().or_else(|| handover.take()) else { return Poll::Pending };
        let frame = Pin::new(&mut body).poll_frame(cx);
        if frame.is_pending() {
            handover.leave(body, *framing);
        } else {
            this.body = Some(body);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

/// Tells the clock how long a reader has had no window for the next part of a reply.
///
/// hyper asks a body for more as soon as the reader has room for a byte; so when it does not ask, there is none.
#[cfg(feature = "http2")]
struct Window {
    handle: ConnectionHandle,
    reply: u64,
    waits: bool,
}

#[cfg(feature = "http2")]
impl Window {
    fn new(handle: ConnectionHandle) -> Self {
        let reply = handle.next_reply();
        Self { handle, reply, waits: false }
    }

    fn waits(&mut self) {
        self.waits = true;
        self.handle.waits_for_window(self.reply);
    }

    fn is_open(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.handle.has_window(self.reply);
        }
    }
}

#[cfg(feature = "http2")]
impl Drop for Window {
    fn drop(&mut self) {
        self.is_open();
    }
}
