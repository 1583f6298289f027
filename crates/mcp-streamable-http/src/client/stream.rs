//! One stream of the server's, over as many connections as it takes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use mcp_http::credentials::CredentialsFailed;
use mcp_http::proto::{Decoded, EventDecoder, EventId, EventLimits, EventName, OversizeEvent};
use mcp_http::{ClientBody, HttpRefused};
use mcp_transport_core::{Error, ErrorKind};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::delivery::{Delivery, Progress};
use super::era::Legacy;
use super::link::{Link, Signal};

/// A connection that stayed so long was progress, though it brought nothing: proxies cut streams that are idle.
const LONG: Duration = Duration::from_secs(30);
/// The most that a server's `Retry-After` puts an attempt off: longer, and calls are better told.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Events whose ids are remembered, so that a server that repeats some after a break brings no message twice.
const REMEMBERED: usize = 256;
/// How long a stream may go on after its response. A server ends it there; then its connection can be used again.
const LINGER: Duration = Duration::from_millis(250);

/// What a stream is, and so what may be done when its connection breaks.
pub(super) enum Kind {
    /// The answer to a request of the modern era: it is lost.
    Modern,
    /// The answer to a request: it is resumed, if an event had an id.
    Answer(Arc<Legacy>),
    /// The server's own stream: it is opened again.
    Listening(Arc<Legacy>),
}

/// Reads a stream, and connects again where that is allowed.
///
/// ```text
///            ┌── wait: what the server said, or a backoff ◀─┐
/// read ──end─┤                                              ├─ no progress, less than so many times
///            └── no id, modern, or too many times: over     │
///                        GET with Last-Event-ID ────────────┘
/// ```
///
/// Attempts are counted from the last progress, which is an event id that is new.
pub(super) struct ServerStream {
    delivery: Delivery,
    kind: Kind,
    /// Behind which event it resumes.
    cursor: Option<EventId>,
    retry: Option<Duration>,
    /// Attempts without progress.
    attempts: u32,
    /// The last event ids.
    met: VecDeque<Met>,
    /// The id of the event before, on this connection.
    before: Option<EventId>,
    resumed: bool,
}

/// An event id that was there.
struct Met {
    hash: u64,
    /// With a message.
    message: bool,
}

/// One connection of a stream.
struct Events {
    decoder: EventDecoder,
    body: ClientBody,
}

impl Events {
    async fn next(&mut self) -> Option<Result<Decoded, Error>> {
        poll_fn(|cx| {
            loop {
                if let Some(found) = self.decoder.next() {
                    return Some(Ok(found)).into();
                }
                match ready!(self.body.poll_chunk(cx)) {
                    Some(Ok(chunk)) => self.decoder.push(chunk),
                    Some(Err(error)) => return Some(Err(error)).into(),
                    None => return None.into(),
                }
            }
        })
        .await
    }
}

impl ServerStream {
    pub(super) fn new(delivery: Delivery, kind: Kind) -> Self {
        Self {
            delivery,
            kind,
            cursor: None,
            retry: None,
            attempts: 0,
            met: VecDeque::new(),
            before: None,
            resumed: false,
        }
    }

    fn link(&self) -> &Arc<Link> {
        &self.delivery.link
    }

    /// Reads until the call that it belongs to has its outcome, whatever that is; for ever, if it belongs to none.
    pub(super) async fn run(mut self, body: ClientBody) {
        let mut body = body;
        loop {
            let opened = Instant::now();
            let why = match self.read(body).await {
                Ok(()) => return,
                Err(why) => why,
            };
            if opened.elapsed() >= LONG {
                self.attempts = 0;
            }
            match self.resume(why).await {
                Ok(again) => body = again,
                Err(why) => return self.delivery.give_up(why),
            }
        }
    }

    /// Opens the server's own stream, and says when it is certain whether there is one.
    pub(super) async fn listen(mut self, legacy: Arc<Legacy>) {
        let mut changes = self.link().headers.changes();
        let opened = self.link().get(&legacy, None).await;
        self.link().tell(Signal::Listening);
        let body = match opened {
            Ok(response) => response.into_body(),
            // MCP 2025-11-25, transports, Listening for Messages: 405 where there is none. Others say 404 or 400.
            Err(error) if is_final(&error) && !asks_for_credentials(&error) => {
                tracing::debug!(%error, "the server has no stream of its own");
                return;
            }
            Err(error) => {
                self.attempts = 1;
                if asks_for_credentials(&error) {
                    self.other_credentials(&mut changes).await;
                }
                match self.resume(error).await {
                    Ok(body) => body,
                    Err(_) => return,
                }
            }
        };
        self.run(body).await;
    }

    /// Reads one connection. Ok when the call has its outcome.
    async fn read(&mut self, body: ClientBody) -> Result<(), Error> {
        let limits = EventLimits::default().with_max_data(self.link().limits.max_message);
        // Without the id that it resumes behind: events of the new connection that have none of their own are told by that.
        let mut events = Events { decoder: EventDecoder::new(limits), body };
        self.before = None;
        loop {
            let progress = match events.next().await {
                None => return Err(Error::new(ErrorKind::Peer, "the stream ended before the response")),
                Some(Err(error)) => return Err(error),
                Some(Ok(found)) => self.take(found).await,
            };
            if progress == Progress::Settled {
                let rest = async {
                    while let Some(Ok(found)) = events.next().await {
                        self.take(found).await;
                    }
                };
                let _ = timeout(LINGER, rest).await;
                return Ok(());
            }
        }
    }

