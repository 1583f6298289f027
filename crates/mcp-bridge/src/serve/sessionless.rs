//! Requests that have no session: those of 2026-07-28, and all where there are to be no sessions.
//!
//! ```text
//! front ── serve ──▶ era ─┬─ modern ──▶ a child that was asked `server/discover`
//!                         └─ legacy ──▶ a child that was initialized for everybody
//! ```

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mcp_transport::core::queue;
use mcp_transport::http::ServerControl;
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::{
    Connection, Era, ErrorCode, ErrorObject, Exchange, Id, Incoming, Json, Notification, Outcome, Request,
    Revision, serve,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::Instrument;

use super::session::{Backend, start};
use super::share::{Ended, Share};
use crate::demo;
use crate::race::{First, race_mut};

/// Requests that wait for a child; more are refused.
const WAITING: u32 = 1024;
/// How long a child may take to say what it speaks; then clients of 2026-07-28 are told that it does not, and go on
/// with `initialize`, if they can.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A child that ends at once is not started again sooner.
const RESTART: Duration = Duration::from_secs(1);
/// For how long a child that does not say what it speaks is not asked again.
const SULK: Duration = Duration::from_secs(60);

/// Serves what arrives on the connection that has no session, until it ends.
///
/// When a drain of the server begins, what was accepted may take `grace`; before that, each request may take `answer`.
pub(super) async fn run(
    front: Connection,
    backend: Backend,
    tools: Arc<ToolTable>,
    server: ServerControl,
    grace: Duration,
    answer: Option<Duration>,
) {
    if let Backend::Demo = backend {
        demo::serve_on(front).await;
        return;
    }
    let mut kept = JoinSet::new();
    let queues = [Era::Modern, Era::Legacy].map(|era| {
        let (queue, requests) = queue::channel(WAITING, WAITING);
        let span = tracing::info_span!("shared", ?era);
        kept.spawn(
            Kept { backend: backend.clone(), era, tools: tools.clone(), answer }
                .keep(requests)
                .instrument(span),
        );
        queue
    });
    let [modern, legacy] = queues;
    let control = front.control();
    let serving = serve(front, |incoming| {
        if let Incoming::Request(exchange) = incoming {
            let era = exchange.context().revision.map_or(Era::Legacy, Revision::era);
            let queue = if era == Era::Modern { &modern } else { &legacy };
            match queue.try_reserve(1) {
                // One that finds it closed is dropped, and answered by that.
                Ok(Some(place)) => drop(place.send(exchange)),
                _ => exchange.fail(&ErrorObject::with_reason("too many requests wait", "overloaded")),
            }
        }
        std::future::ready(())
    });
    let late = async {
        server.draining().await;
        sleep(grace).await;
        tracing::warn!("requests were not finished in time");
        control.close();
        std::future::pending::<Infallible>().await
    };
    match race_mut(pin!(serving), pin!(late)).await {
        First::One(_) => {}
        First::Other(never) => match never {},
    }
    modern.close();
    legacy.close();
    while kept.join_next().await.is_some() {}
}

/// A child that is started when it is needed, and again when it has ended.
struct Kept {
    backend: Backend,
    era: Era,
    tools: Arc<ToolTable>,
    answer: Option<Duration>,
}

/// What a child turned out to be.
enum Found {
    /// It speaks this era; what it said of itself, for `initialize`.
    Speaks(Json),
    /// It does not, and says so; whether it always will.
    Refuses { ever: bool },
    /// It may, and says what is wrong.
    Fails(ErrorObject),
}

impl Kept {
    async fn keep(self, mut requests: queue::Receiver<Exchange>) {
        let requests = &mut requests;
        let mut not_before = Instant::now();
        let mut sulks_until = Instant::now();
        while let Some(first) = requests.recv().await {
            if Instant::now() < sulks_until {
                self.refuse(first);
                continue;
            }
            sleep_until(not_before).await;
            // Nobody starts a child for somebody who has gone.
            if first.responder().is_cancelled() {
                continue;
            }
            not_before = Instant::now() + RESTART;
            let Backend::Command(launch, limits) = &self.backend else { return };
            let mut child = match start(launch, *limits) {
                Ok(child) => child,
                Err(why) => {
                    tracing::error!("{why}");
                    first.fail(&ErrorObject::with_reason("the server cannot be started", "child_exited"));
                    continue;
                }
            };
            let mut asked = 0;
            let found = timeout(HANDSHAKE, self.meet(&mut child, &mut asked)).await;
            match found {
                Ok(Ok(Found::Speaks(said))) => {
                    tracing::info!("a shared child is there");
                    // Headers mirror parameters in this era only.
                    let tools = (self.era == Era::Modern).then(|| self.tools.clone());
                    let own = |exchange| self.own_answer(exchange, &said);
                    let ended = Share::new(child, asked, self.answer, tools).run(first, requests, own).await;
                    if ended == Ended::Front {
                        return;
                    }
                    tracing::warn!("the shared child has ended");
                }
                Ok(Ok(Found::Refuses { ever: true })) => {
                    tracing::info!("the server does not speak this era");
                    child.finish().await;
                    self.refuse(first);
                    // It will not learn it.
                    while let Some(exchange) = requests.recv().await {
                        self.refuse(exchange);
                    }
                    return;
                }
                Ok(Ok(Found::Fails(error))) => {
                    tracing::warn!(%error, "the server cannot be initialized");
                    first.fail(&error);
                }
                // It says something else, ends because of the question, or says nothing: for now it is taken as a no,
                // and those who wait are told the same, or each of them would wait as long.
                Ok(Ok(Found::Refuses { ever: false }) | Err(_)) | Err(_) => {
                    tracing::warn!("the server does not say that it speaks this era");
                    sulks_until = Instant::now() + SULK;
                    self.refuse(first);
                }
            }
        }
    }

    /// Answers what concerns the handshake, which the child has had once and for all; gives back everything else.
    fn own_answer(&self, exchange: Exchange, said: &Json) -> Option<Exchange> {
        if self.era == Era::Modern {
            return Some(exchange);
        }
        match &*exchange.request().method() {
            "initialize" => {
                let agreed = agreed(exchange.request(), said);
                let response = mcp_transport::Response::json_result(&exchange.request().id(), &agreed);
                exchange.into_parts().2.respond(response);
                None
            }
            "ping" => {
                exchange.finish(&json!({}));
                None
            }
            _ => Some(exchange),
        }
    }

    /// The handshake of its era.
    async fn meet(&self, child: &mut Connection, asked: &mut u64) -> Result<Found, String> {
        *asked += 1;
        let info = json!({ "name": "mcp-bridge", "version": env!("CARGO_PKG_VERSION") });
        let request = match self.era {
            Era::Modern => Request::with_params(
                *asked,
                "server/discover",
                &json!({ "_meta": {
                    "io.modelcontextprotocol/protocolVersion": Revision::LATEST.as_str(),
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": info,
                }}),
            ),
            Era::Legacy => Request::with_params(
                *asked,
                "initialize",
                &json!({
                    "protocolVersion": Revision::LATEST_LEGACY.as_str(),
                    "capabilities": {},
                    "clientInfo": info,
                }),
            ),
        };
        let request = request.map_err(|error| error.to_string())?;
        let sender = child.sender();
        sender.try_send(request).map_err(|error| error.to_string())?;
        let id = Id::from(*asked);
        let response = loop {
            match child.next().await {
                Some(Incoming::Response(response, _)) if response.id().as_ref() == Some(&id) => {
                    break response;
                }
                Some(Incoming::Request(exchange)) if exchange.request().method() == "ping" => {
                    exchange.finish(&json!({}));
                }
                Some(_) => {}
                None => return Err("the server ended before it said what it speaks".into()),
            }
        };
        let said = match response.outcome() {
            Outcome::Result(said) => said,
            Outcome::Error(error) if self.era == Era::Legacy => return Ok(Found::Fails(error)),
            Outcome::Error(error) => {
                let ever = [
                    ErrorCode::METHOD_NOT_FOUND,
                    ErrorCode::INVALID_PARAMS,
                    ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
                ];
                return Ok(Found::Refuses { ever: ever.contains(&error.code()) });
            }
        };
        let said = Json::parse(said.to_vec()).map_err(|error| error.to_string())?;
        match self.era {
            Era::Modern => {
                let found: Value = said.decode().map_err(|error| error.to_string())?;
                let speaks = found["supportedVersions"].as_array().is_some_and(|versions| {
                    versions.iter().any(|version| version == Revision::LATEST.as_str())
                });
                Ok(if speaks { Found::Speaks(said) } else { Found::Refuses { ever: true } })
            }
            Era::Legacy => {
                let _ = sender.try_send(Notification::new("notifications/initialized"));
                Ok(Found::Speaks(said))
            }
        }
    }
}

/// What the child said of itself, with the revision that a client asks for: the child was asked for the newest, and the
/// shapes of what passes here are those of every revision that has this binding.
///
/// # Spec
///
/// MCP 2025-11-25, basic, Lifecycle, Version Negotiation: a server answers with the version that it was asked for, if it
/// supports it.
fn agreed(request: &Request, said: &Json) -> Json {
    let asked: Option<Value> = request.params().ok();
    let asked =
        asked.as_ref().and_then(|params| params["protocolVersion"].as_str()?.parse::<Revision>().ok());
    let Some(asked) = asked.filter(|asked| asked.era() == Era::Legacy && *asked >= Revision::V2025_03_26)
    else {
        return said.clone();
    };
    let Ok(mut result) = said.decode::<Value>() else { return said.clone() };
    let theirs = result["protocolVersion"].as_str().and_then(|theirs| theirs.parse::<Revision>().ok());
    if theirs.is_some_and(|theirs| asked <= theirs) {
        result["protocolVersion"] = asked.as_str().into();
    }
    Json::new(&result).unwrap_or_else(|_| said.clone())
}

impl Kept {
    fn refuse(&self, exchange: Exchange) {
        match self.era {
            Era::Modern => unsupported(exchange),
            Era::Legacy => {
                exchange.fail(&ErrorObject::with_reason("the server cannot be reached", "child_exited"));
            }
        }
    }
}

/// # Spec
///
/// MCP 2026-07-28, basic, Versioning: an unsupported revision is answered with those that are supported; a client that
/// knows both eras goes on with `initialize`.
fn unsupported(exchange: Exchange) {
    let legacy = Revision::ALL
        .into_iter()
        .rev()
        .filter(|revision| revision.era() == Era::Legacy && *revision >= Revision::V2025_03_26);
    let supported: Vec<&str> = legacy.map(Revision::as_str).collect();
    let error = ErrorObject::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, "unsupported protocol version");
    let data = json!({ "supported": supported, "requested": Revision::LATEST.as_str() });
    exchange.fail(&error.clone().with_data(&data).unwrap_or(error));
}
