//! The queued tier: handles that can go anywhere, and the driver that they belong to.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use mcp_jsonrpc::{ErrorCode, ErrorObject, Message};

use crate::caller::Caller;
use crate::connection::Connection;
use crate::health::{Health, count};
use crate::queue::{self, Permit};
use crate::session::{Incoming, Session, Wish};
use crate::wire::BoxFuture;
use crate::{CloseReason, Context, Error};

/// One connection or legacy session, as its user holds it: a way in, a way out, and a handle on the whole.
///
/// Its [`Driver`] moves the bytes; nothing moves unless that is polled. When sender, receiver and control are all
/// dropped, the connection finishes what it accepted and ends.
#[derive(Debug)]
pub struct Endpoint {
    /// Sends.
    pub sender: Sender,
    /// Receives.
    pub receiver: Receiver,
    /// Ends and inspects.
    pub control: Control,
}

impl Endpoint {
    pub(crate) fn new(
        connection: Connection,
        inbox: queue::Sender<Incoming>,
        receiver: queue::Receiver<Incoming>,
    ) -> (Self, Driver) {
        // One token for all three, so that only the last of them to go ends the connection.
        let alive = Alive::new(connection.session());
        let receiver = Receiver { inbox: receiver, _alive: alive.clone() };
        let sender = Sender::new(connection.session().clone(), alive.clone());
        let control = Control::new(connection.session().clone(), alive);
        (
            Self { sender, receiver, control },
            Driver { connection, inbox, owned: true, held: None, room: None },
        )
    }

    pub(crate) fn shared(
        connection: Connection,
        inbox: queue::Sender<Incoming>,
    ) -> (Sender, Control, Driver) {
        let alive = Alive::new(connection.session());
        let sender = Sender::new(connection.session().clone(), alive.clone());
        let control = Control::new(connection.session().clone(), alive);
        (sender, control, Driver { connection, inbox, owned: false, held: None, room: None })
    }

    /// A caller, for those who only ask: nothing of what else comes in is received.
    ///
    /// A `ping` of the peer is answered; its other requests are answered with method not found; the rest is counted as
    /// dropped.
    pub fn into_caller(self) -> Caller {
        Caller::new(&self.sender)
    }
}

/// Keeps a connection alive; the last one to go asks it to finish.
pub(crate) struct Alive(Option<Arc<Session>>);

impl Alive {
    fn new(session: &Arc<Session>) -> Arc<Self> {
        Arc::new(Self(Some(session.clone())))
    }

    /// For handles on a connection that somebody drives by hand: that one ends it by dropping it.
    pub(crate) fn no_token() -> Arc<Self> {
        Arc::new(Self(None))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(session) = &self.0 {
            session.wish(Wish::Drain);
        }
    }
}

/// The way out of this program: sends messages in the order in which they are given.
#[derive(Clone)]
pub struct Sender {
    pub(crate) session: Arc<Session>,
    pub(crate) _alive: Arc<Alive>,
}

impl Sender {
    pub(crate) fn new(session: Arc<Session>, alive: Arc<Alive>) -> Self {
        Self { session, _alive: alive }
    }

    /// Waits for room in the queue and puts a message in.
    ///
    /// # Errors
    ///
    /// Closed when the connection has ended; limit when the message is larger than
    /// [`Limits::max_message`](crate::Limits::max_message).
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it has sent nothing and the message is gone; [`Sender::reserve`] keeps it.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        let permit = self.reserve(message.len()).await?;
        permit.send(message).map_err(|_| self.session.closed_error())
    }

    /// Waits for room for one message of `len` bytes; [`Permit::send`] then cannot fail for want of it.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place in line and nothing else.
    pub async fn reserve(&self, len: usize) -> Result<Permit<Message>, Error> {
        self.session.admit_outgoing(len)?;
        self.session.outbound.reserve(len).await.map_err(|_| self.session.closed_error())
    }

    /// Puts a message in if there is room now; gives it back if not.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<Option<Message>, Error> {
        let message = message.into();
        self.session.admit_outgoing(message.len())?;
        match self.session.outbound.try_reserve(message.len()) {
            Ok(Some(permit)) => permit.send(message).map(|()| None).map_err(|_| self.session.closed_error()),
            Ok(None) => Ok(Some(message)),
            Err(_) => Err(self.session.closed_error()),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.session).finish()
    }
}

/// The way in: what the peer sends, in wire order.
///
/// It must be read: what is not read fills its queue, and then reading stops and with it the answers to one's own
/// calls. Who only calls uses [`Endpoint::into_caller`]. Dropping it refuses what comes in from then on.
pub struct Receiver {
    inbox: queue::Receiver<Incoming>,
    _alive: Arc<Alive>,
}

impl Receiver {
    /// The next incoming message; `None` when the connection has ended and everything was taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Incoming> {
        self.inbox.recv().await
    }

    /// See [`Receiver::recv`].
    pub fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Incoming>> {
        self.inbox.poll_recv(cx)
    }

    /// What has come in already, if anything.
    pub fn try_recv(&mut self) -> Option<Incoming> {
        self.inbox.try_recv()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.inbox).finish()
    }
}

