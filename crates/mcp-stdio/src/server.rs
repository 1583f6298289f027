//! Accepts: this process's own stdin and stdout, once.

use std::io;
use std::task::{Context, Poll};

use mcp_transport_core::{Connection, Error, ErrorKind, Listener, Options};

use crate::io::OwnStdio;
use crate::stream::{connection, named};

/// The connection over this process's own stdin and stdout, which are taken away from everybody else.
///
/// From then on descriptor 0 leads to `/dev/null` and descriptor 1 to stderr, so a stray `println!` cannot break the
/// protocol; see [`OwnStdio`].
///
/// The end of input finishes what was accepted, for at most
/// [`Limits::drain`](mcp_transport_core::Limits::drain), and ends the connection; so does a stdout that is broken.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), mcp_transport_core::Error> {
/// use mcp_transport_core::{Incoming, Options, serve};
///
/// let connection = mcp_stdio::own(Options::default())?;
/// serve(connection, |incoming| async move {
///     if let Incoming::Request(exchange) = incoming {
///         exchange.finish(&()); // every request is answered with null
///     }
/// })
/// .await;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Misuse when they were taken before, or are not open; io when the system refuses.
///
/// # Panics
///
/// In a tokio runtime without IO or time.
pub fn own(options: Options) -> Result<Connection, Error> {
    let stdio = OwnStdio::take().map_err(|error| {
        let what = format!("stdin and stdout cannot be taken: {error}");
        match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::InvalidInput => {
                Error::new(ErrorKind::Misuse, what).with_source(error)
            }
            _ => Error::io(what, error),
        }
    })?;
    tracing::debug!(ways = ?stdio.describe(), "own stdio taken");
    let (reader, writer) = stdio.split();
    Ok(connection(reader, writer, named(options, "stdio")))
}

/// [`own`] as a listener, for programs that treat all bindings alike: it accepts exactly one connection.
#[derive(Debug)]
pub struct StdioListener {
    options: Option<Options>,
}

impl StdioListener {
    /// Takes nothing yet: stdin and stdout are taken when the connection is accepted.
    pub fn new(options: Options) -> Self {
        Self { options: Some(options) }
    }
}

/// With default options.
impl Default for StdioListener {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Listener for StdioListener {
    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Connection, Error>>> {
        Poll::Ready(self.options.take().map(own))
    }
}
