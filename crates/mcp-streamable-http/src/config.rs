//! Settings of the server, with their units and reasons.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_transport_core::{Context, Limits, Tap};

use crate::proto::ToolParameters;
use crate::store::{EventStore, MemoryEventStore};

/// Makes the tap of a connection.
type MakeTap = dyn Fn(&Context) -> Arc<dyn Tap> + Send + Sync;

/// Settings of a Streamable HTTP server.
#[derive(Clone)]
#[non_exhaustive]
pub struct StreamableOptions {
    /// The path of the one endpoint. Default `/mcp`.
    pub path: String,
    /// Bounds of each session. Default [`Limits::default`], with messages of at most 4 MiB and at most 768 KiB that
    /// wait in each stream.
    pub limits: Limits,
    /// Bounds of what has no session, all clients together. Default those of a session, with 1,024 requests in flight.
    pub sessionless_limits: Limits,
    /// What is done for revisions up to 2025-11-25. Default [`Legacy::Sessions`].
    pub legacy: Legacy,
    /// Whether 2026-07-28 is served. Default yes.
    pub modern: bool,
    /// The form of answers. Default [`Answers::Auto`].
    pub answers: Answers,
    /// Sessions at once. Default 10,000; one more is refused with 503.
    pub max_sessions: usize,
    /// Streams of one session that are read by GET at once: its own one, and answers that lost their connection. Default
    /// 16, twice what a browser has connections to one host; one more is refused with 429. Who comes back for a stream
    /// that is still read takes it over, and needs no further place.
    pub max_streams: usize,
    /// How long a session is kept without a request in flight and without a stream. Default 30 min.
    pub session_idle: Duration,
    /// The same for a session in which nothing has come after `initialize`. Default 60 s.
    pub first_message: Duration,
    /// How long a POST waits for room in the session's queue before it is refused with 503. Default 5 s.
    pub queue_wait: Duration,
    /// How long an answer may say nothing before it becomes an event stream, whose comments keep it alive. Default 2 s.
    pub answer_wait: Duration,
    /// How often a silent stream gets a comment, so that proxies keep it and a dead peer is found. Default 15 s, at
    /// least 1 ms.
    pub keep_alive: Duration,
    /// Where events are kept for clients that come back. Default a [`MemoryEventStore`]; with none, events have no ids
    /// and nothing can be resumed.
    pub store: Option<Arc<dyn EventStore>>,
    /// How long a finished stream that was not acknowledged is kept. Default 5 min.
    pub keep_finished: Duration,
    /// How long clients are told to wait before they come back, where streams have ids. Default: they are told nothing.
    pub retry: Option<Duration>,
    /// Who knows which parameters of which tool are mirrored in headers (2026-07-28). Default nobody: then `Mcp-Param-*`
    /// headers are not looked at.
    pub tools: Option<Arc<dyn ToolParameters>>,
    /// Makes the tap of each connection as it opens, from what is known about it: session, peer and principal, of which
    /// the connection without a session has none. Default none.
    pub tap: Option<Arc<MakeTap>>,
}

/// What is done for revisions up to 2025-11-25.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Legacy {
    /// Each `initialize` opens a session, which is a connection of its own.
    Sessions,
    /// There are no sessions: every request stands alone, on the connection that has no session. Nobody can be asked.
    Stateless,
    /// They are not served: `initialize` is answered with the revisions that are.
    Off,
}

/// The form of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answers {
    /// JSON where the answer is the first thing that a handler says, an event stream otherwise.
    Auto,
    /// JSON always: what a handler says before its answer goes to the session's own stream, or nowhere.
    Json,
    /// An event stream always, which can be resumed from its first byte where there are sessions. Only an error of
    /// 2026-07-28 that has an HTTP status of its own is answered with that, if it comes first.
    Stream,
}

impl Default for StreamableOptions {
    fn default() -> Self {
        let limits = Limits::default().with_max_message(4 * 1024 * 1024).with_outbound_bytes(768 * 1024);
        Self {
            path: "/mcp".into(),
            limits,
            sessionless_limits: limits.with_max_in_flight(1024),
            legacy: Legacy::Sessions,
            modern: true,
            answers: Answers::Auto,
            max_sessions: 10_000,
            max_streams: 16,
            session_idle: Duration::from_secs(30 * 60),
            first_message: Duration::from_secs(60),
            queue_wait: Duration::from_secs(5),
            answer_wait: Duration::from_secs(2),
            keep_alive: Duration::from_secs(15),
            store: Some(Arc::new(MemoryEventStore::default())),
            keep_finished: Duration::from_secs(5 * 60),
            retry: None,
            tools: None,
            tap: None,
        }
    }
}

impl fmt::Debug for StreamableOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamableOptions")
            .field("path", &self.path)
            .field("limits", &self.limits)
            .field("legacy", &self.legacy)
            .field("modern", &self.modern)
            .field("answers", &self.answers)
            .field("max_sessions", &self.max_sessions)
            .field("max_streams", &self.max_streams)
            .field("session_idle", &self.session_idle)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
