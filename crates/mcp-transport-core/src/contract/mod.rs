//! The tests that every transport has to pass.
//!
//! A transport's own tests call them with a function that connects two [`Connection`]s to each other, of the limits that
//! it is given: the first for the near end, the second for the far one. They panic where the transport falls short, and
//! so does a wait that nothing ends. Time may be paused where no sockets are involved.
//!
//! ```
//! use mcp_transport_core::{Connection, Options, contract};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! contract::all(|near, far| async move {
//!     Connection::pair(Options::default().with_limits(near), Options::default().with_limits(far))
//! })
//! .await;
//! # }
//! ```
//!
//! [`malformed`] is apart from [`all`]: it needs a raw way in, which not every transport has.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests, for others to run")]

mod bytes;
mod calls;
mod dropped;
mod end;
mod garbage;
mod pressure;
mod storm;

use std::fmt::Write as _;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mcp_jsonrpc::{Message, Notification, ScanLimits};

use crate::{Connection, Incoming, Limits};

pub use self::bytes::{bytes_stay, order_stays};
pub use self::calls::{both_sides_ask, cancellation_arrives, shutdown_finishes};
pub use self::dropped::{dropped_receive_loses_nothing, dropped_send_sends_nothing};
pub use self::end::{close_is_told, vanishing_is_told};
pub use self::garbage::malformed;
pub use self::pressure::{oversize_is_refused, silence_holds_back};
pub use self::storm::storm;

/// Nothing that these tests wait for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs all of them, one after the other.
pub async fn all<F, Fut>(connect: F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    bytes_stay(&connect).await;
    order_stays(&connect).await;
    both_sides_ask(&connect).await;
    cancellation_arrives(&connect).await;
    shutdown_finishes(&connect).await;
    dropped_receive_loses_nothing(&connect).await;
    dropped_send_sends_nothing(&connect).await;
    silence_holds_back(&connect).await;
    oversize_is_refused(&connect).await;
    close_is_told(&connect).await;
    vanishing_is_told(&connect).await;
    storm(&connect, 1).await;
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing came of it within {PATIENCE:?}"),
    }
}

/// Polls a future until it has been pending so many times, and then drops it.
async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

/// Waits for what others do, without a clock.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    within(what, async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes().to_vec(), &ScanLimits::default()).expect("the tests send valid messages")
}

/// A notification that is told from others by its number, with about so many bytes around it.
fn numbered(number: usize, padding: usize) -> Notification {
    let mut text = String::with_capacity(padding + 80);
    let _ = write!(text, r#"{{"jsonrpc":"2.0","method":"n/{number}","params":{{"pad":""#);
    text.extend(std::iter::repeat_n('x', padding));
    text.push_str("\"}}");
    match parse(&text) {
        Message::Notification(notification) => notification,
        other => panic!("{other:?} is no notification"),
    }
}

/// The number of what [`numbered`] made.
fn number(incoming: &Incoming) -> usize {
    let Incoming::Notification(notification, _) = incoming else { panic!("{incoming:?} is no notification") };
    let method = notification.method();
    method.strip_prefix("n/").and_then(|number| number.parse().ok()).expect("a numbered notification")
}
