//! The TLS handshake of a connection, before anything is spoken on it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::drive::{Stage, converse, reached};
use super::guarded::Guarded;
use super::served::{Peer, Served};
use super::watched::Watched;
use super::{Clocks, ConnectionEnd, ConnectionHandle, Protocol, ServerOptions};
use crate::PeerCertificate;
use crate::router::Router;

/// Serves one connection over TLS until it ends, and says why if it was this side that ended it. Dropping the future
/// ends it at once.
///
/// One whose handshake fails has no requests that could be told why, so it is only logged.
pub(crate) async fn drive_tls<S>(
    socket: S,
    tls: Arc<ServerConfig>,
    mut peer: Peer,
    router: Router,
    options: &ServerOptions,
    stage: watch::Receiver<Stage>,
) -> Option<ConnectionEnd>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handle = ConnectionHandle::new();
    let stream = handshake(Watched::new(socket, handle.clone()), tls, &handle, options, &stage).await?;
    let (_, session) = stream.get_ref();
    let protocol = match session.alpn_protocol() {
        #[cfg(feature = "http2")]
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    peer.certificate =
        session.peer_certificates().and_then(<[_]>::first).map(|leaf| PeerCertificate::new(leaf.to_vec()));
    handle.speaks(protocol);
    converse(stream, protocol, Served { router, handle, peer, stage }, options).await
}

async fn handshake<S>(
    socket: S,
    tls: Arc<ServerConfig>,
    handle: &ConnectionHandle,
    options: &ServerOptions,
    stage: &watch::Receiver<Stage>,
) -> Option<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let accept = TlsAcceptor::from(tls).accept(socket).into_fallible();
    let mut accept = pin!(timeout(options.tls_handshake, accept));
    // From then on no request would be served.
    let mut closing = pin!(reached(stage.clone(), Stage::Closing));
    let result = poll_fn(|cx| match closing.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => accept.as_mut().poll(cx).map(Some),
    });
    match result.await? {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((error, socket))) => {
            tracing::debug!(target: "mcp.http", %error, "TLS handshake failed");
            // The client may have sent on, and is to read the alert that says why.
            let mut socket = Guarded::new(socket, handle.clone());
            let shut = poll_fn(|cx| Pin::new(&mut socket).poll_shutdown(cx));
            let _ = timeout(Clocks::from(options).linger, shut).await;
            None
        }
        Err(_) => {
            tracing::debug!(target: "mcp.http", "TLS handshake takes too long");
            None
        }
    }
}
