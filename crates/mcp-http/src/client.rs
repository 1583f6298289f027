//! The client: requests to one server at a time, within bounds.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue,
    PROXY_AUTHORIZATION,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mcp_transport_core::{BoxFuture, Error, ErrorKind};
use tokio::time::{Instant, timeout};

use crate::client_body::ClientBody;
use crate::client_options::HttpClientOptions;
use crate::connector::{self, Connector};
use crate::credentials::{Asking, Destination};
use crate::proto::{ContentType, CookieJar, Origin};
use crate::redirect;
use crate::refused::HttpRefused;
use crate::request_body::{OnTaken, RequestBody};

/// Bytes that are read of the body of an error; without reading them its connection could not be used again.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// hyper adds this to the time, which has an end.
const MAX_POOL_IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// An HTTP client. Clones share its connections and its cookies.
///
/// It follows redirects within the origin only, goes through the proxies that it was told or that the environment
/// names, and keeps the cookies of each origin for that origin. It speaks `http`, and with the feature `tls` also
/// `https`: TLS 1.2 and 1.3 towards whoever has a certificate from an authority that the system trusts.
/// The tasks that its connections run in are spawned on the runtime that it is used on, and end with them.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<Connector, RequestBody>,
    /// The same that is in `client`, which does not lend it.
    connector: Connector,
    cookies: Option<Arc<Mutex<CookieJar>>>,
    options: HttpClientOptions,
}

impl HttpClient {
    /// A client with these bounds and headers. The environment is asked for proxies here, and not again.
    pub fn new(options: HttpClientOptions) -> Self {
        let connector = Connector::new(&options);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(options.pool_idle.min(MAX_POOL_IDLE))
            .http1_max_buf_size(64 * 1024)
            .build(connector.clone());
        let cookies = options.cookies.then(Arc::default);
        Self { client, connector, cookies, options }
    }

    /// Its bounds.
    pub fn options(&self) -> &HttpClientOptions {
        &self.options
    }

    /// Checks that requests can be sent to a URI at all, without sending one.
    ///
    /// # Errors
    ///
    /// Misuse, when it is neither `http` nor `https`, or has user information, or when the proxy for it cannot be used;
    /// refused for `https` without the feature `tls`, and for a host that is an address which the filter does not let
    /// through.
    pub fn check(&self, uri: &Uri) -> Result<(), Error> {
        self.connector.check(uri).map(drop)
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
        self.event_stream_within(Duration::MAX, uri, headers).await
    }

    /// Opens an event stream as [`event_stream`](Self::event_stream) does, and gives the server no more than this time, as
    /// [`HeadWithin`] does.
    ///
    /// # Errors
    ///
    /// Those of [`event_stream`](Self::event_stream).
    ///
    /// # Cancel safety
    ///
    /// The request may have had its effect when the future is dropped.
    pub async fn event_stream_within(
        &self,
        within: Duration,
        uri: &Uri,
        headers: HeaderMap,
    ) -> Result<Response<ClientBody>, Error> {
        let mut request = new(Method::GET, uri, headers, Bytes::new());
        request.extensions_mut().insert(HeadWithin(within));
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

    /// Sends any request to an absolute URI, follows redirects, and returns the head of a success. Among its extensions,
    /// an [`OnTaken`] is told when a connection has taken it, and a [`HeadWithin`] bounds the server's time.
    ///
    /// With [`credentials`](HttpClientOptions::credentials), and without an `Authorization` of the request's own or of
    /// [`headers`](HttpClientOptions::headers), it is repeated after a 401 or 403, twice at most, as
    /// [`Credentials`](crate::credentials::Credentials) says.
    ///
    /// # Errors
    ///
    /// * of any kind, with [`CredentialsFailed`](crate::credentials::CredentialsFailed) as the source, when there are no
    ///   credentials to send; timeout, when they take longer than [`token`](HttpClientOptions::token)
    /// * refused or peer, with [`HttpRefused`] as the source, for every status that is no success: refused where the
    ///   same request would meet the same (4xx), peer otherwise
    /// * refused, for a redirect that is not followed, for a server whose certificate is not accepted or that does not
    ///   accept ours, for an address that the filter does not let through, for a proxy that does not let us through, and
    ///   for `https` without the feature `tls`
    /// * timeout, when there is no connection or no head in time
    /// * io, when there is no connection, or it breaks; peer, when what is there speaks no TLS or is no proxy
    /// * misuse, when the URI is neither `http` nor `https`, or has user information; when the proxy for it cannot be
    ///   used, or is in the way of the address filter; when the system has no certificates of authorities
    ///
    /// # Cancel safety
    ///
    /// The request may have had its effect when the future is dropped.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<ClientBody>, Error> {
        self.sending(request).await
    }

