//! The poll tier: one connection, driven by whoever owns it.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use mcp_jsonrpc::{Malformed, Message, Response};
use tokio::time::{Sleep, sleep};
use tracing::Span;

use crate::endpoint::{Alive, Control, Driver, Endpoint, Sender};
use crate::health::count;
use crate::intake::{Intake, Opened};
use crate::session::{Incoming, Session, Taken, Wish, trace_message};
use crate::wire::Wire;
use crate::{CloseReason, Context, Options, queue};

/// Messages that are read before what they caused is written: writes are gathered, and endless input starves nothing.
const READS_PER_WRITE: u32 = 64;

/// One connection, in the hand of whoever drives it.
///
/// Nothing moves unless it is polled: [`next`](Connection::next) reads, writes and yields what came in, without a hop
/// through a queue. [`split`](Connection::split) and [`spawn`](Connection::spawn) make an [`Endpoint`] of it instead,
/// whose driver does the polling; [`serve`](crate::serve) runs a handler on it.
///
/// ```text
///            poll_ready, start_send, poll_flush
///   wire  ◀──────────────────────────────────── outbound queue ◀── Sender, Responder, Caller
///    │ poll_recv            ▲
///    └──▶ scan ──▶ session tables ──▶ Incoming       refusals wait beside it, and reading for them
///                       └──▶ a caller's answer
/// ```
///
/// Dropping it ends the connection at once: what it had taken and not sent is lost, pending calls fail.
pub struct Connection {
    wire: Box<dyn Wire>,
    session: Arc<Session>,
    outbound: queue::Receiver<Message>,
    phase: Phase,
    /// What the connection itself answers. It has a place of its own, because it is not bounded by exchanges: when it
    /// is full nothing is read, and a sender that fills the queue does not keep it from being written.
    refusals: VecDeque<Response>,
    /// Refusals and the queue take turns.
    refusal_next: bool,
    /// Messages that were read since the last write.
    read_since_write: u32,
    /// Whether it is noted when they were read.
    stamped: bool,
    intake: Intake,
    span: Span,
}

/// ```text
/// Open ──end of input, drain──▶ Draining ──nothing in flight, all sent, or late──▶ Closing ──▶ Closed
///   └──output broken──▶ Lingering ──input says why, or late──────────────────────────▲
/// ```
enum Phase {
    Open,
    /// Accepted requests are finished until then.
    Draining {
        reason: CloseReason,
        until: Pin<Box<Sleep>>,
        reads: bool,
    },
    /// Nothing can be written; the input may say why until then.
    Lingering {
        reason: CloseReason,
        until: Pin<Box<Sleep>>,
    },
    Closing,
    Closed,
}

impl Connection {
    /// Makes a connection of a wire.
    pub fn new(wire: impl Wire + 'static, options: Options) -> Self {
        let span = tracing::debug_span!(
            "mcp.connection",
            transport = options.context.transport,
            peer = options.context.peer.map(tracing::field::display)
        );
        let intake = Intake::new(options.tap.clone(), options.batches);
        let (session, outbound) = Session::new(options);
        Self {
            wire: Box::new(wire),
            session,
            outbound,
            phase: Phase::Open,
            refusals: VecDeque::new(),
            refusal_next: false,
            read_since_write: 0,
            stamped: false,
            intake,
            span,
        }
    }

    /// Sends on this connection, from anywhere.
    pub fn sender(&self) -> Sender {
        Sender::new(self.session.clone(), Alive::no_token())
    }

