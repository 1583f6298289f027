//! The sessions, each with a child of its own.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mcp_transport::core::relay_within;
use mcp_transport::http::ServerControl;
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::{
    CloseReason, Connection, Control, ErrorObject, Incoming, Limits, Listener, Options, StderrMode,
    StdioClient, serve,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;

use super::child_log::ChildLog;
use super::sessionless;
use crate::demo;
use crate::launch::Launch;
use crate::race::{First, race_mut};
use crate::report::printable;

/// What answers.
#[derive(Clone)]
pub(super) enum Backend {
    /// A child for each session.
    Command(Arc<Launch>, Limits),
    /// The demo, in this process: it needs no other one to be kept apart from other sessions.
    Demo,
}

impl Backend {
    /// A command that can be started, as far as can be seen now: who sees that it cannot hears it before any client.
    pub(super) fn command(launch: Launch, limits: Limits) -> Result<Self, String> {
        launch.spec()?;
        Ok(Self::Command(Arc::new(launch), limits))
    }
}

/// What every session is run with.
pub(super) struct Sessions {
    pub(super) backend: Backend,
    pub(super) control: ServerControl,
    /// How long requests may take once a shutdown has begun.
    pub(super) grace: Duration,
    /// How long a request may take; none for as long as it wants.
    pub(super) answer: Option<Duration>,
    /// Children at once.
    pub(super) children: usize,
    /// Which parameters of tools clients of 2026-07-28 mirror in headers, as far as lists of tools have come by.
    pub(super) tools: Arc<ToolTable>,
}

impl Sessions {
    /// Runs sessions until there are no more and the last child is gone.
    pub(super) async fn accept(self, mut listeners: Vec<Box<dyn Listener>>) {
        let places = Arc::new(Semaphore::new(self.children));
        let mut running = JoinSet::new();
        for number in 1_u64.. {
            let accepted = poll_fn(|cx| {
                while let Poll::Ready(Some(ended)) = running.poll_join_next(cx) {
                    report(ended);
                }
                // Each in its turn, and none again that has ended.
                let mut next = None;
                listeners.retain_mut(|listener| {
                    if next.is_some() {
                        return true;
                    }
                    match listener.poll_accept(cx) {
                        Poll::Ready(None) => return false,
                        Poll::Ready(session) => next = session,
                        Poll::Pending => {}
                    }
                    true
                });
                let turn = 1.min(listeners.len());
                listeners.rotate_left(turn);
                match next {
                    None if !listeners.is_empty() => Poll::Pending,
                    next => Poll::Ready(next),
                }
            });
            let session = match accepted.await {
                None => break,
                Some(Ok(session)) => session,
                Some(Err(error)) => {
                    tracing::warn!(%error, "a session could not be accepted");
                    continue;
                }
            };
            if session.control().context().session.is_none() {
                let span = tracing::info_span!("sessionless");
                let run = sessionless::run(
                    session,
                    self.backend.clone(),
                    self.tools.clone(),
                    self.control.clone(),
                    self.grace,
                    self.answer,
                );
                running.spawn(run.instrument(span));
                continue;
            }
            let peer = session.control().context().peer.map(tracing::field::display);
            let span = tracing::info_span!("session", number);
            span.in_scope(|| tracing::info!(peer, "opened"));
            let one = Session {
                backend: self.backend.clone(),
                places: places.clone(),
                control: self.control.clone(),
                grace: self.grace,
                answer: self.answer,
            };
            running.spawn(one.run(session).instrument(span));
        }
        while let Some(ended) = running.join_next().await {
            report(ended);
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a session panicked");
    }
}

struct Session {
    backend: Backend,
    places: Arc<Semaphore>,
    control: ServerControl,
    grace: Duration,
    answer: Option<Duration>,
}

impl Session {
    async fn run(self, session: Connection) {
        let (launch, limits) = match &self.backend {
            Backend::Demo => {
                let reason = demo::serve_on(session).await;
                return tracing::info!(%reason, "ended");
            }
            Backend::Command(launch, limits) => (launch, *limits),
        };
        // Sessions are bounded already; this bounds the children that outlive theirs for a moment.
        let Ok(_place) = self.places.try_acquire() else {
            tracing::error!("too many children of former sessions have not ended yet");
            return refuse(session, "overloaded").await;
        };
        match start(launch, limits) {
            Ok(child) => self.join(session, child).await,
            Err(why) => {
                tracing::error!("{why}");
                refuse(session, "child_exited").await;
            }
        }
    }

    async fn join(&self, session: Connection, child: Connection) {
        let late = self.end_late(child.control());
        let relayed = match race_mut(pin!(relay_within(session, child, self.answer)), pin!(late)).await {
            First::One(relayed) => relayed,
            First::Other(never) => match never {},
        };
        match &*relayed.back {
            CloseReason::ClosedHere => tracing::info!(reason = %relayed.front, "ended"),
            CloseReason::ChildExited(exit) => {
                let last = exit.stderr_tail.last().map(|line| printable(line)).unwrap_or_default();
                tracing::warn!(last_words = %last, "ended: the child {exit}");
            }
            reason => tracing::warn!("ended: the child's side: {reason}"),
        }
    }

    /// Ends the child when the grace of a shutdown is over; what it was asked is then answered with an error.
    async fn end_late(&self, child: Control) -> Infallible {
        self.control.draining().await;
        sleep(self.grace).await;
        tracing::warn!("requests were not finished in time");
        child.close();
        pending().await
    }
}

/// Starts a child. Its stderr goes into the log.
pub(super) fn start(launch: &Launch, limits: Limits) -> Result<Connection, String> {
    let log = ChildLog::new();
    let spec = launch.spec()?.stderr(StderrMode::Lines(Arc::new(move |line: &str| log.line(line))));
    let client = StdioClient::new(spec).with_options(Options::new("stdio").with_limits(limits));
    let program = launch.program().display();
    client.start().map_err(|error| format!("cannot start `{program}`: {error}"))
}

/// Answers what is asked of a session that nobody is there to serve, and ends it.
///
/// The stream is open by now. An answer to `initialize` is what clients show to their users; a status would be seen by
/// the program alone, and a stream that just ends makes some of them come back every few seconds.
async fn refuse(session: Connection, reason: &'static str) {
    let control = session.control();
    serve(session, move |incoming| {
        if let Incoming::Request(exchange) = incoming {
            exchange.fail(&ErrorObject::with_reason("the server cannot be started", reason));
            control.shutdown();
        }
        std::future::ready(())
    })
    .await;
}
