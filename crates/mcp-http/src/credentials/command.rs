//! A token that a program prints.

use std::ffi::OsString;
use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderValue;
use mcp_transport_core::{BoxFuture, Error, ErrorKind};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Sleep, sleep, timeout};

use super::renewal::{Fetch, Renewal};
use super::{Credentials, Destination};
use crate::proto::Origin;
use crate::refused::HttpRefused;

/// How long a program may take, by default: one that asks a server in its turn takes a second or two.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes that a program may print. A token has a few KiB, and it may say something after it.
const MAX_OUTPUT: usize = 64 * 1024;
/// How long stdout is read after the program has ended, when something that it started holds it open.
const REST: Duration = Duration::from_millis(100);

/// A bearer token for one origin that a program prints: the first line of its stdout, without spaces around it.
///
/// The program is run when a token is first needed, and again when that one was refused with 401, but once however many
/// requests wait for it, and not within ten seconds after it has run ([`with_interval`](Self::with_interval)).
/// It is a program with its arguments, and never a line for a shell. It has our environment, our stderr, nothing on its
/// stdin, and on Unix a process group of its own, so that no terminal asks its questions. It has to succeed, within 30 s
/// ([`with_timeout`](Self::with_timeout)); after that its group is killed, as it is with the last of those who hold this
/// value.
///
/// ```
/// use mcp_http::credentials::TokenCommand;
/// use mcp_http::proto::Origin;
///
/// let origin = Origin::parse(b"https://mcp.example.com")?;
/// let token = TokenCommand::new(origin, "gcloud").args(["auth", "print-identity-token"]);
/// # drop(token); Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Of requests that need it: refused, when the program cannot be started; io, when it fails or prints no bearer token;
/// limit, when it prints more than 64 KiB; timeout. None shows what it was started with or what it has printed.
pub struct TokenCommand {
    origin: Origin,
    program: OsString,
    arguments: Vec<OsString>,
    timeout: Duration,
    renewal: Renewal,
}

impl TokenCommand {
    /// What this program prints, for this origin.
    pub fn new(origin: Origin, program: impl Into<OsString>) -> Self {
        Self {
            origin,
            program: program.into(),
            arguments: Vec::new(),
            timeout: TIMEOUT,
            renewal: Renewal::new(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets how long the program may take. Default 30 s. Requests wait no longer than
    /// [`HttpClientOptions::token`](crate::HttpClientOptions::token).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long the program is not run after it has run. Default 10 s.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.renewal.interval = interval;
        self
    }

    fn fetch(&self) -> Fetch {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        Box::pin(run(command, self.timeout))
    }
}

impl Credentials for TokenCommand {
    fn next<'a>(&'a self, destination: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>> {
        if *destination.origin != self.origin {
            return Box::pin(ready(Ok(None)));
        }
        Box::pin(async { self.renewal.next(|| self.fetch()).await.map(Some) })
    }

    fn refused<'a>(
        &'a self,
        destination: Destination<'a>,
        sent: Option<&'a HeaderValue>,
        refused: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        match sent {
            Some(sent)
                if *destination.origin == self.origin && refused.status() == StatusCode::UNAUTHORIZED =>
            {
                Box::pin(self.renewal.refused(sent, || self.fetch()))
            }
            _ => Box::pin(ready(Ok(false))),
        }
    }
}

/// The program, and how many arguments: one may be a secret.
impl fmt::Debug for TokenCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCommand")
            .field("origin", &format_args!("{}", self.origin))
            .field("program", &self.program)
            .field("arguments", &self.arguments.len())
            .field("timeout", &self.timeout)
            .field("interval", &self.renewal.interval)
            .finish_non_exhaustive()
    }
}

async fn run(mut command: Command, within: Duration) -> Result<String, Error> {
    let child = command.spawn().map_err(|error| {
        Error::new(ErrorKind::Refused, "the token command cannot be started").with_source(error)
    })?;
    let mut running = Running(child);
    let late = |_| Error::new(ErrorKind::Timeout, "the token command takes too long");
    let (printed, status) = timeout(within, running.finish()).await.map_err(late)??;
    if !status.success() {
        return Err(Error::io("the token command failed", io::Error::other(status.to_string())));
    }
    let line = printed.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8(line.trim_ascii().to_vec())
        .map_err(|_| Error::new(ErrorKind::Io, "the token command prints no token"))
}

/// A program that runs. It is killed with everything that it started, unless it has ended.
struct Running(Child);

impl Running {
    /// What it prints until it has ended, and how it ends.
    async fn finish(&mut self) -> Result<(Vec<u8>, ExitStatus), Error> {
        let mut stdout = self.0.stdout.take();
        let mut printed = Vec::new();
        let mut ending = pin!(self.0.wait());
        let mut status = None;
        let mut rest: Option<Pin<Box<Sleep>>> = None;
        let status = poll_fn(|cx| {
            if status.is_none()
                && let Poll::Ready(ended) = ending.as_mut().poll(cx)
            {
                status = Some(ended.map_err(|error| Error::io("the token command is lost", error))?);
                rest = Some(Box::pin(sleep(REST)));
            }
            if let Poll::Ready(read) = poll_all(&mut stdout, &mut printed, cx) {
                read?;
                stdout = None;
            }
            let late = rest.as_mut().is_some_and(|rest| rest.as_mut().poll(cx).is_ready());
            match status {
                Some(status) if stdout.is_none() || late => Poll::Ready(Ok::<_, Error>(status)),
                _ => Poll::Pending,
            }
        });
        let status = status.await?;
        Ok((printed, status))
    }
}

/// Reads to the end.
fn poll_all(
    stdout: &mut Option<ChildStdout>,
    printed: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    let Some(stdout) = stdout else { return Poll::Ready(Ok(())) };
    loop {
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        match Pin::new(&mut *stdout).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => {
                return Poll::Ready(Err(Error::io("the token command cannot be read", error)));
            }
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) if printed.len() + buffer.filled().len() > MAX_OUTPUT => {
                return Poll::Ready(Err(Error::new(ErrorKind::Limit, "the token command prints too much")));
            }
            Poll::Ready(Ok(())) => printed.extend_from_slice(buffer.filled()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It is none once the program has ended and was waited for: then its number may be somebody else's.
        #[cfg(unix)]
        if let Some(group) =
            self.0.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?))
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