    /// Ends and inspects this connection, from anywhere.
    pub fn control(&self) -> Control {
        Control::new(self.session.clone(), Alive::no_token())
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Reads and writes, and yields what came in; `None` when the connection has ended.
    ///
    /// Both directions move only while this is polled. After `Ready` it has to be polled again before what the
    /// consumer sent goes out, so a consumer that waits for something else should use [`Connection::split`] or
    /// [`serve`](crate::serve).
    ///
    /// What it yields without having been `Pending` in between counts as received at one time, 64 messages at most:
    /// see [`Health::since_received`](crate::Health::since_received).
    pub fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Incoming>> {
        self.poll(cx, true)
    }

    /// See [`Connection::poll_next`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Incoming> {
        // Whoever awaits each message may have been away for long since the last one.
        self.stamped = false;
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Writes without reading: for a driver whose receiver has no room. Ready when the connection has ended.
    pub(crate) fn poll_without_reading(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.poll(cx, false).map(drop)
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>, read: bool) -> Poll<Option<Incoming>> {
        let span = self.span.clone();
        let _entered = span.enter();
        let mut settled = 0;
        loop {
            let calls = self.session.calls();
            match self.phase {
                Phase::Closed => return Poll::Ready(None),
                Phase::Closing => {
                    ready!(self.wire.poll_close(cx));
                    tracing::debug!(
                        reason = self.session.close_reason().map(tracing::field::display),
                        "closed"
                    );
                    self.phase = Phase::Closed;
                    continue;
                }
                _ => {}
            }
            self.follow(self.session.wished());
            if matches!(self.phase, Phase::Closing) {
                continue;
            }
            if read && self.read_since_write < READS_PER_WRITE && settled < READS_PER_WRITE {
                match self.poll_read(cx) {
                    Poll::Ready(Some(incoming)) => return Poll::Ready(Some(incoming)),
                    Poll::Ready(None) => {
                        settled += 1;
                        continue;
                    }
                    Poll::Pending => {}
                }
            }
            let was_full = self.is_full();
            let more = self.read_since_write >= READS_PER_WRITE || settled >= READS_PER_WRITE;
            (self.read_since_write, self.stamped, settled) = (0, false, 0);
            let sent_all = self.poll_write(cx).is_ready();
            if matches!(self.phase, Phase::Closing) || self.poll_end(cx, sent_all).is_ready() {
                continue;
            }
            if read && (more || was_full && !self.is_full()) {
                // There may be more to read: let others have their turn, then go on.
                cx.waker().wake_by_ref();
            }
            if self.session.sleeps(calls, cx) {
                return Poll::Pending;
            }
        }
    }

    /// What the handles ask for.
    fn follow(&mut self, wish: Wish) {
        match (wish, &self.phase) {
            (Wish::Close, Phase::Open | Phase::Draining { .. } | Phase::Lingering { .. }) => {
                self.close(CloseReason::ClosedHere);
            }
            (Wish::Drain, Phase::Open) => self.drain(CloseReason::ClosedHere, true),
            _ => {}
        }
    }

    fn drain(&mut self, reason: CloseReason, reads: bool) {
        let until = Box::pin(sleep(self.session.limits.drain));
        self.session.start_draining();
        self.phase = Phase::Draining { reason, until, reads };
    }

    fn close(&mut self, reason: CloseReason) {
        self.session.close(reason);
        // What still waits is not sent any more.
        while self.poll_out(&mut TaskContext::from_waker(Waker::noop())).is_some() {
            count(&self.session.counters.dropped);
        }
        self.phase = Phase::Closing;
    }

    /// One input: what goes to the receiver, or `None` for one that was dealt with. Pending also when nothing is to be
    /// read in this phase.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Incoming>> {
        let reads = !matches!(self.phase, Phase::Draining { reads: false, .. });
        if !reads || self.is_full() {
            return Poll::Pending;
        }
        if let Some(scanned) = self.intake.unpack() {
            self.note_read();
            return Poll::Ready(self.take(scanned, None));
        }
        match ready!(self.wire.poll_recv(cx)) {
            Ok(frame) => {
                self.note_read();
                Poll::Ready(match self.intake.open(frame, &self.session.limits) {
                    Opened::Scanned(scanned, context) => self.take(scanned, context),
                    Opened::Request(request, context, outlet) => {
                        self.session.sort_request(request, &context, outlet)
                    }
                    Opened::Undelivered(id, error) => {
                        tracing::debug!(%id, %error, "a request was not delivered");
                        self.session.take_undelivered(&id, error)
                    }
                })
            }
            Err(reason) => {
                self.input_ended(reason);
                Poll::Ready(None)
            }
        }
    }

    /// What is read in one go came in at one time.
    fn note_read(&mut self) {
        if !std::mem::replace(&mut self.stamped, true) {
            self.session.counters.stamp_received();
        }
        self.read_since_write += 1;
    }

    fn input_ended(&mut self, reason: CloseReason) {
        tracing::debug!(%reason, "end of input");
        self.session.input_ended(reason.clone());
        match &mut self.phase {
            Phase::Draining { reads, .. } => *reads = false,
            Phase::Lingering { .. } => self.close(reason),
            // Nobody is left to be answered.
            _ if matches!(reason, CloseReason::ChildExited(_)) => self.close(reason),
            _ => self.drain(reason, false),
        }
    }

    fn take(
        &mut self,
        scanned: Result<Message, Malformed>,
        context: Option<Arc<Context>>,
    ) -> Option<Incoming> {
        let context = context.as_ref().unwrap_or(&self.session.context);
        let taken = match scanned {
            Ok(message) => {
                trace_message("in", &message);
                self.session.sort(message, context)
            }
            Err(malformed) => {
                tracing::warn!(
                    fault = malformed.fault().as_str(),
                    id = malformed.id().map(tracing::field::display),
                    bytes = malformed.input_len(),
                    "malformed input"
                );
                self.session.sort_malformed(malformed, context)
            }
        };
        match taken {
            Taken::Incoming(incoming) => Some(incoming),
            Taken::Answered(incoming, answer) => {
                self.refuse(answer);
                Some(incoming)
            }
            Taken::Refused(answer) => {
                self.refuse(answer);
                None
            }
            Taken::Settled => None,
        }
    }

