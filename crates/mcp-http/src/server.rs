//! The server: listens, serves a router, drains.

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use mcp_transport_core::{BoxFuture, Error, ErrorKind, FOREVER};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

#[cfg(feature = "tls")]
use crate::io::drive_tls;
use crate::io::{Accepted, Acceptor, ConnectionEnd, Peer, ServerOptions, Stage, drive};
use crate::route::PeerAddr;
use crate::router::Router;
#[cfg(feature = "tls")]
use crate::server_tls::ServerTls;

/// What is left to the connections of a drain that the bindings have used up.
const LAST_WORDS: Duration = Duration::from_millis(500);

type DrainHook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A bound server.
///
/// ```text
///  bind ──▶ Server ──serve(router)──▶ accept ──▶ a task for each connection, owned by the future
///             │
///             └─ control() ── shutdown() ──▶ listener closed ▶ hooks ▶ connections end ▶ what is left is cut
/// ```
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    options: ServerOptions,
    control: ServerControl,
    hooks: Vec<DrainHook>,
    #[cfg(feature = "tls")]
    tls: Option<ServerTls>,
}

/// Shuts a server down, from anywhere. Clones are the same control.
#[derive(Clone)]
pub struct ServerControl {
    stage: Arc<watch::Sender<Stage>>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that did not end in time and were cut.
    pub cut: usize,
}

impl Server {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Io, when the address cannot be had.
    pub async fn bind(address: SocketAddr, options: ServerOptions) -> Result<Self, Error> {
        let failed = |error| Error::io("cannot bind the address", error);
        Self::over(TcpListener::bind(address).await.map_err(failed)?, options)
    }

    /// Serves a listener that somebody else has bound, such as one of systemd's.
    ///
    /// # Errors
    ///
    /// Io, when it has no address, or cannot be used by tokio.
    pub fn from_listener(listener: std::net::TcpListener, options: ServerOptions) -> Result<Self, Error> {
        let failed = |error| Error::io("cannot use the listener", error);
        listener.set_nonblocking(true).map_err(failed)?;
        Self::over(TcpListener::from_std(listener).map_err(failed)?, options)
    }

