//! The server at the other end, a child or a remote one: dialled, listened to, ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_transport::core::Tap;
use mcp_transport::{
    CallOptions, Caller, CloseReason, Connection, Control, Era, ErrorCode, ErrorObject, Incoming, Limits,
    Options, Receiver, StderrMode, StdioClient, Transport,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::exit::Failure;
use crate::launch::Launch;
use crate::remote::{self, Remote};
use crate::report::Report;

/// What we have yet to say when the call is over: a cancellation, an answer. A child that does not read is not waited
/// for any longer.
pub(crate) const DRAIN: Duration = Duration::from_secs(1);
/// The drain, each step of the child's ladder, and one second more.
const END: Duration = Duration::from_secs(9);
/// Characters shown of a line that is no message.
const EXCERPT: usize = 200;

/// Whom to ask.
pub(crate) enum Target {
    Command(Launch),
    Url(Box<Remote>),
}

impl Target {
    /// What is waited for first.
    pub(crate) fn start(&self) -> &'static str {
        match self {
            Self::Command(_) => "the child",
            Self::Url(_) => "the first request",
        }
    }

    /// A connection, and the era of who is there, if that was found out.
    async fn dial(&self, report: &Report) -> Result<(Connection, Option<Era>), Failure> {
        let dialled = match self {
            Self::Command(launch) => {
                let lines = report.clone();
                let each = move |line: &str| lines.say(&format!("child| {line}"));
                let command = launch.spec().map_err(Failure::new)?.stderr(StderrMode::Lines(Arc::new(each)));
                let options = Options::new("stdio")
                    .with_limits(Limits::default().with_drain(DRAIN))
                    .with_tap(Arc::new(Strays { report: report.clone() }));
                let dialled = StdioClient::new(command).with_options(options).dial().await;
                dialled.map(|connection| (connection, None))
            }
            Self::Url(remote) => {
                let connected = remote.connect().await;
                connected.map(|connected| (connected.connection, connected.era))
            }
        };
        dialled.map_err(|error| why(&error))
    }
}

/// A server and the connection to it.
#[derive(Debug)]
pub(crate) struct Peer {
    caller: Caller,
    control: Control,
    driver: JoinHandle<Arc<CloseReason>>,
    listener: JoinHandle<()>,
    era: Option<Era>,
}

impl Peer {
    /// Starts the child, or opens the stream. `within` is that of the whole call, and its calls are not to end before.
    pub(crate) async fn dial(target: &Target, within: Duration, report: &Report) -> Result<Self, Failure> {
        let (connection, era) = target.dial(report).await?;
        let (endpoint, driver) = connection.split();
        let bounds = CallOptions::timeout(within.saturating_mul(2)).with_max_total(within.saturating_mul(2));
        Ok(Self {
            caller: Caller::new(&endpoint.sender).with_options(bounds),
            control: endpoint.control,
            driver: tokio::spawn(driver),
            listener: tokio::spawn(listen(endpoint.receiver, report.clone())),
            era,
        })
    }

    /// The era of the server, if it was found out when it was dialled.
    pub(crate) fn era(&self) -> Option<Era> {
        self.era
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What may explain why no answer came, in words that follow a sentence.
    pub(crate) fn silence(&self) -> String {
        let health = self.control.health();
        if self.control.context().transport != "stdio" {
            return String::new();
        }
        match (health.received, health.malformed) {
            (0, _) => "; the child said nothing at all".into(),
            (_, 0) => String::new(),
            (_, 1) => "; one line of its stdout was no message".into(),
            (_, lines) => format!("; {lines} lines of its stdout were no messages"),
        }
    }

    /// Ends the child in good order: what we had to say, the end of its input, TERM, KILL. Always within bounds.
    pub(crate) async fn end(self) {
        self.control.shutdown();
        if timeout(END, self.driver).await.is_err() {
            tracing::error!("the child could not be ended in time");
        }
        // What came in before the end is said before we go.
        let _ = timeout(DRAIN, self.listener).await;
    }
}

/// Says what comes in beside the answer, and answers what the server asks.
async fn listen(mut receiver: Receiver, report: Report) {
    while let Some(incoming) = receiver.recv().await {
        match incoming {
            Incoming::Notification(notification, _) => {
                report.say(&format!("< notification {}", text(&notification.into_line())));
            }
            Incoming::Request(exchange) => {
                report.say(&format!("< request {}", text(&exchange.request().clone().into_line())));
                // A server that waits for an answer is not left waiting, in either era.
                match &*exchange.request().method() {
                    "ping" => exchange.finish(&serde_json::json!({})),
                    _ => exchange.fail(&ErrorObject::new(
                        ErrorCode::METHOD_NOT_FOUND,
                        "this client answers no requests",
                    )),
                }
            }
            Incoming::Response(response, _) => tracing::info!(?response, "a response that nobody waits for"),
            // The connection has logged it.
            _ => {}
        }
    }
}

/// Shows what the child prints to stdout that can be no message, such as a banner.
struct Strays {
    report: Report,
}

impl Tap for Strays {
    fn received(&self, line: &[u8]) {
        if line.trim_ascii_start().first() != Some(&b'{') {
            let start: String = text(line).chars().take(EXCERPT).collect();
            self.report.say(&format!("! no message on the child's stdout: {start}"));
        }
    }

    fn sent(&self, _: &[u8]) {}
}

pub(crate) fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Why there is no answer, as one line.
pub(crate) fn why(error: &mcp_transport::Error) -> Failure {
    let line = match error.close_reason() {
        Some(reason @ CloseReason::ChildExited(exit)) => format!("{reason}{}", LastWords(&exit.stderr_tail)),
        Some(CloseReason::PeerClosed) => "the server closed its stdout, or its event stream".into(),
        _ => {
            if let Some(line) = remote::refusal(error) {
                return Failure::new(line);
            }
            text_of(error)
        }
    };
    Failure::new(line)
}

/// What an error says, and what is behind it.
pub(crate) fn text_of(error: &mcp_transport::Error) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}

/// The last lines of stderr that say something.
struct LastWords<'a>(&'a [String]);

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINES: usize = 3;
        let mut last: Vec<&str> =
            self.0.iter().rev().map(|line| line.trim()).filter(|line| !line.is_empty()).take(LINES).collect();
        last.reverse();
        if last.is_empty() { Ok(()) } else { write!(f, "; its last words: {}", last.join(" | ")) }
    }
}
