//! Comments on a silent event stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep};

/// A comment, which every client ignores.
const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");
/// A timer's grain: comments that come faster would leave no turn to anybody else.
const SHORTEST: Duration = Duration::from_millis(1);

/// Says when an event stream was silent for so long that something has to be said: proxies cut what is idle, and a
/// client that has gone is noticed only by writing to it.
///
/// What is sent costs no timer: the time is noted, and looked at when the timer has run out.
pub struct KeepAlive {
    every: Duration,
    /// Set from when something was last sent; looked at only when it has run out.
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl KeepAlive {
    /// A comment after each `every` of silence, which begins now. Less than 1 ms is 1 ms; [`Duration::MAX`] is never.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with a timer.
    pub fn new(every: Duration) -> Self {
        let every = every.max(SHORTEST);
        Self { every, last: Instant::now(), timer: Box::pin(sleep(every)) }
    }

    /// Something was sent: the silence begins anew.
    pub fn sent(&mut self) {
        self.last = Instant::now();
    }

    /// The comment to send, once there was silence for long enough; that counts as sent. To be polled when there is
    /// nothing else to send.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost between two polls.
    pub fn poll_comment(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let due = self.last + self.every;
            if due <= Instant::now() {
                self.sent();
                self.timer.as_mut().reset(self.last + self.every);
                return Poll::Ready(COMMENT);
            }
            self.timer.as_mut().reset(due);
        }
    }
}

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepAlive").field("every", &self.every).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::advance;

    use super::*;

    async fn next(keep_alive: &mut KeepAlive) -> Duration {
        let start = Instant::now();
        assert_eq!(poll_fn(|cx| keep_alive.poll_comment(cx)).await, &b": keep-alive\n\n"[..]);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_measured_from_what_was_last_sent() {
        const EVERY: Duration = Duration::from_secs(10);
        let mut keep_alive = KeepAlive::new(EVERY);
        assert_eq!(next(&mut keep_alive).await, EVERY);
        assert_eq!(next(&mut keep_alive).await, EVERY);
        advance(EVERY - Duration::from_secs(1)).await;
        keep_alive.sent();
        assert_eq!(next(&mut keep_alive).await, EVERY);
        // Not polled for a long time: one comment, not many.
        advance(EVERY * 5).await;
        assert_eq!(next(&mut keep_alive).await, Duration::ZERO);
        assert_eq!(next(&mut keep_alive).await, EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn always_and_never_are_both_possible() {
        assert_eq!(next(&mut KeepAlive::new(Duration::ZERO)).await, SHORTEST);
        let mut never = KeepAlive::new(Duration::MAX);
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        assert!(tokio::time::timeout(year, next(&mut never)).await.is_err());
    }
}
