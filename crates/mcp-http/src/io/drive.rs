//! One connection, from accept to end.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep_until};

use super::guarded::Guarded;
#[cfg(feature = "http2")]
use super::http2::Multiplexed;
use super::served::{OneByOne, Peer, Served};
use super::stream::{Handover, Streaming};
use super::watched::Watched;
use super::{Clocks, ConnectionEnd, ConnectionHandle, Protocol, ServerOptions};
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

/// Serves one connection in clear text until it ends, and says why if it was this side that ended it. Dropping the
/// future ends it at once.
pub(crate) fn drive<S>(
    socket: S,
    peer: Peer,
    router: Router,
    options: &ServerOptions,
    stage: watch::Receiver<Stage>,
) -> impl Future<Output = Option<ConnectionEnd>> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handle = ConnectionHandle::new();
    let io = Watched::new(socket, handle.clone());
    converse(io, Protocol::Http1, Served { router, handle, peer, stage }, options)
}

/// Speaks HTTP over a connection that has just begun.
pub(super) fn converse<S>(
    io: S,
    protocol: Protocol,
    served: Served,
    options: &ServerOptions,
) -> impl Future<Output = Option<ConnectionEnd>> + Send + use<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (clocks, handle, stage) = (Clocks::from(options), served.handle.clone(), served.stage.clone());
    let speaking = Speaking::new(Guarded::new(io, handle.clone()), protocol, served, options);
    run(speaking, clocks, handle, stage)
}

async fn run<S>(
    mut speaking: Speaking<S>,
    clocks: Clocks,
    handle: ConnectionHandle,
    mut stage: watch::Receiver<Stage>,
) -> Option<ConnectionEnd>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut timer = pin!(sleep_until(Instant::now() + clocks.first_byte));
    let mut stopping = pin!(reached(stage.clone(), Stage::Closing));
    let mut waiting = None::<Waker>;
    let mut parting = None;
    let result = poll_fn(|cx| {
        // While nothing has changed, what waits for it need not be asked again for each request.
        if stage.has_changed().unwrap_or(true)
            || waiting.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker()))
        {
            stage.mark_unchanged();
            waiting = Some(cx.waker().clone());
            // Out of turn if need be: a task whose budget is spent would not be registered, and would not ask again.
            while let Poll::Ready(now) = pin!(unconstrained(stopping.as_mut())).poll(cx) {
                if now == Stage::Cut {
                    handle.ended(ConnectionEnd::Cut);
                    return Poll::Ready(None);
                }
                speaking.finish();
                stopping.set(reached(stage.clone(), Stage::Cut));
            }
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
                if end == Some(ConnectionEnd::Idle) && speaking.parts() {
                    parting = end;
                    handle.lingers();
                    if let Poll::Ready(result) = speaking.poll(cx, &handle) {
                        return Poll::Ready(Some(result));
                    }
                    continue;
                }
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
    #[cfg(feature = "http2")]
    if let Speaking::Http2(connection) = speaking {
        connection.end().await;
    }
    let end = handle.end().or(parting);
    match (result, end) {
        (_, Some(end)) => tracing::debug!(target: "mcp.http", %end, "connection ended here"),
        (Some(Err(error)), None) => tracing::debug!(target: "mcp.http", %error, "connection failed"),
        _ => tracing::trace!(target: "mcp.http", "connection ended"),
    }
    end
}

/// Waits for a stage, or one behind it. A server that is gone has no more to say: that is the last.
pub(super) async fn reached(mut stage: watch::Receiver<Stage>, wanted: Stage) -> Stage {
    stage.wait_for(|now| *now >= wanted).await.map_or(Stage::Cut, |now| *now)
}

/// Who speaks HTTP on a connection: hyper, until it has written the head of a stream.
///
/// hyper is in a box, so that a stream does not carry the room that it took.
enum Speaking<S> {
    Hyper(Box<http1::Connection<TokioIo<Guarded<S>>, OneByOne>>, Handover),
    Stream(Streaming<S>),
    /// hyper as well, and to the end.
    #[cfg(feature = "http2")]
    Http2(Multiplexed<S>),
    /// Nobody any more.
    Over,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Speaking<S> {
    fn new(io: Guarded<S>, protocol: Protocol, served: Served, options: &ServerOptions) -> Self {
        match protocol {
            Protocol::Http1 => Self::http1(io, served, options.max_head),
            #[cfg(feature = "http2")]
            Protocol::Http2 => Self::Http2(Multiplexed::new(io, served, options)),
        }
    }

    fn http1(io: Guarded<S>, served: Served, max_head: usize) -> Self {
        let handover = Handover::default();
        let service = OneByOne { served, handover: handover.clone() };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // hyper has one clock for the head and for the time between requests; ours are two.
            .header_read_timeout(None)
            .max_header_size(max_head)
            .max_buf_size(MAX_BUFFER.max(max_head))
            .half_close(false)
            .serve_connection(TokioIo::new(io), service);
        Self::Hyper(Box::new(connection), handover)
    }

    /// No request after the one that it is at. A stream is the last one in any case.
    fn finish(&mut self) {
        match self {
            Self::Hyper(connection, _) => Pin::new(&mut **connection).graceful_shutdown(),
            #[cfg(feature = "http2")]
            Self::Http2(connection) => connection.finish(),
            Self::Stream(_) | Self::Over => {}
        }
    }

    /// Begins to end what nobody uses, and says whether that takes a moment: the client is told, which may be about to
    /// use it (RFC 9113 6.8, RFC 8446 6.1). What it has begun by then is answered.
    fn parts(&mut self) -> bool {
        self.finish();
        !matches!(self, Self::Stream(_) | Self::Over)
    }

    fn poll(&mut self, cx: &mut Context<'_>, handle: &ConnectionHandle) -> Poll<io::Result<()>> {
        if let Self::Hyper(connection, handover) = self {
            if let Poll::Ready(result) = Pin::new(&mut **connection).poll(cx) {
                return Poll::Ready(result.map_err(io::Error::other));
            }
            // hyper asks the body when it has framed the head, and then writes until the socket is full.
            if !handover.was_ever_used() || handle.is_write_blocked() {
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
            #[cfg(feature = "http2")]
            Self::Http2(connection) => connection.poll(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
