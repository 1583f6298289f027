//! The line codec over Unix sockets and TCP.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mcp_transport_core::{BoxFuture, Connection, Error, Listener, Options, Transport};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::{Sleep, sleep};

use crate::stream::{connection, named};

/// The first wait after an `accept` that failed for want of descriptors or memory, and the longest.
const ACCEPT_WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Dials a socket on which a server speaks one message a line.
///
/// There is no encryption and no authentication in this: a Unix socket has the permissions of its file, TCP is for
/// networks that are trusted.
/// Loopback is none of these on a machine with a browser: a page of anybody can have it post lines to a local port. Use
/// a Unix socket there, or HTTP, which checks who asks.
#[derive(Clone, Debug)]
pub struct SocketClient {
    target: Target,
    options: Options,
}

#[derive(Clone, Debug)]
enum Target {
    Unix(PathBuf),
    Tcp(String),
}

impl SocketClient {
    /// A Unix socket, by its path.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { target: Target::Unix(path.into()), options: Options::new("unix") }
    }

    /// A TCP address, as `host:port`.
    pub fn tcp(address: impl Into<String>) -> Self {
        Self { target: Target::Tcp(address.into()), options: Options::new("tcp") }
    }

    /// Sets bounds, tap and context of the connections.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        let transport = self.options.context.transport;
        self.options = named(options, transport);
        self
    }

    async fn connect(&self) -> io::Result<Connection> {
        Ok(match &self.target {
            Target::Unix(path) => unix_connection(UnixStream::connect(path).await?, self.options.clone()),
            Target::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                let peer = stream.peer_addr()?;
                tcp_connection(stream, peer, self.options.clone())?
            }
        })
    }
}

impl Transport for SocketClient {
    fn dial(&mut self) -> BoxFuture<'_, Result<Connection, Error>> {
        Box::pin(async {
            self.connect().await.map_err(|error| Error::io("the socket cannot be reached", error))
        })
    }
}

/// Accepts connections on a socket, one message a line.
///
/// There is no encryption and no authentication in this; see [`SocketClient`].
pub struct SocketListener {
    socket: Socket,
    options: Options,
    wait: Duration,
    /// After an `accept` that failed for want of descriptors or memory.
    rest: Option<Pin<Box<Sleep>>>,
}

enum Socket {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener),
}

impl SocketListener {
    /// Binds a Unix socket. Its file must not exist yet, and is removed when the listener is dropped.
    ///
    /// # Errors
    ///
    /// Io when it cannot be bound.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one without IO.
    pub fn unix(path: impl Into<PathBuf>, options: Options) -> Result<Self, Error> {
        let path = path.into();
        let listener =
            UnixListener::bind(&path).map_err(|error| Error::io("the socket cannot be bound", error))?;
        Ok(Self::new(Socket::Unix(listener, path), named(options, "unix")))
    }

    /// Binds a TCP address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Io when it cannot be bound.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future frees what it bound.
    pub async fn tcp(address: SocketAddr, options: Options) -> Result<Self, Error> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|error| Error::io("the address cannot be bound", error))?;
        Ok(Self::new(Socket::Tcp(listener), named(options, "tcp")))
    }

    fn new(socket: Socket, options: Options) -> Self {
        Self { socket, options, wait: ACCEPT_WAIT.0, rest: None }
    }

    /// The address that was bound, for TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Unix(..) => None,
            Socket::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    fn poll_stream(&self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        let options = self.options.clone();
        Poll::Ready(match &self.socket {
            Socket::Unix(listener, _) => {
                ready!(listener.poll_accept(cx)).map(|(stream, _)| unix_connection(stream, options))
            }
            Socket::Tcp(listener) => ready!(listener.poll_accept(cx))
                .and_then(|(stream, peer)| tcp_connection(stream, peer, options)),
        })
    }
}

impl Listener for SocketListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Connection, Error>>> {
        loop {
            if let Some(rest) = &mut self.rest {
                ready!(rest.as_mut().poll(cx));
                self.rest = None;
            }
            match ready!(self.poll_stream(cx)) {
                Ok(connection) => {
                    self.wait = ACCEPT_WAIT.0;
                    return Poll::Ready(Some(Ok(connection)));
                }
                // That one peer is gone; the next may be there.
                Err(error) if is_of_one_peer(&error) => {
                    tracing::debug!(%error, "a connection ended before it began")
                }
                // Out of descriptors or memory: neither spin nor give up.
                Err(error) => {
                    tracing::warn!(%error, wait = ?self.wait, "accept failed");
                    self.rest = Some(Box::pin(sleep(self.wait)));
                    self.wait = (self.wait * 2).min(ACCEPT_WAIT.1);
                }
            }
        }
    }
}

fn is_of_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | NotConnected
    )
}

fn unix_connection(stream: UnixStream, options: Options) -> Connection {
    let (reader, writer) = stream.into_split();
    connection(reader, writer, options)
}

fn tcp_connection(stream: TcpStream, peer: SocketAddr, options: Options) -> io::Result<Connection> {
    // All that is queued leaves in one write, so waiting for more only delays it.
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok(connection(reader, writer, options.with_context(|context| context.peer = Some(peer))))
}

impl Drop for SocketListener {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl fmt::Debug for SocketListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SocketListener");
        match &self.socket {
            Socket::Unix(_, path) => shown.field("path", path),
            Socket::Tcp(listener) => shown.field("address", &listener.local_addr().ok()),
        };
        shown.finish_non_exhaustive()
    }
}
