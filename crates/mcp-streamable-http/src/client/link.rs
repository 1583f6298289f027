//! What the tasks of one connection share: where to send, and where to put what comes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, Request, Response, Uri};
use mcp_http::proto::EventId;
use mcp_http::{ClientBody, HeadWithin, HttpClient, OnTaken};
use mcp_jsonrpc::Id;
use mcp_transport_core::queue;
use mcp_transport_core::{Backoff, Error, Frame, Limits};
use tokio::time::timeout;

use super::calls::{Calls, Settled};
use super::era::Legacy;
use super::headers::SharedHeaders;
use super::lane::Ticket;
use super::parking::Parking;
use crate::proto::{ToolTable, mirror};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static(mirror::LAST_EVENT_ID);
/// How long the server has to begin the answer to a GET. Some begin it with the first event.
const GET_WAIT: Duration = Duration::from_secs(120);
/// How long it has to end a session, asking for a token included: somebody waits for the end of the connection.
const DELETE_WAIT: Duration = Duration::from_secs(2);

/// What a task tells the wire, which looks at it at once and waits for nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    /// A message was handed to a connection.
    Handed(Ticket),
    /// A message that was handed over was refused: it fails, or is handed over again.
    Returned(Ticket),
    /// A notification was taken, or refused.
    Taken(Ticket, bool),
    /// A notification or response was refused, and waits for other credentials. Nobody waits for it.
    Parked(Ticket),
    /// `initialize` was answered.
    Opened(Ticket),
    /// A call has its answer from another stream than its own.
    Answered(Ticket),
    /// The server has said whether it has a stream of its own.
    Listening,
    /// The server does not know the session any more.
    Expired,
}

pub(super) struct Link {
    pub(super) url: Uri,
    pub(super) http: HttpClient,
    pub(super) headers: SharedHeaders,
    pub(super) limits: Limits,
    pub(super) batches: bool,
    pub(super) backoff: Backoff,
    pub(super) tools: Option<Arc<ToolTable>>,
    pub(super) frames: queue::Sender<Frame>,
    pub(super) signals: queue::Sender<Signal>,
    pub(super) calls: Calls,
    pub(super) parking: Parking,
    pub(super) chance: RandomState,
}

impl Link {
    pub(super) fn tell(&self, signal: Signal) {
        // A handful for each message that flies, of which there are not many.
        let _ = self.signals.last_word(0, signal);
    }

    /// Gives up on a call, unless it has an outcome.
    pub(super) fn undelivered(&self, id: &Id, error: Error) {
        if let Settled::First(_) = self.calls.settle(id) {
            self.fail(id, error);
        }
    }

    /// Tells whoever waits for a call that there will be no response.
    pub(super) fn fail(&self, id: &Id, error: Error) {
        // One for each request at most.
        let _ = self.frames.last_word(id.as_json().len(), Frame::Undelivered(id.clone(), error));
    }

    /// Any number.
    pub(super) fn chance(&self) -> u64 {
        self.chance.hash_one(tokio::time::Instant::now())
    }

    /// Posts one message, and gives the server so long; the head of a success, whose body is the answer.
    pub(super) async fn post(
        &self,
        json: Bytes,
        headers: HeaderMap,
        taken: OnTaken,
        within: Duration,
    ) -> Result<Response<ClientBody>, Error> {
        let mut request = Request::new(json);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.with_shared(headers);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // MCP 2025-11-25, transports, Sending Messages: both, for every message.
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        request.extensions_mut().insert(taken);
        request.extensions_mut().insert(HeadWithin(within));
        self.http.send(request).await
    }

    /// Opens a stream, or resumes one behind an event.
    pub(super) async fn get(
        &self,
        legacy: &Legacy,
        cursor: Option<&EventId>,
    ) -> Result<Response<ClientBody>, Error> {
        let mut headers = self.with_shared(legacy.headers());
        headers.remove(LAST_EVENT_ID);
        if let Some(id) = cursor.and_then(EventId::to_header) {
            headers.insert(LAST_EVENT_ID, id);
        }
        self.http.event_stream_within(GET_WAIT, &self.url, headers).await
    }

    /// Ends a session. Whatever the server says to that, it has ended.
    pub(super) async fn delete(self: Arc<Self>, legacy: Arc<Legacy>) {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.with_shared(legacy.headers());
        match timeout(DELETE_WAIT, self.http.send(request)).await {
            Ok(Ok(_)) => tracing::debug!("the session was ended"),
            Ok(Err(error)) => tracing::debug!(%error, "the session was not ended"),
            Err(_) => tracing::debug!("the server takes too long to end the session"),
        }
    }

    /// The caller's headers, with these in place of any of the same name.
    fn with_shared(&self, own: HeaderMap) -> HeaderMap {
        let mut headers = self.headers.snapshot();
        // How long a message is and where it ends is no caller's to say.
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
        headers.extend(own);
        headers
    }
}
