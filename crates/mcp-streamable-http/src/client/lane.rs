//! In which order messages go out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// How long a notification waits for what went before it, and what follows for its status. Servers say at once that
/// they have taken one; a server that does not is not to keep everything else from it.
const MAX_HOLD: Duration = Duration::from_secs(5);
/// How long others wait for the answer to `initialize`: as long as most callers do.
const OPENING_HOLD: Duration = Duration::from_secs(60);

/// Which message of a connection, counted from 1.
pub(super) type Ticket = u64;

/// How a message goes among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Before everything that follows, which waits until it is answered: `initialize`, whose answer names the session.
    Opening,
    /// With others of its kind, as many as may fly.
    Request,
    /// With requests, and however many of those fly: the server waits for it, perhaps before it answers them.
    Response,
    /// When all before it is on its way, and what follows waits until it is taken.
    Notification,
}

/// How much may fly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) requests: usize,
    pub(super) request_bytes: usize,
    pub(super) responses: usize,
}

/// Decides when each message may go.
///
/// Each message is a POST of its own, and two that are sent one after the other may arrive in either order.
/// So a notification waits until every message before it was handed to a connection, and what follows waits until the
/// server has said that it took the notification. Nobody waits for the answer of a request, which may take minutes.
///
/// ```text
/// request  response  request │ notification │ request  request
///     handed over, all of them ▲           ▲ 202
/// ```
///
/// Both waits are bounded, see [`Lane::let_go`]. A response passes requests that wait for room and no notification; a
/// notification passes them once it has waited long enough.
#[derive(Debug)]
pub(super) struct Lane<T> {
    waiting: VecDeque<Waiting<T>>,
    last: Ticket,
    flying: HashMap<Ticket, (Order, usize)>,
    /// Of those, requests, their bytes, and responses.
    requests: usize,
    request_bytes: usize,
    responses: usize,
    /// What flies and was not yet handed to a connection, notifications apart.
    unhanded: HashSet<Ticket>,
    /// What flies and is waited for.
    holding: Option<(Ticket, Order)>,
    /// The next notification has waited long enough.
    overdue: bool,
    room: Room,
}

#[derive(Debug)]
struct Waiting<T> {
    order: Order,
    len: usize,
    item: T,
}

/// A message that goes now.
#[derive(Debug)]
pub(super) struct Departure<T> {
    pub(super) ticket: Ticket,
    pub(super) order: Order,
    pub(super) item: T,
}

impl<T> Lane<T> {
    pub(super) fn new(room: Room) -> Self {
        Self {
            waiting: VecDeque::new(),
            last: 0,
            flying: HashMap::new(),
            requests: 0,
            request_bytes: 0,
            responses: 0,
            unhanded: HashSet::new(),
            holding: None,
            overdue: false,
            room,
        }
    }

    /// Queues a message of `len` bytes.
    pub(super) fn push(&mut self, order: Order, len: usize, item: T) {
        self.waiting.push_back(Waiting { order, len, item });
    }

    /// What waits: how many, and their bytes, of requests and of everything else.
    pub(super) fn waiting(&self) -> [(usize, usize); 2] {
        let mut waiting = [(0, 0); 2];
        for one in &self.waiting {
            let of = usize::from(!one.order.is_request());
            waiting[of] = (waiting[of].0 + 1, waiting[of].1 + one.len);
        }
        waiting
    }

    /// Takes out a message that waits.
    pub(super) fn withdraw(&mut self, mut which: impl FnMut(&T) -> bool) -> Option<T> {
        let at = self.waiting.iter().position(|one| which(&one.item))?;
        self.waiting.remove(at).map(|one| one.item)
    }

    /// A ticket for a message that is sent past this lane.
    pub(super) fn ticket(&mut self) -> Ticket {
        self.last += 1;
        self.last
    }

