//! What form an answer takes, decided as late as can be: at the first thing that a handler says.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use mcp_http::{Reply, event_stream_reply, json_reply};
use mcp_jsonrpc::{Batch, ErrorObject, Message, Outcome, Response};
use tokio::time::{Sleep, sleep};

use super::body::{Event, EventBody, Events};
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

/// Answers one POST.
///
/// # Cancel safety
///
/// Dropping the future drops the events, which says that the client has gone.
pub(super) async fn answer<E: Events>(mut events: E, plan: &Plan) -> Reply {
    if plan.form == Answers::Json {
        return in_json(events, plan).await;
    }
    let mut silence: Option<Pin<Box<Sleep>>> = None;
    let first = poll_fn(|cx| {
        // Where it is to end here, that takes a stream that says so; the body finds it again.
        if events.poll_released(cx).is_ready() {
            return Poll::Ready(First::Silence);
        }
        if let Poll::Ready(event) = events.poll_event(cx) {
            return Poll::Ready(event.map_or(First::End, First::Event));
        }
        if plan.form == Answers::Stream && !plan.waits {
            return Poll::Ready(First::Silence);
        }
        let silence = silence.get_or_insert_with(|| Box::pin(sleep(plan.wait)));
        silence.as_mut().poll(cx).map(|()| First::Silence)
    })
    .await;
    match first {
        First::Event(Event { message: Message::Response(response), .. })
            if plan.single && (plan.form == Answers::Auto || status(&response, plan) != StatusCode::OK) =>
        {
            whole(response.into(), plan)
        }
        First::Event(event) => event_stream_reply(EventBody::new(events, Some(event), plan.keep_alive)),
        First::Silence => event_stream_reply(EventBody::new(events, None, plan.keep_alive)),
        First::End => match events.farewell() {
            Some(message) => whole(message, plan),
            // It was cancelled, and a cancelled request has no answer.
            None => event_stream_reply(EventBody::new(events, None, plan.keep_alive)),
        },
    }
}

/// Waits for the answers, and for nothing else.
async fn in_json<E: Events>(mut events: E, plan: &Plan) -> Reply {
    let mut answers = Vec::new();
    while let Some(event) = poll_fn(|cx| events.poll_event(cx)).await {
        match event.message {
            Message::Response(_) if plan.single => return whole(event.message, plan),
            Message::Response(_) => answers.push(event.message),
            other => events.divert(other),
        }
    }
    if plan.single || answers.is_empty() {
        return match events.farewell() {
            Some(message) => whole(message, plan),
            None => event_stream_reply(EventBody::new(events, None, plan.keep_alive)),
        };
    }
    json_reply(StatusCode::OK, Batch::join(answers))
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
