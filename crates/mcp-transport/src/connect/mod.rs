//! One call that reaches every server: finds out which binding and which era it has.
//!
//! ```text
//! URL ──▶ POST server/discover ─┬─ answered, or a modern error ─────────▶ Streamable HTTP, modern
//!                               ├─ JSON-RPC, but not 404, 405 or 5xx ───▶ Streamable HTTP, legacy
//!                               └─ anything else ──▶ POST initialize ──┬▶ Streamable HTTP, by the same rules
//!                                                    GET, `endpoint` ──┴▶ HTTP+SSE
//!         └─ 401, 403, 407, 429, 503, no credentials, or no connection: the error, at once and from every step
//! command ──▶ server/discover ──▶ answered, or a modern error: modern; anything else, or silence: legacy
//! ```

mod command;
mod era;
mod found;
mod question;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use mcp_http::{HttpClient, HttpClientOptions};
use mcp_jsonrpc::Request;
use mcp_stdio::CommandSpec;
use mcp_transport_core::{Connection, Era, Error, ErrorKind, Options, Revision};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use found::Found;

/// How long a server that is asked which era it has may take; one that ignores the question is of the legacy era.
const PROBE: Duration = Duration::from_secs(10);
/// How long the head of an answer may take: a tool may work for long before a server begins to answer.
const HEAD_WAIT: Duration = Duration::from_secs(3600);

/// What to connect to.
#[non_exhaustive]
pub enum Target {
    /// A program that speaks on its stdin and stdout.
    Command(CommandSpec),
    /// A server on the network.
    Url(Uri),
    /// Somebody on a connection that is there already, such as [`Target::stream`] makes.
    Ready(Connection),
}

impl Target {
    /// Somebody at the other end of a byte stream, framed as on stdio. Nothing of a [`Connector`] applies to it.
    pub fn stream(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self::Ready(mcp_stdio::connection(read, write, Options::new("stream")))
    }

    /// A URL.
    ///
    /// # Errors
    ///
    /// Misuse, when it is none.
    pub fn url(text: &str) -> Result<Self, Error> {
        let uri = text.parse().map_err(|error: http::uri::InvalidUri| {
            Error::new(ErrorKind::Misuse, "the URL cannot be used").with_source(error)
        })?;
        Ok(Self::Url(uri))
    }
}

impl From<CommandSpec> for Target {
    fn from(command: CommandSpec) -> Self {
        Self::Command(command)
    }
}

impl From<Uri> for Target {
    fn from(url: Uri) -> Self {
        Self::Url(url)
    }
}

/// Of a URL no more than its origin and path: the rest may be a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(spec) => f.debug_tuple("Command").field(spec).finish(),
            Self::Url(url) => {
                let mut url_shown = f.debug_struct("Url");
                url_shown.field("scheme", &url.scheme_str());
                url_shown.field("host", &url.host()).field("port", &url.port_u16());
                url_shown.field("path", &url.path()).finish_non_exhaustive()
            }
            Self::Ready(connection) => f.debug_tuple("Ready").field(connection).finish(),
        }
    }
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binding {
    /// Lines on a child's stdin and stdout, or on another byte stream.
    Stdio,
    /// HTTP+SSE of 2024-11-05.
    Sse,
    /// Streamable HTTP.
    StreamableHttp,
}

/// Which bindings are tried at a URL, and in what order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// Streamable HTTP, then HTTP+SSE: what the specification says.
    #[default]
    HttpFirst,
    /// HTTP+SSE, then Streamable HTTP.
    SseFirst,
    /// Streamable HTTP, whatever comes of it; only the era is found out.
    HttpOnly,
    /// HTTP+SSE, whatever comes of it.
    SseOnly,
}

/// A connection to a server, and what was found out about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connected {
    /// The connection. Nothing of a handshake has been said on it that counts: in the legacy era `initialize` comes
    /// first, in the modern era any request with its `_meta` may.
    ///
    /// A child that was silent when it was asked for its era may answer that question yet: a response to
    /// `mcp-transport-probe`, for which nobody waits.
    pub connection: Connection,
    /// How the server is spoken to.
    pub binding: Binding,
    /// The era of the server, the newer one if it has both; `None` for [`Target::Ready`], which is asked nothing.
    pub era: Option<Era>,
}

