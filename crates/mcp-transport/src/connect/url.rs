//! Which binding and which era a URL has.

use std::fmt::Write as _;

use http::Uri;
use mcp_http::HttpRefused;
use mcp_http::credentials::CredentialsFailed;
use mcp_jsonrpc::{Outcome, Request};
use mcp_sse::SseClient;
use mcp_streamable_http::StreamableClient;
use mcp_transport_core::{Connection, Era, Error, ErrorKind, Transport};

use super::era::era_of_answer;
use super::question::{Answer, Question};
use super::{Binding, Connected, Connector, Strategy};

/// One attempt.
#[derive(Clone, Copy)]
enum Step {
    Discover,
    Initialize,
    Sse,
}

impl Step {
    fn what(self) -> &'static str {
        match self {
            Self::Discover => "POST of server/discover",
            Self::Initialize => "POST of initialize",
            Self::Sse => "GET of an event stream",
        }
    }
}

/// What was learned from a question.
enum Learned {
    /// That is it.
    Is(Era),
    /// It may be something else.
    Not(Error),
}

impl Connector {
    pub(super) async fn reach(&self, url: Uri) -> Result<Connected, Error> {
        self.http.check(&url)?;
        if let Some((binding, era)) = self.found.at(&url) {
            match self.dial(&url, binding).await {
                Ok(connection) => return Ok(Connected { connection, binding, era: Some(era) }),
                // It may be there as before.
                Err(error) if is_final(&error) || is_nobody(&error) => return Err(error),
                // What was there has gone; what is there now is found out.
                Err(_) => self.found.forget(&url),
            }
        }
        let connected = match self.strategy {
            Strategy::SseOnly => self.sse(&url).await?,
            Strategy::HttpOnly => match self.discover(&url).await? {
                Learned::Is(era) => self.streamable(&url, era).await?,
                Learned::Not(error) if is_final(&error) || is_nobody(&error) => return Err(error),
                // The user knows better. That it is so is not known, and not remembered.
                Learned::Not(_) => return self.streamable(&url, Era::Legacy).await,
            },
            Strategy::HttpFirst => self.by_steps(&url, [Step::Discover, Step::Initialize, Step::Sse]).await?,
            Strategy::SseFirst => self.by_steps(&url, [Step::Sse, Step::Discover, Step::Initialize]).await?,
        };
        if let Some(era) = connected.era {
            self.found.remember(&url, connected.binding, era);
        }
        Ok(connected)
    }

    /// Goes on until a step tells what is there.
    async fn by_steps(&self, url: &Uri, steps: [Step; 3]) -> Result<Connected, Error> {
        let mut attempts = Vec::new();
        for step in steps {
            let learned = match step {
                Step::Discover => self.discover(url).await?,
                Step::Initialize => self.initialize(url).await?,
                Step::Sse => match self.sse(url).await {
                    Ok(connected) => return Ok(connected),
                    Err(error) => Learned::Not(error),
                },
            };
            match learned {
                Learned::Is(era) => return self.streamable(url, era).await,
                Learned::Not(error) if is_final(&error) => return Err(error),
                Learned::Not(error) if attempts.is_empty() && is_nobody(&error) => return Err(error),
                Learned::Not(error) => attempts.push((step, error)),
            }
        }
        Err(nothing(attempts))
    }

    /// Asks what only a server of the modern era knows.
    async fn discover(&self, url: &Uri) -> Result<Learned, Error> {
        match self.question(url, self.discovery()?).ask().await {
            Ok(Answer::Response(status, response)) => match era_of_answer(status, &response)? {
                Some(era) => Ok(Learned::Is(era)),
                None => Ok(Learned::Not(said(status, response.outcome()))),
            },
            Ok(Answer::Stream) => Ok(Learned::Not(silent())),
            Err(error) => Ok(Learned::Not(error)),
        }
    }

