//! HTTP/2 on one connection: hyper, its limits, and tasks that end with it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::guarded::Guarded;
use super::served::Served;

/// Requests at once on one connection, as Envoy has it; one more is refused (RFC 9113 5.1.2).
const MAX_STREAMS: u32 = 100;
/// Bytes of one request body that may come before they are read.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of one reply that wait for their reader below our own bounds; hyper's default is 400 KiB for each.
const SEND_BUFFER: usize = 64 * 1024;
/// After so long without a word the other end is asked whether it is there; half of the usual time-out of a NAT.
const PING: Duration = Duration::from_secs(20);
/// How long it may take to say so.
const PONG: Duration = Duration::from_secs(10);

pub(super) struct Http2<S> {
    connection: http2::Connection<TokioIo<Guarded<S>>, Served, Tasks>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Http2<S> {
    pub(super) fn new(io: Guarded<S>, service: Served, max_head: usize) -> Self {
        let connection = http2::Builder::new(Tasks::default())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .serve_connection(TokioIo::new(io), service);
        Self { connection }
    }

    /// No request that is newer than the newest so far.
    pub(super) fn finish(&mut self) {
        Pin::new(&mut self.connection).graceful_shutdown();
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll(cx).map_err(io::Error::other)
    }
}

/// The requests of one connection, each in a task: they end with the connection, whatever ends it.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn set(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, request: F) {
        let mut set = self.set();
        while let Some(ended) = set.try_join_next() {
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!(target: "mcp.http", "a handler panicked; its request is reset");
            }
        }
        set.spawn(request);
    }
}
