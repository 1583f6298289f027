//! The first of two futures. tokio's `select!` would bring its macros along.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// Which one was first.
#[derive(Debug)]
pub(crate) enum First<A, B> {
    /// The one that was given first; it also wins a tie.
    One(A),
    Other(B),
}

/// Waits for the first and drops the other.
pub(crate) async fn race<A: Future, B: Future>(one: A, other: B) -> First<A::Output, B::Output> {
    race_mut(pin!(one), pin!(other)).await
}

/// Waits for the first and leaves the other where it is.
pub(crate) async fn race_mut<A: Future, B: Future>(
    mut one: Pin<&mut A>,
    mut other: Pin<&mut B>,
) -> First<A::Output, B::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(output) = one.as_mut().poll(cx) {
            return Poll::Ready(First::One(output));
        }
        other.as_mut().poll(cx).map(First::Other)
    })
    .await
}
