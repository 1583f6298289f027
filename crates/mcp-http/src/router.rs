//! The routes, and the way to them.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request};
use http_body::Body;
use hyper::service::Service;
use mcp_transport_core::BoxFuture;

use crate::auth::Authenticate;
use crate::body::BodyPace;
use crate::cors::Cors;
use crate::pipeline;
use crate::proto::host::UsualHosts;
use crate::proto::{HostList, OriginList};
use crate::rate::RateLimit;
use crate::reply::Reply;
use crate::route::{Route, Source, normal};

/// The routes of a server behind the one pipeline: a route that is not in here does not exist, and every one that is
/// goes through all of it.
///
/// It is a [`hyper::service::Service`] of requests with any body, so it can be served by [`Server`](crate::Server),
/// mounted in another framework, and tested without a socket. Whoever mounts it puts a
/// [`PeerAddr`](crate::PeerAddr) among the request's extensions, if it is known. Clones share everything.
#[derive(Clone)]
pub struct Router {
    inner: Arc<Inner>,
}

struct Inner {
    settings: RouterOptions,
    usual_hosts: UsualHosts,
    routes: Vec<Route>,
}

/// What is the same for all routes of a router.
///
/// A router has no address, so it answers to the names of this machine for itself until it is given its hosts.
#[derive(Clone)]
pub struct RouterOptions {
    pub(crate) hosts: HostList,
    pub(crate) origins: OriginList,
    pub(crate) prefix: Box<str>,
    pub(crate) authenticate: Option<Arc<dyn Authenticate>>,
    pub(crate) pace: BodyPace,
    pub(crate) cors: Option<Cors>,
    pub(crate) rate: Option<Arc<dyn RateLimit>>,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            hosts: HostList::loopback(),
            origins: OriginList::new(HostList::loopback()),
            prefix: "".into(),
            authenticate: None,
            pace: BodyPace::default(),
            cors: None,
            rate: None,
        }
    }
}

impl RouterOptions {
    /// The hosts to answer to, and, unless [`origins`](Self::origins) comes after it, the origins of pages that they
    /// served. Default [`HostList::loopback`].
    #[must_use]
    pub fn hosts(mut self, hosts: HostList) -> Self {
        self.origins = OriginList::new(hosts.clone());
        self.hosts = hosts;
        self
    }

    /// The origins of pages that may send requests. Default those of the hosts.
    #[must_use]
    pub fn origins(mut self, origins: OriginList) -> Self {
        self.origins = origins;
        self
    }

    /// A path before every route's. Default none.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = normal(prefix);
        self
    }

    /// Who says who a client is. Default nobody.
    #[must_use]
    pub fn authenticate(mut self, authenticate: Arc<dyn Authenticate>) -> Self {
        self.authenticate = Some(authenticate);
        self
    }

    /// How slowly a body may come.
    #[must_use]
    pub fn pace(mut self, pace: BodyPace) -> Self {
        self.pace = pace;
        self
    }

    /// Lets web pages of other origins read the answers; they may send requests then, too. Default none.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Who says how many requests are too many. Default nobody.
    #[must_use]
    pub fn rate_limit(mut self, rate: Arc<dyn RateLimit>) -> Self {
        self.rate = Some(rate);
        self
    }
}

impl Router {
    /// A router of these routes. Of two with the same method and path the first one serves.
    pub fn new(mut options: RouterOptions, routes: impl IntoIterator<Item = Route>) -> Self {
        // What may read an answer may ask for it.
        for origin in options.cors.iter().flat_map(Cors::origins) {
            options.origins = options.origins.allow(origin.clone());
        }
        let usual_hosts = options.hosts.usual();
        let routes = routes.into_iter().collect();
        Self { inner: Arc::new(Inner { settings: options, usual_hosts, routes }) }
    }

    /// Every route that there is.
    pub fn routes(&self) -> &[Route] {
        &self.inner.routes
    }

    /// The path before every route's; empty or with a slash before and none behind.
    pub fn prefix(&self) -> &str {
        &self.inner.settings.prefix
    }

    /// Whether somebody says who a client is.
    pub fn has_authentication(&self) -> bool {
        self.inner.settings.authenticate.is_some()
    }

    pub(crate) fn settings(&self) -> &RouterOptions {
        &self.inner.settings
    }

    /// Whether a `Host` header is one of ours, written as it usually is.
    pub(crate) fn is_usual_host(&self, host: &[u8]) -> bool {
        self.inner.usual_hosts.contain(host)
    }

    /// Answers one request.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handler's; a request whose handler was not called has had no effect.
    pub async fn answer<B>(&self, request: Request<B>) -> Reply
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let source = Source::of(&request);
        let Ok(reply) = pipeline::answer(self.clone(), request, source).await;
        reply
    }

    /// Answers one request of a connection of ours.
    pub(crate) fn ask<B>(
        &self,
        request: Request<B>,
        source: Source,
    ) -> BoxFuture<'static, Result<Reply, Infallible>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        Box::pin(pipeline::answer(self.clone(), request, source))
    }

    /// The routes of a path, whatever their methods.
    fn at<'a, 'p>(&'a self, path: &'p str) -> impl Iterator<Item = &'a Route> + Clone + use<'a, 'p> {
        let bare = |path: &'p str| path.strip_suffix('/').unwrap_or(path);
        let (whole, inner) = (bare(path), path.strip_prefix(&*self.inner.settings.prefix).map(bare));
        let is_here = move |route: &&Route| {
            let asked = if route.is_at_root { Some(whole) } else { inner };
            Some(&*route.path) == asked
        };
        self.inner.routes.iter().filter(is_here)
    }

    /// The route of a request, or what to say instead: `Err(None)` for no such path, else the methods that it has.
    pub(crate) fn find(&self, parts: &Parts) -> Result<&Route, Option<HeaderValue>> {
        let here = self.at(parts.uri.path());
        if let Some(route) = here.clone().find(|route| route.method == parts.method) {
            return Ok(route);
        }
        let mut methods = String::new();
        for route in here {
            if !methods.is_empty() {
                methods.push_str(", ");
            }
            methods.push_str(route.method.as_str());
        }
        Err(if methods.is_empty() { None } else { HeaderValue::try_from(methods).ok() })
    }
}

impl<B> Service<Request<B>> for Router
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Reply, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let source = Source::of(&request);
        self.ask(request, source)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("settings", &self.inner.settings)
            .field("routes", &self.inner.routes)
            .finish()
    }
}

impl fmt::Debug for RouterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterOptions")
            .field("hosts", &self.hosts)
            .field("origins", &self.origins)
            .field("prefix", &self.prefix)
            .field("authenticate", &self.authenticate.is_some())
            .field("pace", &self.pace)
            .field("cors", &self.cors)
            .field("rate", &self.rate.is_some())
            .finish()
    }
}
