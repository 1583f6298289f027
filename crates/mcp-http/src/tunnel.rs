//! A way through a proxy to one server, which the proxy does not look into.
//!
//! hyper-util has this too, as a connector that gives every refusal the same nameless error.
//! Who has to act differs, though: a 407 stays one, and a 502 may pass.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mcp_transport_core::{Error, ErrorKind};

use crate::proto::Origin;
use crate::stream::Stream;

/// The most bytes of the head of a proxy's answer. It says little; hyper takes no less than this.
const MAX_HEAD: usize = 8 * 1024;

/// Has the proxy at the other end of `stream` connect us to `target`.
///
/// # Errors
///
/// Refused or peer, when the proxy says no; io, when the connection breaks.
///
/// # Spec
///
/// RFC 9110 9.3.6.
pub(crate) async fn open(
    stream: Stream,
    target: &Origin,
    credentials: Option<&HeaderValue>,
) -> Result<Stream, Error> {
    let request = request(target, credentials)?;
    let mut builder = http1::Builder::new();
    let handshake = builder.max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream));
    let (mut sender, mut connection) = handshake.await.map_err(broken)?;
    let status = {
        let mut response = pin!(sender.send_request(request));
        let mut ended = false;
        // The response comes only while the connection is polled, and a connection that became a tunnel is over.
        let response = poll_fn(|cx| {
            if !ended {
                match connection.poll_without_shutdown(cx) {
                    Poll::Ready(Ok(())) => ended = true,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            response.as_mut().poll(cx)
        });
        response.await.map_err(broken)?.status()
    };
    if !status.is_success() {
        return Err(refused(status));
    }
    let parts = connection.into_parts();
    if !parts.read_buf.is_empty() {
        return Err(Error::new(ErrorKind::Peer, "the proxy sends what nobody asked for"));
    }
    Ok(parts.io.into_inner())
}

fn request(target: &Origin, credentials: Option<&HeaderValue>) -> Result<Request<String>, Error> {
    let impossible = |error: http::Error| {
        Error::new(ErrorKind::Internal, "the request to the proxy cannot be made").with_source(error)
    };
    // The port is always written.
    let authority = format!("{}:{}", target.host(), target.port());
    let request = Request::builder().method(Method::CONNECT).uri(&authority).header(HOST, &authority);
    let request = match credentials {
        Some(credentials) => request.header(PROXY_AUTHORIZATION, credentials),
        None => request,
    };
    request.body(String::new()).map_err(impossible)
}

fn refused(status: StatusCode) -> Error {
    let (kind, what) = match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            (ErrorKind::Refused, "the proxy asks for authentication".into())
        }
        status if status.is_client_error() => {
            (ErrorKind::Refused, format!("the proxy refuses to connect to the server: {status}"))
        }
        status => (ErrorKind::Peer, format!("the proxy cannot connect to the server: {status}")),
    };
    Error::new(kind, what)
}

fn broken(error: hyper::Error) -> Error {
    Error::io("the proxy does not answer as one", io::Error::other(error))
}