    async fn take(&mut self, found: Decoded) -> Progress {
        match found {
            Decoded::Retry(wait) => self.retry = Some(wait),
            Decoded::Cursor(id) => {
                self.meet(id, false);
            }
            Decoded::Event(event) => {
                let id = event.id.clone();
                // The priming event of MCP 2025-11-25 has an id and no data; the names of others are not ours.
                let text = event.into_message();
                let fresh = self.meet(id, text.is_some());
                if let Some(text) = text.filter(|_| fresh) {
                    return self.delivery.text(text).await;
                }
            }
            Decoded::Oversize(OversizeEvent { name, malformed, id, .. }) => {
                let message = name == EventName::Message;
                if self.meet(id, message) && message {
                    return self.delivery.malformed(malformed).await;
                }
            }
            _ => {}
        }
        Progress::Goes
    }

    /// Moves behind an event. False for a message that was there before, going by its id.
    fn meet(&mut self, id: Option<EventId>, message: bool) -> bool {
        if matches!(self.kind, Kind::Modern) {
            return true;
        }
        let Some(id) = id else {
            // None has come yet on this connection, or the server has taken it back.
            if self.before.take().is_some() {
                self.cursor = None;
            }
            return true;
        };
        let hash = self.link().chance.hash_one(id.as_bytes());
        let same = self.before.as_ref() == Some(&id);
        if let Some(met) = self.met.iter_mut().find(|met| met.hash == hash) {
            // An id that stays the same is that of the event before: this one has none, and is none that was repeated.
            let repeated = self.resumed && !same && message && met.message;
            met.message |= message;
            self.cursor = Some(id.clone());
            self.before = Some(id);
            return !repeated;
        }
        self.attempts = 0;
        if self.met.len() == REMEMBERED {
            self.met.pop_front();
        }
        self.met.push_back(Met { hash, message });
        self.cursor = Some(id.clone());
        self.before = Some(id);
        true
    }

    /// Connects again; what the last attempt said where there is no hope.
    async fn resume(&mut self, mut why: Error) -> Result<ClientBody, Error> {
        let legacy = match &self.kind {
            // MCP 2026-07-28, transports, Receiving Messages: streams cannot be resumed.
            Kind::Modern => return Err(why),
            Kind::Answer(_) if self.cursor.is_none() || self.delivery.is_unreadable() => return Err(why),
            Kind::Answer(legacy) | Kind::Listening(legacy) => legacy.clone(),
        };
        // Without the stream of its own the server cannot ask, and nobody would be told: it is tried for as long as the
        // session lasts, less and less often.
        let listens = matches!(self.kind, Kind::Listening(_));
        while listens || self.attempts < self.link().backoff.max_failures {
            let wait = self.wait(&why);
            tracing::debug!(%why, ?wait, attempt = self.attempts, "a stream ended, and is resumed");
            sleep(wait).await;
            self.attempts += 1;
            let mut changes = self.link().headers.changes();
            match self.link().get(&legacy, self.cursor.as_ref()).await {
                Ok(response) => {
                    self.resumed = true;
                    return Ok(response.into_body());
                }
                Err(error) => why = error,
            }
            if status(&why) == Some(StatusCode::NOT_FOUND) && legacy.session().is_some() {
                self.link().tell(Signal::Expired);
                // Everything ends with the connection, and by its reason.
                std::future::pending::<()>().await;
            }
            if matches!(self.kind, Kind::Listening(_)) && asks_for_credentials(&why) {
                self.other_credentials(&mut changes).await;
            } else if is_final(&why) {
                break;
            }
        }
        tracing::info!(error = %why, "a stream is given up");
        Err(why)
    }

    /// Waits until the same GET may be allowed. Credentials that are asked for each request are asked by the next attempt.
    async fn other_credentials(&mut self, changes: &mut watch::Receiver<HeaderMap>) {
        if self.link().http.options().credentials.is_none() {
            let _ = changes.changed().await;
            self.attempts = 0;
        }
    }

    /// How long to wait before the next attempt.
    fn wait(&self, why: &Error) -> Duration {
        let (backoff, chance) = (&self.link().backoff, self.link().chance());
        let asked =
            HttpRefused::of(why).and_then(|refused| refused.retry_after()?.to_str().ok()?.parse().ok());
        let asked = asked.map_or(Duration::ZERO, Duration::from_secs).min(MAX_RETRY_AFTER);
        let wait = match self.retry {
            // MCP 2025-11-25, transports, Sending Messages: the client waits as long as the server says. A little more
            // keeps those apart that were cut together.
            Some(retry) => {
                let least = retry.max(backoff.floor);
                let more = least / 8 / 1024 * u32::try_from(chance % 1024).unwrap_or(0);
                match self.attempts {
                    0 => least + more,
                    attempts => backoff.wait(attempts, chance).max(least + more),
                }
            }
            None => backoff.wait(self.attempts, chance),
        };
        wait.max(asked)
    }
}

fn status(error: &Error) -> Option<StatusCode> {
    HttpRefused::of(error).map(HttpRefused::status)
}

/// Whether the same request with other headers may be allowed.
pub(super) fn asks_for_credentials(error: &Error) -> bool {
    matches!(status(error), Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
}

/// Whether the same GET would meet the same.
fn is_final(error: &Error) -> bool {
    // Nobody has been asked.
    if CredentialsFailed::of(error).is_some() {
        return false;
    }
    match (error.kind(), status(error)) {
        // The server may not yet have seen that the connection before is gone.
        (_, Some(StatusCode::CONFLICT | StatusCode::TOO_EARLY)) => false,
        (ErrorKind::Refused | ErrorKind::Misuse, _) => true,
        // A success that is no stream; 204 says that there is nothing.
        (ErrorKind::Peer, status) => status.is_none_or(|status| status.is_success()),
        _ => false,
    }
}
