//! Dialing again, within bounds and without pretending.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use tokio::time::{Duration, Instant, sleep_until};

use crate::caller::after;
use crate::{Connection, Control, Error, ErrorKind, Transport};

/// When to dial again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The least wait before dialing again, also after a connection that ended in good order. Default 250 ms.
    pub floor: Duration,
    /// The most. Default 30 s.
    pub cap: Duration,
    /// Dials in a row without progress after which it is over, at least 1. Default 10.
    pub max_failures: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { floor: Duration::from_millis(250), cap: Duration::from_secs(30), max_failures: 10 }
    }
}

impl Backoff {
    /// A policy of these bounds.
    pub fn new(floor: Duration, cap: Duration, max_failures: u32) -> Self {
        Self { floor, cap: cap.max(floor), max_failures }
    }

    /// The wait before the next dial after `failures` of them: between the floor and twice the floor, doubled again for
    /// each failure, at most the cap; `chance` (any number) picks the place in between, so that many clients do not
    /// come back at once, also after a connection that ended in good order.
    pub fn wait(&self, failures: u32, chance: u64) -> Duration {
        let doubled = self.floor.saturating_mul(2_u32.saturating_pow(failures.saturating_add(1)));
        let top = doubled.min(self.cap);
        let range = top.saturating_sub(self.floor);
        let share = (chance % 1024) as u32;
        self.floor + range / 1024 * share
    }
}

/// Hands out one connection after the other over anything that dials.
///
/// Each is a new connection and nothing else: it never repeats a request, and never pretends that a session went on.
/// The count of failures goes back to zero only on progress, which is a message that came in over the last connection:
/// a peer that accepts and says nothing is dialed ever more slowly, and at last no more.
///
/// ```no_run
/// # async fn example(transport: impl mcp_transport_core::Transport) -> Result<(), mcp_transport_core::Error> {
/// use mcp_transport_core::{Backoff, Reconnect};
///
/// let mut dialing = Reconnect::new(transport, Backoff::default());
/// loop {
///     let endpoint = dialing.next().await?.spawn(); // ends with the error that made it hopeless
///     // … `initialize`, work, until:
///     let why = endpoint.control.closed().await;
///     eprintln!("disconnected: {why}");
/// }
/// # }
/// ```
pub struct Reconnect<T> {
    transport: T,
    backoff: Backoff,
    failures: u32,
    last: Option<Control>,
    /// No dial before.
    due: Option<Instant>,
    over: Option<Error>,
    chance: RandomState,
}

impl<T: Transport> Reconnect<T> {
    /// Dials with this policy.
    pub fn new(transport: T, backoff: Backoff) -> Self {
        Self {
            transport,
            backoff,
            failures: 0,
            last: None,
            due: None,
            over: None,
            chance: RandomState::new(),
        }
    }

    /// Dials, after the wait that is due, until there is a connection or no hope.
    ///
    /// # Errors
    ///
    /// The verdict, and from then on always the same: what the last dial said, when that was refused or misuse, for
    /// which trying again changes nothing, or when it was one too many in a row.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the attempt; the count of failures stays, and so does the wait.
    pub async fn next(&mut self) -> Result<Connection, Error> {
        if let Some(verdict) = &self.over {
            return Err(verdict.clone());
        }
        if let Some(last) = self.last.take() {
            self.judge(&last)?;
        }
        loop {
            // Kept here and not in this future, so that giving up one attempt does not make the next one sooner.
            if let Some(due) = self.due {
                sleep_until(due).await;
            }
            self.wait();
            let error = match self.transport.dial().await {
                Ok(connection) => {
                    self.last = Some(connection.control());
                    return Ok(connection);
                }
                Err(error) => error,
            };
            self.failures = self.failures.saturating_add(1);
            if is_terminal(&error) || self.failures >= self.backoff.max_failures {
                return Err(self.give_up(error));
            }
            tracing::info!(%error, failures = self.failures, "dialing failed");
            self.wait();
        }
    }

    fn judge(&mut self, last: &Control) -> Result<(), Error> {
        let health = last.health();
        if health.received > health.malformed {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= self.backoff.max_failures {
                let what = "every connection ended before a message came in";
                return Err(self.give_up(Error::new(ErrorKind::Peer, what)));
            }
        }
        self.wait();
        Ok(())
    }

    /// Puts the next dial off.
    fn wait(&mut self) {
        let chance = self.chance.build_hasher().finish().wrapping_add(now_bits());
        let wait = self.backoff.wait(self.failures, chance);
        tracing::debug!(?wait, failures = self.failures, "the next dial waits");
        self.due = Some(after(Instant::now(), wait));
    }

    fn give_up(&mut self, verdict: Error) -> Error {
        self.over = Some(verdict.clone());
        verdict
    }
}

/// A hash of nothing is the same for one state, so the clock's low bits make each wait another.
fn now_bits() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| u64::from(elapsed.subsec_nanos()) >> 4)
}

fn is_terminal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Refused | ErrorKind::Misuse)
}

impl<T: fmt::Debug> fmt::Debug for Reconnect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("transport", &self.transport)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
