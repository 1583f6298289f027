//! What a client's connection runs over: a socket, or TLS over such a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection to a server, or to the proxy before it.
pub(crate) struct Stream {
    layer: Layer,
    to_proxy: bool,
}

enum Layer {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Stream>>),
}

impl Stream {
    pub(crate) fn tcp(socket: TcpStream) -> Self {
        Self { layer: Layer::Tcp(socket), to_proxy: false }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(session: tokio_rustls::client::TlsStream<Self>) -> Self {
        Self { layer: Layer::Tls(Box::new(session)), to_proxy: false }
    }

    /// The same, ending at a proxy that wants to be told whole URIs (RFC 9112 3.2.2).
    pub(crate) fn ends_at_proxy(self) -> Self {
        Self { to_proxy: true, ..self }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.to_proxy)
    }
}

macro_rules! inner {
    ($this:expr, $call:ident ( $($argument:expr),* )) => {
        match &mut $this.get_mut().layer {
            Layer::Tcp(socket) => Pin::new(socket).$call($($argument),*),
            #[cfg(feature = "tls")]
            Layer::Tls(session) => Pin::new(&mut **session).$call($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inner!(self, poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        inner!(self, poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inner!(self, poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.layer {
            Layer::Tcp(socket) => socket.is_write_vectored(),
            #[cfg(feature = "tls")]
            Layer::Tls(session) => session.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, poll_shutdown(cx))
    }
}
