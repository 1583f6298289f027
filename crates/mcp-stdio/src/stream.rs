//! The line codec over any byte stream.

use mcp_transport_core::{ByteWire, Connection, Options};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::proto::LineCodec;

/// A connection over any reader and writer, one message a line.
///
/// # Spec
///
/// MCP 2026-07-28, transports, Custom Transports: those over a reliable byte stream reuse the framing of stdio.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use mcp_transport_core::Options;
///
/// let (ours, theirs) = tokio::io::duplex(1024);
/// let (read, write) = tokio::io::split(ours);
/// let connection = mcp_stdio::connection(read, write, Options::new("duplex"));
/// # drop((connection, theirs));
/// # }
/// ```
pub fn connection<R, W>(reader: R, writer: W, options: Options) -> Connection
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    Connection::new(wire(reader, writer, &options), options)
}

/// The wire beneath [`connection`], for who adds to it.
pub(crate) fn wire<R, W>(reader: R, writer: W, options: &Options) -> ByteWire<R, W, LineCodec>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    ByteWire::new(reader, writer, LineCodec::new(options.limits.max_message))
}

/// Names the transport in the context, unless the user has.
pub(crate) fn named(options: Options, transport: &'static str) -> Options {
    options.with_context(|context| {
        if context.transport.is_empty() {
            context.transport = transport;
        }
    })
}
