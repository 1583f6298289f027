//! HTTP/2: many requests at once on one connection, each in a task of its own.
//!
//! hyper has the tasks started, and lets go of them; here they are kept, so that none outlives its connection.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until};

use super::guarded::Guarded;
use super::metered::{AllAtOnce, Next, StreamClock};
use super::served::Served;
use super::{ConnectionHandle, ServerOptions};

/// Requests at once on a connection, as Envoy advises. A client that knows it waits with the next one, and one that does
/// not is told REFUSED_STREAM.
const MAX_STREAMS: u32 = 100;
/// What a client may send on one stream before somebody has read it: the usual message in one go.
const STREAM_WINDOW: u32 = 64 * 1024;
/// And on all streams of a connection together.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What h2 takes of one reply beyond what its reader has asked for; hyper's default is 400 KiB.
const SEND_BUFFER: usize = 64 * 1024;
/// A client that has said nothing for so long is asked whether it is there: half of what a NAT usually waits.
const PING: Duration = Duration::from_secs(20);
/// How long it has to say that it is.
const PONG: Duration = Duration::from_secs(10);

/// A connection of HTTP/2, and the tasks of its streams. Dropping it ends all of them.
pub(crate) struct Multiplexed<S> {
    connection: Box<http2::Connection<TokioIo<Guarded<S>>, AllAtOnce, Streams>>,
    tasks: Tasks,
    handle: ConnectionHandle,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Multiplexed<S> {
    pub(crate) fn new(io: Guarded<S>, served: Served, options: &ServerOptions) -> Self {
        let (tasks, next, handle) = (Tasks::default(), Next::default(), served.handle.clone());
        let streams = Streams {
            tasks: Arc::downgrade(&tasks.0),
            next: next.clone(),
            handle: handle.clone(),
            stall: options.write_stall,
        };
        let connection = http2::Builder::new(streams)
            // Without one, hyper's times are silently off.
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(options.max_head).unwrap_or(u32::MAX))
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .serve_connection(TokioIo::new(io), AllAtOnce::new(served, next));
        Self { connection: Box::new(connection), tasks, handle }
    }

    /// Has the client begin nothing more; what it began is answered.
    pub(crate) fn finish(&mut self) {
        Pin::new(&mut *self.connection).graceful_shutdown();
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut *self.connection).poll(cx);
        // After it, because it starts them; when the last one ends, this is polled again.
        if self.tasks.reap(cx) {
            self.handle.reply_done();
        }
        ended.map_err(io::Error::other)
    }

    /// Closes the connection, ends every task, and waits until they have.
    pub(crate) async fn end(self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        drop(self);
        tasks.shutdown().await;
    }
}

/// The tasks of a connection's streams, owned by it alone.
#[derive(Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of those that have ended, and says whether none is left.
    fn reap(&self, cx: &mut Context<'_>) -> bool {
        let mut tasks = self.lock();
        while let Poll::Ready(Some(ended)) = tasks.poll_join_next(cx) {
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!(target: "mcp.http", "a handler panicked; its stream is gone");
            }
        }
        tasks.is_empty()
    }
}

/// Starts a task for each stream, for hyper. It owns none: hyper has a clone of it in each of them, and they would own
/// themselves.
#[derive(Clone)]
struct Streams {
    tasks: Weak<Mutex<JoinSet<()>>>,
    next: Next,
    handle: ConnectionHandle,
    stall: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let Some(tasks) = self.tasks.upgrade() else { return };
        self.handle.request_came();
        let stream = unless_stalled(stream, self.next.take(), self.stall);
        tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(stream);
    }
}

/// Drives a stream until it ends, or its reader takes nothing for too long: hyper then waits for room, and asks neither
/// the body nor anybody else. What is dropped is reset with CANCEL, and the other streams go on: behind a proxy they are
/// other people's, and a client that forgot to read one reply did not mean to lose the rest.
async fn unless_stalled(stream: impl Future<Output = ()>, clock: StreamClock, stall: Duration) {
    let mut stream = pin!(stream);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while let Some(deadline) = clock.handed().map(|handed| handed + stall) {
            // One that is set is too early, never too late.
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
            if Instant::now() >= deadline {
                clock.stalled();
                tracing::debug!(target: "mcp.http", "a stream is not read; it is reset");
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await;
}
