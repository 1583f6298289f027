//! Two connections joined: whatever one side says, the other hears.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mcp_jsonrpc::{ErrorObject, Fault, Id, Malformed, Message, Notification};

use crate::caller::own_token;
use crate::exchange::Responder;
use crate::health::count;
use crate::session::{Incoming, id_in};
use crate::{CloseReason, Connection, Sender, queue};

/// How each side of a relay ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Relayed {
    /// Why the first connection ended.
    pub front: Arc<CloseReason>,
    /// Why the second one did.
    pub back: Arc<CloseReason>,
}

/// Joins two connections until both have ended: what a bridge, a proxy or a gateway does for one session.
///
/// Messages pass byte for byte and in order, under the ids that they have: the two belong to each other alone, so
/// nothing has to be renumbered, and a cancellation or a progress token means on one side what it means on the other.
/// A slow side slows the other one down and nobody else: a message that finds no room is held, and its side is not read
/// until there is some.
///
/// Where the requests of one side have ways back of their own, as over Streamable HTTP, what the other side says beside
/// its answers goes the way of the request that it most probably belongs to: progress by its token, the rest with the
/// only request in flight, or with none. A reader that does not read misses what is no answer, and holds up nobody.
///
/// When one side ends, the other is shut down in good order. Requests that it can no longer get answered are answered
/// with an internal error whose `data.reason` says why, such as `child_exited`.
///
/// # Cancel safety
///
/// Dropping the future ends both connections at once.
pub async fn relay(front: Connection, back: Connection) -> Relayed {
    let mut front = Side::new(front);
    let mut back = Side::new(back);
    poll_fn(|cx| {
        loop {
            let moved = front.poll_towards(&mut back, cx) | back.poll_towards(&mut front, cx);
            if front.ended && back.ended {
                return Poll::Ready(());
            }
            // Room may have come up since a side that holds something was polled.
            if !moved && !(front.retry(&mut back) | back.retry(&mut front)) {
                return Poll::Pending;
            }
        }
    })
    .await;
    Relayed {
        front: front.connection.control().closed().await,
        back: back.connection.control().closed().await,
    }
}

struct Side {
    connection: Connection,
    sender: Sender,
    /// Requests of this side that the other one has not answered yet.
    asked: HashMap<Id, Asked>,
    /// Whether its requests have ways back of their own.
    has_ways: bool,
    /// What came from this side and finds no room on the other.
    held: Option<Message>,
    ended: bool,
}

/// A request that waits for its answer.
struct Asked {
    responder: Responder,
    /// The token by which its progress is told; looked for only where that matters.
    token: Option<Id>,
}

impl Side {
    fn new(connection: Connection) -> Self {
        Self {
            sender: connection.sender(),
            connection,
            asked: HashMap::new(),
            has_ways: false,
            held: None,
            ended: false,
        }
    }

    /// Moves what this side has to say; says whether anything moved.
    fn poll_towards(&mut self, other: &mut Self, cx: &mut TaskContext<'_>) -> bool {
        if self.ended {
            return false;
        }
        if self.held.is_some() {
            if self.retry(other) {
                return true;
            }
            // What goes to this side goes on meanwhile.
            if self.connection.poll_without_reading(cx).is_pending() {
                return false;
            }
            self.end(other);
            return true;
        }
        match self.connection.poll_next(cx) {
            Poll::Pending => false,
            Poll::Ready(Some(incoming)) => {
                self.take(incoming, other);
                true
            }
            Poll::Ready(None) => {
                self.end(other);
                true
            }
        }
    }

    /// Hands over what is held, if there is room now; says whether there was.
    fn retry(&mut self, other: &mut Self) -> bool {
        let Some(message) = self.held.take() else { return false };
        self.hand_over(message, other);
        self.held.is_none()
    }

    fn take(&mut self, incoming: Incoming, other: &mut Self) {
        match incoming {
            Incoming::Request(exchange) => {
                let (request, _, responder) = exchange.into_parts();
                let has_way = responder.own_way().is_some();
                self.has_ways |= has_way;
                let token = if has_way { own_token(&request) } else { None };
                let reused = self.asked.insert(request.id(), Asked { responder, token });
                // The first one of two with the same id can no longer be told from the second.
                if let Some(first) = reused {
                    first.responder.fail(&ErrorObject::with_reason("the id is in use", "unanswered"));
                }
                self.hand_over(request.into(), other);
            }
            Incoming::Notification(notification, _) => {
                self.forget_cancelled(&notification);
                self.hand_over(notification.into(), other);
            }
            Incoming::Response(response, _) => match response.id().and_then(|id| other.asked.remove(&id)) {
                Some(asked) => asked.responder.respond(response),
                // Late, unknown or second: the one who asked has its outcome.
                None => count(&self.connection.session().counters.dropped),
            },
            Incoming::Malformed(malformed, _) => other.fail_asked(&malformed),
        }
    }

