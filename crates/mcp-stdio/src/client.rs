//! Dials: starts a server as a child and speaks to it over its pipes.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mcp_jsonrpc::Message;
use mcp_transport_core::{
    BoxFuture, ByteWire, CloseReason, Connection, Error, ErrorKind, Frame, Options, ProcessExit, Transport,
    Wire,
};
use tokio::net::unix::pipe;
use tokio::time::{Sleep, sleep};

use crate::io::{Child, ChildExit, CommandSpec};
use crate::proto::LineCodec;
use crate::stdout::{LastBytes, Stdout};
use crate::stream::{named, wire};

/// Messages after which the child is looked at although there is more to read.
const READS_PER_LOOK: u32 = 64;

/// Starts a server as a child process for each connection.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), mcp_transport_core::Error> {
/// use mcp_stdio::{CommandSpec, StdioClient};
/// use mcp_transport_core::Transport;
///
/// let mut transport = StdioClient::new(CommandSpec::new("some-server").args(["--stdio"]));
/// let caller = transport.dial().await?.spawn().into_caller();
/// let pong = caller.request("ping", &()).await?;
/// # drop(pong); Ok(()) }
/// ```
///
/// When the child exits, the connection ends with [`CloseReason::ChildExited`], its status and its last lines of
/// stderr. When the connection ends first, the child is taken down the ladder: end of input, TERM, KILL; see
/// [`Ladder`](crate::io::Ladder); the driver is done when the child is. When the connection is dropped, the child's
/// whole process group is killed at once.
///
/// A child that closes its stdout has [`Limits::linger`](mcp_transport_core::Limits::linger) to exit; one that lives on
/// is a peer that has closed.
#[derive(Clone, Debug)]
pub struct StdioClient {
    spec: CommandSpec,
    options: Options,
}

impl StdioClient {
    /// What to start.
    pub fn new(spec: CommandSpec) -> Self {
        Self { spec, options: Options::new("stdio") }
    }

    /// Sets bounds, tap and context of the connections.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = named(options, "stdio");
        self
    }

    /// Starts the child. It does not wait for it to say anything.
    ///
    /// # Errors
    ///
    /// Refused when the program or the directory is missing or may not be executed or entered: trying again changes
    /// nothing. Io for everything else. The text names the program and never its arguments.
    ///
    /// # Panics
    ///
    /// In a tokio runtime without IO or time.
    pub fn start(&self) -> Result<Connection, Error> {
        let mut child = Child::spawn(&self.spec).map_err(start_error)?;
        let (Some(stdin), Some(stdout)) = (child.take_stdin(), child.take_stdout()) else {
            return Err(Error::new(ErrorKind::Internal, "the child was started without pipes"));
        };
        let (stdout, last_bytes) = Stdout::new(stdout);
        let wire = ChildWire {
            child,
            pipes: Some(wire(stdout, stdin, &self.options)),
            last_bytes,
            input: Input::Open,
            unlooked: 0,
            stderr_looked: false,
            exit_wait: self.options.limits.linger,
        };
        Ok(Connection::new(wire, self.options.clone()))
    }
}

fn start_error(error: io::Error) -> Error {
    let what = error.to_string();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => {
            Error::new(ErrorKind::Refused, what).with_source(error)
        }
        _ => Error::io(what, error),
    }
}

impl Transport for StdioClient {
    fn dial(&mut self) -> BoxFuture<'_, Result<Connection, Error>> {
        Box::pin(std::future::ready(self.start()))
    }
}

