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
    let io = TokioIo::new(Guarded::new(socket, handle.clone()));
    let service = Served { router, handle: handle.clone(), peer, stage: stage.clone() };
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            // hyper has one clock for the head and for the time between requests; ours are two.
            .header_read_timeout(None)
            .max_header_size(options.max_head)
            .max_buf_size(MAX_BUFFER.max(options.max_head))
            .half_close(false)
            .serve_connection(io, service)
    );
    let mut timer = pin!(sleep_until(Instant::now() + clocks.first_byte));
    let mut stopping = pin!(reached(stage.clone(), Stage::Closing));
    let result = poll_fn(|cx| {
        while let Poll::Ready(now) = stopping.as_mut().poll(cx) {
            if now == Stage::Cut {
                handle.ended(ConnectionEnd::Cut);
                return Poll::Ready(None);
            }
            connection.as_mut().graceful_shutdown();
            stopping.set(reached(stage.clone(), Stage::Cut));
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
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

/// The router, as one connection sees it.
struct Served {
    router: Router,
    handle: ConnectionHandle,
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
        let answer = self.router.call(request);
        Answering { answer, handle: self.handle.clone(), stage: self.stage.clone() }
    }
}

struct Answering {
    answer: BoxFuture<'static, Result<Reply, Infallible>>,
    handle: ConnectionHandle,
    stage: watch::Receiver<Stage>,
}

impl Future for Answering {
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx).map_ok(|mut reply| {
            if *self.stage.borrow() > Stage::Serving {
                reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            reply.map(|body| Tracked { body, handle: self.handle.clone() })
        })
    }
}

/// A body that tells the clock when it is done.
struct Tracked {
    body: ReplyBody,
    handle: ConnectionHandle,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.handle.reply_done();
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
