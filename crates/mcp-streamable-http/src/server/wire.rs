//! What is posted, as a wire: one for each session, and one for all that has none.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mcp_http::Registered;
use mcp_jsonrpc::Message;
use mcp_transport_core::queue::{Closed, Permit};
use mcp_transport_core::{BoxFuture, CloseReason, Error, ErrorKind, Frame, Wire, queue};
use tokio::time::{Instant, Sleep, sleep_until};

use super::session::Session;

/// The server's end of one session. Answers do not pass here: each goes to the stream of its request.
pub(super) struct SessionWire {
    pub(super) posted: queue::Receiver<Frame>,
    pub(super) registered: Registered<Session>,
    pub(super) idle: Option<Pin<Box<Sleep>>>,
    /// Requests of ours that found no room.
    pub(super) undelivered: VecDeque<Frame>,
    /// One of them has come since the last look: reading has to begin anew, once.
    refused: bool,
    closed: bool,
    /// A message that waits for room, while somebody reads; nothing follows it before.
    waiting: Option<Box<Waiting>>,
}

/// A message, and the room that it will have: as much as it is long, because nothing else bounds a stream in bytes.
struct Waiting {
    message: Message,
    room: BoxFuture<'static, Result<Permit<Message>, Closed>>,
}

impl SessionWire {
    pub(super) fn new(posted: queue::Receiver<Frame>, registered: Registered<Session>) -> Self {
        Self {
            posted,
            registered,
            idle: None,
            undelivered: VecDeque::new(),
            refused: false,
            closed: false,
            waiting: None,
        }
    }

    /// Puts a message into the stream that the client opens with GET; gives it back when there is no room.
    fn place(&self, message: Message) -> Option<Message> {
        let queue = self.registered.session().unrelated();
        match queue.map(|queue| queue.try_reserve(message.len())) {
            Some(Ok(Some(room))) => {
                let _ = room.send(message);
                None
            }
            _ => Some(message),
        }
    }

    /// A client that does not read its stream misses what is not kept for it, and nobody waits for that.
    fn give_up(&mut self, message: &Message) {
        let Message::Request(request) = message else {
            return tracing::debug!(kind = message.kind(), "a message finds no room in its stream");
        };
        let error = Error::new(ErrorKind::Limit, "the client does not read its stream");
        self.undelivered.push_back(Frame::Undelivered(request.id(), error));
        self.refused = true;
    }

    /// Ready when nothing has happened for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let session = self.registered.session();
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep_until(Instant::now())));
        loop {
            // A stream that has finished meanwhile may be due before all that was known of.
            if let Some(sweep) = session.next_sweep().filter(|sweep| *sweep < idle.deadline()) {
                idle.as_mut().reset(sweep);
            }
            ready!(idle.as_mut().poll(cx));
            session.sweep();
            let now = Instant::now();
            // While something happens nobody tells when it ends, so it is looked at again after a while.
            let next = session.idle_until().unwrap_or_else(|| now + session.look_again());
            if next <= now {
                return Poll::Ready(());
            }
            idle.as_mut().reset(next);
        }
    }
}

impl Wire for SessionWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        self.registered.session().poll_pump(cx);
        if let Some(frame) = self.undelivered.pop_front() {
            return Poll::Ready(Ok(frame));
        }
        match self.posted.poll_recv(cx) {
            Poll::Ready(Some(frame)) => Poll::Ready(Ok(frame)),
            // The client has ended the session.
            Poll::Ready(None) => Poll::Ready(Err(CloseReason::PeerClosed)),
            Poll::Pending => self.poll_idle(cx).map(|()| Err(CloseReason::Idle)),
        }
    }

    /// Waits for room while somebody reads; while nobody does, nobody could make any.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // While this waits nothing else may be asked, and a reader that goes has to be noticed.
        self.registered.session().poll_pump(cx);
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = match &mut self.waiting {
            Some(waiting) if self.registered.session().is_read() => {
                ready!(waiting.room.as_mut().poll(cx)).ok()
            }
            _ => None,
        };
        if let Some(waiting) = self.waiting.take() {
            let message = waiting.message;
            match room {
                Some(room) => drop(room.send(message)),
                None => {
                    if let Some(message) = self.place(message) {
                        self.give_up(&message);
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        let queue = self.registered.session().unrelated();
        let queue = queue.filter(|_| !self.closed).ok_or(io::ErrorKind::BrokenPipe)?;
        let Some(message) = self.place(message) else { return Ok(()) };
        if self.registered.session().is_read() {
            let len = message.len();
            let room = Box::pin(async move { queue.reserve(len).await });
            self.waiting = Some(Box::new(Waiting { message, room }));
        } else {
            self.give_up(&message);
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registered.session().poll_pump(cx);
        if std::mem::take(&mut self.refused) {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.registered.end();
        self.closed = true;
        // It is one, and whoever reads on has it before the end.
        let last = self.waiting.take().map(|waiting| waiting.message);
        self.registered.session().close_unrelated(last);
        Poll::Ready(())
    }
}

impl Drop for SessionWire {
    fn drop(&mut self) {
        self.registered.session().close_unrelated(None);
    }
}

impl fmt::Debug for SessionWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionWire").field("session", &self.registered.session().id).finish_non_exhaustive()
    }
}

/// Where all requests arrive that have no session.
#[derive(Debug)]
pub(super) struct SessionlessWire {
    pub(super) posted: queue::Receiver<Frame>,
}

impl Wire for SessionlessWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        self.posted.poll_recv(cx).map(|frame| frame.ok_or(CloseReason::ClosedHere))
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        tracing::debug!(kind = message.kind(), "nobody in particular is there to be told");
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.posted.close();
        Poll::Ready(())
    }
}
