//! Requests without a session: each stands alone, and closing its response gives it up.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use mcp_http::{Arrived, Payload, Refusal, Reply, detached, detached_message};
use mcp_jsonrpc::{Batch, ErrorCode, ErrorObject, Id, Message, Response};
use mcp_transport_core::{
    Context as MessageContext, Control, Era, Frame, ResponseStream, Revision, response_stream,
};

use super::answer::{Answering, Plan};
use super::body::{Event, Events, Opening};
use super::{MODERN, Replying, Shared, accepted, asked, context, json_error, later, legacy, now, refused};
use crate::config::Answers;
use crate::proto::{Refused, check_modern, modern_status};

impl Shared {
    /// # Spec
    ///
    /// MCP 2026-07-28, transports, Streamable HTTP, Sending Messages.
    pub(super) fn modern(&self, arrived: Arrived) -> Result<Replying, Refusal> {
        let Arrived { parts, payload, peer, principal, .. } = arrived;
        let message = match payload {
            Payload::Message(message) => message,
            payload => {
                let error = ErrorObject::new(ErrorCode::INVALID_REQUEST, "this revision has no batches");
                return Ok(now(refused(payload, &error)));
            }
        };
        let checked = check_modern(&parts.headers, &message, MODERN, self.options.tools.as_deref());
        let revision = match checked {
            Ok(revision) => revision,
            Err(Refused { status, error }) => {
                return Ok(now(json_error(status, asked(&message).as_ref(), &error)));
            }
        };
        // MCP 2026-07-28, subscriptions: this one stays open, and its head would keep a read buffer for as long.
        let stays = message.method().is_some_and(|method| method == "subscriptions/listen");
        let parts = if stays { detached(parts) } else { parts };
        let context = context(parts, peer, principal, Some(revision));
        self.alone(message, context, Era::Modern)
    }

    /// A legacy message where there are no sessions.
    pub(super) fn stateless(
        self: &Arc<Self>,
        arrived: Arrived,
        revision: Option<Revision>,
    ) -> Result<Replying, Refusal> {
        let Arrived { parts, payload, peer, principal, .. } = arrived;
        let context = context(parts, peer, principal, revision);
        match payload {
            Payload::Message(message) => self.alone(message, context, Era::Legacy),
            // MCP 2025-06-18, transports, Protocol Version Header: without it, 2025-03-26.
            Payload::Batch(batch) if revision.unwrap_or(Revision::V2025_03_26).has_batches() => {
                let shared = self.clone();
                Ok(later(async move { shared.alone_together(batch, context).await }))
            }
            payload => Ok(now(legacy::no_batch(payload))),
        }
    }

    /// The same for a batch.
    async fn alone_together(&self, batch: Batch, context: MessageContext) -> Result<Reply, Refusal> {
        let messages: Vec<_> = batch.messages().collect();
        let limits = &self.options.sessionless_limits;
        let (outlet, source) = response_stream(limits.outbound_bytes, limits.outbound_count);
        let Some(answers) = legacy::answers(&messages) else {
            return Ok(legacy::no_batch(Payload::Batch(batch)));
        };
        let control = self.control.clone();
        let events = Alone { source, request: None, control, finished: false };
        self.post_batch(&self.sessionless, messages, &Arc::new(context), outlet).await?;
        if answers == 0 {
            return Ok(accepted());
        }
        Ok(Answering::new(events, self.plan(false, |_| StatusCode::OK)).await)
    }

    /// Gives a message to the sessionless connection, and answers it if it is a request.
    fn alone(&self, message: Message, context: MessageContext, era: Era) -> Result<Replying, Refusal> {
        let context = Arc::new(context);
        let message = detached_message(message);
        let len = message.len();
        let request = match message {
            Message::Request(request) => request,
            other => {
                let delivery = self.deliver(&self.sessionless, len, Frame::Message(other, Some(context)));
                return delivery.then(|full| full, async { accepted() });
            }
        };
        let limits = &self.options.sessionless_limits;
        let (outlet, source) = response_stream(limits.outbound_bytes, limits.outbound_count);
        let listens = request.method() == "subscriptions/listen";
        let id = request.id();
        // From here on a client that goes away gives it up.
        let control = self.control.clone();
        let events = Alone { source, request: Some(id), control, finished: false };
        let delivery = self.deliver(&self.sessionless, len, Frame::Request(request, context, outlet));
        let plan = match era {
            // It lasts, and says something before its answer.
            Era::Modern if listens => {
                Plan { waits: true, form: Answers::Auto, ..self.plan(true, modern_status) }
            }
            Era::Modern => Plan { waits: true, ..self.plan(true, modern_status) },
            Era::Legacy => self.plan(true, |_| StatusCode::OK),
        };
        delivery.then(|full| full, Answering::new(events, plan))
    }
}

/// The reader of one exchange's stream.
struct Alone {
    source: ResponseStream,
    request: Option<Id>,
    control: Control,
    finished: bool,
}

impl Events for Alone {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.source.poll_recv(cx).map(|message| {
            self.finished = message.is_none();
            if matches!(message, Some(Message::Response(_))) {
                self.request = None;
            }
            message.map(|message| Event { position: None, message })
        })
    }

    fn commit(&mut self, first: Option<Event>) -> (Opening, Option<Event>) {
        (Opening::default(), first)
    }

    fn poll_released(&mut self, _: &mut Context<'_>) -> Poll<Duration> {
        Poll::Pending
    }

    fn farewell(&mut self) -> Option<Message> {
        let id = self.request.take()?;
        let reason = self.control.close_reason();
        let reason = reason.map_or("unanswered", |reason| reason.wire_reason());
        Some(Response::error(&id, &ErrorObject::with_reason("the request was not answered", reason)).into())
    }

    fn divert(&mut self, message: Message) {
        tracing::debug!(kind = message.kind(), "a message has no place in an answer in JSON");
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // MCP 2026-07-28, transports, Streamable HTTP: closing the response stream cancels the request. Up to 2025-11-25
        // it does not where the stream can be resumed, which it cannot without a session.
        if !self.finished {
            self.source.give_up();
        }
    }
}
