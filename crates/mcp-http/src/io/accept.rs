//! Accepting: neither spinning nor parking when the system has no descriptors left.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_transport_core::{Error, ErrorKind};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ServerOptions;
use super::per_address::{PerAddress, Place};

/// A listener, and the places that its connections take.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
    addresses: PerAddress,
    options: ServerOptions,
}

/// A new connection, with its place.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) place: (OwnedSemaphorePermit, Place),
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener, options: ServerOptions) -> Self {
        let places = options.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self { listener, places: Arc::new(Semaphore::new(places)), addresses: PerAddress::default(), options }
    }

    /// The next connection. A place is taken before the connection is, so that what cannot be served waits in the
    /// system's queue and costs nothing.
    ///
    /// # Cancel safety
    ///
    /// A connection is lost only together with its future, at the very moment when it is accepted.
    pub(crate) async fn next(&self) -> Result<Accepted, Error> {
        let closed = |_| Error::new(ErrorKind::Internal, "the places for connections are gone");
        let permit = self.places.clone().acquire_owned().await.map_err(closed)?;
        let mut backoff = AcceptBackoff::default();
        loop {
            match self.listener.accept().await {
                Ok((socket, peer)) => {
                    backoff.over();
                    let Some(place) = self.addresses.enter(peer.ip(), self.options.max_per_address) else {
                        tracing::debug!(target: "mcp.http", "too many connections from one address");
                        continue;
                    };
                    set_options(&socket, &self.options);
                    return Ok(Accepted { socket, peer, place: (permit, place) });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => tokio::time::sleep(backoff.failed(&error)).await,
            }
        }
    }
}

/// Errors of `accept` that are about the connection that it would have been.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// No option is worth a connection, so none of these fails it.
fn set_options(socket: &TcpStream, options: &ServerOptions) {
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60));
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
    let keepalive = keepalive.with_interval(Duration::from_secs(10)).with_retries(3);
    let _ = socket.set_tcp_keepalive(&keepalive);
    if let Some(bytes) = options.send_buffer {
        let _ = socket.set_send_buffer_size(bytes);
    }
    // After our own clock, which knows the reason; it is for what is left in the system's buffers.
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(options.write_stall.saturating_add(Duration::from_secs(15))));
}

/// Waits between attempts to accept: EMFILE and its kind go away when a connection ends, and say nothing of it.
#[derive(Debug, Default)]
struct AcceptBackoff {
    failures: u32,
}

impl AcceptBackoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LAST: Duration = Duration::from_secs(1);

    /// How long to wait after one more failure. Only the first of a row is logged.
    fn failed(&mut self, error: &io::Error) -> Duration {
        if self.failures == 0 {
            tracing::error!(target: "mcp.http", %error, "cannot accept connections; trying on");
        }
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(8)).min(Self::LAST);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    fn over(&mut self) {
        if self.failures > 0 {
            tracing::info!(target: "mcp.http", failures = self.failures, "connections are accepted again");
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_and_starts_over() {
        let mut backoff = AcceptBackoff::default();
        let error = io::Error::other("no descriptors");
        let mut waits = || (0..7).map(|_| backoff.failed(&error).as_millis()).collect::<Vec<_>>();
        assert_eq!(waits(), [50, 100, 200, 400, 800, 1000, 1000]);
        for _ in 0..1000 {
            assert_eq!(backoff.failed(&error).as_millis(), 1000);
        }
        backoff.over();
        assert_eq!(backoff.failed(&error).as_millis(), 50);
    }

    #[test]
    fn tells_the_connection_from_the_system() {
        for (error, one) in [
            (io::ErrorKind::ConnectionAborted, true),
            (io::ErrorKind::ConnectionReset, true),
            (io::ErrorKind::OutOfMemory, false),
            (io::ErrorKind::Other, false),
        ] {
            assert_eq!(is_of_one_connection(&error.into()), one, "{error:?}");
        }
        #[cfg(target_os = "linux")]
        assert!(!is_of_one_connection(&io::Error::from_raw_os_error(24)), "EMFILE");
    }
}
