//! Two connections joined: whatever one side says, the other hears.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use mcp_jsonrpc::{ErrorObject, Fault, Id, Json, Malformed, Message, Notification};

use crate::caller::own_token;
use crate::deadlines::Deadlines;
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
    relay_within(front, back, None).await
}

/// The same, with a time within which the second one has to answer each request of the first. Progress does not prolong
/// it. One that is late is answered with an internal error, whose `data.reason` is `timeout`, and cancelled; an answer
/// that comes after that is dropped and counted.
///
/// # Cancel safety
///
/// Dropping the future ends both connections at once.
///
/// # Spec
///
/// MCP 2025-11-25, basic, Lifecycle, Timeouts.
pub async fn relay_within(front: Connection, back: Connection, answer: Option<Duration>) -> Relayed {
    let mut front = Side::new(front, answer);
    let mut back = Side::new(back, None);
    poll_fn(|cx| {
        loop {
            let moved = front.poll_towards(&mut back, cx)
                | back.poll_towards(&mut front, cx)
                | front.poll_late(&mut back, cx);
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
    /// The cancellations of late requests that find no room on the other side; as many as there are requests, at most.
    cancellations: VecDeque<Message>,
    /// Numbers of requests that are to be answered in time.
    deadlines: Deadlines<(u64, Id)>,
    /// The number of the next request.
    next: u64,
    ended: bool,
}

/// A request that waits for its answer.
struct Asked {
    responder: Responder,
    /// The token by which its progress is told; looked for only where that matters.
    token: Option<Id>,
    number: u64,
    /// MCP 2025-11-25, utilities, Cancellation: `initialize` is never cancelled.
    may_cancel: bool,
}

impl Side {
    fn new(connection: Connection, answer: Option<Duration>) -> Self {
        Self {
            sender: connection.sender(),
            connection,
            asked: HashMap::new(),
            has_ways: false,
            held: None,
            cancellations: VecDeque::new(),
            deadlines: Deadlines::new(answer),
            next: 0,
            ended: false,
        }
    }

    /// Answers what the other side is late with; says whether anything was.
    fn poll_late(&mut self, other: &mut Self, cx: &mut TaskContext<'_>) -> bool {
        let asked = &self.asked;
        let is_waited_for =
            |(number, id): &(u64, Id)| asked.get(id).is_some_and(|asked| asked.number == *number);
        let late = self.deadlines.poll_due(cx, is_waited_for);
        let mut moved = late.is_ready();
        if let Poll::Ready((_, id)) = late
            && let Some(asked) = self.asked.remove(&id)
        {
            tracing::debug!("a request was not answered in time");
            asked.responder.fail(&ErrorObject::with_reason("the server did not answer in time", "timeout"));
            self.cancellations.extend(asked.may_cancel.then(|| cancellation(&id)).flatten());
        }
        // What this side said before goes first.
        while self.held.is_none()
            && !other.ended
            && let Some(message) = self.cancellations.pop_front()
        {
            self.hand_over(message, other);
            moved = true;
        }
        moved
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
                self.next += 1;
                let (number, may_cancel) = (self.next, request.method() != "initialize");
                let asked = Asked { responder, token, number, may_cancel };
                let reused = self.asked.insert(request.id(), asked);
                let asked = &self.asked;
                self.deadlines.add((number, request.id()), |(number, id)| {
                    asked.get(id).is_some_and(|asked| asked.number == *number)
                });
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
        self.cancellations.clear();
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

/// Tells who was asked that nobody waits any more.
fn cancellation(id: &Id) -> Option<Message> {
    let id = std::str::from_utf8(id.as_json()).ok()?;
    let params = Json::parse(format!(r#"{{"requestId":{id},"reason":"timeout"}}"#)).ok()?;
    Some(Notification::with_json_params("notifications/cancelled", &params).ok()?.into())
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side")
            .field("connection", &self.connection)
            .field("asked", &self.asked.len())
            .finish_non_exhaustive()
    }
}
