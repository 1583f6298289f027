//! A wire from a stream and a sink of messages.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use mcp_jsonrpc::Message;

use crate::CloseReason;
use crate::wire::{Closing, Frame, Wire};

/// A wire from something that already carries whole messages: a WebSocket, a message bus, a channel.
///
/// The stream yields the texts of messages, which are scanned like all others; the sink takes texts that are on one
/// line.
pub struct SinkWire<S, K> {
    stream: S,
    sink: K,
    closing: Closing,
}

impl<S, K> SinkWire<S, K> {
    /// Makes a wire.
    pub fn new(stream: S, sink: K) -> Self {
        Self { stream, sink, closing: Closing::default() }
    }
}

impl<S, K, E> Wire for SinkWire<S, K>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin + Send,
    K: Sink<Bytes> + Unpin + Send,
    K::Error: Into<Box<dyn StdError + Send + Sync>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        Poll::Ready(match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            Some(Ok(text)) => Ok(Frame::Text(text)),
            Some(Err(error)) => Err(io::Error::other(error).into()),
            None => Err(CloseReason::PeerClosed),
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sink).poll_ready(cx).map_err(io::Error::other)
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        Pin::new(&mut self.sink).start_send(message.into_line()).map_err(io::Error::other)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sink).poll_flush(cx).map_err(io::Error::other)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.sink).poll_close(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.closing.poll_over(cx),
        }
    }
}

impl<S, K> fmt::Debug for SinkWire<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SinkWire")
    }
}
