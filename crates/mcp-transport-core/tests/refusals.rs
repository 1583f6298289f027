//! Answers that a connection gives by itself: when so many of them wait, nothing is read.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use mcp_jsonrpc::{Message, Request};
use mcp_transport_core::{CloseReason, Connection, Frame, Limits, Options, Wire};

/// Asks on and on, and takes what is answered only while it has room for it.
struct Asks {
    asked: Arc<AtomicUsize>,
    room: usize,
}

impl Wire for Asks {
    fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(Frame::Message(Message::from(Request::new(asked as u64, "m")), None)))
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.room == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn start_send(&mut self, _: Message) -> io::Result<()> {
        self.room -= 1;
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_and_no_more() {
    for most in [1, 2, 19, 1024] {
        for room in [0, 1, 7] {
            let asked = Arc::new(AtomicUsize::new(0));
            let wire = Asks { asked: asked.clone(), room };
            // None is admitted, so each is refused.
            let limits = Limits::default().with_max_in_flight(0).with_max_refusals(most);
            let end = Connection::new(wire, Options::default().with_limits(limits)).spawn();
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            assert_eq!(asked.load(Ordering::Relaxed), most as usize + room, "{most} {room}");
            assert_eq!(end.control.health().refused, u64::from(most) + room as u64);
        }
    }
    assert_eq!(Limits::default().max_refusals, 1024);
}
