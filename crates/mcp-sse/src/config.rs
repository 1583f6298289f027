//! Settings of the server, with their units and reasons.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_transport_core::{Context, Limits, Tap};

/// Makes the tap of a connection.
type MakeTap = dyn Fn(&Context) -> Arc<dyn Tap> + Send + Sync;

/// Settings of an HTTP+SSE server.
#[derive(Clone)]
#[non_exhaustive]
pub struct SseOptions {
    /// Path of the event stream. Default `/sse`.
    pub sse_path: String,
    /// Path to which messages are posted. Default `/message`.
    pub message_path: String,
    /// What stands before both where a proxy strips it: it is not matched, but told to the client. Default none.
    pub public_prefix: String,
    /// Bounds of each session. Default [`Limits::default`], with messages of at most 4 MiB and at most 768 KiB that
    /// wait: with the buffers behind them a client that does not read costs at most about 1 MiB.
    pub limits: Limits,
    /// Sessions at once. Default 10,000; one more is refused with 503.
    pub max_sessions: usize,
    /// How long a new session may stay without a message. Default 60 s.
    pub first_message: Duration,
    /// How long a POST waits for room in the session's queue before it is refused with 503. Default 5 s.
    pub queue_wait: Duration,
    /// How often a silent stream gets a comment, so that proxies keep it and a dead peer is found. Default 15 s, at least
    /// 1 ms.
    pub keep_alive: Duration,
    /// Bytes of events that wait for the stream to be written; beyond it messages wait in the session's own queue.
    /// Default 32 KiB.
    pub stream_buffer: usize,
    /// Makes the tap of each session as it opens, from what is known about it: its id, peer and principal. Default none.
    pub tap: Option<Arc<MakeTap>>,
}

impl Default for SseOptions {
    fn default() -> Self {
        Self {
            sse_path: "/sse".into(),
            message_path: "/message".into(),
            public_prefix: String::new(),
            limits: Limits::default().with_max_message(4 * 1024 * 1024).with_outbound_bytes(768 * 1024),
            max_sessions: 10_000,
            first_message: Duration::from_secs(60),
            queue_wait: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            stream_buffer: 32 * 1024,
            tap: None,
        }
    }
}

impl fmt::Debug for SseOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseOptions")
            .field("sse_path", &self.sse_path)
            .field("message_path", &self.message_path)
            .field("public_prefix", &self.public_prefix)
            .field("limits", &self.limits)
            .field("max_sessions", &self.max_sessions)
            .field("first_message", &self.first_message)
            .field("queue_wait", &self.queue_wait)
            .field("keep_alive", &self.keep_alive)
            .field("stream_buffer", &self.stream_buffer)
            .finish_non_exhaustive()
    }
}
