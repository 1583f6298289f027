//! One POST, from its message to the end of its answer.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
use http::{Response, StatusCode};
use mcp_http::proto::ContentType;
use mcp_http::{ClientBody, HttpRefused, OnTaken};
use mcp_jsonrpc::{Message, Outcome, Request, Response as RpcResponse};
use mcp_transport_core::{Error, ErrorKind, Revision};
use tokio::time::timeout;

use super::delivery::{Asked, Delivery, Own, Progress};
use super::era::{SESSION_ID, Way, modern_headers};
use super::lane::Ticket;
use super::link::{Link, Signal};
use super::stream::{Kind, ServerStream, asks_for_credentials};
use crate::proto;

/// How long the server has to take a notification or a response.
const NOTE_WAIT: Duration = Duration::from_secs(30);
/// How long one that was refused for want of credentials waits for others: somebody may have to fetch them.
const PARKED: Duration = Duration::from_secs(30);
/// What is read of the body of such an answer, and for how long, so that its connection can be used again.
const NOTE_BODY: (usize, Duration) = (64 * 1024, Duration::from_millis(500));
/// How long the body of a whole answer may take. Callers have time-outs of their own, which end its POST.
const ANSWER_WAIT: Duration = Duration::from_secs(3600);

/// The revisions in which a request names its own.
const OURS: [Revision; 1] = [Revision::V2026_07_28];

/// Posts a notification or a response, and tells when it was taken.
pub(super) async fn post_note(link: Arc<Link>, ticket: Ticket, message: Message, headers: HeaderMap) {
    let in_session = headers.contains_key(SESSION_ID);
    let json = message.into_line();
    let mut parked = None;
    let error = loop {
        let handed = tell_handed(&link, ticket);
        let mut changes = link.headers.changes();
        let error = match link.post(json.clone(), headers.clone(), handed, NOTE_WAIT).await {
            Ok(response) => {
                link.tell(Signal::Taken(ticket, true));
                // MCP 2025-11-25, transports, Sending Messages: 202 without a body. Some send one.
                let (max, within) = NOTE_BODY;
                let _ = response.into_body().collect(max, within).await;
                return;
            }
            Err(error) => error,
        };
        if parked.is_some() || !asks_for_credentials(&error) {
            break error;
        }
        parked = link.parking.park(json.len());
        if parked.is_none() {
            break error;
        }
        tracing::debug!(%error, "a notification or response waits for other credentials");
        link.tell(Signal::Parked(ticket));
        let changed = timeout(PARKED, changes.changed()).await.is_ok();
        // Those that are asked for each request may have others by now.
        if !changed && link.http.options().credentials.is_none() {
            break error;
        }
    };
    tracing::warn!(%error, "a notification or response was not delivered");
    link.tell(Signal::Taken(ticket, false));
    expired(&link, in_session, &error);
}

/// A request under way.
pub(super) struct Call {
    pub(super) link: Arc<Link>,
    pub(super) own: Own,
    pub(super) way: Way,
    pub(super) request: Request,
    pub(super) headers: HeaderMap,
}

impl Call {
    /// Posts the request, and sees to it that the call has an outcome.
    pub(super) async fn run(self) {
        let Self { link, own, way, mut request, mut headers } = self;
        let in_session = headers.contains_key(SESSION_ID);
        let mut again = true;
        let error = loop {
            let handed = tell_handed(&link, own.ticket);
            let json = request.clone().into_line();
            let error = match link.post(json, headers.clone(), handed, Duration::MAX).await {
                Ok(response) => return answer(link, own, way, response).await,
                Err(error) => error,
            };
            if expired(&link, in_session, &error) {
                // The call ends with the connection.
                return std::future::pending().await;
            }
            let Some(response) = explanation(&error, &own, &link) else { break error };
            if again
                && let Way::Modern = way
                && let Some(other) = with_their_revision(&request, &response)
            {
                tracing::debug!("the request is sent again, with a revision that the server has");
                headers = modern_headers(&other, link.tools.as_deref());
                (request, again) = (other, false);
                continue;
            }
            let mut delivery = Delivery::new(link, Some(own));
            delivery.response(response).await;
            return;
        };
        link.undelivered(&own.id, error);
    }
}

fn tell_handed(link: &Arc<Link>, ticket: Ticket) -> OnTaken {
    let (link, returned) = (link.clone(), link.clone());
    OnTaken::new(move || link.tell(Signal::Handed(ticket)))
        .with_returned(move || returned.tell(Signal::Returned(ticket)))
}

/// MCP 2025-11-25, transports, Session Management: 404 in a session says that it has ended.
fn expired(link: &Link, in_session: bool, error: &Error) -> bool {
    let expired =
        in_session && HttpRefused::of(error).is_some_and(|refused| refused.status() == StatusCode::NOT_FOUND);
    if expired {
        link.tell(Signal::Expired);
    }
    expired
}

/// The error response in the body of a refusal, if there is one for this request.
///
/// Not where the status asks for credentials: the challenges are what the caller needs then.
fn explanation(error: &Error, own: &Own, link: &Link) -> Option<RpcResponse> {
    let refused = HttpRefused::of(error)?;
    if matches!(refused.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return None;
    }
    let (_, body) = refused.body();
    let Ok(Message::Response(response)) = Message::parse(body.clone(), &link.limits.scan) else {
        return None;
    };
    if !response.is_error() {
        return None;
    }
    match response.id() {
        Some(id) if id == own.id => Some(response),
        // MCP 2025-11-25, transports: an error response without an id.
        None => Some(response.with_id(&own.id)),
        Some(_) => None,
    }
}

/// The request with a revision that the server said it has, if we have it too.
fn with_their_revision(request: &Request, response: &RpcResponse) -> Option<Request> {
    match response.outcome() {
        Outcome::Error(error) => proto::with_revision(request, proto::choose_revision(&error, &OURS)?),
        Outcome::Result(_) => None,
    }
}

/// Reads what a server answers to a request.
async fn answer(link: Arc<Link>, own: Own, way: Way, response: Response<ClientBody>) {
    let mut delivery = Delivery::new(link, Some(own.clone()));
    if let Asked::Initialize(legacy) = &own.asked
        && let Err(error) = legacy.open(response.headers())
    {
        return delivery.give_up(error);
    }
    let kind = match way {
        Way::Legacy(legacy) => Kind::Answer(legacy),
        Way::Modern => Kind::Modern,
    };
    match ContentType::of(response.headers()) {
        ContentType::EventStream => ServerStream::new(delivery, kind).run(response.into_body()).await,
        ContentType::Json => {
            let max = delivery.link.limits.max_message;
            match response.into_body().collect(max, ANSWER_WAIT).await {
                Ok(body) => {
                    if delivery.text(body).await == Progress::Goes {
                        delivery.unanswered();
                    }
                }
                Err(error) => delivery.give_up(error),
            }
        }
        _ => {
            let what = "the answer to a request is neither JSON nor an event stream";
            delivery.give_up(Error::new(ErrorKind::Peer, what));
        }
    }
}