/// A child's pipes, its stderr and its end, moved by one owner.
///
/// ```text
/// Open ──end of stdout──▶ Ended ──child exits──▶ Exited ──reaped──▶ why
///   │                       └─────────late────────────────────────▶ why
///   └──child exits: what it left is read, and then stdout ends, whoever holds it
/// ```
struct ChildWire {
    child: Child,
    /// Gone once the child has exited or is being shut down: that is the end of its input, and nothing can be sent.
    pipes: Option<ByteWire<Stdout, pipe::Sender, LineCodec>>,
    last_bytes: LastBytes,
    input: Input,
    /// Messages since the child was looked at.
    unlooked: u32,
    /// Whether stderr was looked at by the call before this one, of the same turn.
    stderr_looked: bool,
    /// How long a child that has closed its stdout has to exit, so that its status can be told.
    exit_wait: Duration,
}

enum Input {
    Open,
    /// Stdout has ended; the child has until then to exit.
    Ended(CloseReason, Pin<Box<Sleep>>),
    /// The child has exited, and what was worth reading was read.
    Exited,
}

impl ChildWire {
    /// Empties stderr and looks for the exit. Ready when stdout, which did not end with the child, has been read for
    /// long enough.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.unlooked = 0;
        ready!(self.child.poll_exit(cx));
        self.last_bytes.limit();
        self.child.poll_linger(cx)
    }

    fn poll_why(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            match &mut self.input {
                Input::Open => return Poll::Pending,
                Input::Ended(reason, until) => {
                    if self.child.poll_exit(cx).is_pending() {
                        // A child that closes its stdout and lives is a peer that has closed.
                        ready!(until.as_mut().poll(cx));
                        return Poll::Ready(reason.clone());
                    }
                    self.input = Input::Exited;
                }
                Input::Exited => {
                    // It climbs no ladder: it reads the last of stderr and reaps.
                    let exit = ready!(self.child.poll_shutdown(cx));
                    // Nobody is there to be answered, so nothing is to be waited for.
                    self.pipes = None;
                    return Poll::Ready(CloseReason::ChildExited(process_exit(&exit)));
                }
            }
        }
    }
}

fn process_exit(exit: &ChildExit) -> ProcessExit {
    ProcessExit::new(exit.code(), exit.signal(), exit.stderr_tail().to_vec())
}

impl Wire for ChildWire {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, CloseReason>> {
        while let (Input::Open, Some(pipes)) = (&self.input, &mut self.pipes) {
            match pipes.poll_recv(cx) {
                Poll::Ready(Ok(frame)) => {
                    self.unlooked += 1;
                    if self.unlooked >= READS_PER_LOOK {
                        // What stdout holds bounds what is still read, and not the time that it takes us.
                        let _ = self.poll_look(cx);
                    }
                    return Poll::Ready(Ok(frame));
                }
                Poll::Ready(Err(reason)) => {
                    self.input = Input::Ended(reason, Box::pin(sleep(self.exit_wait)));
                }
                Poll::Pending => {
                    if self.poll_look(cx).is_pending() {
                        self.stderr_looked = true;
                        return Poll::Pending;
                    }
                    // Nothing more is to come: what has no line feed is a line now.
                    self.last_bytes.end();
                }
            }
        }
        self.poll_why(cx).map(Err)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Also while nobody receives, and so nothing else is read.
        if !std::mem::take(&mut self.stderr_looked) {
            let _ = self.child.poll_stderr(cx);
        }
        self.pipes.as_mut().map_or(Poll::Ready(Err(broken())), |pipes| pipes.poll_ready(cx))
    }

    fn start_send(&mut self, message: Message) -> io::Result<()> {
        // By `poll_ready`, which is called again at once.
        self.stderr_looked = true;
        self.pipes.as_mut().map_or(Err(broken()), |pipes| pipes.start_send(message))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipes.as_mut().map_or(Poll::Ready(Err(broken())), |pipes| pipes.poll_flush(cx))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Both ends: a child that is blocked on a stdout which nobody reads would not see the end of its input.
        self.pipes = None;
        self.child.poll_shutdown(cx).map(drop)
    }
}

fn broken() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

impl fmt::Debug for ChildWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildWire").field("child", &self.child).finish_non_exhaustive()
    }
}
