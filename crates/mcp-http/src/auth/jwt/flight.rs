//! One piece of work that many wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;

/// Work that is done once and moved on by everybody who waits for it. It is in no task: while nobody waits it rests, and
/// when one who waits goes away the others go on with it.
pub(super) struct Flight<T> {
    /// `None` when it has landed, and for as long as somebody moves it on.
    work: Mutex<Option<Pin<Box<dyn Future<Output = T> + Send>>>>,
    bell: Arc<Bell>,
}

/// What the work rings when it can go on.
#[derive(Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_waiters();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_waiters();
    }
}

impl<T> Flight<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Mutex::new(Some(Box::pin(work))), bell: Arc::default() }
    }

    /// Waits until it has landed. One of those who wait hands the outcome to its `land`, before any of them goes on.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(super) async fn landed(&self, mut land: impl FnMut(T)) {
        loop {
            // It listens from here on, so that no ring in between is missed.
            let rung = self.bell.0.notified();
            if self.poll(&mut land).is_ready() {
                return;
            }
            rung.await;
        }
    }

    fn poll(&self, land: &mut impl FnMut(T)) -> Poll<()> {
        let mut slot = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        // Work that panics is not there any more, and so is never polled again.
        let Some(mut work) = slot.take() else { return Poll::Ready(()) };
        match work.as_mut().poll(&mut Context::from_waker(&Waker::from(self.bell.clone()))) {
            Poll::Pending => {
                *slot = Some(work);
                Poll::Pending
            }
            Poll::Ready(outcome) => {
                land(outcome);
                self.bell.0.notify_waiters();
                Poll::Ready(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;
    use std::time::Duration;

    use super::Flight;

    /// Work that is found to be done without having said so: by the third who asks.
    #[tokio::test]
    async fn who_waits_is_told_whoever_lands_it() {
        let mut asked = 0;
        let work = poll_fn(move |_| {
            asked += 1;
            if asked < 3 { Poll::Pending } else { Poll::Ready(asked) }
        });
        let flight = Arc::new(Flight::new(work));
        let waiting: Vec<_> = (0..2).map(|_| flight.clone()).collect();
        let waiting =
            waiting.into_iter().map(|flight| tokio::spawn(async move { flight.landed(drop).await }));
        let waiting: Vec<_> = waiting.collect();
        tokio::task::yield_now().await;
        let mut outcome = None;
        flight.landed(|asked| outcome = Some(asked)).await;
        assert_eq!(outcome, Some(3));
        for one in waiting {
            tokio::time::timeout(Duration::from_secs(20), one).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn work_that_panics_holds_up_nobody() {
        let flight: Arc<Flight<()>> = Arc::new(Flight::new(async { panic!("a fault") }));
        let other = flight.clone();
        assert!(tokio::spawn(async move { other.landed(|()| ()).await }).await.unwrap_err().is_panic());
        flight.landed(|()| panic!("nothing came of it")).await;
    }
}
