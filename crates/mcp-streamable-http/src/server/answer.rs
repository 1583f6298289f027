//! What form an answer takes, decided as late as can be: at the first thing that a handler says.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
use mcp_http::{Reply, event_stream_reply, json_reply};
use mcp_jsonrpc::{Batch, ErrorObject, Message, Outcome, Response};
use tokio::time::{Sleep, sleep};

use super::body::{Event, EventBody, Events};
use super::session::Posting;
use crate::config::Answers;

/// How one POST is to be answered.
pub(super) struct Plan {
    pub(super) form: Answers,
    /// Whether it had one request, and not a batch.
    pub(super) single: bool,
    pub(super) wait: Duration,
    pub(super) keep_alive: Duration,
    /// The status of an answer that is an error.
    pub(super) status: fn(&ErrorObject) -> StatusCode,
    /// Whether a stream waits for the first message too, because that may be an error with a status of its own.
    pub(super) waits: bool,
}

/// What comes first.
enum First {
    Event(Event),
    /// Nothing will come.
    End,
    /// Nothing has come for a while, or nothing is to come here.
    Silence,
}

/// The answer to one POST, on its way.
///
/// It is not an `async fn`, which would keep its arguments once more beside what it waits for.
///
/// # Cancel safety
///
/// Dropping it drops the events, which says that the client has gone.
pub(super) struct Answering<E> {
    /// Until there is a body that has them.
    events: Option<E>,
    plan: Plan,
    /// Answers in JSON to the requests of a batch.
    answers: Vec<Message>,
    had_turn: bool,
    silence: Option<Pin<Box<Sleep>>>,
    posting: Option<Posting>,
}

impl<E: Events> Answering<E> {
    pub(super) fn new(events: E, plan: Plan) -> Self {
        Self {
            events: Some(events),
            plan,
            answers: Vec::new(),
            had_turn: false,
            silence: None,
            posting: None,
        }
    }

    /// The session is not idle until it is there.
    pub(super) fn posting(mut self, posting: Posting) -> Self {
        self.posting = Some(posting);
        self
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<First> {
        let Some(events) = &mut self.events else { return Poll::Ready(First::End) };
        // Where it is to end here, that takes a stream that says so; the body finds it again.
        if events.poll_released(cx).is_ready() {
            return Poll::Ready(First::Silence);
        }
        if let Poll::Ready(event) = events.poll_event(cx) {
            return Poll::Ready(event.map_or(First::End, First::Event));
        }
        // The handler is on another task. What it says at once goes out together with the head, and needs no timer.
        if !std::mem::replace(&mut self.had_turn, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.plan.form == Answers::Stream && !self.plan.waits {
            return Poll::Ready(First::Silence);
        }
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(self.plan.wait)));
        silence.as_mut().poll(cx).map(|()| First::Silence)
    }

    /// Waits for the answers, and for nothing else.
    fn poll_in_json(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        if let Some(events) = &mut self.events {
            while let Some(event) = ready!(events.poll_event(cx)) {
                match event.message {
                    Message::Response(_) if self.plan.single => {
                        return Poll::Ready(whole(event.message, &self.plan));
                    }
                    Message::Response(_) => self.answers.push(event.message),
                    other => events.divert(other),
                }
            }
        }
        Poll::Ready(if self.plan.single || self.answers.is_empty() {
            self.end()
        } else {
            json_reply(StatusCode::OK, Batch::join(std::mem::take(&mut self.answers)))
        })
    }

    /// Nothing more comes, and there was nothing.
    fn end(&mut self) -> Reply {
        match self.events.as_mut().and_then(Events::farewell) {
            Some(message) => whole(message, &self.plan),
            // It was cancelled, and a cancelled request has no answer.
            None => self.stream(None),
        }
    }

    /// Whether an answer that comes first is the response, and no event of a stream.
    fn is_whole(&self, response: &Response) -> bool {
        let plan = &self.plan;
        plan.single && (plan.form == Answers::Auto || status(response, plan) != StatusCode::OK)
    }

    fn stream(&mut self, first: Option<Event>) -> Reply {
        event_stream_reply(EventBody::new(self.events.take(), first, self.plan.keep_alive))
    }
}

impl<E: Events> Future for Answering<E> {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let this = &mut *self;
        let reply = if this.plan.form == Answers::Json {
            ready!(this.poll_in_json(cx))
        } else {
            match ready!(this.poll_first(cx)) {
                First::Event(Event { message: Message::Response(response), .. })
                    if this.is_whole(&response) =>
                {
                    whole(response.into(), &this.plan)
                }
                First::Event(event) => this.stream(Some(event)),
                First::Silence => this.stream(None),
                First::End => this.end(),
            }
        };
        (this.events, this.posting) = (None, None);
        Poll::Ready(reply)
    }
}

fn whole(message: Message, plan: &Plan) -> Reply {
    let status = match &message {
        Message::Response(response) => status(response, plan),
        _ => StatusCode::OK,
    };
    json_reply(status, message.into_line())
}

fn status(response: &Response, plan: &Plan) -> StatusCode {
    match response.outcome() {
        Outcome::Error(error) => (plan.status)(&error),
        Outcome::Result(_) => StatusCode::OK,
    }
}
