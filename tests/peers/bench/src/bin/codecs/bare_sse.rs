//! hyper with as little as an event stream needs: its allocations are hyper's own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::Outcome;

type Stream = Arc<Mutex<Option<mpsc::UnboundedSender<Bytes>>>>;

pub async fn start() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stream = Stream::default();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let stream = stream.clone();
            let serve = service_fn(move |request| answer(request, stream.clone()));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), serve),
            );
        }
    });
    Ok(address)
}

async fn answer(request: Request<Incoming>, stream: Stream) -> Result<Response<Events>, hyper::Error> {
    if request.method() == Method::GET {
        // The limit has no bounds; there is one call at a time.
        let (sender, receiver) = mpsc::unbounded_channel();
        let _ = sender.send(Bytes::from_static(b"event: endpoint\ndata: /message\n\n"));
        *stream.lock().unwrap() = Some(sender);
        return Ok(Response::new(Events(Some(receiver))));
    }
    let body = request.into_body().collect().await?.to_bytes();
    if let Some(stream) = &*stream.lock().unwrap() {
        let _ = stream.send(body);
    }
    let mut response = Response::new(Events(None));
    *response.status_mut() = hyper::StatusCode::ACCEPTED;
    Ok(response)
}

struct Events(Option<mpsc::UnboundedReceiver<Bytes>>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Some(receiver) => receiver.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
