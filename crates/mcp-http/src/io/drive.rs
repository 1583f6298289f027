//! One connection, from accept to end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use mcp_transport_core::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::guarded::Guarded;
use super::stream::{Framing, Handover, Streaming};
use super::{Clocks, ConnectionEnd, ConnectionHandle, ServerOptions};
use crate::reply::{Reply, ReplyBody};
use crate::route::PeerAddr;
use crate::router::Router;

/// How far a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// New connections are accepted.
    Serving,
    /// The listener is closed, the bindings end their streams, every reply says that the connection ends with it.
    Draining,
    /// Connections end as soon as the request that they are at is answered.
    Closing,
    /// Connections end.
    Cut,
}

/// hyper's buffers of one connection grow up to this.
const MAX_BUFFER: usize = 64 * 1024;

/// Serves one connection until it ends, and says why if it was this side that ended it. Dropping the future ends it at
/// once.
pub(crate) async fn drive<S>(
    socket: S,
    peer: Option<PeerAddr>,
    router: Router,
    options: &ServerOptions,
    stage: watch::Receiver<Stage>,
) -> Option<ConnectionEnd>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let clocks = Clocks::from(options);
    let handle = ConnectionHandle::new();
    let mut speaking = Speaking::new(socket, &handle, peer, router, options.max_head, stage.clone());
    let mut timer = pin!(sleep_until(Instant::now() + clocks.first_byte));
    let mut stopping = pin!(reached(stage.clone(), Stage::Closing));
    let result = poll_fn(|cx| {
        while let Poll::Ready(now) = stopping.as_mut().poll(cx) {
            if now == Stage::Cut {
                handle.ended(ConnectionEnd::Cut);
                return Poll::Ready(None);
            }
            speaking.finish();
            stopping.set(reached(stage.clone(), Stage::Cut));
        }
        if let Poll::Ready(result) = speaking.poll(cx, &handle) {
            return Poll::Ready(Some(result));
        }
        // The timer is set anew only when it is too late; one that is too early fires and is then set right.
        while let Some((deadline, end)) = handle.deadline(&clocks) {
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
            if Instant::now() >= deadline {
                if let Some(end) = end {
                    handle.ended(end);
                }
                return Poll::Ready(None);
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await;
    let end = handle.end();
    match (result, end) {
        (_, Some(end)) => tracing::debug!(target: "mcp.http", %end, "connection ended here"),
        (Some(Err(error)), None) => tracing::debug!(target: "mcp.http", %error, "connection failed"),
        _ => tracing::trace!(target: "mcp.http", "connection ended"),
    }
    end
}

/// Waits for a stage, or one behind it. A server that is gone has no more to say: that is the last.
async fn reached(mut stage: watch::Receiver<Stage>, wanted: Stage) -> Stage {
    stage.wait_for(|now| *now >= wanted).await.map_or(Stage::Cut, |now| *now)
}

/// Who speaks HTTP on a connection: hyper, until it has written the head of a stream.
///
/// hyper is in a box, so that a stream does not carry the room that it took.
enum Speaking<S> {
    Hyper(Box<http1::Connection<TokioIo<Guarded<S>>, Served>>, Handover),
    Stream(Streaming<S>),
    /// Nobody any more.
    Over,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Speaking<S> {
    fn new(
        socket: S,
        handle: &ConnectionHandle,
        peer: Option<PeerAddr>,
        router: Router,
        max_head: usize,
        stage: watch::Receiver<Stage>,
    ) -> Self {
        let io = TokioIo::new(Guarded::new(socket, handle.clone()));
        let handover = Handover::default();
        let service = Served { router, handle: handle.clone(), handover: handover.clone(), peer, stage };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // hyper has one clock for the head and for the time between requests; ours are two.
            .header_read_timeout(None)
            .max_header_size(max_head)
            .max_buf_size(MAX_BUFFER.max(max_head))
            .half_close(false)
            .serve_connection(io, service);
        Self::Hyper(Box::new(connection), handover)
    }

    /// No request after the one that it is at. A stream is the last one in any case.
    fn finish(&mut self) {
        if let Self::Hyper(connection, _) = self {
            Pin::new(&mut **connection).graceful_shutdown();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, handle: &ConnectionHandle) -> Poll<io::Result<()>> {
        if let Self::Hyper(connection, handover) = self {
            if let Poll::Ready(result) = Pin::new(&mut **connection).poll(cx) {
                return Poll::Ready(result.map_err(io::Error::other));
            }
            // hyper asks the body when it has framed the head, and then writes until the socket is full.
            if handle.is_write_blocked() {
                return Poll::Pending;
            }
            let Some((body, framing)) = handover.part() else { return Poll::Pending };
            if let Self::Hyper(connection, _) = std::mem::replace(self, Self::Over) {
                let io = connection.into_parts().io.into_inner();
                *self = Self::Stream(Streaming::new(io, body, framing));
            }
        }
        match self {
            Self::Stream(stream) => stream.poll(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// The router, as one connection sees it.
struct Served {
    router: Router,
    handle: ConnectionHandle,
    handover: Handover,
    peer: Option<PeerAddr>,
    stage: watch::Receiver<Stage>,
}

impl Service<Request<Incoming>> for Served {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Answering {
        self.handle.request_came();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        request.extensions_mut().insert(self.handle.clone());
        let framing = Framing::of(&request);
        let answer = self.router.call(request);
        let (handle, handover) = (self.handle.clone(), self.handover.clone());
        Answering { answer, framing, handle, handover, stage: self.stage.clone() }
    }
}

struct Answering {
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
struct Tracked {
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
