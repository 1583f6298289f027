//! One connection as a wire: each message goes out as a POST, and what comes over all streams comes in here.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mcp_jsonrpc::{Id, Message, Notification, Object};
use mcp_transport_core::{BoxFuture, CloseReason, Error, ErrorKind, Frame, Wire, queue};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tokio::time::{Sleep, sleep};

use super::delivery::{Asked, Delivery, Own};
use super::era::{Era, Way, is_initialize};
use super::lane::{Departure, Lane, Order, Room, Ticket};
use super::link::{Link, Signal};
use super::post::{Call, post_note};
use super::stream::{Kind, ServerStream};

/// What flies at once. A request flies until its response, on a connection of its own: 128 are as many as a server of
/// ours takes from one client, and few enough for the descriptors that a program has by default. Their bytes are kept
/// until the answer begins, for a redirect. Responses are taken at once, and cannot be many.
const ROOM: Room = Room { requests: 128, request_bytes: 64 * 1024 * 1024, responses: 8 };
/// Bytes of requests that wait for room. One more fails, instead of holding back what must not wait for it: a
/// cancellation, or the response without which those that fly are not answered.
const MAX_WAITING_REQUESTS: usize = 16 * 1024 * 1024;
/// Notifications and responses that wait for their turn, and their bytes; then the connection's own queue holds the rest.
const MAX_WAITING: (usize, usize) = (64, 4 * 1024 * 1024);

/// The client's end of one connection, and owner of everything that is under way for it.
pub(super) struct ClientWire {
    link: Arc<Link>,
    era: Era,
    lane: Lane<Message>,
    frames: queue::Receiver<Frame>,
    signals: queue::Receiver<Signal>,
    /// Ends with the wire, and every POST and stream with it.
    tasks: JoinSet<()>,
    tickets: HashMap<task::Id, Ticket>,
    flying: HashMap<Ticket, Flying>,
    /// The server's own stream was asked for.
    listens: bool,
    /// The notification that has it opened, until it is known whether there is one.
    opener: Option<Ticket>,
    /// What is held back, until when, and by what.
    held: Option<(Option<Ticket>, Pin<Box<Sleep>>)>,
    end: Option<CloseReason>,
    closing: Option<BoxFuture<'static, ()>>,
}

/// A POST under way.
struct Flying {
    task: AbortHandle,
    what: What,
}

enum What {
    /// A request, whether it was handed over, and the cancellation that waits for that.
    Call { id: Id, handed: bool, cancel: Option<Message> },
    /// `initialize`, which is waited for.
    Opening { id: Id },
    /// `notifications/initialized`, after which the server's own stream is opened.
    Initialized,
    /// The cancellation of a request, which is let go of with its answer.
    Cancel { of: Ticket },
    /// Anything else.
    Note,
}

impl ClientWire {
    pub(super) fn new(
        link: Arc<Link>,
        frames: queue::Receiver<Frame>,
        signals: queue::Receiver<Signal>,
    ) -> Self {
        Self {
            link,
            era: Era::new(),
            lane: Lane::new(ROOM),
            frames,
            signals,
            tasks: JoinSet::new(),
            tickets: HashMap::new(),
            flying: HashMap::new(),
            listens: false,
            opener: None,
            held: None,
            end: None,
            closing: None,
        }
    }