    fn refuse(&mut self, answer: Response) {
        if matches!(self.phase, Phase::Lingering { .. }) {
            // Nobody can be answered any more.
            count(&self.session.counters.dropped);
        } else {
            self.refusals.push_back(answer);
        }
    }

    /// Whether reading has to wait for refusals and answers to be written: a peer that asks and does not read is not
    /// asked for more.
    fn is_full(&self) -> bool {
        let limits = &self.session.limits;
        let most = limits.max_refusals.max(1) as usize;
        let (answers, bytes) = self.session.outbound.last_words();
        self.refusals.len() >= most || answers >= most || bytes >= limits.outbound_bytes as usize
    }

    /// What is to be written next.
    fn poll_out(&mut self, cx: &mut TaskContext<'_>) -> Option<Message> {
        self.refusal_next = !self.refusal_next;
        if (!self.refusal_next || self.refusals.is_empty())
            && let Poll::Ready(Some(message)) = self.outbound.poll_recv(cx)
        {
            return Some(message);
        }
        let refusal = self.refusals.pop_front()?;
        if self.refusals.is_empty() {
            self.refusals = VecDeque::new();
        }
        Some(refusal.into())
    }

    /// Ready when all that was queued is on its way.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if matches!(self.phase, Phase::Lingering { .. }) {
            return Poll::Ready(());
        }
        match ready!(self.try_poll_write(cx)) {
            Ok(()) => Poll::Ready(()),
            Err(error) => {
                tracing::debug!(%error, "output is broken");
                let reason = CloseReason::from(error);
                match &self.phase {
                    // The input has ended too, and has said why.
                    Phase::Draining { reason, reads: false, .. } => self.close(reason.clone()),
                    _ => {
                        let until = Box::pin(sleep(self.session.limits.linger));
                        self.session.start_draining();
                        for _ in std::mem::take(&mut self.refusals) {
                            count(&self.session.counters.dropped);
                        }
                        self.phase = Phase::Lingering { reason, until };
                    }
                }
                Poll::Ready(())
            }
        }
    }

    fn try_poll_write(&mut self, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        let mut stamped = false;
        loop {
            ready!(self.wire.poll_ready(cx))?;
            let Some(message) = self.poll_out(cx) else {
                return self.wire.poll_flush(cx);
            };
            if !std::mem::replace(&mut stamped, true) {
                self.session.counters.stamp_sent();
            }
            let message = self.session.leaves(message);
            self.wire.start_send(message)?;
        }
    }

    /// Ready when the phase has changed.
    fn poll_end(&mut self, cx: &mut TaskContext<'_>, sent_all: bool) -> Poll<()> {
        if !matches!(self.phase, Phase::Draining { .. } | Phase::Lingering { .. }) {
            return Poll::Pending;
        }
        let done = sent_all
            && self.refusals.is_empty()
            && self.session.flights().open() == 0
            && self.outbound.is_empty();
        let (reason, until, done) = match &mut self.phase {
            // While answers can still come in, the calls that wait for them are part of what was accepted.
            Phase::Draining { reason, until, reads } => {
                let answered = !*reads || self.session.pending().len() == 0;
                (reason, until, done && answered)
            }
            Phase::Lingering { reason, until } => (reason, until, false),
            _ => return Poll::Pending,
        };
        if !done {
            ready!(until.as_mut().poll(cx));
            tracing::debug!("not everything could be finished in time");
        }
        let reason = reason.clone();
        self.close(reason);
        Poll::Ready(())
    }

    /// Makes an endpoint of it, and the driver that moves its bytes.
    pub fn split(self) -> (Endpoint, Driver) {
        let limits = self.session.limits;
        let (inbox, receiver) = queue::channel(limits.inbound_bytes, limits.inbound_count);
        Endpoint::new(self, inbox, receiver)
    }

    /// Like [`Connection::split`], with what comes in put into a queue that other connections share: one place for
    /// every session's exchanges. The context tells them apart.
    ///
    /// Nothing is told through that queue when this connection ends; [`Control::closed`] is.
    pub fn split_into(self, inbox: queue::Sender<Incoming>) -> (Sender, Control, Driver) {
        Endpoint::shared(self, inbox)
    }

    /// Makes an endpoint of it and gives its driver to the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as [`tokio::spawn`] does.
    pub fn spawn(self) -> Endpoint {
        let (endpoint, driver) = self.split();
        tokio::spawn(driver);
        endpoint
    }

    /// Drives it until it has ended in good order, taking nothing new from it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the connection at once.
    pub async fn finish(mut self) -> Arc<CloseReason> {
        self.session.wish(Wish::Drain);
        while self.next().await.is_some() {}
        self.session.closed().await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.close(CloseReason::ClosedHere);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("session", &self.session).finish_non_exhaustive()
    }
}
