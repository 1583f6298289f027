//! The in-memory transport.

use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use mcp_jsonrpc::Message;

use crate::queue::{self, Permit};
use crate::wire::{BoxFuture, Frame, Wire};
use crate::{CloseReason, Connection, Options};

impl Connection {
    /// Two connections that are each other's peer, through bounded queues in memory.
    ///
    /// Everything else is as on any other transport: scan, limits, queues, close reasons.
    pub fn pair(mut one: Options, mut other: Options) -> (Self, Self) {
        for options in [&mut one, &mut other] {
            if options.context.transport.is_empty() {
                options.context.transport = "memory";
            }
        }
        let (to_other, from_one) = queue::channel(one.limits.outbound_bytes, one.limits.outbound_count);
        let (to_one, from_other) = queue::channel(other.limits.outbound_bytes, other.limits.outbound_count);
        (
            Self::new(MemoryWire::new(to_other, from_other), one),
            Self::new(MemoryWire::new(to_one, from_one), other),
        )
    }
}

struct MemoryWire {
    to_peer: queue::Sender<Bytes>,
    from_peer: queue::Receiver<Bytes>,
    /// Taken, and waiting for as much room as it needs: that is known only once it is here.
    held: Option<Bytes>,
    room: Option<Room>,
}

type Room = BoxFuture<'static, Result<Permit<Bytes>, queue::Closed>>;

impl MemoryWire {
    fn new(to_peer: queue::Sender<Bytes>, from_peer: queue::Receiver<Bytes>) -> Self {
        Self { to_peer, from_peer, held: None, room: None }
    }

    /// Ready when nothing is held.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(line) = &self.held else { return Poll::Ready(Ok(())) };
        let room = match &mut self.room {
            Some(waiting) => Some(ready!(waiting.as_mut().poll(cx))),
            None => self.to_peer.try_reserve(line.len()).transpose(),
        };
        let Some(room) = room else {
            let (to_peer, len) = (self.to_peer.clone(), line.len());
            self.room = Some(Box::pin(async move { to_peer.reserve(len).await }));
            return self.poll_pass(cx);
        };
        self.room = None;
        let passed = match (room, self.held.take()) {
            (Ok(permit), Some(line)) => permit.send(line),
            (room, _) => room.map(drop),
        };
        Poll::Ready(passed.map_err(|queue::Closed| io::ErrorKind::BrokenPipe.into()))
    }
}

impl Wire for MemoryWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        Poll::Ready(ready!(self.from_peer.poll_recv(cx)).map(Frame::Text).ok_or(CloseReason::PeerClosed))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_pass(cx)
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        match self.held.replace(message.into_line()) {
            None => Ok(()),
            Some(_) => Err(io::Error::other("start_send before poll_ready")),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_pass(cx)
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.to_peer.close();
        Poll::Ready(())
    }
}

impl Drop for MemoryWire {
    fn drop(&mut self) {
        self.to_peer.close();
    }
}

impl fmt::Debug for MemoryWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryWire")
    }
}
