//! Finding out that a silent peer is gone.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Duration, sleep};

use crate::{CallOptions, Caller, CloseReason, Control};

/// How often a silent peer is asked whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heartbeat {
    /// Silence before the peer is asked. Default 30 s.
    pub interval: Duration,
    /// How long it has for its answer. Default 10 s.
    pub timeout: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), timeout: Duration::from_secs(10) }
    }
}

impl Heartbeat {
    /// A heartbeat of these two times.
    pub fn new(interval: Duration, timeout: Duration) -> Self {
        Self { interval, timeout }
    }

    /// Asks with `ping` whenever nothing has come in for the interval; one that is not answered in time ends the
    /// connection with [`CloseReason::HeartbeatMissed`].
    ///
    /// Any answer will do, an error too: the peer is there. Returns when the connection has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the heartbeat.
    ///
    /// # Spec
    ///
    /// Legacy era: MCP 2025-11-25, utilities, Ping. The modern era has no `ping`.
    pub async fn run(self, caller: &Caller, control: &Control) {
        let options = CallOptions::timeout(self.timeout);
        let mut wait = self.interval;
        while !ended_within(control, wait).await {
            // Before the first message ever, the wait above was the silence.
            let silent = control.health().since_received.unwrap_or(self.interval);
            if silent < self.interval {
                wait = self.interval - silent;
                continue;
            }
            match caller.request_with("ping", &(), &options).await {
                Ok(response) => tracing::trace!(error = response.is_error(), "heartbeat"),
                Err(error) if error.is_timeout() => {
                    tracing::warn!(timeout = ?self.timeout, "a heartbeat was not answered in time");
                    control.fail(CloseReason::HeartbeatMissed);
                }
                // No call is possible any more, while what was accepted is still being finished.
                Err(error) if error.is_closed() => drop(control.closed().await),
                // Too many calls wait: tried again later.
                Err(error) => tracing::debug!(%error, "a heartbeat could not be sent"),
            }
            wait = self.interval;
        }
    }
}

/// Waits, at most until the connection has ended; says whether it has.
async fn ended_within(control: &Control, wait: Duration) -> bool {
    let (mut ended, mut timer) = (pin!(control.closed()), pin!(sleep(wait)));
    poll_fn(|cx| match ended.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| false),
    })
    .await
}
