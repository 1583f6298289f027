//! One session as a wire: events come in, each message goes out as a POST.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use mcp_http::HttpClient;
use mcp_http::proto::Decoded;
use mcp_jsonrpc::{Id, Message};
use mcp_transport_core::{CloseReason, Error, Frame, Wire};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use super::Events;
use crate::proto::{Lane, Order};

/// POSTs in flight at once. Each takes a connection of its own while it flies, so this is about what browsers open to
/// one host: with 32, two hundred clients that began together overran the backlog of a server.
const MAX_FLYING: usize = 8;
/// Messages that wait for their turn; then the session's own queue holds the rest.
const MAX_WAITING: usize = 64;
/// Bytes of messages that wait or fly, above which no further one is taken.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long a notification waits for the POSTs before it. Servers that take a message answer at once; one that answers
/// only when the request is done would never see its cancellation.
const MAX_HOLD: Duration = Duration::from_secs(5);
/// What is read of the body of an answer, and for how long, so that its connection can be used again.
const BODY: (usize, Duration) = (64 * 1024, Duration::from_millis(500));

/// The client's end of one session.
pub(super) struct ClientWire {
    events: Events,
    target: Uri,
    /// In an `Arc`, because a clone of it clones its headers.
    http: Arc<HttpClient>,
    lane: Lane<Message>,
    /// Bytes of what is in the lane and of what flies.
    held: usize,
    /// Until when a notification waits for what flies before it.
    held_until: Option<Pin<Box<Sleep>>>,
    /// The stream has ended, and the session with it.
    ended: bool,
    /// Ends with the wire, and every POST with it.
    flying: JoinSet<Landed>,
    /// Requests whose POST failed, to be told to who waits for their response.
    failed: VecDeque<Frame>,
}

/// A POST that has its answer: the id of the request in it, if it was one, and how it went.
struct Landed {
    request: Option<Id>,
    order: Order,
    len: usize,
    outcome: Result<(), Error>,
}

impl ClientWire {
    pub(super) fn new(events: Events, target: Uri, http: HttpClient) -> Self {
        Self {
            events,
            target,
            http: Arc::new(http),
            held: 0,
            held_until: None,
            ended: false,
            lane: Lane::new(MAX_FLYING),
            flying: JoinSet::new(),
            failed: VecDeque::new(),
        }
    }

    /// Lets go what may go, and takes note of what has landed. Ready when nothing is under way.
    fn poll_posts(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while let Some((order, message)) = self.lane.take() {
                self.post(order, message);
            }
            if self.poll_overdue(cx).is_ready() {
                self.lane.let_go();
                continue;
            }
            match self.flying.poll_join_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Ready(Some(landed)) => {
                    // None of them panics, and they are aborted only when the session has ended.
                    if let Ok(landed) = landed {
                        self.lane.landed(landed.order);
                        self.note(landed, cx);
                    }
                }
            }
        }
    }

    /// Ready when a notification has waited long enough for what flies before it.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.lane.is_held() {
            self.held_until = None;
            return Poll::Pending;
        }
        let until = self.held_until.get_or_insert_with(|| Box::pin(sleep(MAX_HOLD)));
        ready!(until.as_mut().poll(cx));
        self.held_until = None;
        Poll::Ready(())
    }

    fn post(&mut self, order: Order, message: Message) {
        let request = match &message {
            Message::Request(request) => Some(request.id()),
            _ => None,
        };
        let (http, target) = (self.http.clone(), self.target.clone());
        self.flying.spawn(async move {
            let len = message.len();
            let outcome = deliver(&http, target, message.into_line()).await;
            Landed { request, order, len, outcome }
        });
    }

    fn is_full(&self) -> bool {
        self.lane.waiting() >= MAX_WAITING || self.held >= MAX_BYTES
    }

    /// The stream was the session: what is still to be posted into it has nowhere to go.
    fn end(&mut self, reason: CloseReason) -> CloseReason {
        self.ended = true;
        self.flying.abort_all();
        reason
    }

    fn note(&mut self, landed: Landed, cx: &Context<'_>) {
        self.held = self.held.saturating_sub(landed.len);
        let Err(error) = landed.outcome else { return };
        match landed.request {
            Some(id) => {
                self.failed.push_back(Frame::Undelivered(id, error));
                // The next read tells it, and it may not have been a read that found it. Once: nobody may be reading.
                cx.waker().wake_by_ref();
            }
            None => tracing::warn!(%error, "a notification or response was not delivered"),
        }
    }
}

/// Posts one message. The status is the whole answer: what some servers send with it says nothing.
async fn deliver(http: &HttpClient, target: Uri, json: Bytes) -> Result<(), Error> {
    let mut request = Request::new(json);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let response = http.send(request).await?;
    let (max, within) = BODY;
    let _ = response.into_body().collect(max, within).await;
    Ok(())
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
                Poll::Ready(None) => Poll::Ready(Err(self.end(CloseReason::PeerClosed))),
                Poll::Ready(Some(Err(error))) => Poll::Ready(Err(self.end(io::Error::other(error).into()))),
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
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.is_full() {
            let _ = self.poll_posts(cx);
        }
        if self.is_full() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        self.held += message.len();
        let order = match &message {
            Message::Request(_) => Order::Together,
            Message::Response(_) => Order::AtOnce,
            Message::Notification(_) => Order::Alone,
        };
        self.lane.push(order, message);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_posts(cx).map(Ok)
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
