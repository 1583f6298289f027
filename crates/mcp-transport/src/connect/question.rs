//! One question in a POST of its own, and the answer with its status, which tells as much as its body.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use mcp_http::proto::{ContentType, Decoded, EventDecoder, EventLimits, EventName};
use mcp_http::{ClientBody, HeadWithin, HttpClient, HttpRefused};
use mcp_jsonrpc::{Message, Object, Request, Response, ScanLimits};
use mcp_streamable_http::proto::mirror::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID};
use mcp_streamable_http::proto::{revision_in, standard_headers};
use mcp_transport_core::{Error, ErrorKind};
use tokio::time::timeout;

use super::url::is_final;

const SESSION_ID: HeaderName = HeaderName::from_static(MCP_SESSION_ID);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(MCP_PROTOCOL_VERSION);
/// The most bytes of an answer. A description of a server has some hundred.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// How long a server has to end the session that a question has opened.
const DELETE_WAIT: Duration = Duration::from_secs(2);

/// One question to a URL.
pub(super) struct Question {
    pub(super) http: HttpClient,
    pub(super) url: Uri,
    pub(super) request: Request,
    /// How long the head of the answer may take, and then its body. Asking for a token takes its own time.
    pub(super) wait: Duration,
}

/// What came back.
pub(super) enum Answer {
    Response(StatusCode, Response),
    /// An event stream on which there was no answer yet.
    Stream,
}

/// What is known of an answer before it is read.
#[derive(Default)]
struct Head {
    session: Option<HeaderValue>,
    streams: bool,
}

impl Question {
    /// Asks, and ends the session that it may have opened.
    pub(super) async fn ask(self) -> Result<Answer, Error> {
        let mut head = Head::default();
        let answer = self.post(&mut head).await;
        if let Some(session) = head.session {
            self.end(session, answer.as_ref().ok().and_then(Answer::version)).await;
        }
        answer
    }

    async fn post(&self, head: &mut Head) -> Result<Answer, Error> {
        let mut post = http::Request::new(self.request.clone().into_line());
        *post.method_mut() = Method::POST;
        *post.uri_mut() = self.url.clone();
        *post.headers_mut() = self.headers();
        post.extensions_mut().insert(HeadWithin(self.wait));
        let response = match self.http.send(post).await {
            Ok(response) => response,
            Err(error) => return explanation(&error).ok_or(error),
        };
        head.session = response.headers().get(SESSION_ID).cloned();
        let status = response.status();
        match timeout(self.wait, self.read(response, head)).await {
            Ok(Ok(answer)) => Ok(Answer::Response(status, answer)),
            // Somebody was there, so this is no want of a connection.
            Ok(Err(error)) if error.kind() == ErrorKind::Io => {
                Err(Error::new(ErrorKind::Peer, "the answer broke off").with_source(error))
            }
            Ok(Err(error)) => Err(error),
            Err(_) if head.streams => Ok(Answer::Stream),
            Err(_) => Err(Error::new(ErrorKind::Timeout, "the server does not answer")),
        }
    }

    async fn read(&self, response: http::Response<ClientBody>, head: &mut Head) -> Result<Response, Error> {
        match ContentType::of(response.headers()) {
            ContentType::EventStream => {
                head.streams = true;
                first_response(response.into_body()).await
            }
            ContentType::Json => {
                let body = response.into_body().collect(MAX_ANSWER, self.wait).await?;
                match Message::parse(body, &ScanLimits::default()) {
                    Ok(Message::Response(answer)) => Ok(answer),
                    _ => Err(Error::new(ErrorKind::Peer, "the answer is JSON, and no response")),
                }
            }
            _ => Err(Error::new(ErrorKind::Peer, "the answer is neither JSON nor an event stream")),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(version) = revision_in(&self.request).and_then(|text| HeaderValue::try_from(text).ok()) {
            headers = standard_headers(&self.request.clone().into());
            headers.insert(PROTOCOL_VERSION, version);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers
    }

    /// MCP 2025-11-25, transports, Session Management: DELETE says that the session is not needed any more.
    async fn end(&self, session: HeaderValue, version: Option<HeaderValue>) {
        let mut delete = http::Request::new(Default::default());
        *delete.method_mut() = Method::DELETE;
        *delete.uri_mut() = self.url.clone();
        delete.headers_mut().insert(SESSION_ID, session);
        if let Some(version) = version {
            delete.headers_mut().insert(PROTOCOL_VERSION, version);
        }
        // Whatever the server says to that, it has ended.
        let _ = timeout(DELETE_WAIT, self.http.send(delete)).await;
    }
}

impl Answer {
    /// The revision that a server has agreed on.
    fn version(&self) -> Option<HeaderValue> {
        let Self::Response(_, response) = self else { return None };
        let version = Object::new(response.result_raw()?)?.get("protocolVersion")?;
        HeaderValue::try_from(serde_json::from_slice::<String>(version).ok()?).ok()
    }
}

/// The error response in the body of a refusal, whatever its id: some servers make one up.
fn explanation(error: &Error) -> Option<Answer> {
    let refused = HttpRefused::of(error).filter(|_| !is_final(error))?;
    let (_, body) = refused.body();
    match Message::parse(body.clone(), &ScanLimits::default()) {
        Ok(Message::Response(response)) if response.is_error() => {
            Some(Answer::Response(refused.status(), response))
        }
        _ => None,
    }
}

/// The first response on a stream; whatever comes before it is not for us.
async fn first_response(mut body: ClientBody) -> Result<Response, Error> {
    let mut decoder = EventDecoder::new(EventLimits::default().with_max_data(MAX_ANSWER));
    loop {
        for found in decoder.by_ref() {
            let Decoded::Event(event) = found else { continue };
            if event.name == EventName::Endpoint {
                return Err(Error::new(ErrorKind::Peer, "the answer is a stream of HTTP+SSE"));
            }
            let Some(text) = event.into_message() else { continue };
            if let Ok(Message::Response(response)) = Message::parse(text, &ScanLimits::default()) {
                return Ok(response);
            }
        }
        match body.chunk().await {
            Some(chunk) => decoder.push(chunk?),
            None => return Err(Error::new(ErrorKind::Peer, "the answer ended without the response")),
        }
    }
}
