//! Dials: opens the event stream, learns where to post, and speaks.

mod wire;

use std::fmt;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Uri};
use mcp_http::proto::reference::resolve;
use mcp_http::proto::{Decoded, EventDecoder, EventLimits, EventName, Origin};
use mcp_http::{ClientBody, FinalUri, HttpClient, HttpClientOptions};
use mcp_transport_core::{BoxFuture, Connection, Error, ErrorKind, Options, Transport};
use tokio::time::timeout;

use wire::ClientWire;

/// How long a POST may take: some servers answer it only when they have answered the request in it. A call has its own,
/// shorter time-out; this one is for POSTs that nobody waits for any more.
const POST_WAIT: Duration = Duration::from_secs(300);

/// Speaks HTTP+SSE to a server: each [`dial`](Transport::dial) opens one event stream, which is one session.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_transport_core::Transport;
///
/// let mut transport = mcp_sse::SseClient::new("http://127.0.0.1:8808/sse".parse()?);
/// let caller = transport.dial().await?.spawn().into_caller();
/// let pong = caller.request("ping", &()).await?;
/// # drop(pong); Ok(()) }
/// ```
///
/// Requests and responses are posted together; a notification waits for what went before it and is waited for, see
/// [`Lane`](crate::proto::Lane). A POST that fails fails the call that it carried and no other; any success will do,
/// and what comes with it is not looked at.
/// With [`credentials`](HttpClientOptions::credentials), a request that is refused with 401 or 403 goes again with what
/// they say then, before its POST has failed; so nothing is lost when a token runs out.
/// When the stream ends, every pending call ends with it: this binding has nothing to resume. Who wants to go on dials
/// again, see [`Reconnect`](mcp_transport_core::Reconnect), and begins with `initialize`.
///
/// # Spec
///
/// MCP 2024-11-05, transports, HTTP with SSE.
#[derive(Clone)]
pub struct SseClient {
    url: Uri,
    http: HttpClient,
    options: Options,
    endpoint_wait: Duration,
}

impl SseClient {
    /// The URL of the event stream.
    pub fn new(url: Uri) -> Self {
        Self {
            url,
            http: HttpClient::new(HttpClientOptions::default().with_head(POST_WAIT)),
            options: Options::new("sse"),
            endpoint_wait: Duration::from_secs(10),
        }
    }

    /// Sets bounds, tap and context of the connections.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options.with_context(|context| {
            if context.transport.is_empty() {
                context.transport = "sse";
            }
        });
        self
    }

    /// Uses this client for its requests: its time-outs, its connections, and the headers that it sends with each.
    #[must_use]
    pub fn with_http(mut self, http: HttpClient) -> Self {
        self.http = http;
        self
    }

    /// Sets how long the server has to open the stream, and then to say where to post. Default 10 s each. What its
    /// credentials take is not the server's time.
    #[must_use]
    pub fn with_endpoint_wait(mut self, wait: Duration) -> Self {
        self.endpoint_wait = wait;
        self
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let opening = self.http.event_stream_within(self.endpoint_wait, &self.url, HeaderMap::new());
        let response = opening.await?;
        // After redirects, all of which stay within the origin.
        let base = response.extensions().get::<FinalUri>().map_or(&self.url, |FinalUri(uri)| uri).clone();
        let limits = EventLimits::default().with_max_data(self.options.limits.max_message);
        let mut events = Events { decoder: EventDecoder::new(limits), body: response.into_body() };
        let waited = timeout(self.endpoint_wait, events.endpoint()).await;
        let silent = |_| Error::new(ErrorKind::Timeout, "the server does not say where to post");
        let reference = waited.map_err(silent)??;
        let target = resolve(&base, &reference).map_err(|problem| {
            Error::new(ErrorKind::Peer, format!("the endpoint cannot be used: {problem}"))
        })?;
        // Before anything is sent there: it would carry headers that are meant for this origin.
        if Origin::of(&target).ok() != Origin::of(&base).ok() {
            return Err(Error::new(ErrorKind::Refused, "the server wants messages posted to another origin"));
        }
        let wire = ClientWire::new(events, target, self.http.clone());
        Ok(Connection::new(wire, self.options.clone()))
    }
}

impl Transport for SseClient {
    fn dial(&mut self) -> BoxFuture<'_, Result<Connection, Error>> {
        Box::pin(self.connect())
    }
}

impl fmt::Debug for SseClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseClient").field("path", &self.url.path()).finish_non_exhaustive()
    }
}

/// The event stream of one session.
#[derive(Debug)]
struct Events {
    decoder: EventDecoder,
    body: ClientBody,
}

impl Events {
    /// What the decoder finds next; `None` when the stream has ended.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Decoded, Error>>> {
        loop {
            if let Some(found) = self.decoder.next() {
                return Poll::Ready(Some(Ok(found)));
            }
            match ready!(self.body.poll_chunk(cx)) {
                Some(Ok(chunk)) => self.decoder.push(chunk),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// Where to post: the data of the first `endpoint` event. Whatever comes before it is ignored.
    async fn endpoint(&mut self) -> Result<Bytes, Error> {
        loop {
            match std::future::poll_fn(|cx| self.poll_next(cx)).await {
                Some(Ok(Decoded::Event(event))) if event.name == EventName::Endpoint => return Ok(event.data),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => {
                    return Err(Error::new(ErrorKind::Peer, "the stream ended before it said where to post"));
                }
            }
        }
    }
}
