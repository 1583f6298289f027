//! How a client gets to a server: a socket, perhaps through a proxy, perhaps with TLS over it, all within one time.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::iter::successors;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use mcp_transport_core::{Error, ErrorKind};
use tokio::time::timeout;
use tower_service::Service;

use crate::client_options::HttpClientOptions;
use crate::proto::{Origin, Proxies, Proxy};
use crate::resolver::Resolver;
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::tunnel;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Server,
    Proxy,
}

/// What hyper's client asks for connections.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector<Resolver>,
    resolver: Resolver,
    within: Duration,
    proxies: Arc<Proxies>,
    #[cfg(feature = "tls")]
    tls: Arc<Tls>,
}

impl Connector {
    pub(crate) fn new(options: &HttpClientOptions) -> Self {
        let resolver = Resolver::new(options.address_filter.clone());
        let mut tcp = HttpConnector::new_with_resolver(resolver.clone());
        // Shared between the addresses of a host, so that the second has its turn when the first is silent.
        tcp.set_connect_timeout(Some(options.connect));
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.enforce_http(false);
        let proxies = options.proxies.clone().unwrap_or_else(Proxies::from_env);
        Self {
            tcp,
            resolver,
            within: options.connect,
            proxies: Arc::new(proxies),
            #[cfg(feature = "tls")]
            tls: Arc::new(Tls::new(options.extra_roots.clone(), options.client_certificate.clone())),
        }
    }

    /// Whether requests to a URI can be sent at all, and to whom.
    pub(crate) fn check(&self, uri: &Uri) -> Result<Origin, Error> {
        let origin = Origin::of(uri).map_err(|problem| {
            Error::new(ErrorKind::Misuse, "the URI is none that a request can be sent to")
                .with_source(problem)
        })?;
        if origin.is_secure() && cfg!(not(feature = "tls")) {
            return Err(Error::new(ErrorKind::Refused, "https is not available in this build"));
        }
        let Some(proxy) = self.proxy(&origin)? else {
            self.resolver.check(origin.host())?;
            return Ok(origin);
        };
        if self.resolver.has_filter() {
            let what = "behind a proxy, the addresses of servers cannot be filtered";
            return Err(Error::new(ErrorKind::Misuse, what));
        }
        if proxy.origin().is_secure() && cfg!(not(feature = "tls")) {
            return Err(Error::new(ErrorKind::Refused, "an https proxy is not available in this build"));
        }
        Ok(origin)
    }

    /// What a proxy wants to see in the head of a request. A tunnel has been told already.
    pub(crate) fn credentials(&self, origin: &Origin) -> Result<Option<&HeaderValue>, Error> {
        if origin.is_secure() { Ok(None) } else { Ok(self.proxy(origin)?.and_then(Proxy::credentials)) }
    }

    fn proxy(&self, origin: &Origin) -> Result<Option<&Proxy>, Error> {
        self.proxies
            .of(origin)
            .map_err(|problem| Error::new(ErrorKind::Misuse, "the proxy cannot be used").with_source(problem))
    }

    async fn connect(mut self, uri: Uri) -> Result<Stream, Error> {
        let origin = self.check(&uri)?;
        let Some(proxy) = self.proxy(&origin)?.cloned() else {
            let stream = self.dial(uri, "cannot connect").await?;
            return self.secure(stream, &origin, Whom::Server).await;
        };
        let stream = self.dial(proxy.uri().clone(), "cannot connect to the proxy").await?;
        let stream = self.secure(stream, proxy.origin(), Whom::Proxy).await?;
        if !origin.is_secure() {
            return Ok(stream.ends_at_proxy());
        }
        let stream = tunnel::open(stream, &origin, proxy.credentials()).await?;
        self.secure(stream, &origin, Whom::Server).await
    }

    async fn dial(&mut self, uri: Uri, failed: &'static str) -> Result<Stream, Error> {
        let socket = self.tcp.call(uri).await.map_err(|error| {
            if let Some(own) = own(&error) {
                own
            } else if is_late(&error) {
                late().with_source(error)
            } else {
                Error::io(failed, io::Error::other(error))
            }
        })?;
        Ok(Stream::tcp(socket.into_inner()))
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, stream: Stream, origin: &Origin, whom: Whom) -> Result<Stream, Error> {
        if origin.is_secure() { self.tls.over(stream, origin.host(), whom).await } else { Ok(stream) }
    }

    /// `check` has let no origin through that needs more.
    #[cfg(not(feature = "tls"))]
    async fn secure(&self, stream: Stream, _: &Origin, _: Whom) -> Result<Stream, Error> {
        Ok(stream)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (within, connecting) = (self.within, self.clone().connect(uri));
        Box::pin(async move { timeout(within, connecting).await.map_err(|_| late())?.map(TokioIo::new) })
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "connecting takes too long")
}

/// What was said in this crate, if that is behind it.
pub(crate) fn own(error: &(dyn StdError + 'static)) -> Option<Error> {
    successors(Some(error), |error| (*error).source())
        .find_map(|error| error.downcast_ref::<Error>())
        .cloned()
}

fn is_late(error: &(dyn StdError + 'static)) -> bool {
    successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::TimedOut)
}
