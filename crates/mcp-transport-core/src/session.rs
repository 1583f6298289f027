//! What all bindings share: who waits for what, and how it ends.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use mcp_jsonrpc::{ErrorObject, Id, Malformed, Message, Notification, Request, Response};
use tokio::time::Instant;

use crate::exchange::{Exchange, Way};
use crate::flights::{Flight, Flights};
use crate::health::{Counters, Health, State, count, read};
use crate::pending::{Pending, Wake};
use crate::queue::{self, replace_waker};
use crate::{CloseReason, Context, Error, ErrorKind, Limits, Options, Outlet, Tap};

/// What a receiver yields, in wire order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A request, with its own way back.
    Request(Exchange),
    /// A notification.
    Notification(Notification, Arc<Context>),
    /// A response that no [`Caller`](crate::Caller) of this connection waits for: unknown, late, or a proxy's.
    Response(Response, Arc<Context>),
    /// An input that is no message. Its sender has been answered, if it is one to be answered.
    Malformed(Malformed, Arc<Context>),
}

impl Incoming {
    /// Bytes that it counts for against a bound.
    pub fn weight(&self) -> usize {
        match self {
            Self::Request(exchange) => exchange.request().len(),
            Self::Notification(notification, _) => notification.len(),
            Self::Response(response, _) => response.len(),
            Self::Malformed(..) => 0,
        }
    }
}

/// What became of an input.
#[derive(Debug)]
pub enum Taken {
    /// It goes to the receiver.
    Incoming(Incoming),
    /// It goes to the receiver, and this answer goes back.
    Answered(Incoming, Response),
    /// It is not admitted, and this answer goes back.
    Refused(Response),
    /// A caller has it.
    Settled,
}

/// One connection's or legacy session's tables: requests in flight each way, counters, and the reason of the end.
///
/// A binding of its own (an HTTP server, say) feeds it what it reads with [`Session::take`] and writes what comes out
/// of the queue; everything made with [`Connection`](crate::Connection) does that already.
pub struct Session {
    pub(crate) limits: Limits,
    pub(crate) context: Arc<Context>,
    pub(crate) outbound: queue::Sender<Message>,
    pub(crate) counters: Counters,
    tap: Option<Arc<dyn Tap>>,
    sessionless: bool,
    flights: Mutex<Flights>,
    pending: Mutex<Pending>,
    /// Requests are refused.
    draining: AtomicBool,
    /// What the handles ask of the driver, a [`Wish`].
    wish: AtomicU8,
    /// How often the driver was called; one that goes to sleep looks whether that has changed.
    calls: AtomicU32,
    life: Mutex<Life>,
    ended: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Life {
    reason: Option<Arc<CloseReason>>,
    driver: Option<Waker>,
}

/// What the handles ask of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wish {
    Run,
    /// Finish what was accepted, then end.
    Drain,
    /// End now.
    Close,
}

impl Wish {
    fn read(wish: u8) -> Self {
        match wish {
            0 => Self::Run,
            1 => Self::Drain,
            _ => Self::Close,
        }
    }
}

