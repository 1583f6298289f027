//! In which order messages may be posted.

use std::collections::VecDeque;

/// Decides when each message may go: requests fly together, everything else goes alone.
///
/// Each message of HTTP+SSE is a POST of its own, and two POSTs that fly at once may arrive in either order.
/// A cancellation must not overtake its request, nor a call the `initialized` before it, so a notification or a response
/// is a barrier: it waits for what went before, and what follows waits for it.
///
/// ```text
/// request  request  request │ notification │ request  request
/// └──── fly together ─────┘   └── alone ──┘  └ fly together ┘
/// ```
#[derive(Debug)]
pub struct Lane<T> {
    waiting: VecDeque<(bool, T)>,
    flying: usize,
    /// What flies is a barrier.
    alone: bool,
    max_flying: usize,
}

impl<T> Lane<T> {
    /// A lane of at most this many POSTs at once.
    pub fn new(max_flying: usize) -> Self {
        Self { waiting: VecDeque::new(), flying: 0, alone: false, max_flying: max_flying.max(1) }
    }

    /// Queues a message.
    pub fn push(&mut self, barrier: bool, item: T) {
        self.waiting.push_back((barrier, item));
    }

    /// The next message that may go now. It flies until [`Lane::landed`].
    pub fn take(&mut self) -> Option<T> {
        let (barrier, _) = self.waiting.front()?;
        let may_go = if *barrier { self.flying == 0 } else { !self.alone && self.flying < self.max_flying };
        if !may_go {
            return None;
        }
        let (barrier, item) = self.waiting.pop_front()?;
        self.flying += 1;
        self.alone = barrier;
        Some(item)
    }

    /// One that flew has its answer, whatever that is.
    pub fn landed(&mut self) {
        self.flying = self.flying.saturating_sub(1);
        if self.flying == 0 {
            self.alone = false;
        }
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits and nothing flies.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.flying == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lower case is a request, upper case a barrier.
    fn lane(messages: &str, max: usize) -> Lane<char> {
        let mut lane = Lane::new(max);
        messages.chars().for_each(|message| lane.push(message.is_uppercase(), message));
        lane
    }

    fn ready(lane: &mut Lane<char>) -> String {
        std::iter::from_fn(|| lane.take()).collect()
    }

    #[test]
    fn requests_fly_together_up_to_the_bound() {
        let mut lane = lane("abcd", 3);
        assert_eq!(ready(&mut lane), "abc");
        lane.landed();
        assert_eq!(ready(&mut lane), "d");
    }

    #[test]
    fn a_barrier_waits_and_is_waited_for() {
        let mut lane = lane("abNc", 8);
        assert_eq!(ready(&mut lane), "ab");
        lane.landed();
        assert_eq!(ready(&mut lane), "", "b still flies");
        lane.landed();
        assert_eq!(ready(&mut lane), "N");
        assert_eq!(ready(&mut lane), "", "N flies alone");
        lane.landed();
        assert_eq!(ready(&mut lane), "c");
        lane.landed();
        assert!(lane.is_idle());
    }

    #[test]
    fn barriers_go_one_by_one() {
        let mut lane = lane("MN", 8);
        assert_eq!(ready(&mut lane), "M");
        lane.landed();
        assert_eq!(ready(&mut lane), "N");
    }

    #[test]
    fn a_request_behind_a_flying_barrier_waits() {
        let mut lane = lane("N", 8);
        assert_eq!(ready(&mut lane), "N");
        lane.push(false, 'a');
        assert_eq!(ready(&mut lane), "");
        lane.landed();
        assert_eq!(ready(&mut lane), "a");
    }
}
