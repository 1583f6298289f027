//! One session as a wire: events come in, each message goes out as a POST.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::task::{Context, Poll};

use http::{HeaderMap, Uri};
use mcp_http::HttpClient;
use mcp_http::proto::Decoded;
use mcp_jsonrpc::{Id, Message};
use mcp_transport_core::{CloseReason, Error, Frame, Wire};
use tokio::task::JoinSet;

use super::Events;
use crate::proto::Lane;

/// POSTs in flight at once; each takes a connection of its own while it flies.
const MAX_FLYING: usize = 32;
/// Messages that wait for their turn; then the session's own queue holds the rest.
const MAX_WAITING: usize = 64;

/// The client's end of one session.
pub(super) struct ClientWire {
    events: Events,
    target: Uri,
    http: HttpClient,
    lane: Lane<Message>,
    /// Ends with the wire, and every POST with it.
    flying: JoinSet<Landed>,
    /// Requests whose POST failed, to be told to who waits for their response.
    failed: VecDeque<Frame>,
}

/// A POST that has its answer: the id of the request in it, if it was one, and how it went.
struct Landed {
    request: Option<Id>,
    outcome: Result<(), Error>,
}

impl ClientWire {
    pub(super) fn new(events: Events, target: Uri, http: HttpClient) -> Self {
        Self {
            events,
            target,
            http,
            lane: Lane::new(MAX_FLYING),
            flying: JoinSet::new(),
            failed: VecDeque::new(),
        }
    }

    /// Lets go what may go, and takes note of what has landed. Ready when nothing is under way.
    fn poll_posts(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while let Some(message) = self.lane.take() {
                self.post(message);
            }
            match self.flying.poll_join_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Ready(Some(landed)) => {
                    self.lane.landed();
                    if let Ok(landed) = landed {
                        self.note(landed);
                    }
                }
            }
        }
    }

    fn post(&mut self, message: Message) {
        let request = match &message {
            Message::Request(request) => Some(request.id()),
            _ => None,
        };
        let (http, target) = (self.http.clone(), self.target.clone());
        self.flying.spawn(async move {
            // The status is the whole answer: some servers send a body, and it says nothing.
            let posted = http.post_json(&target, HeaderMap::new(), message.into_line()).await;
            Landed { request, outcome: posted.map(drop) }
        });
    }

    fn note(&mut self, landed: Landed) {
        let Err(error) = landed.outcome else { return };
        match landed.request {
            Some(id) => self.failed.push_back(Frame::Undelivered(id, error)),
            None => tracing::warn!(%error, "a notification or response was not delivered"),
        }
    }
}

impl Wire for ClientWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        let _ = self.poll_posts(cx);
        loop {
            if let Some(failed) = self.failed.pop_front() {
                return Poll::Ready(Ok(failed));
            }
            return match self.events.poll_next(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(Err(CloseReason::PeerClosed)),
                Poll::Ready(Some(Err(error))) => Poll::Ready(Err(io::Error::other(error).into())),
                Poll::Ready(Some(Ok(Decoded::Oversize(oversize)))) => {
                    Poll::Ready(Ok(Frame::Malformed(oversize.malformed)))
                }
                Poll::Ready(Some(Ok(Decoded::Event(event)))) => match event.into_message() {
                    Some(text) => Poll::Ready(Ok(Frame::Text(text))),
                    // A ping, a second endpoint, an event of somebody else's, or no data.
                    None => continue,
                },
                // Comments; ids and waits have no meaning in this binding.
                Poll::Ready(Some(Ok(_))) => continue,
            };
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lane.waiting() >= MAX_WAITING {
            let _ = self.poll_posts(cx);
        }
        if self.lane.waiting() < MAX_WAITING { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        self.lane.push(!matches!(message, Message::Request(_)), message);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let landed = self.poll_posts(cx);
        if !self.failed.is_empty() {
            // It is told by the next read.
            cx.waker().wake_by_ref();
        }
        landed.map(Ok)
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // The stream is the session: letting go of it is the goodbye.
        self.flying.abort_all();
        Poll::Ready(())
    }
}

impl fmt::Debug for ClientWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientWire")
            .field("target", &self.target.path())
            .field("lane", &self.lane.waiting())
            .finish_non_exhaustive()
    }
}
