//! A handler on a connection, without a queue in between.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use tokio::task::JoinSet;
use tokio_util::sync::ReusableBoxFuture;

use crate::session::Incoming;
use crate::{CloseReason, Connection};

/// Runs a connection with a handler until it has ended, and says why it ended.
///
/// The handler is called for everything that comes in, in wire order, and its future is polled once on the spot: one
/// that needs to wait for nothing is answered without a task, a hop or an allocation.
/// One that waits becomes a task of a set that ends with the connection.
/// There are at most [`Limits::max_in_flight`](crate::Limits::max_in_flight) of them, and
/// [`Limits::inbound_count`](crate::Limits::inbound_count) more for what is no request or is answered already; then
/// reading waits for one to end.
///
/// A handler that panics answers its request with an internal error and takes nothing else along.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use mcp_transport_core::{Connection, Incoming, Options, serve};
///
/// let (client, server) = Connection::pair(Options::default(), Options::default());
/// let serving = tokio::spawn(serve(server, |incoming| async move {
///     if let Incoming::Request(exchange) = incoming {
///         let method = exchange.request().method().into_owned();
///         exchange.finish(&[method]);
///     }
/// }));
/// let caller = client.spawn().into_caller();
/// let response = caller.request("ping", &()).await.unwrap();
/// assert_eq!(response.result_raw(), Some(&br#"["ping"]"#[..]));
/// drop(caller);
/// assert!(matches!(*serving.await.unwrap(), mcp_transport_core::CloseReason::PeerClosed));
/// # }
/// ```
///
/// # Cancel safety
///
/// Dropping the future ends the connection and its handlers at once.
pub async fn serve<H, F>(mut connection: Connection, mut handler: H) -> Arc<CloseReason>
where
    H: FnMut(Incoming) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let limits = *connection.session().limits();
    let most = limits.max_in_flight.saturating_add(limits.inbound_count) as usize;
    let mut waiting = JoinSet::new();
    let mut seat = Seat::default();
    poll_fn(|cx| {
        loop {
            while !waiting.is_empty()
                && let Poll::Ready(Some(outcome)) = waiting.poll_join_next(cx)
            {
                if outcome.is_err_and(|error| error.is_panic()) {
                    tracing::error!("a handler panicked");
                }
            }
            if waiting.len() >= most {
                return connection.poll_without_reading(cx);
            }
            match connection.poll_next(cx) {
                Poll::Ready(Some(incoming)) => {
                    if let Some(unfinished) = seat.first_poll(cx, || handler(incoming)) {
                        waiting.spawn(unfinished);
                    }
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    connection.control().closed().await
}

/// The memory of one handler future, used again by the next.
#[derive(Default)]
struct Seat(Option<ReusableBoxFuture<'static, ()>>);

impl Seat {
    /// Makes the future and polls it once; gives it back if it waits.
    fn first_poll<F>(
        &mut self,
        cx: &mut TaskContext<'_>,
        make: impl FnOnce() -> F,
    ) -> Option<impl Future<Output = ()> + Send + 'static>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let seat = &mut self.0;
        // A panic drops the exchange, which answers; the future is not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = make();
            let boxed = match seat {
                Some(boxed) => {
                    boxed.set(future);
                    boxed
                }
                None => seat.insert(ReusableBoxFuture::new(future)),
            };
            boxed.poll(cx)
        }));
        match polled {
            Ok(Poll::Ready(())) => None,
            Ok(Poll::Pending) => self.0.take().map(|mut boxed| poll_fn(move |cx| boxed.poll(cx))),
            Err(_) => {
                tracing::error!("a handler panicked");
                self.0 = None;
                None
            }
        }
    }
}
