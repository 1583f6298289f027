//! A request with its own way back.

use std::fmt;
use std::sync::Arc;

use mcp_jsonrpc::{ErrorCode, ErrorObject, Id, Message, Notification, Request, Response};
use serde::Serialize;

use crate::flights::Flight;
use crate::health::count;
use crate::session::Session;
use crate::{Caller, Context, Error, ErrorKind, Outlet, queue};

/// A request of the peer, what is known about it, and the way back for its answer.
///
/// Correlation is by exchange and never by JSON-RPC id: two peers may both use id 1.
#[derive(Debug)]
pub struct Exchange {
    request: Request,
    context: Arc<Context>,
    responder: Responder,
}

impl Exchange {
    pub(crate) fn new(
        request: Request,
        context: Arc<Context>,
        session: Arc<Session>,
        way: Way,
        flight: Flight,
        id: Id,
    ) -> Self {
        Self { request, context, responder: Responder { session, way, flight, id, open: true } }
    }

    /// The peer has gone before it was taken.
    pub(crate) fn give_up(&self) {
        self.responder.session.give_up(self.responder.flight);
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What is known about it.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The way back.
    pub fn responder(&self) -> &Responder {
        &self.responder
    }

    /// Takes it apart.
    pub fn into_parts(self) -> (Request, Arc<Context>, Responder) {
        (self.request, self.context, self.responder)
    }

    /// Answers with a result; see [`Responder::finish`].
    pub fn finish<T: Serialize + ?Sized>(self, result: &T) {
        self.responder.finish(result);
    }

    /// Answers with an error; see [`Responder::fail`].
    pub fn fail(self, error: &ErrorObject) {
        self.responder.fail(error);
    }
}

/// Where what belongs to a request goes.
#[derive(Debug)]
pub(crate) enum Way {
    /// With everything else of its session.
    Session,
    /// Into a stream that belongs to it.
    Own(Outlet),
}

impl Way {
    pub(crate) fn queue<'a>(&'a self, session: &'a Session) -> &'a queue::Sender<Message> {
        match self {
            Self::Session => &session.outbound,
            Self::Own(outlet) => outlet.queue(),
        }
    }

    /// Notes a request that was admitted; whether its peer has gone already.
    pub(crate) fn note(&self, flight: Flight) -> bool {
        match self {
            Self::Session => false,
            Self::Own(outlet) => outlet.note(flight),
        }
    }
}

/// The way back of one request: notifications, questions, and exactly one answer.
///
/// The answer is a last word: it never waits and is never refused for want of room, because exchanges are bounded
/// where they are admitted. It goes through the same queue as the notifications before it, so order holds.
/// After the peer has cancelled, or the connection has closed, it is silent.
///
/// Dropping it unanswered sends an internal error with reason `unanswered`, so a handler that panics leaves nobody
/// waiting.
pub struct Responder {
    session: Arc<Session>,
    way: Way,
    flight: Flight,
    id: Id,
    open: bool,
}

impl Responder {
    /// Answers with a result. A result that does not serialize is answered with an internal error.
    pub fn finish<T: Serialize + ?Sized>(self, result: &T) {
        match Response::result(&self.id, result) {
            Ok(response) => self.answer(response),
            Err(error) => {
                tracing::warn!(%error, "a result cannot be put into a message");
                self.fail(&ErrorObject::new(
                    ErrorCode::INTERNAL_ERROR,
                    "the result cannot be put into a message",
                ));
            }
        }
    }

    /// Answers with an error.
    pub fn fail(self, error: &ErrorObject) {
        let response = Response::error(&self.id, error);
        self.answer(response);
    }

    /// Answers with a ready response, byte for byte except for its id, which becomes that of the request.
    ///
    /// This is how a proxy passes on what somebody else answered.
    pub fn respond(self, response: Response) {
        if response.id().is_some_and(|id| id.as_json() == self.id.as_json()) {
            self.answer(response);
            return;
        }
        match response.id() {
            Some(_) => {
                let response = response.with_id(&self.id);
                self.answer(response);
            }
            None => match response.outcome() {
                mcp_jsonrpc::Outcome::Error(error) => self.fail(&error),
                mcp_jsonrpc::Outcome::Result(_) => drop(self),
            },
        }
    }

