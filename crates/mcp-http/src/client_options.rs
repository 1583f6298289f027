//! What a client is told when it is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
#[cfg(feature = "tls")]
use mcp_transport_core::Error;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::credentials::Credentials;
use crate::proto::Proxies;
use crate::resolver::AddressFilter;
#[cfg(feature = "tls")]
use crate::tls::ClientCertificate;

/// Bounds of a client, with their units and reasons. A time may be [`Duration::MAX`], which is none.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpClientOptions {
    /// How long a connection may take to be made: the name, all addresses of the host together, the proxy, TLS.
    /// Default 10 s.
    pub connect: Duration,
    /// How long the head of a response may take, connecting included. Default 30 s.
    pub head: Duration,
    /// How long the body of a bounded response may take. Default 30 s. Streams have no such bound.
    pub body: Duration,
    /// The most bytes of the body of a bounded response. Default 4 MiB.
    pub max_body: usize,
    /// The most redirects that are followed for one request. Default 5; all within the origin.
    pub max_redirects: usize,
    /// How long an unused connection is kept, at most a day. Default 4 s: Node's servers close theirs after 5 s, and a
    /// request that meets the close is lost.
    pub pool_idle: Duration,
    /// Headers of every request. They are sent to the origin of the request's URI and to no other; `Host` and
    /// `Proxy-Authorization` are not, for they are made of its URI and its proxy. Default none.
    pub headers: HeaderMap,
    /// Who says what `Authorization` is, for requests that have none of their own and none in
    /// [`headers`](Self::headers). Default nobody.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// How long the [`credentials`](Self::credentials) may take for one question: for a token before each request, and
    /// for another after a refusal. Default 60 s. This is beside [`head`](Self::head), which is the server's time.
    pub token: Duration,
    /// Which requests go through which proxy; `None` is what the environment says when the client is made, as
    /// [`Proxies::from_variables`] reads it. Default `None`.
    pub proxies: Option<Proxies>,
    /// Whether cookies are kept and sent back to the origin that set them. Default true: behind a load balancer, a
    /// session may need them. Not having them is right for a client that several users share.
    pub cookies: bool,
    pub(crate) address_filter: Option<AddressFilter>,
    #[cfg(feature = "tls")]
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    #[cfg(feature = "tls")]
    pub(crate) client_certificate: Option<ClientCertificate>,
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
            credentials: None,
            token: Duration::from_secs(60),
            proxies: None,
            cookies: true,
            address_filter: None,
            #[cfg(feature = "tls")]
            extra_roots: Vec::new(),
            #[cfg(feature = "tls")]
            client_certificate: None,
        }
    }
}

mcp_transport_core::setters! {
    for HttpClientOptions;
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
    /// Sets [`HttpClientOptions::token`].
    with_token: token: Duration;
    /// Sets [`HttpClientOptions::cookies`].
    with_cookies: cookies: bool;
}

impl HttpClientOptions {
    /// Sets [`HttpClientOptions::proxies`]; [`Proxies::none`] is for none at all, whatever the environment says.
    #[must_use]
    pub fn with_proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// Asks this who the client is: sets [`HttpClientOptions::credentials`].
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Connects only to addresses that this lets through, for a client that is told by somebody else where to connect
    /// to, as by a URL in a document. It must not block. Default all.
    ///
    /// It is asked about every address that a name has, and about a host that is an address; what it refuses is not
    /// connected to, and a name has no second lookup in which it could be something else. A server with no other address
    /// is an error of kind refused.
    /// [`is_globally_reachable`](crate::proto::address::is_globally_reachable) is for the public internet:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use mcp_http::{HttpClientOptions, proto::address::is_globally_reachable};
    /// let options = HttpClientOptions::default().with_address_filter(Arc::new(is_globally_reachable));
    /// # drop(options);
    /// ```
    ///
    /// Behind a proxy there are only the addresses that the proxy finds, and nobody here to look at them. So a request
    /// that would go through one is an error of kind misuse: such a client has [`Proxies::none`], or a proxy that filters
    /// by itself and no filter.
    #[must_use]
    pub fn with_address_filter(mut self, filter: AddressFilter) -> Self {
        self.address_filter = Some(filter);
        self
    }

    /// Shows this certificate to servers that ask for one (mutual TLS): a PEM with the client's own certificate first and
    /// those behind it that the server may need, and a PEM with its key, in PKCS #8, PKCS #1 or SEC 1, not encrypted.
    /// Both may be the same.
    ///
    /// Every server that this client sends requests to may ask for it; a proxy sees none of it.
    ///
    /// # Errors
    ///
    /// Misuse, when there is no certificate in the one or no key in the other, when they cannot be read, or when the key is
    /// not the certificate's.
    #[cfg(feature = "tls")]
    pub fn with_client_certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        self.client_certificate = Some(ClientCertificate::new(chain, key)?);
        Ok(self)
    }

    /// Trusts the authorities of these certificates too, beside those of the system: PEM with one or many, or DER
    /// with one. Each must be able to issue certificates; one that a server shows about itself does not do.
    ///
    /// Which the system's are can be said by the variables `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    ///
    /// # Errors
    ///
    /// Misuse, when there is no certificate in it or one that cannot be read.
    #[cfg(feature = "tls")]
    pub fn with_extra_roots(mut self, certificates: &[u8]) -> Result<Self, Error> {
        self.extra_roots.extend(crate::tls::certificates(certificates)?);
        Ok(self)
    }
}

/// How many headers, and never which; whether there are credentials, and never which.
impl fmt::Debug for HttpClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("HttpClientOptions");
        debug
            .field("connect", &self.connect)
            .field("head", &self.head)
            .field("body", &self.body)
            .field("max_body", &self.max_body)
            .field("max_redirects", &self.max_redirects)
            .field("pool_idle", &self.pool_idle)
            .field("headers", &self.headers.len())
            .field("proxies", &self.proxies)
            .field("cookies", &self.cookies)
            .field("credentials", &self.credentials.is_some())
            .field("token", &self.token)
            .field("address_filter", &self.address_filter.is_some());
        #[cfg(feature = "tls")]
        debug
            .field("extra_roots", &self.extra_roots.len())
            .field("client_certificate", &self.client_certificate.is_some());
        debug.finish()
    }
}