    /// In a box, which this crate makes: every crate that polls a future by its type compiles all that is in it, and in
    /// this one is hyper's whole client.
    fn sending(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<ClientBody>, Error>> {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            self.complete(&mut parts.headers);
            let on_taken = parts.extensions.remove::<OnTaken>();
            let mut left =
                parts.extensions.remove::<HeadWithin>().map_or(Duration::MAX, |HeadWithin(most)| most);
            // Who has set the header has decided what it is.
            let credentials = self.options.credentials.as_deref();
            let credentials = credentials.filter(|_| !parts.headers.contains_key(AUTHORIZATION));
            let mut asking = Asking::new(credentials, self.options.token);
            let mut redirects = 0;
            loop {
                let origin = self.connector.check(&parts.uri)?;
                let destination = Destination::new(&origin, &parts.uri);
                let sent = asking.next(destination).await?;
                let body = RequestBody::new(body.clone(), on_taken.clone());
                let request = self.request(&origin, &parts, sent.as_ref(), body)?;
                let begun = Instant::now();
                let head = self.options.head.min(left);
                let mut response = match timeout(head, self.client.request(request)).await {
                    Ok(response) => response.map_err(failed)?,
                    Err(_) => return Err(Error::new(ErrorKind::Timeout, "the server does not answer")),
                };
                self.keep_cookies(&origin, &parts.uri, response.headers());
                if response.status().is_success() {
                    response.extensions_mut().insert(FinalUri(parts.uri));
                    return Ok(response.map(ClientBody::new));
                }
                let next = redirect::next(&parts.method, &parts.uri, &response);
                let (response, body) = response.into_parts();
                let body = self.error_body(body).await;
                left = left.saturating_sub(begun.elapsed());
                match next? {
                    None => {
                        let refused = HttpRefused::new(&Response::from_parts(response, ()), body);
                        if let Some(on_taken) = &on_taken {
                            on_taken.returned();
                        }
                        if !asking.refused(destination, sent.as_ref(), &refused).await? {
                            return Err(refused.into_error());
                        }
                    }
                    Some(_) if redirects == self.options.max_redirects => {
                        return Err(Error::new(ErrorKind::Refused, "too many redirects"));
                    }
                    Some(next) => {
                        parts.uri = next;
                        redirects += 1;
                    }
                }
            }
        })
    }

    /// What every attempt of a request carries.
    fn complete(&self, headers: &mut HeaderMap) {
        for name in self.options.headers.keys() {
            if !headers.contains_key(name) {
                for value in self.options.headers.get_all(name) {
                    headers.append(name, value.clone());
                }
            }
        }
        // It is made of the URI, and a second one would be refused by any good server.
        headers.remove(HOST);
        // It is made of the address of the proxy, and without a proxy it would go to the server.
        headers.remove(PROXY_AUTHORIZATION);
        if let Some(value) = headers.get_mut(AUTHORIZATION) {
            value.set_sensitive(true);
        }
    }

    /// One attempt.
    fn request(
        &self,
        origin: &Origin,
        parts: &Parts,
        authorization: Option<&HeaderValue>,
        body: RequestBody,
    ) -> Result<Request<RequestBody>, Error> {
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        if let Some(value) = authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        self.add_cookies(origin, &mut request);
        if let Some(credentials) = self.connector.credentials(origin)? {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials.clone());
        }
        Ok(request)
    }

    fn add_cookies(&self, origin: &Origin, request: &mut Request<RequestBody>) {
        let Some(jar) = &self.cookies else { return };
        let jar = jar.lock().unwrap_or_else(PoisonError::into_inner);
        let cookies = jar.cookies(origin, request.uri().path(), request.headers(), SystemTime::now());
        if let Some(cookies) = cookies {
            request.headers_mut().insert(COOKIE, cookies);
        }
    }

    fn keep_cookies(&self, origin: &Origin, uri: &Uri, headers: &HeaderMap) {
        let Some(jar) = &self.cookies else { return };
        let mut jar = jar.lock().unwrap_or_else(PoisonError::into_inner);
        jar.store(origin, uri.path(), headers, SystemTime::now());
    }

    /// The body of an answer that is no success, or nothing if it is too large or too late.
    async fn error_body(&self, body: Incoming) -> Bytes {
        let within = self.options.body.min(Duration::from_secs(1));
        ClientBody::new(body).collect(MAX_ERROR_BODY, within).await.unwrap_or_default()
    }
}

/// Where a response came from after redirects, among its extensions.
#[derive(Clone, PartialEq, Eq)]
pub struct FinalUri(pub Uri);

/// How long a server may take in all until the head of its last answer, among the extensions of a request: redirects and
/// tries after a refusal come in, and asking the credentials does not. For each of its answers there is
/// [`HttpClientOptions::head`] beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadWithin(pub Duration);
/// Without the query, which may be a secret.
impl fmt::Debug for FinalUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(uri) = self;
        let mut shown = f.debug_struct("FinalUri");
        shown.field("scheme", &uri.scheme_str()).field("host", &uri.host()).field("port", &uri.port_u16());
        shown.field("path", &uri.path()).finish_non_exhaustive()
    }
}

fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers;
    request
}

/// What the connector says, where it was the connector; hyper's error behind a sentence of ours otherwise.
fn failed(error: hyper_util::client::legacy::Error) -> Error {
    #[cfg(feature = "tls")]
    if let Some(refused) = crate::tls::refused(&error) {
        return refused;
    }
    connector::own(&error).unwrap_or_else(|| Error::io("the request failed", io::Error::other(error)))
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("options", &self.options).finish_non_exhaustive()
    }
}