    fn answer(mut self, response: Response) {
        self.open = false;
        let response = match self.session.admit_outgoing(response.len()) {
            Ok(()) => response,
            Err(_) => {
                Response::error(&self.id, &ErrorObject::with_reason("the response is too large", "too_large"))
            }
        };
        self.last_word(response);
    }

    /// The flight lands in every case; the word goes out only while somebody wants it.
    fn last_word(&self, response: Response) {
        let queue = self.queue();
        let (_landing, queued) = {
            let mut flights = self.session.flights();
            let landing = flights.land(self.flight);
            let queued = match landing.wanted {
                true => queue.put_last_word(response.len(), response.into()),
                false => Err(response.into()),
            };
            (landing, queued)
        };
        match queued {
            Ok(reader) => reader.now(),
            Err(_) => count(&self.session.counters.dropped),
        }
        self.session.look_again();
    }

    /// Sends a notification that belongs to this request, such as progress.
    ///
    /// # Errors
    ///
    /// Closed when the connection or the request's stream has ended, or the peer has cancelled; limit when the message
    /// is larger than [`Limits::max_message`](crate::Limits::max_message).
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for room, it has sent nothing.
    pub async fn notify(&self, notification: Notification) -> Result<(), Error> {
        self.check_wanted()?;
        self.session.admit_outgoing(notification.len())?;
        let permit =
            self.queue().reserve(notification.len()).await.map_err(|_| self.session.closed_error())?;
        // The peer may have cancelled while this waited.
        self.check_wanted()?;
        permit.send(notification.into()).map_err(|_| self.session.closed_error())
    }

    /// Sends a notification that belongs to this request if there is room now, and gives it back if not: for proxies,
    /// which hold up nobody for one slow reader.
    ///
    /// # Errors
    ///
    /// As [`Responder::notify`].
    pub fn try_notify(&self, notification: Notification) -> Result<Option<Notification>, Error> {
        self.check_wanted()?;
        self.session.admit_outgoing(notification.len())?;
        match self.queue().try_reserve(notification.len()) {
            Ok(Some(room)) => {
                room.send(notification.into()).map(|()| None).map_err(|_| self.session.closed_error())
            }
            Ok(None) => Ok(Some(notification)),
            Err(queue::Closed) => Err(self.session.closed_error()),
        }
    }

    fn queue(&self) -> &queue::Sender<Message> {
        self.way.queue(&self.session)
    }

    fn check_wanted(&self) -> Result<(), Error> {
        if !self.is_cancelled() {
            return Ok(());
        }
        Err(match self.session.close_reason() {
            Some(reason) => Error::closed(reason),
            None => Error::new(ErrorKind::Closed, "the peer has given up on the request"),
        })
    }

    /// Asks the peer on this request's own stream: sampling, roots, elicitation.
    ///
    /// # Spec
    ///
    /// Legacy era only. MCP 2026-07-28, basic: servers do not initiate requests.
    pub fn caller(&self) -> Caller {
        Caller::on(self.session.clone(), self.queue().clone())
    }

    /// Whether the peer has given up: it cancelled, or the connection has ended.
    pub fn is_cancelled(&self) -> bool {
        self.session.flights().is_given_up(self.flight)
    }

    /// Ready when the peer has given up. One waiter at a time is woken.
    pub fn poll_cancelled(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        self.session.poll_given_up(self.flight, cx)
    }

    /// Waits until the peer gives up. One waiter at a time is woken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn cancelled(&self) {
        self.session.given_up(self.flight).await;
    }

    /// Its own way back, if it has one.
    pub(crate) fn own_way(&self) -> Option<&queue::Sender<Message>> {
        match &self.way {
            Way::Session => None,
            Way::Own(outlet) => Some(outlet.queue()),
        }
    }

    /// The id of the request.
    pub fn id(&self) -> &Id {
        &self.id
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if self.open {
            self.open = false;
            self.last_word(Response::error(
                &self.id,
                &ErrorObject::with_reason("the request was not answered", "unanswered"),
            ));
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("id", &self.id).finish_non_exhaustive()
    }
}
