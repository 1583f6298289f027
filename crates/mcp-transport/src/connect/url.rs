//! Which binding and which era a URL has.

use std::fmt::Write as _;

use http::Uri;
use mcp_http::HttpRefused;
use mcp_jsonrpc::Response;
use mcp_sse::SseClient;
use mcp_streamable_http::StreamableClient;
use mcp_transport_core::{CallOptions, Connection, Era, Error, ErrorKind, Options, Transport};
use tokio::time::timeout;

use super::command::era_of;
use super::{Binding, Connected, Connector, Strategy};

/// What an attempt was, and what it said.
struct Attempt {
    what: &'static str,
    error: Error,
}

/// What was learned from one attempt.
enum Learned {
    /// That is it.
    Is(Era),
    /// It may be something else.
    Not(Attempt),
}

impl Connector {
    pub(super) async fn reach(&self, url: Uri) -> Result<Connected, Error> {
        self.http.check(&url)?;
        if let Some((binding, era)) = self.found.at(&url) {
            match self.dial(&url, binding).await {
                Ok(connection) => return Ok(Connected { connection, binding, era: Some(era) }),
                // What was there has gone; what is there now is found out.
                Err(_) => self.found.forget(&url),
            }
        }
        let connected = match self.strategy {
            Strategy::SseOnly => self.sse(&url).await?,
            Strategy::HttpOnly => self.http_only(&url).await?,
            Strategy::HttpFirst => self.http_first(&url).await?,
            Strategy::SseFirst => self.sse_first(&url).await?,
        };
        if let Some(era) = connected.era {
            self.found.remember(&url, connected.binding, era);
        }
        Ok(connected)
    }

    async fn http_first(&self, url: &Uri) -> Result<Connected, Error> {
        let mut attempts = Vec::new();
        match self.discover(url).await? {
            Learned::Is(era) => return self.streamable(url, era).await,
            Learned::Not(attempt) => attempts.push(attempt),
        }
        match self.initialize(url).await? {
            Learned::Is(era) => return self.streamable(url, era).await,
            Learned::Not(attempt) => attempts.push(attempt),
        }
        match self.sse(url).await {
            Ok(connected) => Ok(connected),
            Err(error) => Err(nothing(attempts, error)),
        }
    }

    async fn sse_first(&self, url: &Uri) -> Result<Connected, Error> {
        let error = match self.sse(url).await {
            Ok(connected) => return Ok(connected),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => error,
        };
        let mut attempts = vec![Attempt { what: "GET of an event stream", error }];
        match self.discover(url).await? {
            Learned::Is(era) => return self.streamable(url, era).await,
            Learned::Not(attempt) => attempts.push(attempt),
        }
        match self.initialize(url).await? {
            Learned::Is(era) => self.streamable(url, era).await,
            Learned::Not(last) => Err(nothing(attempts, last.error)),
        }
    }

    async fn http_only(&self, url: &Uri) -> Result<Connected, Error> {
        match self.discover(url).await? {
            Learned::Is(era) => self.streamable(url, era).await,
            // The user knows better.
            Learned::Not(_) => self.streamable(url, Era::Legacy).await,
        }
    }

    /// Asks what only a server of the modern era knows.
    async fn discover(&self, url: &Uri) -> Result<Learned, Error> {
        const WHAT: &str = "POST of server/discover";
        match self.question(url, "server/discover", &self.discovery()).await {
            Ok(response) => era_of(&response).map(Learned::Is),
            Err(error) => learned(WHAT, error),
        }
    }

    /// Opens a session, to see whether it can be done, and ends it.
    async fn initialize(&self, url: &Uri) -> Result<Learned, Error> {
        const WHAT: &str = "POST of initialize";
        match self.question(url, "initialize", &self.greeting()).await {
            // Whatever it says, somebody is there who answers.
            Ok(_) => Ok(Learned::Is(Era::Legacy)),
            Err(error) => learned(WHAT, error),
        }
    }

    /// One question on a connection of its own.
    async fn question(&self, url: &Uri, method: &str, params: &serde_json::Value) -> Result<Response, Error> {
        let mut client = StreamableClient::new(url.clone()).with_http(self.http.clone());
        let endpoint = client.dial().await?.spawn();
        let control = endpoint.control.clone();
        let caller = endpoint.into_caller().with_options(CallOptions::timeout(self.probe));
        let answer = caller.request(method, params).await;
        // Which ends a session, if one was opened.
        control.shutdown();
        answer
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
        let mut options: Options = self.options.clone();
        match binding {
            Binding::Sse => {
                options.context.transport = "sse";
                let client = SseClient::new(url.clone()).with_http(self.http.clone()).with_options(options);
                let mut client = client.with_endpoint_wait(self.probe);
                let late = |_| Error::new(ErrorKind::Timeout, "the server does not open a stream");
                timeout(self.probe.saturating_mul(2), client.dial()).await.map_err(late)?
            }
            Binding::Stdio | Binding::StreamableHttp => {
                options.context.transport = "streamable-http";
                let client = StreamableClient::new(url.clone());
                client.with_http(self.http.clone()).with_options(options).dial().await
            }
        }
    }
}

/// Whether another attempt would meet the same: nobody is there, or somebody wants to know who asks.
fn is_final(error: &Error) -> bool {
    match HttpRefused::of(error) {
        Some(refused) => matches!(refused.status().as_u16(), 401 | 403 | 407 | 429),
        None => matches!(error.kind(), ErrorKind::Io | ErrorKind::Misuse),
    }
}

fn learned(what: &'static str, error: Error) -> Result<Learned, Error> {
    if is_final(&error) { Err(error) } else { Ok(Learned::Not(Attempt { what, error })) }
}

/// Nothing was found: says what was tried and what each attempt said. A refusal to be dealt with stays what it is.
fn nothing(attempts: Vec<Attempt>, last: Error) -> Error {
    if is_final(&last) {
        return last;
    }
    let mut text = String::from("no binding of MCP was found there");
    let last = Attempt { what: "the last attempt", error: last };
    for Attempt { what, error } in attempts.iter().chain([&last]) {
        let _ = write!(text, "; {what}: {error}");
        if let Some(refused) = HttpRefused::of(error) {
            let _ = write!(text, " ({})", refused.status());
        }
    }
    Error::new(ErrorKind::Peer, text).with_source(last.error)
}
