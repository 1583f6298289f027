//! The client: requests to one server at a time, within bounds.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mcp_transport_core::{Error, ErrorKind};
use tokio::time::timeout;

use crate::client_body::ClientBody;
use crate::proto::{ContentType, Origin};
use crate::redirect;
use crate::refused::HttpRefused;
use crate::request_body::{OnTaken, RequestBody};

/// Bytes that are read of the body of an error; without reading them its connection could not be used again.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Bounds of a client, with their units and reasons.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpClientOptions {
    /// How long a connection may take to be made, all addresses of the host together. Default 10 s.
    pub connect: Duration,
    /// How long the head of a response may take, connecting included. Default 30 s.
    pub head: Duration,
    /// How long the body of a bounded response may take. Default 30 s. Streams have no such bound.
    pub body: Duration,
    /// The most bytes of the body of a bounded response. Default 4 MiB.
    pub max_body: usize,
    /// The most redirects that are followed for one request. Default 5; all within the origin.
    pub max_redirects: usize,
    /// How long an unused connection is kept. Default 4 s: Node's servers close theirs after 5 s, and a request that
    /// meets the close is lost.
    pub pool_idle: Duration,
    /// Headers of every request. They are sent to the origin of the request's URI and to no other. Default none.
    pub headers: HeaderMap,
}

impl Default for HttpClientOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            max_body: 4 * 1024 * 1024,
            max_redirects: 5,
            pool_idle: Duration::from_secs(4),
            headers: HeaderMap::new(),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $setter:ident: $field:ident: $ty:ty;)*) => {
        impl HttpClientOptions {
            $($(#[$doc])*
            #[must_use]
            pub fn $setter(mut self, $field: $ty) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}

setters! {
    /// Sets [`HttpClientOptions::connect`].
    with_connect: connect: Duration;
    /// Sets [`HttpClientOptions::head`].
    with_head: head: Duration;
    /// Sets [`HttpClientOptions::body`].
    with_body: body: Duration;
    /// Sets [`HttpClientOptions::max_body`].
    with_max_body: max_body: usize;
    /// Sets [`HttpClientOptions::max_redirects`].
    with_max_redirects: max_redirects: usize;
    /// Sets [`HttpClientOptions::pool_idle`].
    with_pool_idle: pool_idle: Duration;
    /// Sets [`HttpClientOptions::headers`].
    with_headers: headers: HeaderMap;
}

/// An HTTP client. Clones share its connections.
///
/// It follows redirects within the origin only, uses no proxy, keeps no cookies, and speaks plain `http`.
/// The tasks that its connections run in are spawned on the runtime that it is used on, and end with them.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpConnector, RequestBody>,
    options: HttpClientOptions,
}

impl HttpClient {
    /// A client with these bounds and headers.
    pub fn new(options: HttpClientOptions) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(options.connect));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(60)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(options.pool_idle)
            .http1_max_buf_size(64 * 1024)
            .build(connector);
        Self { client, options }
    }

    /// Its bounds.
    pub fn options(&self) -> &HttpClientOptions {
        &self.options
    }

    /// Checks that requests can be sent to a URI at all, without sending one.
    ///
    /// # Errors
    ///
    /// Misuse, when it is neither `http` nor `https`, or has user information; refused for `https`, which needs TLS
    /// that this build does not have.
    pub fn check(&self, uri: &Uri) -> Result<(), Error> {
        speaks(uri)
    }

    /// Opens an event stream. The response has a success status and the type `text/event-stream`, and its
    /// extensions hold, as [`FinalUri`], where it came from after redirects.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send); peer, when it is no event stream.
    ///
    /// # Cancel safety
    ///
    /// The request may have had its effect when the future is dropped.
    pub async fn event_stream(&self, uri: &Uri, headers: HeaderMap) -> Result<Response<ClientBody>, Error> {
        let mut request = new(Method::GET, uri, headers, Bytes::new());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        request.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let response = self.send(request).await?;
        // WHATWG HTML, Server-sent events: 204 says that there is nothing, and is no stream.
        if response.status() != StatusCode::OK {
            return Err(HttpRefused::new(&response, Bytes::new()).into_error());
        }
        if ContentType::of(response.headers()) != ContentType::EventStream {
            return Err(Error::new(ErrorKind::Peer, "the response is no event stream"));
        }
        Ok(response)
    }

    /// Posts one JSON text, and reads the response whole.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send) and of [`ClientBody::collect`].
    ///
    /// # Cancel safety
    ///
    /// The request may have had its effect when the future is dropped.
    pub async fn post_json(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        json: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let mut request = new(Method::POST, uri, headers, json.into());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (parts, body) = self.send(request).await?.into_parts();
        let body = body.collect(self.options.max_body, self.options.body).await?;
        Ok(Response::from_parts(parts, body))
    }

    /// Sends any request to an absolute URI, follows redirects, and returns the head of a success. An [`OnTaken`] among
    /// its extensions is told when a connection has taken it.
    ///
    /// # Errors
    ///
    /// * refused or peer, with [`HttpRefused`] as the source, for every status that is no success: refused where the
    ///   same request would meet the same (4xx), peer otherwise
    /// * refused, for `https`, which needs TLS that this build does not have, and for a redirect that is not followed
    /// * timeout, when there is no head in time
    /// * io, when there is no connection, or it breaks
    /// * misuse, when the URI is neither `http` nor `https`, or has user information
    ///
    /// # Cancel safety
    ///
    /// The request may have had its effect when the future is dropped.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<ClientBody>, Error> {
        let (mut parts, body) = request.into_parts();
        for name in self.options.headers.keys() {
            if !parts.headers.contains_key(name) {
                let values = self.options.headers.get_all(name).iter();
                values.for_each(|value| {
                    parts.headers.append(name, value.clone());
                });
            }
        }
        // It is made of the URI, and a second one would be refused by any good server.
        parts.headers.remove(HOST);
        let on_taken = parts.extensions.remove::<OnTaken>();
        let mut redirects = 0;
        loop {
            speaks(&parts.uri)?;
            let mut request = Request::new(RequestBody::new(body.clone(), on_taken.clone()));
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            *request.headers_mut() = parts.headers.clone();
            let mut response = match timeout(self.options.head, self.client.request(request)).await {
                Ok(response) => response.map_err(failed)?,
                Err(_) => return Err(Error::new(ErrorKind::Timeout, "the server does not answer")),
            };
            if response.status().is_success() {
                response.extensions_mut().insert(FinalUri(parts.uri));
                return Ok(response.map(ClientBody::new));
            }
            let next = redirect::next(&parts.method, &parts.uri, &response);
            let (response, body) = response.into_parts();
            let body = self.error_body(body).await;
            match next? {
                None => return Err(HttpRefused::new(&Response::from_parts(response, ()), body).into_error()),
                Some(_) if redirects == self.options.max_redirects => {
                    return Err(Error::new(ErrorKind::Refused, "too many redirects"));
                }
                Some(next) => parts.uri = next,
            }
            redirects += 1;
        }
    }

    /// The body of an answer that is no success, or nothing if it is too large or too late.
    async fn error_body(&self, body: Incoming) -> Bytes {
        let within = self.options.body.min(Duration::from_secs(1));
        ClientBody::new(body).collect(MAX_ERROR_BODY, within).await.unwrap_or_default()
    }
}