/// No code of others runs under these locks, so a poisoned one is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// A session and the way out of its outbound queue.
    pub fn new(options: Options) -> (Arc<Self>, queue::Receiver<Message>) {
        let Options { limits, context, tap, batches: _, sessionless } = options;
        let (outbound, out) = queue::channel(limits.outbound_bytes, limits.outbound_count);
        let session = Self {
            limits,
            context: Arc::new(context),
            outbound,
            counters: Counters::new(),
            tap,
            sessionless,
            flights: Mutex::default(),
            pending: Mutex::default(),
            draining: AtomicBool::new(false),
            wish: AtomicU8::new(Wish::Run as u8),
            calls: AtomicU32::new(0),
            life: Mutex::default(),
            ended: tokio::sync::Notify::new(),
        };
        (Arc::new(session), out)
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is known about all messages of this session.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The queue of what goes out when it belongs to no exchange with a stream of its own.
    pub fn outbound(&self) -> &queue::Sender<Message> {
        &self.outbound
    }

    /// Sorts a message that came in: to the caller that waits for it, or towards the receiver.
    ///
    /// The answer to a request goes into the session's own queue; [`Session::take_request`] is for one that has a way
    /// back of its own.
    pub fn take(self: &Arc<Self>, message: Message, context: &Arc<Context>) -> Taken {
        self.counters.stamp_received();
        self.sort(message, context)
    }

    /// The same, for a driver that takes the time of many at once.
    pub(crate) fn sort(self: &Arc<Self>, message: Message, context: &Arc<Context>) -> Taken {
        count(&self.counters.received);
        match message {
            Message::Request(request) => match self.admit(request, context, Way::Session) {
                Ok((exchange, _)) => Taken::Incoming(Incoming::Request(exchange)),
                Err((refusal, _)) => Taken::Refused(refusal),
            },
            Message::Notification(notification) => {
                self.note(&notification);
                Taken::Incoming(Incoming::Notification(notification, context.clone()))
            }
            // Whoever sent it cannot be the one who was asked.
            Message::Response(response) if self.sessionless => {
                count(&self.counters.unmatched);
                Taken::Incoming(Incoming::Response(response, context.clone()))
            }
            Message::Response(response) => {
                let answered = lock(&self.pending).answer(response);
                match answered {
                    Ok(caller) => {
                        caller.now();
                        Taken::Settled
                    }
                    Err(response) => {
                        count(&self.counters.unmatched);
                        Taken::Incoming(Incoming::Response(response, context.clone()))
                    }
                }
            }
        }
    }

    /// Sorts a request that has a way back of its own; `None` when it is refused, which goes that way too.
    pub fn take_request(
        self: &Arc<Self>,
        request: Request,
        context: &Arc<Context>,
        outlet: Outlet,
    ) -> Option<Incoming> {
        self.counters.stamp_received();
        self.sort_request(request, context, outlet)
    }

    /// The same, for a driver that takes the time of many at once.
    pub(crate) fn sort_request(
        self: &Arc<Self>,
        request: Request,
        context: &Arc<Context>,
        outlet: Outlet,
    ) -> Option<Incoming> {
        if traces_messages() {
            trace_message("in", &request.clone().into());
        }
        count(&self.counters.received);
        outlet.belongs_to(self);
        match self.admit(request, context, Way::Own(outlet)) {
            Ok((exchange, gone)) => {
                if gone {
                    exchange.give_up();
                }
                Some(Incoming::Request(exchange))
            }
            Err((refusal, way)) => {
                // One for each request at most, and its stream ends with it.
                let _ = way.queue(self).last_word(refusal.len(), refusal.into());
                None
            }
        }
    }

    /// The exchange of a request and whether its peer has gone already, or what to answer and where.
    fn admit(
        self: &Arc<Self>,
        request: Request,
        context: &Arc<Context>,
        way: Way,
    ) -> Result<(Exchange, bool), (Response, Way)> {
        let id = request.id();
        let refusal = if self.is_draining() {
            ErrorObject::with_reason("the connection is shutting down", "shutting_down")
        } else if let Some(flight) = lock(&self.flights).admit(&id, self.limits.max_in_flight) {
            let gone = way.note(flight);
            return Ok((Exchange::new(request, context.clone(), self.clone(), way, flight, id), gone));
        } else {
            ErrorObject::with_reason("too many requests in flight", "overloaded")
        };
        count(&self.counters.refused);
        Err((Response::error(&id, &refusal), way))
    }

    /// Sorts an input that is no message: it fails the call that waits for its id, or its sender is told once.
    pub fn take_malformed(&self, malformed: Malformed, context: &Arc<Context>) -> Taken {
        self.counters.stamp_received();
        self.sort_malformed(malformed, context)
    }

    /// The same, for a driver that takes the time of many at once.
    pub(crate) fn sort_malformed(&self, malformed: Malformed, context: &Arc<Context>) -> Taken {
        count(&self.counters.received);
        count(&self.counters.malformed);
        let may_be_awaited = malformed.form() != mcp_jsonrpc::Form::Request;
        let caller = if may_be_awaited { lock(&self.pending).fail(&malformed) } else { None };
        let answer = if caller.is_some() { None } else { malformed.answer() };
        caller.into_iter().for_each(Wake::now);
        let incoming = Incoming::Malformed(malformed, context.clone());
        match answer {
            Some(answer) => Taken::Answered(incoming, answer),
            None => Taken::Incoming(incoming),
        }
    }

    /// A request that could not be delivered: it fails the call that waits for its response, or comes back as an error
    /// response to who sent it without one.
    pub fn take_undelivered(&self, id: &Id, error: Error) -> Option<Incoming> {
        let reason = if error.is_timeout() { "timeout" } else { "closed" };
        let caller = self.pending().undelivered(id, error);
        if let Some(caller) = caller {
            caller.now();
            return None;
        }
        let failed = ErrorObject::with_reason("the request could not be delivered", reason);
        Some(Incoming::Response(Response::error(id, &failed), self.context.clone()))
    }

    /// The two notifications that concern the tables; both also go to the receiver.
    fn note(&self, notification: &Notification) {
        if self.sessionless {
            return;
        }
        match &*notification.method() {
            "notifications/cancelled" => {
                if let Some(id) = id_in(notification, "requestId") {
                    let waiting = lock(&self.flights).give_up(&id);
                    waiting.into_iter().for_each(Wake::now);
                }
            }
            "notifications/progress" => {
                let mut pending = lock(&self.pending);
                if pending.watches()
                    && let Some(token) = id_in(notification, "progressToken")
                {
                    pending.progress(&token, Instant::now());
                }
            }
            _ => {}
        }
    }

    pub(crate) fn flights(&self) -> MutexGuard<'_, Flights> {
        lock(&self.flights)
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    /// Whether nobody can be asked, because nobody in particular is at the other end.
    pub(crate) fn is_sessionless(&self) -> bool {
        self.sessionless
    }

    /// A message on its way out: counted, told, and on one line. Whoever sends it also takes the time.
    pub(crate) fn leaves(&self, message: Message) -> Message {
        trace_message("out", &message);
        count(&self.counters.sent);
        let message = message.one_line();
        if let Some(tap) = &self.tap {
            tap.sent(message.as_bytes());
        }
        message
    }

    /// The peer has given up on one request.
    pub(crate) fn give_up(&self, flight: Flight) {
        let waiting = lock(&self.flights).give_up_one(flight);
        if let Some(waiting) = waiting {
            waiting.now();
        }
    }

    /// Checks a message that is about to go out.
    pub(crate) fn admit_outgoing(&self, len: usize) -> Result<(), Error> {
        if len > self.limits.max_message {
            return Err(Error::new(ErrorKind::Limit, "the message is larger than the limit"));
        }
        Ok(())
    }

    /// Why it ended, if it has.
    pub fn close_reason(&self) -> Option<Arc<CloseReason>> {
        lock(&self.life).reason.clone()
    }

    /// The error for something that came too late.
    pub(crate) fn closed_error(&self) -> Error {
        Error::closed(self.close_reason().unwrap_or_else(|| Arc::new(CloseReason::ClosedHere)))
    }

    /// Waits for the end and says why.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn closed(&self) -> Arc<CloseReason> {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // Registered before the look, so an end in between is not missed.
            ended.as_mut().enable();
            if let Some(reason) = self.close_reason() {
                return reason;
            }
            ended.await;
        }
    }

    /// Ends it: every pending call fails with the reason, every exchange is told, the queue takes nothing more.
    ///
    /// The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        let reason = {
            let mut life = lock(&self.life);
            if life.reason.is_some() {
                return;
            }
            let reason = Arc::new(reason);
            life.reason = Some(reason.clone());
            reason
        };
        let callers = lock(&self.pending).close(&reason);
        let handlers = lock(&self.flights).give_up_all();
        callers.into_iter().chain(handlers).for_each(Wake::now);
        self.outbound.close();
        self.ended.notify_waiters();
        self.wake_driver();
    }

    /// No answer can come in any more: pending calls fail now, exchanges may still be answered.
    pub(crate) fn input_ended(&self, reason: CloseReason) {
        self.start_draining();
        let callers = lock(&self.pending).close(&Arc::new(reason));
        callers.into_iter().for_each(Wake::now);
    }

    /// Requests are refused from now on; what was accepted may still be answered.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, SeqCst);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(SeqCst)
    }

    /// Asks the driver for something; a stronger wish stays.
    pub(crate) fn wish(&self, wish: Wish) {
        self.wish.fetch_max(wish as u8, SeqCst);
        self.wake_driver();
    }

    /// What the driver is asked for.
    pub(crate) fn wished(&self) -> Wish {
        Wish::read(self.wish.load(SeqCst))
    }

    /// How often the driver was called so far; asked before it looks at anything else.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }

    /// Lets the driver sleep, to be woken by the next call; `false` when there was one since `calls`.
    pub(crate) fn sleeps(&self, calls: u32, cx: &mut TaskContext<'_>) -> bool {
        let _former = { replace_waker(&mut lock(&self.life).driver, cx) };
        self.calls() == calls
    }

    fn wake_driver(&self) {
        // Counted before the waker is looked for: a driver that has none there yet sees the call.
        self.calls.fetch_add(1, SeqCst);
        let driver = lock(&self.life).driver.take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// An exchange or a call has ended, maybe without a message; a driver that waits for the last one has to look.
    pub(crate) fn look_again(&self) {
        if self.is_draining() {
            self.wake_driver();
        }
    }

    pub(crate) async fn given_up(&self, flight: Flight) {
        poll_fn(|cx| self.poll_given_up(flight, cx)).await;
    }

    pub(crate) fn poll_given_up(&self, flight: Flight, cx: &mut TaskContext<'_>) -> Poll<()> {
        let (polled, _former) = { lock(&self.flights).poll_given_up(flight, cx) };
        polled
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        let state = {
            let life = lock(&self.life);
            match (&life.reason, self.is_draining() || self.wished() != Wish::Run) {
                (Some(_), _) => State::Closed,
                (None, true) => State::Draining,
                (None, false) => State::Open,
            }
        };
        let counters = &self.counters;
        Health {
            state,
            since_received: counters.since_received(),
            since_sent: counters.since_sent(),
            received: read(&counters.received),
            sent: read(&counters.sent),
            in_flight: lock(&self.flights).open(),
            pending: lock(&self.pending).len(),
            outbound_depth: self.outbound.depth(),
            outbound_bytes: self.outbound.used_bytes(),
            malformed: read(&counters.malformed),
            refused: read(&counters.refused),
            unmatched: read(&counters.unmatched),
            dropped: read(&counters.dropped),
        }
    }
}

fn traces_messages() -> bool {
    tracing::enabled!(target: "mcp.message", tracing::Level::TRACE)
}

pub(crate) fn trace_message(direction: &'static str, message: &Message) {
    if traces_messages() {
        tracing::trace!(
            target: "mcp.message",
            direction,
            kind = message.kind(),
            method = message.method().as_deref(),
            id = message.id().map(tracing::field::display),
            bytes = message.len(),
        );
    }
}

pub(crate) fn id_in(notification: &Notification, key: &str) -> Option<Id> {
    Id::from_json(notification.params_object()?.get(key)?)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("context", &self.context)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}
