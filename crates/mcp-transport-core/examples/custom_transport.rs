//! A transport of one's own: two channels that carry whole messages, as a message bus or a WebSocket would.
//! A `Wire` is five small methods; scan, limits, correlation, close reasons and the rest come with `Connection`.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use mcp_jsonrpc::Message;
use mcp_transport_core::{CloseReason, Connection, Frame, Incoming, Options, Wire, serve};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::PollSender;

struct Channels {
    incoming: Receiver<Bytes>,
    outgoing: PollSender<Bytes>,
}

/// Every failure of the way out means the same here: nobody is at the other end.
fn gone<E>(_: E) -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

impl Wire for Channels {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        Poll::Ready(ready!(self.incoming.poll_recv(cx)).map(Frame::Text).ok_or(CloseReason::PeerClosed))
    }
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_reserve(cx).map_err(gone) // keeps its place in line between polls
    }
    fn start_send(&mut self, message: Message) -> io::Result<()> {
        self.outgoing.send_item(message.into_line()).map_err(gone)
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // nothing is held back
    }
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.outgoing.close();
        Poll::Ready(())
    }
}

pub(crate) fn connect(near: Options, far: Options) -> (Connection, Connection) {
    let wire = |to: Sender<Bytes>, from| Channels { incoming: from, outgoing: PollSender::new(to) };
    let ((to_far, from_near), (to_near, from_far)) = (channel(16), channel(16));
    (Connection::new(wire(to_far, from_far), near), Connection::new(wire(to_near, from_near), far))
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), mcp_transport_core::Error> {
    let (client, server) = connect(Options::new("channels"), Options::new("channels"));
    tokio::spawn(serve(server, async |incoming| {
        if let Incoming::Request(exchange) = incoming {
            exchange.finish(&["hello"]);
        }
    }));
    let response = client.spawn().into_caller().request("greet", &()).await?;
    assert_eq!(response.result_raw(), Some(&br#"["hello"]"#[..]));
    Ok(())
}
