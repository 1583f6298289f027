//! Dials: makes connections whose messages are POSTs, and whose answers are JSON or streams.

mod calls;
mod delivery;
mod era;
mod headers;
mod lane;
mod link;
mod parking;
mod post;
mod stream;
mod wire;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use mcp_http::{HttpClient, HttpClientOptions};
use mcp_transport_core::queue;
use mcp_transport_core::{Backoff, BoxFuture, Connection, Error, Options, Transport};

use calls::Calls;
use link::Link;
use parking::Parking;
use wire::ClientWire;

pub use headers::SharedHeaders;

use crate::proto::ToolTable;

/// How long the head of the answer to a POST may take. A tool may work for long before a server begins to answer; a
/// caller has a time-out of its own, and ends the POST with it.
const HEAD_WAIT: Duration = Duration::from_secs(3600);
/// When a broken stream is resumed, by default: five attempts without progress take ten seconds or so, which is long
/// enough for a server that starts again, and not too long for a call that would have to be made again.
const RESUME: (Duration, Duration, u32) = (Duration::from_millis(250), Duration::from_secs(30), 5);

/// Speaks Streamable HTTP to a server, of any revision.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_transport_core::Transport;
///
/// let mut transport = mcp_streamable_http::StreamableClient::new("http://127.0.0.1:8808/mcp".parse()?);
/// let caller = transport.dial().await?.spawn().into_caller();
/// let pong = caller.request("ping", &()).await?;
/// # drop(pong); Ok(()) }
/// ```
///
/// [`dial`](Transport::dial) needs no network: each message is a POST of its own, and the first one meets the server.
/// That first one also decides how the connection works: `initialize` opens a session of the legacy era; a request whose
/// `_meta` names its revision begins the modern one. A client that finds nobody there who speaks that one may still go
/// over to `initialize`, and then stays with it.
///
/// | | legacy, up to 2025-11-25 | modern, from 2026-07-28 |
/// |---|---|---|
/// | a session | named by the answer to `initialize`, ended with DELETE | none |
/// | a stream of the server's own | opened after `notifications/initialized`, before the first request after it | none |
/// | a stream that breaks off | resumed, if its events had ids | its call fails |
/// | `notifications/cancelled` | posted, and the answer is let go | the POST is let go, which says it |
/// | headers | session, and the revision that was agreed on | revision, method, name, annotated parameters |
///
/// A POST that fails fails the call that it carried and no other. What the server says in the body of an error status is
/// the response of the call, if it is an error response; else [`HttpRefused`](mcp_http::HttpRefused) is the source of
/// the call's error, and has the status and, for 401 and 403, the challenges.
///
/// With [`credentials`](mcp_http::HttpClientOptions::credentials), a POST or GET that is refused with 401 or 403 goes again
/// with what they say then, before anybody hears of it; so nothing is lost when a token runs out. What stays refused fails
/// its call. A notification or a response has nobody to tell: it waits for other credentials for half a minute, also for
/// [`headers`](StreamableClient::headers) that change, goes once more, and is logged when it is lost after all. What comes
/// behind it does not wait for that. The server's own stream is tried for as long as the connection lasts.
///
/// When the server does not know the session any more, the connection ends with
/// [`SessionExpired`](mcp_transport_core::CloseReason::SessionExpired), and every pending call with it. Who wants to go
/// on dials again, see [`Reconnect`](mcp_transport_core::Reconnect), and begins with `initialize`.
/// A connection that is dropped ends at once and tells nobody; [`Control::shutdown`](mcp_transport_core::Control) and
/// `close` have the session ended.
///
/// # Limits
///
/// 128 requests in flight; further ones wait, as many as [`Limits::max_pending`](mcp_transport_core::Limits) and 16 MiB,
/// and then fail. Cancellations and responses wait for none of them.
///
/// # Spec
///
/// MCP 2025-03-26, 2025-06-18 and 2025-11-25, transports, Streamable HTTP; MCP 2026-07-28, transports, Streamable HTTP.
#[derive(Clone)]
pub struct StreamableClient {
    url: Uri,
    http: HttpClient,
    options: Options,
    headers: SharedHeaders,
    tools: Option<Arc<ToolTable>>,
    backoff: Backoff,
}

impl StreamableClient {
    /// The URL of the MCP endpoint.
    pub fn new(url: Uri) -> Self {
        let (floor, cap, attempts) = RESUME;
        Self {
            url,
            http: HttpClient::new(HttpClientOptions::default().with_head(HEAD_WAIT)),
            options: Options::new("streamable-http"),
            headers: SharedHeaders::default(),
            tools: None,
            backoff: Backoff::new(floor, cap, attempts),
        }
    }

    /// Sets bounds, tap and context of the connections.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options.with_context(|context| {
            if context.transport.is_empty() {
                context.transport = "streamable-http";
            }
        });
        self
    }

    /// Uses this client for its requests: its time-outs, its connections, and the headers that it sends with each.
    ///
    /// Its [`head`](HttpClientOptions::head) bounds how long a call may take before its answer begins. The default here
    /// is an hour.
    #[must_use]
    pub fn with_http(mut self, http: HttpClient) -> Self {
        self.http = http;
        self
    }

    /// Mirrors annotated parameters of tools into headers, and takes tools whose annotations are wrong out of the
    /// results of `tools/list`, where the server is of the modern era. Default no.
    ///
    /// The table learns from the results of `tools/list` that come by. One table can serve several clients of one server.
    #[must_use]
    pub fn with_tools(mut self, tools: Arc<ToolTable>) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Sets when a stream that broke off is resumed: the wait where the server names none, the least wait in any case,
    /// and how many attempts without progress there are. Default 250 ms, 30 s and 5.
    ///
    /// Progress is an event that was not there before, or a connection that lasted for 30 s.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The headers that every request carries, on connections that exist and on those to come.
    pub fn headers(&self) -> SharedHeaders {
        self.headers.clone()
    }

    fn connect(&self) -> Result<Connection, Error> {
        self.http.check(&self.url)?;
        let limits = self.options.limits;
        let (frames, incoming) = queue::channel(limits.inbound_bytes, limits.inbound_count);
        // Signals need no room: they are last words.
        let (signals, heard) = queue::channel(1, 1);
        let link = Link {
            url: self.url.clone(),
            http: self.http.clone(),
            headers: self.headers.clone(),
            limits,
            batches: self.options.batches,
            backoff: self.backoff,
            tools: self.tools.clone(),
            frames,
            signals,
            calls: Calls::default(),
            parking: Parking::default(),
            chance: RandomState::new(),
        };
        Ok(Connection::new(ClientWire::new(Arc::new(link), incoming, heard), self.options.clone()))
    }
}

impl Transport for StreamableClient {
    fn dial(&mut self) -> BoxFuture<'_, Result<Connection, Error>> {
        Box::pin(std::future::ready(self.connect()))
    }
}

impl fmt::Debug for StreamableClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamableClient").field("path", &self.url.path()).finish_non_exhaustive()
    }
}