    fn over(listener: TcpListener, options: ServerOptions) -> Result<Self, Error> {
        let local_addr =
            listener.local_addr().map_err(|error| Error::io("the listener has no address", error))?;
        let control = ServerControl { stage: Arc::new(watch::Sender::new(Stage::Serving)) };
        Ok(Self {
            listener,
            local_addr,
            options,
            control,
            hooks: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// Speaks TLS, and nothing else on this address. A handshake has [`ServerOptions::tls_handshake`], and a place like
    /// every connection.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The scheme of its URIs: `https` if it speaks TLS, else `http`.
    pub fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "https";
        }
        "http"
    }

    /// The address that it is bound to, with the port that it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its settings.
    pub fn options(&self) -> &ServerOptions {
        &self.options
    }

    /// What shuts it down.
    pub fn control(&self) -> ServerControl {
        self.control.clone()
    }

    /// Adds what a drain does first, while every connection still works: a binding lets its requests finish and ends
    /// its streams, which by themselves never end. All hooks run at once, and share the time of the drain.
    pub fn on_drain(&mut self, hook: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        self.hooks.push(Box::new(hook));
    }

    /// Serves until [`ServerControl::shutdown`], drains, and says how that went.
    ///
    /// # Errors
    ///
    /// Misuse, at once, when the address is not loopback, the router has no authentication, and
    /// [`ServerOptions::allow_unauthenticated`] is not set.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cuts every connection at once.
    pub async fn serve(self, router: Router) -> Result<Drained, Error> {
        if !self.local_addr.ip().to_canonical().is_loopback()
            && !router.has_authentication()
            && !self.options.allow_unauthenticated
        {
            let what = "an address other than loopback needs authentication, or permission to go without";
            return Err(Error::new(ErrorKind::Misuse, what));
        }
        // Shared, so that a connection carries no copy.
        let options = Arc::new(self.options);
        let stage = &self.control.stage;
        let mut connections = JoinSet::new();
        let cut = Arc::new(AtomicUsize::new(0));
        let acceptor = Acceptor::new(self.listener, *options);
        #[cfg(feature = "tls")]
        let tls = self.tls;
        // A new certificate is for new connections, so it is looked for while there are any.
        #[cfg(feature = "tls")]
        let mut looking = pin!(async {
            if let Some(tls) = &tls {
                tls.keep_looking().await;
            }
            std::future::pending::<()>().await
        });
        loop {
            let accepted = {
                let mut next = pin!(acceptor.next());
                let mut draining = pin!(self.control.draining());
                poll_fn(|cx| {
                    while let Poll::Ready(Some(ended)) = connections.poll_join_next(cx) {
                        report(ended);
                    }
                    if draining.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    #[cfg(feature = "tls")]
                    let _ = looking.as_mut().poll(cx);
                    next.as_mut().poll(cx).map(Some)
                })
                .await
            };
            let Some(accepted) = accepted else { break };
            let accepted = accepted?;
            let (router, stage, cut, options) =
                (router.clone(), stage.subscribe(), cut.clone(), options.clone());
            #[cfg(feature = "tls")]
            let tls = tls.clone();
            connections.spawn(async move {
                let end = connection(
                    accepted,
                    #[cfg(feature = "tls")]
                    tls,
                    router,
                    &options,
                    stage,
                );
                if end.await == Some(ConnectionEnd::Cut) {
                    cut.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        drop(acceptor);
        let hooks = self.hooks.into_iter().map(|hook| hook()).collect();
        let blocked = self.control.drain(hooks, &mut connections, options.drain).await;
        let cut = cut.load(Ordering::Relaxed) + blocked;
        tracing::info!(target: "mcp.http", cut, "drained");
        Ok(Drained { cut })
    }
}

impl ServerControl {
    /// Begins to drain: no new connections, the hooks, an end for each connection, and after
    /// [`ServerOptions::drain`] the cut. It can be called more than once.
    pub fn shutdown(&self) {
        self.advance(Stage::Draining);
    }

    /// Cuts everything at once.
    pub fn cut(&self) {
        self.advance(Stage::Cut);
    }

    /// Whether a shutdown has begun: nothing new should.
    pub fn is_draining(&self) -> bool {
        *self.stage.borrow() > Stage::Serving
    }

    /// Waits until a shutdown begins.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn draining(&self) {
        self.reached(Stage::Draining).await;
    }

    async fn reached(&self, stage: Stage) {
        let mut seen = self.stage.subscribe();
        // It fails only when the sender is gone, and this is it.
        let _ = seen.wait_for(|now| *now >= stage).await;
    }

    fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let later = stage > *now;
            if later {
                *now = stage;
            }
            later
        });
    }

    /// Returns how many connections did not even end when they were cut.
    async fn drain(
        &self,
        hooks: Vec<BoxFuture<'static, ()>>,
        connections: &mut JoinSet<()>,
        within: Duration,
    ) -> usize {
        tracing::info!(target: "mcp.http", connections = connections.len(), "draining");
        let deadline = Instant::now() + within.min(FOREVER);
        let mut running: JoinSet<()> = hooks.into_iter().collect();
        let hooks = async { while running.join_next().await.is_some() {} };
        self.unless_cut(deadline, hooks).await;
        self.advance(Stage::Closing);
        let deadline = deadline.max(Instant::now() + LAST_WORDS);
        self.unless_cut(deadline, all_ended(connections)).await;
        self.advance(Stage::Cut);
        // They end by themselves, and tell their streams why; a handler that blocks its thread is not waited for.
        let _ = timeout(LAST_WORDS, all_ended(connections)).await;
        connections.len()
    }

    /// Waits for something until a deadline, or the cut.
    async fn unless_cut(&self, deadline: Instant, done: impl Future<Output = ()>) {
        let mut done = pin!(timeout_at(deadline, done));
        let mut cut = pin!(self.reached(Stage::Cut));
        poll_fn(|cx| match cut.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => done.as_mut().poll(cx).map(|_| ()),
        })
        .await;
    }
}

/// One connection, which has its place until it has ended.
async fn connection(
    accepted: Accepted,
    #[cfg(feature = "tls")] tls: Option<ServerTls>,
    router: Router,
    options: &ServerOptions,
    stage: watch::Receiver<Stage>,
) -> Option<ConnectionEnd> {
    let Accepted { socket, peer, place: _place } = accepted;
    let peer = Peer::at(PeerAddr(peer));
    #[cfg(feature = "tls")]
    if let Some(tls) = tls {
        // In a box, so that one in clear text does not carry the room that it takes.
        return Box::pin(drive_tls(socket, tls.current(), peer, router, options, stage)).await;
    }
    drive(socket, peer, router, options, stage).await
}

async fn all_ended(connections: &mut JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(target: "mcp.http", "a handler panicked; its connection is gone");
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .field("options", &self.options)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerControl").field("stage", &*self.stage.borrow()).finish()
    }
}