    /// A request that its sender has given up needs no answer, and may never get one.
    fn forget_cancelled(&mut self, notification: &Notification) {
        if notification.method() == "notifications/cancelled"
            && let Some(id) = id_in(notification, "requestId")
        {
            self.asked.remove(&id);
        }
    }

    /// What came back cannot be used; the one who asked is told.
    fn fail_asked(&mut self, malformed: &Malformed) {
        if let Some(asked) = malformed.id().and_then(|id| self.asked.remove(id)) {
            let reason = if malformed.fault() == Fault::TooLarge { "too_large" } else { "unanswered" };
            asked.responder.fail(&ErrorObject::with_reason("the response cannot be used", reason));
        }
    }

    fn hand_over(&mut self, message: Message, other: &mut Self) {
        if other.ended {
            return self.fail_all(other);
        }
        if other.has_ways {
            return self.hand_over_sorted(message, other);
        }
        let id = message.id();
        match other.sender.try_send(message) {
            Ok(room) => self.held = room,
            // It is about to end, and then everything that was asked of it is answered.
            Err(error) if error.is_closed() => {}
            Err(error) => {
                tracing::debug!(%error, "a message cannot be passed on");
                count(&self.connection.session().counters.dropped);
                if let Some(asked) = id.and_then(|id| self.asked.remove(&id)) {
                    asked
                        .responder
                        .fail(&ErrorObject::with_reason("the request is too large to pass on", "too_large"));
                }
            }
        }
    }

    /// Hands over to a side whose requests have ways of their own, where a slow reader holds up nobody else: what finds
    /// no room there is dropped and counted, and a request is answered.
    fn hand_over_sorted(&mut self, message: Message, other: &mut Self) {
        let len = message.len();
        let request = if matches!(message, Message::Request(_)) { message.id() } else { None };
        let delivered = match other.way_of(&message) {
            Some(way) => match way.try_reserve(len) {
                Ok(Some(room)) => room.send(message).is_ok(),
                _ => false,
            },
            None => matches!(other.sender.try_send(message), Ok(None)),
        };
        if delivered {
            return;
        }
        count(&self.connection.session().counters.dropped);
        tracing::debug!(bytes = len, "a message finds no room at a client that does not read");
        if let Some(asked) = request.and_then(|id| self.asked.remove(&id)) {
            asked.responder.fail(&ErrorObject::with_reason("the client does not read", "overloaded"));
        }
    }

    /// The way of the request that a message most probably belongs to: progress to the one with its token, the rest to
    /// the only one there is.
    ///
    /// It has to be the same way that the answer will go, or the answer would overtake it.
    fn way_of(&self, message: &Message) -> Option<&queue::Sender<Message>> {
        let found = match message {
            Message::Notification(told) if told.method() == "notifications/progress" => {
                let token = id_in(told, "progressToken")?;
                self.asked.values().find(|asked| asked.token.as_ref() == Some(&token))
            }
            _ => {
                let mut some = self.asked.values();
                some.next().filter(|_| some.next().is_none())
            }
        };
        found?.responder.own_way()
    }

    /// This side has ended: nothing that the other one asks it can be answered, and nobody waits for its own answers.
    fn end(&mut self, other: &mut Self) {
        self.ended = true;
        self.held = None;
        self.asked.clear();
        other.fail_all(self);
        other.connection.control().shutdown();
    }

    /// Answers what this side asked of one that has ended.
    fn fail_all(&mut self, ended: &Self) {
        let reason = ended.connection.control().close_reason();
        let reason = reason.map_or("closed", |reason| reason.wire_reason());
        for (_, asked) in self.asked.drain() {
            asked.responder.fail(&ErrorObject::with_reason("the other side of the bridge has ended", reason));
        }
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side")
            .field("connection", &self.connection)
            .field("asked", &self.asked.len())
            .finish_non_exhaustive()
    }
}
