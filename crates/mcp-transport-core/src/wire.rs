//! The one small trait of a custom transport.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use std::sync::Arc;

use bytes::Bytes;
use mcp_jsonrpc::{Id, Malformed, Message, Request};
use tokio::time::{Duration, Sleep, sleep};

use crate::{CloseReason, Connection, Context as MessageContext, Error, Outlet};

/// One piece of input.
#[derive(Clone)]
#[non_exhaustive]
pub enum Frame {
    /// The text of one message, framing removed; it is scanned by whoever drives the wire.
    ///
    /// One that is longer than [`Limits::max_message`](crate::Limits::max_message) is reported as too large there; a
    /// wire that can tell earlier need not hold it in memory for that.
    Text(Bytes),
    /// A message that was scanned already, where a binding had to answer for its form at once, and what is known about
    /// it beyond the connection's own context.
    Message(Message, Option<Arc<MessageContext>>),
    /// A request whose answer, and all that belongs to it, goes a way of its own and not through the wire, and what is
    /// known about it.
    Request(Request, Arc<MessageContext>, Outlet),
    /// An input that was discarded while it was read, such as an oversize line.
    Malformed(Malformed),
    /// A request of ours that the wire took and could not deliver: whoever waits for its response is told, and nothing
    /// else ends.
    Undelivered(Id, Error),
}

/// By what is in them; of two that were not delivered, by id and kind of error.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Message(one, _), Self::Message(other, _)) => one == other,
            (Self::Request(one, ..), Self::Request(other, ..)) => one == other,
            (Self::Malformed(one), Self::Malformed(other)) => one == other,
            (Self::Undelivered(one, error), Self::Undelivered(other, its)) => {
                one == other && error.kind() == its.kind()
            }
            _ => false,
        }
    }
}

/// Length or fault, never payload.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_struct("Text").field("bytes", &text.len()).finish(),
            Self::Message(message, _) => f.debug_tuple("Message").field(message).finish(),
            Self::Request(request, ..) => f.debug_tuple("Request").field(request).finish(),
            Self::Malformed(malformed) => f.debug_tuple("Malformed").field(malformed).finish(),
            Self::Undelivered(id, error) => f.debug_tuple("Undelivered").field(id).field(error).finish(),
        }
    }
}

/// A way for messages to one peer: what a custom transport implements.
///
/// [`Connection`](crate::Connection) drives it and adds the rest: scan, limits, queues, correlation, close reasons, tap,
/// tracing. The contract tests (feature `contract-tests`) tell whether an implementation holds what it must.
///
/// A program that has an `AsyncRead + AsyncWrite`, or a stream and a sink, needs no implementation of its own:
/// [`ByteWire`](crate::ByteWire) and [`SinkWire`](crate::SinkWire) are two.
///
/// # Contract
///
/// * State lives in `self`: every method may be called again after `Pending`, with another waker, and nothing is lost
///   when it is not.
/// * [`poll_recv`](Wire::poll_recv) yields messages in the order in which they were sent. After its first error it is
///   not called again.
/// * [`poll_ready`](Wire::poll_ready) follows at once, before whoever drives the wire goes to sleep, on a `poll_recv`
///   that was `Pending` and on a `start_send`, unless nothing can be sent any more.
/// * [`start_send`](Wire::start_send) is called once after each [`poll_ready`](Wire::poll_ready) that said yes.
/// * A method returns `Pending` only after it has registered the waker.
/// * Dropping the wire ends the connection at once, without waiting for anything.
pub trait Wire: Send {
    /// The next input, or why there will be none.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>>;

    /// Makes room for one more message.
    ///
    /// # Errors
    ///
    /// When nothing can be sent any more; reading may still work.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Takes one message. Its text is on one line already, so [`Message::into_line`] copies nothing. It need not be on
    /// its way before the next flush.
    ///
    /// # Errors
    ///
    /// When nothing can be sent any more.
    fn start_send(&mut self, message: Message) -> io::Result<()>;

    /// Sends what was taken; ready when all of it is on its way.
    ///
    /// # Errors
    ///
    /// When nothing can be sent any more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the connection in good order: says goodbye, waits for a child. It keeps time by itself and always ends.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// How long a writer may take to say goodbye: it may hold back bytes that a peer does not read.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Time for a goodbye, from when it is first asked for.
#[derive(Default)]
pub(crate) struct Closing(Option<Pin<Box<Sleep>>>);

impl Closing {
    /// Ready when it has taken too long.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_or_insert_with(|| Box::pin(sleep(CLOSE_WAIT))).as_mut().poll(cx)
    }
}

impl fmt::Debug for dyn Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

/// A future in a box, as the object-safe traits return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Dials: each call makes one connection.
pub trait Transport: Send {
    /// Makes a connection.
    ///
    /// # Errors
    ///
    /// Refused or misuse when trying again makes no sense, io or timeout when it may.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the attempt and frees what it held.
    fn dial(&mut self) -> BoxFuture<'_, Result<Connection, Error>>;
}

/// Accepts: stdio exactly one connection, a socket many.
pub trait Listener: Send {
    /// The next connection; `None` when there will be none.
    ///
    /// # Errors
    ///
    /// What concerns one connection; the listener goes on.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Connection, Error>>>;

    /// The next connection; `None` when there will be none.
    ///
    /// # Errors
    ///
    /// What concerns one connection; the listener goes on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    fn accept(&mut self) -> BoxFuture<'_, Option<Result<Connection, Error>>>
    where
        Self: Sized,
    {
        Box::pin(std::future::poll_fn(|cx| self.poll_accept(cx)))
    }
}
