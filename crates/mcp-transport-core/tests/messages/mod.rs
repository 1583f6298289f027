//! A stream and a sink of messages, as a WebSocket would be.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

pub(crate) struct Texts(mpsc::Receiver<Bytes>);

impl Stream for Texts {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|text| text.map(Ok))
    }
}

/// A sink that may be told never to close.
pub(crate) struct Out {
    to: PollSender<Bytes>,
    pub(crate) closes: bool,
}

impl Sink<Bytes> for Out {
    type Error = std::io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.to.poll_reserve(cx).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
    fn start_send(mut self: Pin<&mut Self>, text: Bytes) -> std::io::Result<()> {
        self.to.send_item(text).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if !self.closes {
            return Poll::Pending;
        }
        self.to.close();
        Poll::Ready(Ok(()))
    }
}

pub(crate) fn channel(holds: usize) -> (Out, Texts) {
    let (to, from) = mpsc::channel(holds);
    (Out { to: PollSender::new(to), closes: true }, Texts(from))
}
