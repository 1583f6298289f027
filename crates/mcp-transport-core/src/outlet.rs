//! Response streams: a way back that belongs to the requests of one message alone.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};

use mcp_jsonrpc::{Message, Response};

use crate::flights::Flight;
use crate::health::count;
use crate::queue;
use crate::session::Session;

/// Makes a way back of its own for one request, or for all the requests of one batch.
///
/// The [`Outlet`] goes in with the request, as [`Frame::Request`](crate::Frame::Request): answer, notifications and
/// questions of its exchange then go into the [`ResponseStream`], within these bounds and in order, and not through the
/// wire. The stream ends when every request that has a clone of the outlet was answered or given up.
///
/// ```
/// # use mcp_transport_core::{Outlet, response_stream};
/// # use mcp_jsonrpc::{Id, Response};
/// # fn main() { tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (outlet, mut stream) = response_stream(1024 * 1024, 256);
/// outlet.answer(Response::result(&Id::from(1), &()).unwrap());
/// assert!(stream.recv().await.is_some());
/// assert!(stream.recv().await.is_none());
/// # }) }
/// ```
pub fn response_stream(max_bytes: u32, max_count: u32) -> (Outlet, ResponseStream) {
    let (out, messages) = queue::channel(max_bytes, max_count);
    let shared = Arc::new(Shared { state: Mutex::new(State { outlets: 1, ..State::default() }) });
    (Outlet { shared: shared.clone(), out }, ResponseStream { shared, messages })
}

struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that may still say something.
    outlets: usize,
    session: Option<Arc<Session>>,
    /// Most messages are one request, and need no more than this.
    first: Option<Flight>,
    /// Of a batch: fewer than it has requests.
    others: Vec<Flight>,
    given_up: bool,
}

impl Shared {
    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a response stream that one request holds. The last one to go ends the stream.
pub struct Outlet {
    shared: Arc<Shared>,
    out: queue::Sender<Message>,
}

impl Outlet {
    /// The queue of the stream, for what belongs to its requests and does not come from their exchanges, such as what a
    /// proxy passes on.
    pub fn queue(&self) -> &queue::Sender<Message> {
        &self.out
    }

    /// Answers without an exchange: what a binding has to say by itself.
    pub fn answer(self, response: Response) {
        // A stream that nobody reads any more has nobody to be told.
        let _ = self.out.last_word(response.len(), response.into());
    }

    /// Whose counters and tap see what passes.
    pub(crate) fn belongs_to(&self, session: &Arc<Session>) {
        self.shared.state().session.get_or_insert_with(|| session.clone());
    }

    /// Notes a request that was admitted; whether its peer has gone already.
    pub(crate) fn note(&self, flight: Flight) -> bool {
        let mut state = self.shared.state();
        match state.first {
            None => state.first = Some(flight),
            Some(_) => state.others.push(flight),
        }
        state.given_up
    }
}

impl Clone for Outlet {
    fn clone(&self) -> Self {
        self.shared.state().outlets += 1;
        Self { shared: self.shared.clone(), out: self.out.clone() }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let last = {
            let mut state = self.shared.state();
            state.outlets -= 1;
            state.outlets == 0
        };
        if last {
            self.out.close();
        }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outlet").field(&self.out).finish()
    }
}

/// What belongs to the requests of one message, in order: notifications, questions, and one answer to each.
///
/// Dropping it lets the exchanges go on, into nothing: in the legacy era a closed stream is no cancellation.
/// [`ResponseStream::give_up`] is one.
pub struct ResponseStream {
    shared: Arc<Shared>,
    messages: queue::Receiver<Message>,
}

impl ResponseStream {
    /// The next message, on one line; `None` when everything was answered or given up, and taken.
    pub fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Message>> {
        self.messages.poll_recv(cx).map(|message| message.map(|message| self.leaves(message)))
    }

    /// The next message, on one line; `None` when everything was answered or given up, and taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Message> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message if there is one now.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.messages.try_recv().map(|message| self.leaves(message))
    }

    fn leaves(&self, message: Message) -> Message {
        let session = self.shared.state().session.clone();
        match session {
            Some(session) => {
                session.counters.stamp_sent();
                session.leaves(message)
            }
            None => message.one_line(),
        }
    }

    /// Whether every request was answered or given up; what they said may still wait.
    pub fn is_finished(&self) -> bool {
        self.shared.state().outlets == 0
    }

    /// Tells the exchanges that the peer has given up on them.
    ///
    /// # Spec
    ///
    /// MCP 2026-07-28, transports, Streamable HTTP: closing the response stream cancels the request.
    pub fn give_up(&self) {
        let (session, flights) = {
            let mut state = self.shared.state();
            state.given_up = true;
            let others = std::mem::take(&mut state.others);
            (state.session.clone(), state.first.take().into_iter().chain(others))
        };
        if let Some(session) = session {
            flights.for_each(|flight| session.give_up(flight));
        }
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        // What nobody will read is not delivered, and that is counted.
        let session = self.shared.state().session.take();
        if let Some(session) = session {
            while self.messages.try_recv().is_some() {
                count(&session.counters.dropped);
            }
        }
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseStream").field(&self.messages).finish()
    }
}
