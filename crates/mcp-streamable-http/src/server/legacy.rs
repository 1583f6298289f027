//! Sessions: `initialize` opens one, each POST has a stream, GET reads what belongs to none, DELETE ends it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use mcp_http::proto::SessionId;
use mcp_http::{
    Arrived, FrameBuffer, Full, Payload, Refusal, Reply, SessionTable, detached, detached_message,
    event_stream_reply, reply,
};
use mcp_jsonrpc::{Batch, ErrorCode, ErrorObject, Malformed, Message, Outcome, Request, Response};
use mcp_transport_core::{Connection, Era, Frame, Options, Outlet, Revision, queue, response_stream};

use super::answer::Answering;
use super::body::{Event, EventBody, Events, OPEN, Opening, write_event, write_opening};
use super::session::{Attached, Posting, Session};
use super::stream::Stream;
use super::wire::SessionWire;
use super::{
    Legacy, MODERN, Replying, Shared, TRANSPORT, accepted, context, json_error, later, method_not_allowed,
    now, refused,
};
use crate::proto::mirror::{LAST_EVENT_ID, PROTOCOL_VERSION, SESSION_ID};
use crate::proto::{EventPosition, VersionProblem, legacy_revision};

/// Ends the response that a request of a session has at the moment, while the request goes on: the client comes back
/// for what follows. It is among the extensions of the request's [`Context`](mcp_transport_core::Context).
///
/// # Spec
///
/// MCP 2025-11-25, transports, Sending Messages to the Server: a server may close the connection before the response,
/// to avoid a long-lived one; then the client polls.
#[derive(Clone)]
pub struct StreamHandle {
    session: Arc<Session>,
    stream: Arc<Stream>,
}

impl StreamHandle {
    /// Ends the response, and has the client wait for so long before it comes back. Whether that was possible: its
    /// revision has to be 2025-11-25 or later, there has to be a store, and the response has to be open and no
    /// [`Answers::Json`](crate::Answers::Json).
    pub fn close(&self, retry: Duration) -> bool {
        self.session.may_release() && !self.session.has_ended() && self.stream.release(retry)
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamHandle").field(&self.stream).finish()
    }
}

/// # Spec
///
/// MCP 2025-06-18, transports, Protocol Version Header: one that is invalid or unsupported is answered with 400.
pub(super) fn unsupported_version(_: VersionProblem) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "MCP-Protocol-Version is not supported\n")
}

/// The revision that a request of this era asks for, where the era is not served.
pub(super) fn requested(arrived: &Arrived) -> Option<String> {
    if let Some(value) = arrived.parts.headers.get(PROTOCOL_VERSION) {
        return value.to_str().ok().map(str::to_owned);
    }
    match &arrived.payload {
        Payload::Message(message) if is_initialize(message) => {
            let Message::Request(request) = message else { return None };
            let version = request.params_object()?.get("protocolVersion")?;
            serde_json::from_slice(version).ok()
        }
        _ => None,
    }
}

/// Whether a request is of a revision that has neither GET nor DELETE.
fn names_modern(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(&PROTOCOL_VERSION).iter();
    let named = |value: &HeaderValue| MODERN.iter().any(|revision| value == revision.as_str());
    values.next().is_some_and(named) && values.next().is_none()
}

/// The session that a request names.
fn session_id(headers: &HeaderMap) -> Result<Option<SessionId>, Refusal> {
    let mut values = headers.get_all(&SESSION_ID).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let one = if values.next().is_none() { value.to_str().ok() } else { None };
    let one = one.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "exactly one Mcp-Session-Id\n"))?;
    // One that cannot be ours is as unknown as one that has ended.
    SessionId::parse(one).map(Some).ok_or_else(unknown)
}

fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no such session\n")
}

pub(super) fn no_batch(payload: Payload) -> Reply {
    refused(payload, &ErrorObject::new(ErrorCode::INVALID_REQUEST, "a batch is not accepted here"))
}

fn is_initialize(message: &Message) -> bool {
    matches!(message, Message::Request(request) if request.method() == "initialize")
}