/// Where a response came from after redirects, among its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalUri(pub Uri);

fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    request
}

/// Whether this build speaks what a URI asks for.
fn speaks(uri: &Uri) -> Result<(), Error> {
    let origin = Origin::of(uri).map_err(|problem| {
        Error::new(ErrorKind::Misuse, "the URI is none that a request can be sent to").with_source(problem)
    })?;
    if origin.is_secure() {
        return Err(Error::new(ErrorKind::Refused, "https is not available in this build"));
    }
    Ok(())
}

fn failed(error: hyper_util::client::legacy::Error) -> Error {
    let connecting = error.is_connect();
    let timed_out = {
        let mut source: Option<&(dyn StdError + 'static)> = Some(&error);
        let mut found = false;
        while let Some(cause) = source {
            found |= cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut);
            source = cause.source();
        }
        found
    };
    match (connecting, timed_out) {
        (true, true) => Error::new(ErrorKind::Timeout, "connecting takes too long").with_source(error),
        (true, false) => Error::io("cannot connect", io::Error::other(error)),
        (false, _) => Error::io("the request failed", io::Error::other(error)),
    }
}

/// Names of headers, never values.
impl fmt::Debug for HttpClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientOptions")
            .field("connect", &self.connect)
            .field("head", &self.head)
            .field("body", &self.body)
            .field("max_body", &self.max_body)
            .field("max_redirects", &self.max_redirects)
            .field("pool_idle", &self.pool_idle)
            .field("headers", &self.headers.len())
            .finish()
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("options", &self.options).finish_non_exhaustive()
    }
}
