//! The in-memory transport.

use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

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
        let one_wire = MemoryWire { to_peer: to_other, from_peer: from_other, room: Room::Unknown };
        let other_wire = MemoryWire { to_peer: to_one, from_peer: from_one, room: Room::Unknown };
        (Self::new(one_wire, one), Self::new(other_wire, other))
    }
}

struct MemoryWire {
    to_peer: queue::Sender<Bytes>,
    from_peer: queue::Receiver<Bytes>,
    room: Room,
}

/// Room is asked for before the length is known, so it is one slot; a queue's slots are what bounds it here, and the
/// bytes are bounded by the outbound queue before it.
enum Room {
    Unknown,
    Waiting(BoxFuture<'static, Result<Permit<Bytes>, queue::Closed>>),
    Ready(Permit<Bytes>),
}

impl Wire for MemoryWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        Poll::Ready(ready!(self.from_peer.poll_recv(cx)).map(Frame::Text).ok_or(CloseReason::PeerClosed))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let permit = match &mut self.room {
                Room::Ready(_) => return Poll::Ready(Ok(())),
                Room::Waiting(waiting) => Some(ready!(waiting.as_mut().poll(cx))),
                Room::Unknown => self.to_peer.try_reserve(0).transpose(),
            };
            self.room = match permit {
                Some(Ok(permit)) => Room::Ready(permit),
                Some(Err(queue::Closed)) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                None => {
                    let to_peer = self.to_peer.clone();
                    Room::Waiting(Box::pin(async move { to_peer.reserve(0).await }))
                }
            };
        }
    }

    fn start_send(&mut self, line: Bytes) -> io::Result<()> {
        match std::mem::replace(&mut self.room, Room::Unknown) {
            Room::Ready(permit) => permit.send(line).map_err(|_| io::ErrorKind::BrokenPipe.into()),
            _ => Err(io::Error::other("start_send before poll_ready")),
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
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
