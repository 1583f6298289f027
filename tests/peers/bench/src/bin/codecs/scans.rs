//! How long a large message takes from the pipe to the handler, in parses of it.
//!
//! One parse is one scan; more is copies and further looks. The text has many escapes, so that scanning is what takes
//! the time and copying is not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use mcp_jsonrpc::{Message, ScanLimits};
use mcp_transport_core::{Incoming, Limits, Options, serve};
use tokio::io::{AsyncRead, ReadBuf};

use crate::{Outcome, messages, time};

pub fn ratio(bytes: usize) -> Outcome<f64> {
    let params = serde_json::json!({ "name": "echo", "arguments": { "text": messages::prose(bytes) } });
    let line = serde_json::to_vec(&serde_json::json!({
        "jsonrpc": "2.0", "id": 42, "method": "tools/call", "params": params,
    }))?;
    let line = Bytes::from([&*line, b"\n"].concat());
    let message = line.slice(..line.len() - 1);
    let parse = time(|| assert!(Message::parse(message.clone(), &ScanLimits::default()).is_ok()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let limits = Limits::default().with_max_message(bytes * 2);
    let way = time(|| {
        let once = Once(line.clone());
        let connection =
            mcp_stdio::connection(once, tokio::io::sink(), Options::new("bench").with_limits(limits));
        runtime.block_on(serve(connection, |incoming| async move {
            let Incoming::Request(exchange) = incoming else { panic!("not a request") };
            exchange.finish(&());
        }));
    });
    Ok(way / parse)
}

/// A peer that says one thing, as fast as it is listened to.
struct Once(Bytes);

impl AsyncRead for Once {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining().min(self.0.len());
        buf.put_slice(&self.0.split_to(room));
        Poll::Ready(Ok(()))
    }
}