impl Shared {
    /// # Spec
    ///
    /// MCP 2025-11-25, transports, Session Management.
    pub(super) fn legacy(
        self: &Arc<Self>,
        mut arrived: Arrived,
        named: Option<Revision>,
    ) -> Result<Replying, Refusal> {
        let id = session_id(&arrived.parts.headers)?;
        let payload = std::mem::replace(&mut arrived.payload, Payload::Nothing);
        let Some(id) = id else {
            return match payload {
                Payload::Message(message) if is_initialize(&message) => {
                    let shared = self.clone();
                    Ok(later(async move { shared.initialize(arrived, message).await }))
                }
                _ => Err(Refusal::new(StatusCode::BAD_REQUEST, "Mcp-Session-Id is missing\n")),
            };
        };
        let session = self.sessions.find(&id, arrived.principal.as_ref()).ok_or_else(unknown)?;
        arrived.count_in_session(id.as_str())?;
        let posting = session.posting();
        match payload {
            Payload::Message(message) if is_initialize(&message) => {
                let error = ErrorObject::new(ErrorCode::INVALID_REQUEST, "the session is initialized");
                Ok(now(json_error(StatusCode::BAD_REQUEST, message.id().as_ref(), &error)))
            }
            Payload::Message(message) => {
                session.note_message();
                self.message(session, posting, arrived, message, named)
            }
            Payload::Batch(batch) => {
                session.note_message();
                let shared = self.clone();
                Ok(later(async move {
                    let reply = shared.batch(&session, arrived, batch, named).await;
                    drop(posting);
                    reply
                }))
            }
            payload => Ok(now(no_batch(payload))),
        }
    }

    /// Opens a session. It lasts if the answer is no error.
    async fn initialize(&self, arrived: Arrived, message: Message) -> Result<Reply, Refusal> {
        let Message::Request(request) = detached_message(message) else { return Err(unknown()) };
        arrived.count_opening()?;
        let session = self.open_session(&arrived)?;
        let posting = session.posting();
        let (events, frame) = self.exchange(&session, arrived, request, None);
        self.deliver(&session.posted, 1, frame).done().await?;
        let id = session.id.clone();
        let events = Initializing { events, sessions: self.sessions.clone(), id: Some(id.clone()) };
        let mut reply = Answering::new(events, self.plan(true, |_| StatusCode::OK)).await;
        drop(posting);
        // Only one that is still there is named: an error has ended it.
        if self.sessions.find(&id, session.principal.as_ref()).is_some()
            && let Ok(value) = HeaderValue::from_str(id.as_str())
        {
            reply.headers_mut().insert(SESSION_ID, value);
        }
        Ok(reply)
    }

    fn open_session(&self, arrived: &Arrived) -> Result<Arc<Session>, Refusal> {
        let options = &self.options;
        let no_randomness = || Refusal::unavailable("no randomness\n");
        let id = SessionId::random().map_err(|_| no_randomness())?;
        let limits = options.limits;
        let (post, posted) = queue::channel(limits.inbound_bytes, limits.inbound_count);
        let session = Session::new(id.clone(), arrived.principal.clone(), post, options.clone());
        let registered = self.sessions.register(id.clone(), session.clone(), options.max_sessions);
        let registered = registered.map_err(|full| match full {
            Full::TooMany => Refusal::unavailable("too many sessions\n"),
            Full::ShuttingDown => Refusal::unavailable("shutting down\n"),
            Full::Taken => no_randomness(),
        })?;
        let Ok(Some(place)) = self.opened.try_reserve(1) else {
            return Err(Refusal::unavailable("too many new sessions\n"));
        };
        let mut connection_options = Options::new(TRANSPORT).with_limits(limits).with_context(|context| {
            context.peer = arrived.peer;
            context.principal = arrived.principal.clone();
            context.session = Some(session.name.clone());
            context.insert(detached(arrived.parts.clone()));
        });
        connection_options.tap = options.tap.as_ref().map(|make| make(&connection_options.context));
        let connection = Connection::new(SessionWire::new(posted, registered), connection_options);
        session.set_control(connection.control());
        tracing::debug!(session = ?id, "session opened");
        place.send(connection).map_err(|_| Refusal::unavailable("shutting down\n"))?;
        Ok(session)
    }

    /// A request on its way, and the reader of what comes back.
    fn exchange(
        &self,
        session: &Arc<Session>,
        arrived: Arrived,
        request: Request,
        named: Option<Revision>,
    ) -> (Attached, Frame) {
        let limits = &self.options.limits;
        let (outlet, source) = response_stream(limits.outbound_bytes, limits.outbound_count);
        let events = session.answer_to(source, Some(request.id()));
        let context = self.context(session, arrived, named, Some(&events));
        (events, Frame::Request(request, Arc::new(context), outlet))
    }

