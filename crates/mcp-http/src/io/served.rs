//! The router, as one connection sees it.

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

use super::ConnectionHandle;
use super::drive::Stage;
use super::stream::{Framing, Handover};
use crate::reply::{Reply, ReplyBody};
use crate::route::{PeerAddr, Source};
use crate::router::Router;

/// Who is at the other end, as far as the connection tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) address: Option<PeerAddr>,
    #[cfg(feature = "tls")]
    pub(crate) certificate: Option<crate::PeerCertificate>,
}

impl Peer {
    pub(crate) fn at(address: PeerAddr) -> Self {
        Self {
            address: Some(address),
            #[cfg(feature = "tls")]
            certificate: None,
        }
    }
}

/// What every request of a connection is given, whatever is spoken on it.
pub(crate) struct Served {
    pub(crate) router: Router,
    pub(crate) handle: ConnectionHandle,
    pub(crate) peer: Peer,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Served {
    /// Has the router answer, when it is polled.
    pub(crate) fn ask(
        &self,
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "nothing is put in"))]
        mut request: Request<Incoming>,
        handle: ConnectionHandle,
    ) -> BoxFuture<'static, Result<Reply, Infallible>> {
        #[cfg(feature = "tls")]
        if let Some(certificate) = &self.peer.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let source = Source { peer: self.peer.address, connection: Some(handle) };
        self.router.ask(request, source)
    }
}

/// The service of HTTP/1.
pub(crate) struct OneByOne {
    pub(crate) served: Served,
    pub(crate) handover: Handover,
}

impl Service<Request<Incoming>> for OneByOne {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (handle, handover) = (self.served.handle.clone(), self.handover.clone());
        handle.request_came();
        let framing = Framing::of(&request);
        let answer = self.served.ask(request, handle.clone());
        Answering { answer, framing, handle, handover, stage: self.served.stage.clone() }
    }
}

pub(crate) struct Answering {
    answer: BoxFuture<'static, Result<Reply, Infallible>>,
    framing: Option<Framing>,
    handle: ConnectionHandle,
    handover: Handover,
    stage: watch::Receiver<Stage>,
}

impl Future for Answering {
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx).map_ok(|mut reply| {
            let framing = self.framing.filter(|_| Framing::is_of(&reply));
            if framing.is_some() || *self.stage.borrow() > Stage::Serving {
                reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let handover = framing.map(|framing| (self.handover.clone(), framing));
            reply.map(|body| Tracked { body: Some(body), handle: self.handle.clone(), handover })
        })
    }
}

/// A body that tells the clock when it is done, or leaves hyper when it has nothing to say for now.
pub(crate) struct Tracked {
    /// `None` while it is left to the handover.
    body: Option<ReplyBody>,
    handle: ConnectionHandle,
    handover: Option<(Handover, Framing)>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if self.body.is_some() {
            self.handle.reply_done();
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
        let Some((handover, framing)) = &this.handover else {
            return this.body.as_mut().map_or(Poll::Pending, |body| Pin::new(body).poll_frame(cx));
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