    /// Moves everything that can move. Ready when all that was taken is on its way.
    fn poll_posts(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.heed_all(cx);
            self.depart_all();
            if self.poll_overdue(cx).is_ready() {
                continue;
            }
            match self.tasks.poll_join_next_with_id(cx) {
                Poll::Ready(Some(ended)) => {
                    // What it said before it ended comes first.
                    self.heed_all(cx);
                    self.ended(ended);
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        let told = self.flying.values().all(|flying| !matches!(flying.what, What::Cancel { .. }));
        if told && self.lane.is_quiet() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready when something was held back for long enough, and has been let go.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((by, most)) = self.lane.held() else {
            self.held = None;
            return Poll::Pending;
        };
        if self.held.as_ref().is_none_or(|(former, _)| *former != by) {
            self.held = Some((by, Box::pin(sleep(most))));
        }
        if let Some((_, until)) = &mut self.held {
            ready!(until.as_mut().poll(cx));
        }
        tracing::debug!("a message is not held back any longer");
        self.held = None;
        self.lane.let_go();
        Poll::Ready(())
    }

    fn heed_all(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(signal)) = self.signals.poll_recv(cx) {
            self.heed(signal, cx);
        }
    }

    fn heed(&mut self, signal: Signal, cx: &Context<'_>) {
        match signal {
            Signal::Handed(ticket) => {
                self.lane.handed(ticket);
                let waits = match self.flying.get_mut(&ticket) {
                    Some(Flying { what: What::Call { handed, cancel, .. }, .. }) => {
                        *handed = true;
                        cancel.take()
                    }
                    _ => None,
                };
                if let Some(cancel) = waits {
                    self.tell_cancelled(ticket, cancel);
                }
            }
            // Whoever cancels it now is told of after it, as before.
            Signal::Returned(ticket) => {
                if let Some(Flying { what: What::Call { handed, .. }, .. }) = self.flying.get_mut(&ticket) {
                    *handed = false;
                }
            }
            Signal::Taken(ticket, well) => match self.flying.get(&ticket).map(|flying| &flying.what) {
                Some(What::Initialized) if well => self.listen(ticket),
                Some(&What::Cancel { of }) => self.drop_call(of),
                _ => self.lane.released(ticket),
            },
            Signal::Parked(ticket) => {
                self.lane.landed(ticket);
                self.lane.released(ticket);
                // The answer is let go all the same, and nobody waits for the server to hear of it.
                if let Some(flying) = self.flying.get_mut(&ticket)
                    && let What::Cancel { of } = flying.what
                {
                    flying.what = What::Note;
                    self.drop_call(of);
                }
            }
            Signal::Opened(ticket) => self.lane.released(ticket),
            Signal::Answered(ticket) => self.drop_call(ticket),
            Signal::Listening => {
                if let Some(opener) = self.opener.take() {
                    self.lane.released(opener);
                }
            }
            Signal::Expired if self.end.is_none() => {
                self.end_with(CloseReason::SessionExpired);
                // The next read tells it, and it may not have been a read that found it.
                cx.waker().wake_by_ref();
            }
            Signal::Expired => {}
        }
    }

    fn end_with(&mut self, reason: CloseReason) {
        self.end = Some(reason);
        self.tasks.abort_all();
        self.lane.clear();
    }

    /// Ends the task of a call that is not waited for any more.
    fn drop_call(&mut self, ticket: Ticket) {
        if let Some(flying) = self.flying.get(&ticket) {
            flying.task.abort();
        }
    }

    fn depart_all(&mut self) {
        while let Some(departure) = self.lane.take() {
            self.depart(departure);
        }
    }

    fn depart(&mut self, departure: Departure<Message>) {
        let Departure { ticket, order, item: message } = departure;
        let headers = self.era.headers(&message, self.link.tools.as_deref());
        let link = self.link.clone();
        let (what, task) = match message {
            Message::Request(request) => {
                let (id, way) = (request.id(), self.era.way());
                let asked = match (&way, &*request.method()) {
                    (Way::Legacy(legacy), "initialize") => Asked::Initialize(legacy.clone()),
                    (Way::Modern, "tools/list") => Asked::Tools,
                    _ => Asked::Other,
                };
                link.calls.open(id.clone(), ticket);
                let what = match order {
                    Order::Opening => What::Opening { id: id.clone() },
                    _ => What::Call { id: id.clone(), handed: false, cancel: None },
                };
                let own = Own { ticket, id, asked };
                (what, self.tasks.spawn(Call { link, own, way, request, headers }.run()))
            }
            note => {
                let opens = matches!(&note, Message::Notification(note) if note.method() == "notifications/initialized");
                let what = match &self.era {
                    Era::Legacy(_) if opens && !self.listens => What::Initialized,
                    _ => What::Note,
                };
                (what, self.tasks.spawn(post_note(link, ticket, note, headers)))
            }
        };
        self.fly(ticket, what, task);
    }

    fn fly(&mut self, ticket: Ticket, what: What, task: AbortHandle) {
        self.tickets.insert(task.id(), ticket);
        self.flying.insert(ticket, Flying { task, what });
    }

    /// Opens the server's own stream; what follows waits until it is known whether there is one, so that nothing of
    /// what it causes is sent before there is somebody to listen.
    fn listen(&mut self, ticket: Ticket) {
        let Era::Legacy(legacy) = &self.era else { return };
        self.listens = true;
        let delivery = Delivery::new(self.link.clone(), None);
        let stream = ServerStream::new(delivery, Kind::Listening(legacy.clone()));
        self.tasks.spawn(stream.listen(legacy.clone()));
        self.opener = Some(ticket);
    }

    /// Takes back a request. Waits for nothing but that it is on its way.
    ///
    /// MCP 2025-11-25, utilities, Cancellation: a notification. MCP 2026-07-28, transports, Cancellation: the end of its
    /// stream, and no message.
    fn cancel(&mut self, notification: Notification) {
        let id = notification
            .params_raw()
            .and_then(Object::new)
            .and_then(|params| Id::from_json(params.get("requestId")?));
        let Some(id) = id else { return };
        // What has room is on its way, and what has none is not sent at all.
        self.depart_all();
        let waiting = |message: &Message| matches!(message, Message::Request(request) if request.id() == id);
        if self.lane.withdraw(waiting).is_some() {
            return;
        }
        let Some(ticket) = self.link.calls.waiting(&id) else { return };
        if matches!(self.era, Era::Modern(_)) {
            let _ = self.link.calls.settle(&id);
            return self.drop_call(ticket);
        }
        if self.flying.values().any(|flying| matches!(flying.what, What::Cancel { of } if of == ticket)) {
            return;
        }
        match self.flying.get_mut(&ticket) {
            Some(Flying { what: What::Call { handed: false, cancel, .. }, .. }) => {
                *cancel = Some(notification.into());
            }
            Some(Flying { what: What::Call { .. }, .. }) => self.tell_cancelled(ticket, notification.into()),
            // MCP 2025-11-25, utilities, Cancellation: `initialize` is never cancelled.
            _ => {}
        }
    }

    /// One for each request that flies at most, so it needs no room.
    fn tell_cancelled(&mut self, of: Ticket, cancel: Message) {
        let (ticket, link) = (self.lane.ticket(), self.link.clone());
        let headers = self.era.headers(&cancel, None);
        let task = self.tasks.spawn(post_note(link, ticket, cancel, headers));
        self.fly(ticket, What::Cancel { of }, task);
    }

    /// A task has ended, by itself or because it was not needed any more.
    fn ended(&mut self, ended: Result<(task::Id, ()), JoinError>) {
        let (task, panicked) = match &ended {
            Ok((task, ())) => (*task, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let Some(ticket) = self.tickets.remove(&task) else { return };
        self.lane.landed(ticket);
        let Some(Flying { what, .. }) = self.flying.remove(&ticket) else { return };
        match what {
            What::Call { id, .. } | What::Opening { id } => {
                self.lane.released(ticket);
                if self.link.calls.close(&id, ticket) && panicked {
                    self.link.fail(&id, Error::new(ErrorKind::Internal, "the task of a call has failed"));
                }
            }
            What::Cancel { of } => self.drop_call(of),
            What::Note => self.lane.released(ticket),
            What::Initialized if self.opener == Some(ticket) => {}
            What::Initialized => self.lane.released(ticket),
        }
    }

    fn waits_too_much(&self) -> bool {
        let [_, (count, bytes)] = self.lane.waiting();
        count >= MAX_WAITING.0 || bytes >= MAX_WAITING.1
    }

    /// Whether one more request may wait for room.
    fn has_place(&mut self, len: usize) -> bool {
        let max = self.link.limits.max_pending as usize;
        let fits = |lane: &Lane<Message>| {
            let [(count, bytes), _] = lane.waiting();
            count < max && (bytes == 0 || bytes + len <= MAX_WAITING_REQUESTS)
        };
        if fits(&self.lane) {
            return true;
        }
        // What has room does not wait.
        self.depart_all();
        fits(&self.lane)
    }
}

impl Wire for ClientWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        let _ = self.poll_posts(cx);
        match (self.frames.poll_recv(cx), &self.end) {
            (Poll::Ready(Some(frame)), _) => Poll::Ready(Ok(frame)),
            (_, Some(reason)) => Poll::Ready(Err(reason.clone())),
            // The other end of the queue is in `link`, so it is never closed before this wire is.
            (Poll::Ready(None) | Poll::Pending, None) => Poll::Pending,
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waits_too_much() {
            let _ = self.poll_posts(cx);
        }
        match (&self.end, self.waits_too_much()) {
            (Some(_), _) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            (None, true) => Poll::Pending,
            (None, false) => Poll::Ready(Ok(())),
        }
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        self.era.see(&message);
        let len = message.len();
        let order = match message {
            Message::Notification(note) if note.method() == "notifications/cancelled" => {
                self.cancel(note);
                return Ok(());
            }
            // MCP 2026-07-28, transports, Sending Messages: clients send no responses.
            Message::Response(_) if matches!(self.era, Era::Modern(_)) => {
                tracing::debug!("a response is not sent, because there is nobody who has asked");
                return Ok(());
            }
            Message::Request(_) if is_initialize(&message) => Order::Opening,
            Message::Request(_) => Order::Request,
            Message::Response(_) => Order::Response,
            Message::Notification(_) => Order::Notification,
        };
        match &message {
            Message::Request(request) if !self.has_place(len) => {
                let what = "too many requests wait for room";
                self.link.fail(&request.id(), Error::new(ErrorKind::Limit, what));
            }
            _ => self.lane.push(order, len, message),
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_posts(cx).map(Ok)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (link, era) = (&self.link, &self.era);
        let ended = self.end.is_some();
        let (tasks, lane) = (&mut self.tasks, &mut self.lane);
        let closing = self.closing.get_or_insert_with(|| {
            tasks.abort_all();
            lane.clear();
            match era {
                // MCP 2025-11-25, transports, Session Management: DELETE says that the session is not needed any more.
                Era::Legacy(legacy) if !ended && legacy.session().is_some() => {
                    Box::pin(link.clone().delete(legacy.clone()))
                }
                _ => Box::pin(std::future::ready(())),
            }
        });
        closing.as_mut().poll(cx)
    }
}

impl fmt::Debug for ClientWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientWire").field("path", &self.link.url.path()).finish_non_exhaustive()
    }
}