    fn context(
        &self,
        session: &Arc<Session>,
        arrived: Arrived,
        named: Option<Revision>,
        events: Option<&Attached>,
    ) -> mcp_transport_core::Context {
        // MCP 2025-06-18, transports, Protocol Version Header: without it and without other knowledge, 2025-03-26.
        let revision = session.revision().or(named).unwrap_or(Revision::V2025_03_26);
        let mut context = context(arrived.parts, arrived.peer, arrived.principal, Some(revision));
        context.session = Some(session.name.clone());
        if let Some(events) = events {
            context.insert(StreamHandle { session: session.clone(), stream: events.stream().clone() });
        }
        context
    }

    /// One message of a session. What needs no waiting is done at once, so that little has to be kept for the rest.
    fn message(
        &self,
        session: Arc<Session>,
        posting: Posting,
        arrived: Arrived,
        message: Message,
        named: Option<Revision>,
    ) -> Result<Replying, Refusal> {
        let message = detached_message(message);
        let len = message.len();
        match message {
            Message::Request(request) => {
                let (events, frame) = self.exchange(&session, arrived, request, named);
                let delivery = self.deliver(&session.posted, len, frame);
                let plan = self.plan(true, |_| StatusCode::OK);
                let reply = Answering::new(events, plan).posting(posting);
                delivery.then(move |full| gone_or(&session, full), reply)
            }
            other => {
                let context = Arc::new(self.context(&session, arrived, named, None));
                let delivery = self.deliver(&session.posted, len, Frame::Message(other, Some(context)));
                let reply = async move {
                    drop(posting);
                    accepted()
                };
                delivery.then(move |full| gone_or(&session, full), reply)
            }
        }
    }

    /// # Spec
    ///
    /// MCP 2025-03-26, basic, Batching; removed in 2025-06-18.
    async fn batch(
        &self,
        session: &Arc<Session>,
        arrived: Arrived,
        batch: Batch,
        named: Option<Revision>,
    ) -> Result<Reply, Refusal> {
        let revision = session.revision().or(named).unwrap_or(Revision::V2025_03_26);
        if !revision.has_batches() {
            return Ok(no_batch(Payload::Batch(batch)));
        }
        let messages: Vec<_> = batch.messages().collect();
        let limits = &self.options.limits;
        let (outlet, source) = response_stream(limits.outbound_bytes, limits.outbound_count);
        let Some(answers) = answers(&messages) else { return Ok(no_batch(Payload::Batch(batch))) };
        let events = session.answer_to(source, None);
        let context = Arc::new(self.context(session, arrived, named, Some(&events)));
        let posted = self.post_batch(&session.posted, messages, &context, outlet).await;
        posted.map_err(|full| gone_or(session, full))?;
        if answers == 0 {
            return Ok(accepted());
        }
        Ok(Answering::new(events, self.plan(false, |_| StatusCode::OK)).await)
    }

    /// Puts the messages of a batch into a queue, one by one, each request with the same way back.
    pub(super) async fn post_batch(
        &self,
        queue: &queue::Sender<Frame>,
        messages: Vec<Result<Message, Malformed>>,
        context: &Arc<mcp_transport_core::Context>,
        outlet: Outlet,
    ) -> Result<(), Refusal> {
        for message in messages {
            let (len, frame) = match batched(message) {
                Ok(Message::Request(request)) => {
                    (request.len(), Frame::Request(request, context.clone(), outlet.clone()))
                }
                Ok(other) => (other.len(), Frame::Message(other, Some(context.clone()))),
                Err(answer) => {
                    answer.into_iter().for_each(|answer| outlet.clone().answer(answer));
                    continue;
                }
            };
            self.deliver(queue, len, frame).done().await?;
        }
        Ok(())
    }

    pub(super) async fn get(&self, arrived: Arrived) -> Result<Reply, Refusal> {
        let headers = &arrived.parts.headers;
        let session = self.named_session(&arrived)?;
        let from = last_event_id(headers)?;
        let (events, replay) = match from {
            Some(from) => session.resume(from).await?,
            None => session.general().await?,
        };
        let mut frames = FrameBuffer::default();
        let opening = if from.is_none() { events.opening(replay.before) } else { Opening::default() };
        write_opening(&mut frames, &opening);
        if frames.is_empty() && replay.events.is_empty() {
            frames.extend(OPEN);
        }
        for (position, line) in replay.events {
            write_event(&mut frames, Some(position), line);
        }
        Ok(event_stream_reply(EventBody::behind(events, frames, self.options.keep_alive)))
    }

    pub(super) fn delete(&self, arrived: &Arrived) -> Result<Reply, Refusal> {
        let session = self.named_session(arrived)?;
        tracing::debug!(session = ?session.id, "session ended by its client");
        self.sessions.end(&session.id);
        Ok(reply(StatusCode::NO_CONTENT, mcp_http::ReplyBody::empty()))
    }

