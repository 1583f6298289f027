//! In which order messages may be posted.

use std::collections::VecDeque;

/// How a message goes among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// With others of its kind, as many as may fly: a request.
    Together,
    /// With requests, and however many of those fly: a response. The peer waits for it, perhaps before it lets go of a
    /// request of ours, so it never waits for one.
    AtOnce,
    /// After what went before, and before what follows: a notification.
    Alone,
}

/// Decides when each message may go.
///
/// Each message of HTTP+SSE is a POST of its own, and two POSTs that fly at once may arrive in either order.
/// A cancellation must not overtake its request, nor a call the `initialized` before it, so a notification waits for
/// what went before it, and what follows waits for it.
///
/// ```text
/// request  response  request │ notification │ request  request
/// └──── fly together ──────┘   └── alone ──┘  └ fly together ┘
/// ```
///
/// Some servers say that they have taken a request only when they have answered it. A notification that has waited long
/// enough is therefore let go all the same: see [`Lane::let_go`].
#[derive(Debug)]
pub struct Lane<T> {
    waiting: VecDeque<(Order, T)>,
    /// What flies, by its order.
    requests: usize,
    responses: usize,
    /// A notification flies.
    alone: bool,
    /// The next notification has waited long enough.
    overdue: bool,
    max_flying: usize,
}

impl<T> Lane<T> {
    /// A lane of at most this many POSTs of requests at once, and as many of responses.
    pub fn new(max_flying: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            requests: 0,
            responses: 0,
            alone: false,
            overdue: false,
            max_flying: max_flying.max(1),
        }
    }

    /// Queues a message.
    pub fn push(&mut self, order: Order, item: T) {
        self.waiting.push_back((order, item));
    }

    /// The next message that may go now. It flies until [`Lane::landed`].
    pub fn take(&mut self) -> Option<(Order, T)> {
        let (order, _) = self.waiting.front()?;
        let next = match order {
            Order::Alone if !self.alone && (self.overdue || !self.is_flying()) => 0,
            Order::Together if !self.alone && self.requests < self.max_flying => 0,
            // A response may pass requests that wait for room, and no notification.
            Order::Together | Order::AtOnce if !self.alone && self.responses < self.max_flying => {
                let before_barrier = self.waiting.iter().take_while(|(order, _)| *order != Order::Alone);
                before_barrier.enumerate().find(|(_, (order, _))| *order == Order::AtOnce)?.0
            }
            _ => return None,
        };
        let (order, item) = self.waiting.remove(next)?;
        match order {
            Order::Together => self.requests += 1,
            Order::AtOnce => self.responses += 1,
            Order::Alone => (self.alone, self.overdue) = (true, false),
        }
        Some((order, item))
    }

    fn is_flying(&self) -> bool {
        self.requests + self.responses > 0 || self.alone
    }

    /// Whether a notification waits for what flies.
    pub fn is_held(&self) -> bool {
        self.is_flying() && !self.overdue && matches!(self.waiting.front(), Some((Order::Alone, _)))
    }

    /// Lets the next notification go though something flies.
    pub fn let_go(&mut self) {
        self.overdue = self.is_held();
    }

    /// One that flew has its answer, whatever that is.
    pub fn landed(&mut self, order: Order) {
        match order {
            Order::Together => self.requests = self.requests.saturating_sub(1),
            Order::AtOnce => self.responses = self.responses.saturating_sub(1),
            Order::Alone => self.alone = false,
        }
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lower case is a request, upper case a notification, a digit a response.
    fn lane(messages: &str, max: usize) -> Lane<char> {
        let mut lane = Lane::new(max);
        messages.chars().for_each(|message| push(&mut lane, message));
        lane
    }

    fn push(lane: &mut Lane<char>, message: char) {
        let order = match message {
            'A'..='Z' => Order::Alone,
            '0'..='9' => Order::AtOnce,
            _ => Order::Together,
        };
        lane.push(order, message);
    }

    fn ready(lane: &mut Lane<char>) -> String {
        std::iter::from_fn(|| lane.take()).map(|(_, message)| message).collect()
    }

    #[test]
    fn requests_fly_together_up_to_the_bound() {
        let mut lane = lane("abcd", 3);
        assert_eq!(ready(&mut lane), "abc");
        lane.landed(Order::Together);
        assert_eq!(ready(&mut lane), "d");
    }

    #[test]
    fn a_barrier_waits_and_is_waited_for() {
        let mut lane = lane("abNc", 8);
        assert_eq!(ready(&mut lane), "ab");
        lane.landed(Order::Together);
        assert_eq!(ready(&mut lane), "", "b still flies");
        lane.landed(Order::Together);
        assert_eq!(ready(&mut lane), "N");
        assert_eq!(ready(&mut lane), "", "N flies alone");
        lane.landed(Order::Alone);
        assert_eq!(ready(&mut lane), "c");
        lane.landed(Order::Together);
        assert!(lane.waiting() == 0 && !lane.is_flying());
    }

    #[test]
    fn barriers_go_one_by_one() {
        let mut lane = lane("MN", 8);
        assert_eq!(ready(&mut lane), "M");
        lane.landed(Order::Alone);
        assert_eq!(ready(&mut lane), "N");
    }

    #[test]
    fn a_request_behind_a_flying_barrier_waits() {
        let mut lane = lane("N", 8);
        assert_eq!(ready(&mut lane), "N");
        push(&mut lane, 'a');
        assert_eq!(ready(&mut lane), "");
        lane.landed(Order::Alone);
        assert_eq!(ready(&mut lane), "a");
    }

    #[test]
    fn a_response_waits_for_no_request() {
        let mut lane = lane("abc1d2", 2);
        assert_eq!(ready(&mut lane), "ab12", "c and d wait for room");
        lane.landed(Order::Together);
        assert_eq!(ready(&mut lane), "c");
    }

    #[test]
    fn a_response_passes_no_notification() {
        let mut lane = lane("aN1", 8);
        assert_eq!(ready(&mut lane), "a");
        lane.landed(Order::Together);
        assert_eq!(ready(&mut lane), "N");
        lane.landed(Order::Alone);
        assert_eq!(ready(&mut lane), "1");
    }

    #[test]
    fn a_notification_is_not_held_for_ever() {
        let mut lane = lane("aNb", 8);
        assert_eq!(ready(&mut lane), "a");
        assert!(lane.is_held());
        lane.let_go();
        assert_eq!(ready(&mut lane), "N", "and b waits for it");
        assert!(!lane.is_held());
        lane.landed(Order::Alone);
        lane.landed(Order::Together);
        assert_eq!(ready(&mut lane), "b");
    }

    #[test]
    fn a_notification_that_was_let_go_holds_nobody_once_it_has_landed() {
        let mut lane = lane("aN", 8);
        assert_eq!(ready(&mut lane), "a");
        lane.let_go();
        assert_eq!(ready(&mut lane), "N");
        lane.landed(Order::Alone);
        push(&mut lane, '1');
        assert_eq!(ready(&mut lane), "1", "a still flies, and may wait for just this");
    }

    #[test]
    fn responses_have_a_bound_of_their_own() {
        let mut lane = lane("123", 2);
        assert_eq!(ready(&mut lane), "12");
        lane.landed(Order::AtOnce);
        assert_eq!(ready(&mut lane), "3");
    }
}