    /// Opens a session, to see whether it can be done, and ends it, also when nobody waits for it any more.
    async fn initialize(&self, url: &Uri) -> Result<Learned, Error> {
        let failed = |_| Error::new(ErrorKind::Internal, "the task of a question has failed");
        let asking = tokio::spawn(self.question(url, self.greeting()?).ask());
        match asking.await.map_err(failed)? {
            // MCP 2025-11-25, transports, Backwards Compatibility: if it succeeds, that is it. It may take its time.
            Ok(Answer::Stream) => Ok(Learned::Is(Era::Legacy)),
            Ok(Answer::Response(status, response)) => match response.outcome() {
                Outcome::Result(_) => Ok(Learned::Is(Era::Legacy)),
                outcome @ Outcome::Error(_) => match era_of_answer(status, &response)? {
                    Some(era) => Ok(Learned::Is(era)),
                    None => Ok(Learned::Not(said(status, outcome))),
                },
            },
            Err(error) => Ok(Learned::Not(error)),
        }
    }

    fn question(&self, url: &Uri, request: Request) -> Question {
        Question { http: self.http.clone(), url: url.clone(), request, wait: self.probe }
    }

    async fn streamable(&self, url: &Uri, era: Era) -> Result<Connected, Error> {
        let binding = Binding::StreamableHttp;
        let connection = self.dial(url, binding).await?;
        Ok(Connected { connection, binding, era: Some(era) })
    }

    async fn sse(&self, url: &Uri) -> Result<Connected, Error> {
        let binding = Binding::Sse;
        let connection = self.dial(url, binding).await?;
        // The binding is of the legacy era; what else a server may speak over it is not asked.
        Ok(Connected { connection, binding, era: Some(Era::Legacy) })
    }

    async fn dial(&self, url: &Uri, binding: Binding) -> Result<Connection, Error> {
        let (http, options) = (self.http.clone(), self.options.clone());
        match binding {
            Binding::Sse => {
                let client = SseClient::new(url.clone()).with_http(http).with_options(options);
                client.with_endpoint_wait(self.probe).dial().await
            }
            Binding::Stdio | Binding::StreamableHttp => {
                let client = StreamableClient::new(url.clone()).with_http(http);
                client.with_options(options).dial().await
            }
        }
    }
}

/// Whether another attempt would meet the same: somebody wants to know who asks, which we may be unable to say, or has no
/// time.
pub(super) fn is_final(error: &Error) -> bool {
    match HttpRefused::of(error) {
        Some(refused) => matches!(refused.status().as_u16(), 401 | 403 | 407 | 429 | 503),
        None => error.kind() == ErrorKind::Misuse || CredentialsFailed::of(error).is_some(),
    }
}

/// Whether nobody is there, unless somebody was there a moment ago.
fn is_nobody(error: &Error) -> bool {
    error.kind() == ErrorKind::Io
}

fn silent() -> Error {
    Error::new(ErrorKind::Timeout, "the server does not answer")
}

/// A response that tells nothing. Its text is not shown: it is the server's, and may be anything.
fn said(status: http::StatusCode, outcome: Outcome<'_>) -> Error {
    let what = match outcome {
        Outcome::Error(error) => format!("error {} ({status})", error.code().0),
        Outcome::Result(_) => format!("a result for something else ({status})"),
    };
    Error::new(ErrorKind::Peer, what)
}

/// Nothing was found: says what was tried and what each attempt said.
fn nothing(attempts: Vec<(Step, Error)>) -> Error {
    let mut text = String::from("no binding of MCP was found there");
    for (step, error) in &attempts {
        let _ = write!(text, "; {}: {error}", step.what());
        if let Some(refused) = HttpRefused::of(error) {
            let _ = write!(text, " ({})", refused.status());
        }
    }
    let mut kinds = attempts.iter().map(|(_, error)| error.kind());
    let first = kinds.next().unwrap_or(ErrorKind::Peer);
    let kind = if kinds.all(|kind| kind == first) { first } else { ErrorKind::Peer };
    let error = Error::new(kind, text);
    match attempts.into_iter().next_back() {
        Some((_, last)) => error.with_source(last),
        None => error,
    }
}