    /// The session that a GET or a DELETE is about.
    fn named_session(&self, arrived: &Arrived) -> Result<Arc<Session>, Refusal> {
        let headers = &arrived.parts.headers;
        if self.options.legacy != Legacy::Sessions || self.options.modern && names_modern(headers) {
            return Err(method_not_allowed());
        }
        // Also what is no revision at all: without a body there is nothing else to tell the era by.
        legacy_revision(headers).map_err(unsupported_version)?;
        let missing = || Refusal::new(StatusCode::BAD_REQUEST, "Mcp-Session-Id is missing\n");
        let id = session_id(headers)?.ok_or_else(missing)?;
        let session = self.sessions.find(&id, arrived.principal.as_ref()).ok_or_else(unknown)?;
        arrived.count_in_session(id.as_str())?;
        Ok(session)
    }
}

/// A session that has ended meanwhile is unknown; one that is full is not.
fn gone_or(session: &Session, full: Refusal) -> Refusal {
    let ended = session.control().is_some_and(|control| control.close_reason().is_some());
    if ended || session.is_closed() { unknown() } else { full }
}

/// How many answers a batch has; `None` when nothing in it is a message, nor has an id to be answered with.
pub(super) fn answers(messages: &[Result<Message, Malformed>]) -> Option<usize> {
    let is_answered = |message: &&Result<Message, Malformed>| match message {
        Ok(message) => matches!(message, Message::Request(_)),
        Err(malformed) => malformed.answer().is_some(),
    };
    let answers = messages.iter().filter(is_answered).count();
    (answers > 0 || messages.iter().any(Result::is_ok)).then_some(answers)
}

/// A message of a batch, or what to answer in its place.
fn batched(message: Result<Message, Malformed>) -> Result<Message, Option<mcp_jsonrpc::Response>> {
    match message {
        Ok(Message::Request(request)) if request.method() == "initialize" => {
            let error = ErrorObject::new(ErrorCode::INVALID_REQUEST, "`initialize` is not part of a batch");
            Err(Some(mcp_jsonrpc::Response::error(&request.id(), &error)))
        }
        Ok(message) => Ok(detached_message(message)),
        Err(malformed) => Err(malformed.answer()),
    }
}

/// # Spec
///
/// MCP 2025-11-25, transports, Resumability and Redelivery.
fn last_event_id(headers: &HeaderMap) -> Result<Option<EventPosition>, Refusal> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let position = if values.next().is_none() { EventPosition::parse(value.as_bytes()) } else { None };
    let wrong = || Refusal::new(StatusCode::BAD_REQUEST, "what follows this event id is not there\n");
    position.map(Some).ok_or_else(wrong)
}

/// The answer to `initialize`: it says which revision was agreed on, and an error ends the session.
struct Initializing {
    events: Attached,
    sessions: Arc<SessionTable<Session>>,
    id: Option<SessionId>,
}

impl Events for Initializing {
    fn poll_event(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Event>> {
        let polled = self.events.poll_event(cx);
        if let std::task::Poll::Ready(event) = &polled {
            match event.as_ref().map(|event| &event.message) {
                Some(Message::Response(response)) => match response.outcome() {
                    Outcome::Result(_) => {
                        if let Some(revision) = agreed(response) {
                            self.events.session().agree(revision);
                        }
                        self.id = None;
                    }
                    Outcome::Error(_) => self.refuse(),
                },
                Some(_) => {}
                None => self.refuse(),
            }
        }
        polled
    }

    fn commit(&mut self, first: Option<Event>) -> (Opening, Option<Event>) {
        self.events.commit(first)
    }

    fn poll_released(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Duration> {
        self.events.poll_released(cx)
    }

    fn farewell(&mut self) -> Option<Message> {
        self.events.farewell()
    }

    fn divert(&mut self, message: Message) {
        self.events.divert(message);
    }
}

impl Initializing {
    fn refuse(&mut self) {
        if let Some(id) = self.id.take() {
            self.sessions.end(&id);
        }
    }
}

impl Drop for Initializing {
    fn drop(&mut self) {
        // The client has gone before it learned the session's id.
        self.refuse();
    }
}

fn agreed(response: &Response) -> Option<Revision> {
    let version = response.result_object()?.get("protocolVersion")?;
    let version: String = serde_json::from_slice(version).ok()?;
    version.parse().ok().filter(|revision: &Revision| revision.era() == Era::Legacy)
}
