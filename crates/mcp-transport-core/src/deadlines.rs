//! One time-out for many, by one timer.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Below this many, nothing is swept out.
const FEW: usize = 64;

/// What is waited for, each for the same time from when it was added: so the oldest is due first.
///
/// What is no longer waited for is not taken out one by one, but when it is at the front, or makes up more than half.
pub struct Deadlines<K> {
    within: Option<Duration>,
    due: VecDeque<(Instant, K)>,
    timer: Option<Pin<Box<Sleep>>>,
    /// How many there are when they are swept the next time.
    sweep: usize,
}

impl<K> Deadlines<K> {
    /// A time for each; `None` for no time-out at all. A time of more than a year is none.
    pub fn new(within: Option<Duration>) -> Self {
        const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
        let within = within.filter(|within| *within < YEAR);
        Self { within, due: VecDeque::new(), timer: None, sweep: FEW }
    }

    /// Adds one. `is_waited_for` says of the others whether they still are, and is asked now and then.
    pub fn add(&mut self, key: K, mut is_waited_for: impl FnMut(&K) -> bool) {
        let Some(within) = self.within else { return };
        if self.due.len() >= self.sweep {
            self.due.retain(|(_, key)| is_waited_for(key));
            self.sweep = FEW.max(self.due.len() * 2);
        }
        self.due.push_back((Instant::now() + within, key));
    }

    /// The next one that is due and still waited for.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost between two polls.
    pub fn poll_due(&mut self, cx: &mut Context<'_>, mut is_waited_for: impl FnMut(&K) -> bool) -> Poll<K> {
        loop {
            let Some((at, key)) = self.due.front() else {
                self.timer = None;
                return Poll::Pending;
            };
            let at = *at;
            if is_waited_for(key) {
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
                if timer.deadline() != at {
                    timer.as_mut().reset(at);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if let Some((_, key)) = self.due.pop_front() {
                    return Poll::Ready(key);
                }
            } else {
                self.due.pop_front();
            }
        }
    }
}

impl<K> fmt::Debug for Deadlines<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlines").field("within", &self.within).field("waiting", &self.due.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_is_due_after_its_time_unless_nobody_waits() {
        let mut deadlines = Deadlines::new(Some(Duration::from_secs(10)));
        let start = Instant::now();
        for key in 0..5 {
            deadlines.add(key, |_| true);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let mut seen = Vec::new();
        for _ in 0..3 {
            let key = poll_fn(|cx| deadlines.poll_due(cx, |key| key % 2 == 0)).await;
            seen.push((key, start.elapsed().as_secs()));
        }
        assert_eq!(seen, [(0, 10), (2, 12), (4, 14)]);
        let later = poll_fn(|cx| deadlines.poll_due(cx, |_| true));
        assert!(tokio::time::timeout(Duration::from_secs(1000), later).await.is_err());
    }

    #[test]
    fn it_holds_no_more_than_twice_what_is_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let mut deadlines = Deadlines::new(Some(Duration::from_secs(10)));
        let mut waiting = HashSet::from([0]);
        deadlines.add(0, |_| true);
        for key in 1..100_000 {
            waiting.insert(key);
            deadlines.add(key, |key| waiting.contains(key));
            waiting.remove(&key);
            assert!(deadlines.due.len() <= FEW + 1);
        }
    }

    #[test]
    fn without_a_time_nothing_is_kept() {
        for none in [None, Some(Duration::MAX)] {
            let mut deadlines = Deadlines::new(none);
            deadlines.add((), |()| true);
            assert!(deadlines.due.is_empty());
        }
    }
}