/// The handle on a connection as a whole.
#[derive(Clone)]
pub struct Control {
    session: Arc<Session>,
    _alive: Arc<Alive>,
}

impl Control {
    pub(crate) fn new(session: Arc<Session>, alive: Arc<Alive>) -> Self {
        Self { session, _alive: alive }
    }

    /// Ends the connection in good order: new requests are refused with reason `shutting_down`, accepted ones are
    /// finished for at most [`Limits::drain`](crate::Limits::drain), what is queued is sent.
    pub fn shutdown(&self) {
        self.session.wish(Wish::Drain);
    }

    /// Ends the connection now: what is queued is dropped, exchanges are cancelled. A child still gets its ladder.
    pub fn close(&self) {
        self.session.wish(Wish::Close);
    }

    /// Waits for the end and says why it came.
    ///
    /// Everybody who waits is told at the same moment; a child may still be on its ladder then. The
    /// [`Driver`](crate::Driver) is done when that is done too.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn closed(&self) -> Arc<CloseReason> {
        self.session.closed().await
    }

    /// Why it ended, if it has.
    pub fn close_reason(&self) -> Option<Arc<CloseReason>> {
        self.session.close_reason()
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        self.session.health()
    }

    /// What is known about all of its messages.
    pub fn context(&self) -> &Arc<Context> {
        self.session.context()
    }

    /// Ends it as failed; a heartbeat does.
    pub(crate) fn fail(&self, reason: CloseReason) {
        self.session.close(reason);
        self.session.wish(Wish::Close);
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Control").field(&self.session).finish()
    }
}

/// Moves the bytes of an endpoint; whoever connected owns it.
///
/// It is a future that says why the connection ended. Dropping it ends the connection at once.
pub struct Driver {
    connection: Connection,
    inbox: queue::Sender<Incoming>,
    /// Whether the inbox is this connection's alone, and ends with it.
    owned: bool,
    /// What was read and waits for room.
    held: Option<Incoming>,
    /// Only under backpressure; an idle or flowing connection has none.
    room: Option<BoxFuture<'static, Result<Permit<Incoming>, queue::Closed>>>,
}

impl Future for Driver {
    type Output = Arc<CloseReason>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Arc<CloseReason>> {
        let this = self.get_mut();
        loop {
            if this.held.is_some() && this.poll_deliver(cx).is_pending() {
                // No room: the other direction goes on.
                ready!(this.connection.poll_without_reading(cx));
                // It has ended, and nothing that was read is lost: there is one such message a connection.
                this.room = None;
                if let Some(held) = this.held.take()
                    && this.inbox.last_word(held.weight(), held).is_err()
                {
                    count(&this.connection.session().counters.dropped);
                }
                continue;
            }
            match ready!(this.connection.poll_next(cx)) {
                Some(incoming) => this.held = Some(incoming),
                None => return Poll::Ready(this.end()),
            }
        }
    }
}

impl Driver {
    /// Ready when nothing is held any more.
    fn poll_deliver(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(incoming) = self.held.take() else { return Poll::Ready(()) };
        let room = match &mut self.room {
            Some(room) => match room.as_mut().poll(cx) {
                Poll::Ready(room) => room,
                Poll::Pending => {
                    self.held = Some(incoming);
                    return Poll::Pending;
                }
            },
            None => match self.inbox.try_reserve(incoming.weight()) {
                Ok(Some(room)) => Ok(room),
                Err(closed) => Err(closed),
                Ok(None) => {
                    let (inbox, weight) = (self.inbox.clone(), incoming.weight());
                    self.room = Some(Box::pin(async move { inbox.reserve(weight).await }));
                    self.held = Some(incoming);
                    return self.poll_deliver(cx);
                }
            },
        };
        self.room = None;
        match room {
            Ok(room) => {
                // Closed just now: an exchange answers by being dropped.
                if room.send(incoming).is_err() {
                    count(&self.connection.session().counters.dropped);
                }
            }
            Err(queue::Closed) => self.refuse(incoming),
        }
        Poll::Ready(())
    }

    /// Nobody receives: a peer that asks is told so, and one that only wants to know whether somebody is here is not
    /// left in doubt.
    fn refuse(&self, incoming: Incoming) {
        match incoming {
            Incoming::Request(exchange) if exchange.request().method() == "ping" => {
                exchange.finish(&BTreeMap::<(), ()>::new());
            }
            Incoming::Request(exchange) => {
                exchange.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "nobody here takes requests"));
            }
            _ => count(&self.connection.session().counters.dropped),
        }
    }

    fn end(&mut self) -> Arc<CloseReason> {
        if self.owned {
            self.inbox.close();
        }
        self.connection.session().close_reason().unwrap_or_else(|| Arc::new(CloseReason::ClosedHere))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.owned {
            self.inbox.close();
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Driver").field(&self.connection).finish()
    }
}
