//! What comes out of an answer or a stream, on its way to the connection.

use std::sync::Arc;

use bytes::Bytes;
use mcp_jsonrpc::{Batch, Form, Id, Malformed, Message, Response};
use mcp_transport_core::{Error, ErrorKind, Frame};

use super::calls::Settled;
use super::era::Legacy;
use super::lane::Ticket;
use super::link::{Link, Signal};
use crate::proto::ToolTable;

/// The call that an answer belongs to.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) ticket: Ticket,
    pub(super) id: Id,
    pub(super) asked: Asked,
}

/// What a call asked for, where its answer says something to this transport.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Initialize(Arc<Legacy>),
    /// `tools/list` of a modern server, whose tools may say which parameters are mirrored into headers.
    Tools,
    Other,
}

/// Whether the call that a stream belongs to has its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Goes,
    Settled,
}

/// Hands messages over one by one, in their order, and each outcome once.
pub(super) struct Delivery {
    pub(super) link: Arc<Link>,
    /// `None` for the server's own stream.
    pub(super) own: Option<Own>,
    /// Something came that is no message and may have been the response.
    unreadable: Option<Malformed>,
}

impl Delivery {
    pub(super) fn new(link: Arc<Link>, own: Option<Own>) -> Self {
        Self { link, own, unreadable: None }
    }

    /// Takes the text of one message, or of a batch where those are accepted.
    pub(super) async fn text(&mut self, text: Bytes) -> Progress {
        let scan = &self.link.limits.scan;
        if !self.link.batches || !Batch::is_batch(&text) {
            return match Message::parse(text, scan) {
                Ok(message) => self.message(message).await,
                Err(malformed) => self.malformed(malformed).await,
            };
        }
        let batch = match Batch::parse(text, scan) {
            Ok(batch) => batch,
            Err(malformed) => return self.malformed(malformed).await,
        };
        let mut progress = Progress::Goes;
        for message in batch.messages() {
            let one = match message {
                Ok(message) => self.message(message).await,
                Err(malformed) => self.malformed(malformed).await,
            };
            if one == Progress::Settled {
                progress = one;
            }
        }
        progress
    }

    async fn message(&mut self, message: Message) -> Progress {
        let response = match message {
            Message::Response(response) => response,
            message => {
                self.push(message.len(), Frame::Message(message, None)).await;
                return Progress::Goes;
            }
        };
        let response = match (&self.own, response.id()) {
            // It could not read the id, or speaks of the POST as a whole.
            (Some(own), None) => response.with_id(&own.id),
            _ => response,
        };
        self.response(response).await
    }

    /// Takes a response, also one that was no message of its own.
    pub(super) async fn response(&mut self, response: Response) -> Progress {
        let Some(id) = response.id() else {
            self.push(response.len(), Frame::Message(response.into(), None)).await;
            return Progress::Goes;
        };
        let own = self.own.as_ref().filter(|own| own.id == id);
        let response = own.map_or_else(|| response.clone(), |own| self.see(own, &response));
        // Room first: who is dropped while it waits has not taken somebody's outcome away.
        let Ok(permit) = self.link.frames.reserve(response.len()).await else { return Progress::Goes };
        let settled = self.link.calls.settle(&id);
        if settled == Settled::Again {
            tracing::debug!(%id, "a second response is dropped");
        } else {
            let _ = permit.send(Frame::Message(response.into(), None));
        }
        self.settled(&id, settled)
    }

    pub(super) async fn malformed(&mut self, malformed: Malformed) -> Progress {
        let Some(id) = malformed.id().filter(|_| malformed.form() != Form::Request).cloned() else {
            if malformed.id().is_none() && malformed.form() != Form::Request {
                self.unreadable = Some(malformed.clone());
            }
            self.push(0, Frame::Malformed(malformed)).await;
            return Progress::Goes;
        };
        let Ok(permit) = self.link.frames.reserve(0).await else { return Progress::Goes };
        let settled = self.link.calls.settle(&id);
        let _ = permit.send(Frame::Malformed(malformed));
        self.settled(&id, settled)
    }

    fn settled(&self, id: &Id, settled: Settled) -> Progress {
        match (settled, &self.own) {
            (_, Some(own)) if own.id == *id => return Progress::Settled,
            // Who still reads the stream that it did not come on need not.
            (Settled::First(ticket), _) => self.link.tell(Signal::Answered(ticket)),
            _ => {}
        }
        Progress::Goes
    }

    /// What a response says to this transport, before anybody else sees it.
    fn see(&self, own: &Own, response: &Response) -> Response {
        match (&own.asked, &self.link.tools) {
            (Asked::Initialize(legacy), _) => {
                legacy.agreed(response);
                self.link.tell(Signal::Opened(own.ticket));
                response.clone()
            }
            (Asked::Tools, Some(tools)) => learn(tools, response).unwrap_or_else(|| response.clone()),
            _ => response.clone(),
        }
    }

    async fn push(&self, len: usize, frame: Frame) {
        if let Ok(permit) = self.link.frames.reserve(len).await {
            let _ = permit.send(frame);
        }
    }

    /// There will be no response any more, and this is why.
    pub(super) fn give_up(&mut self, why: Error) {
        let Some(own) = &self.own else { return };
        let why = match self.unreadable.take() {
            Some(malformed) => malformed.into(),
            None => why,
        };
        self.link.undelivered(&own.id, why);
    }

    /// Like [`Delivery::give_up`], of an answer that was read to its end.
    pub(super) fn unanswered(&mut self) {
        self.give_up(Error::new(ErrorKind::Peer, "the answer ended without the response"));
    }

    /// Whether something came that may have been the response.
    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable.is_some()
    }
}

/// Teaches the table what a list of tools says; the list without those whose annotations are wrong, if any are.
fn learn(tools: &ToolTable, response: &Response) -> Option<Response> {
    let learned = tools.learn(response.result_raw()?);
    for dropped in &learned.dropped {
        // MCP 2026-07-28, transports, Custom Headers from Tool Parameters: a warning with the name and the reason.
        tracing::warn!(tool = ?dropped.tool, problem = %dropped.problem, "a tool is left out");
    }
    learned.response(response)
}
