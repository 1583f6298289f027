//! Requests without a session: each stands alone, and closing its response gives it up.

use std::task::{Context, Poll};
use std::time::Duration;

use mcp_jsonrpc::{ErrorObject, Id, Message, Response};
use mcp_transport_core::{Control, Era, ResponseStream};

use super::body::{Event, Events, Opening};

/// The reader of one exchange's stream.
pub(super) struct Alone {
    pub(super) source: ResponseStream,
    pub(super) era: Era,
    pub(super) request: Option<Id>,
    pub(super) control: Control,
    pub(super) finished: bool,
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
        // MCP 2026-07-28, transports, Streamable HTTP: closing the response stream cancels the request. Up to
        // 2025-11-25 it does not.
        if self.era == Era::Modern && !self.finished {
            self.source.give_up();
        }
    }
}