/// Connects to a server of any binding and any era, with defaults; see [`Connector`].
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), mcp_transport::Error> {
/// use mcp_transport::{CommandSpec, Target, connect};
///
/// let remote = connect(Target::url("http://127.0.0.1:8808/mcp")?).await?;
/// let child = connect(CommandSpec::new("some-server").arg("stdio")).await?;
/// println!("{:?} {:?}, {:?} {:?}", remote.binding, remote.era, child.binding, child.era);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`Connector::connect`].
///
/// # Cancel safety
///
/// As [`Connector::connect`].
pub async fn connect(target: impl Into<Target>) -> Result<Connected, Error> {
    Connector::new().connect(target).await
}

/// Connects, with settings, and remembers what it found at a URL.
///
/// Clones share what was found, until one is given another [`HttpClient`] or [`Strategy`], with which other things may
/// be found. At most 256 URLs are remembered, for as long as the connector and its clones are there.
///
/// A server that was found is not asked again. When HTTP+SSE is there no more, that shows while connecting, and the URL
/// is found out anew. Streamable HTTP is connected to without a network: a change shows to the first request on the
/// connection, which fails, and whether the request or the server was wrong is for its caller to say. Who takes it for a
/// change (404 or 405 for what was there, an error that names revisions of the other era) calls
/// [`forget`](Connector::forget) and connects again.
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility, Backward Compatibility; MCP 2025-11-25, transports, Backwards
/// Compatibility.
#[derive(Clone)]
pub struct Connector {
    http: HttpClient,
    options: Options,
    strategy: Strategy,
    probe: Duration,
    client: Arc<Value>,
    found: Arc<Found>,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector {
    /// A connector with defaults.
    pub fn new() -> Self {
        Self {
            http: HttpClient::new(HttpClientOptions::default().with_head(HEAD_WAIT)),
            options: Options::default(),
            strategy: Strategy::default(),
            probe: PROBE,
            client: Arc::new(json!({ "name": "mcp-transport", "version": env!("CARGO_PKG_VERSION") })),
            found: Arc::default(),
        }
    }

    /// Sets bounds, tap and context of the connections. A tap does not see what is asked to find out about a URL.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Uses this HTTP client for URLs: its time-outs, its connections, the headers that it sends with each request, and its
    /// credentials. Its [`head`](HttpClientOptions::head) bounds how long a call may take before its answer begins; the
    /// default here is an hour.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use mcp_transport::http::credentials::StaticToken;
    /// use mcp_transport::http::proto::Origin;
    /// use mcp_transport::http::{HttpClient, HttpClientOptions};
    /// use mcp_transport::{Connector, Target};
    ///
    /// let token = StaticToken::new(Origin::parse(b"https://mcp.example.com")?, &std::env::var("TOKEN")?)?;
    /// let options = HttpClientOptions::default().with_head(Duration::from_secs(3600)).with_credentials(Arc::new(token));
    /// let connector = Connector::new().with_http(HttpClient::new(options));
    /// let server = connector.connect(Target::url("https://mcp.example.com/mcp")?).await?;
    /// # drop(server); Ok(()) }
    /// ```
    #[must_use]
    pub fn with_http(mut self, http: HttpClient) -> Self {
        (self.http, self.found) = (http, Arc::default());
        self
    }

    /// Sets which bindings are tried at a URL. Default [`Strategy::HttpFirst`].
    #[must_use]
    pub fn with_strategy(mut self, strategy: Strategy) -> Self {
        (self.strategy, self.found) = (strategy, Arc::default());
        self
    }

    /// Sets how long the server may take for each question by which it is found out, until its answer begins and then until
    /// it is there; there are three at most. Default 10 s. What credentials take comes on top.
    #[must_use]
    pub fn with_probe(mut self, probe: Duration) -> Self {
        self.probe = probe;
        self
    }

    /// Sets what is said about the client while a server is found out. Default this library's name and version.
    #[must_use]
    pub fn with_client(mut self, name: &str, version: &str) -> Self {
        self.client = Arc::new(json!({ "name": name, "version": version }));
        self
    }

    /// Connects.
    ///
    /// At a URL, a server that refuses questions with 400 and an error in JSON-RPC, and is spoken to over HTTP+SSE all the
    /// same, is taken for Streamable HTTP: for that one there is [`Strategy::SseFirst`].
    ///
    /// # Errors
    ///
    /// * refused or peer, with [`HttpRefused`](mcp_http::HttpRefused) as the source and at once, when a server asks for
    ///   authentication or forbids (401, 403, 407), or has no time (429, 503): repeat it with other headers, or later
    /// * refused, when the server has no revision in common with this library, or a program cannot be started
    /// * when a URL has no binding of MCP, what all attempts were (refused where each had a status like 404, timeout where
    ///   none was answered), else peer; the text says what was tried and what each attempt said
    /// * of any kind, with [`CredentialsFailed`](mcp_http::credentials::CredentialsFailed) as the source and at once, when
    ///   there are credentials and they cannot be had
    /// * io, when nobody is there
    /// * closed, when a child that was asked for its era broke the rules of its binding
    /// * limit, when the limits leave no room for that question
    /// * misuse, when a URL cannot be used at all
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the attempt, and children end. A session that is being opened to find out whether that
    /// can be done is still ended, by a task that lives no longer than the question and two seconds.
    pub async fn connect(&self, target: impl Into<Target>) -> Result<Connected, Error> {
        match target.into() {
            Target::Command(spec) => self.start(spec).await,
            Target::Url(url) => self.reach(url).await,
            Target::Ready(connection) => Ok(Connected { connection, binding: Binding::Stdio, era: None }),
        }
    }

    /// Forgets what was found at a URL, so that it is found out anew.
    pub fn forget(&self, url: &Uri) {
        self.found.forget(url);
    }

    /// What only a server of the modern era knows.
    fn discovery(&self) -> Result<Request, Error> {
        let params = json!({ "_meta": {
            "io.modelcontextprotocol/protocolVersion": Revision::LATEST.as_str(),
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": *self.client,
        }});
        Ok(Request::with_params(era::ID, "server/discover", &params)?)
    }

    /// An `initialize` that finds out whether there is anybody to answer it.
    fn greeting(&self) -> Result<Request, Error> {
        let params = json!({
            "protocolVersion": Revision::LATEST_LEGACY.as_str(),
            "capabilities": {},
            "clientInfo": *self.client,
        });
        Ok(Request::with_params(era::ID, "initialize", &params)?)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("strategy", &self.strategy)
            .field("probe", &self.probe)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}