    /// The next message that may go now. It flies until [`Lane::landed`].
    pub(super) fn take(&mut self) -> Option<Departure<T>> {
        let Waiting { order, len, item } = self.waiting.remove(self.next()?)?;
        let ticket = self.ticket();
        self.flying.insert(ticket, (order, len));
        match order {
            Order::Opening | Order::Request => {
                self.requests += 1;
                self.request_bytes += len;
            }
            Order::Response => self.responses += 1,
            Order::Notification => self.overdue = false,
        }
        if order != Order::Notification {
            self.unhanded.insert(ticket);
        }
        if matches!(order, Order::Opening | Order::Notification) {
            self.holding = Some((ticket, order));
        }
        Some(Departure { ticket, order, item })
    }

    fn next(&self) -> Option<usize> {
        match self.holding {
            Some((_, Order::Opening)) => return self.response(),
            Some(_) => return None,
            None => {}
        }
        if self.overdue
            && let Some(at) = self.notification()
        {
            return Some(at);
        }
        let front = self.waiting.front()?;
        let may_go = match front.order {
            Order::Opening | Order::Notification => self.unhanded.is_empty(),
            Order::Request => {
                let fits =
                    self.request_bytes == 0 || self.request_bytes + front.len <= self.room.request_bytes;
                self.requests < self.room.requests && fits
            }
            Order::Response => self.responses < self.room.responses,
        };
        if may_go { Some(0) } else { self.response() }
    }

    /// The first response that passes no notification.
    fn response(&self) -> Option<usize> {
        let order = |one: &Waiting<T>| one.order;
        let at = self.waiting.iter().position(|one| order(one) != Order::Request)?;
        let first = self.waiting.get(at).map(order)?;
        (first == Order::Response && self.responses < self.room.responses).then_some(at)
    }

    /// The first notification that passes nothing but requests.
    fn notification(&self) -> Option<usize> {
        let at = self.waiting.iter().position(|one| one.order != Order::Request)?;
        (self.waiting.get(at)?.order == Order::Notification).then_some(at)
    }

    /// How long what waits may be held back by something else than want of room, and by what.
    pub(super) fn held(&self) -> Option<(Option<Ticket>, Duration)> {
        match self.holding {
            _ if self.waiting.is_empty() => None,
            Some((ticket, Order::Opening)) => Some((Some(ticket), OPENING_HOLD)),
            Some((ticket, _)) => Some((Some(ticket), MAX_HOLD)),
            None => self.notification().map(|_| (None, MAX_HOLD)),
        }
    }

    /// What waits has waited long enough.
    pub(super) fn let_go(&mut self) {
        self.overdue = self.holding.take().is_none();
        self.unhanded.clear();
    }

    /// A message was handed to a connection.
    pub(super) fn handed(&mut self, ticket: Ticket) {
        self.unhanded.remove(&ticket);
    }

    /// A message need not be waited for any more.
    pub(super) fn released(&mut self, ticket: Ticket) {
        if self.holding.is_some_and(|(holding, _)| holding == ticket) {
            self.holding = None;
        }
    }

    /// A message that flew has its answer, or never will have; whether it was one of this lane's.
    pub(super) fn landed(&mut self, ticket: Ticket) -> bool {
        self.unhanded.remove(&ticket);
        let Some((order, len)) = self.flying.remove(&ticket) else { return false };
        match order {
            Order::Opening | Order::Request => {
                self.requests -= 1;
                self.request_bytes -= len;
            }
            Order::Response => self.responses -= 1,
            Order::Notification => {}
        }
        true
    }

    /// Whether all that was pushed is on its way: nothing waits, and what flies are requests that were handed over.
    pub(super) fn is_quiet(&self) -> bool {
        let only_requests = self.requests == self.flying.len();
        self.waiting.is_empty() && self.unhanded.is_empty() && only_requests
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

impl Order {
    fn is_request(self) -> bool {
        matches!(self, Self::Opening | Self::Request)
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
