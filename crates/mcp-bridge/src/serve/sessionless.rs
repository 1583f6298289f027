//! Requests that have no session: those of 2026-07-28, and all where there are to be no sessions.
//!
//! ```text
//! front ── serve ──▶ era ─┬─ modern ──▶ a child that was asked `server/discover`
//!                         └─ legacy ──▶ a child that was initialized for everybody
//! ```

use std::sync::Arc;
use std::time::Duration;

use mcp_transport::core::queue;
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::{
    Connection, Era, ErrorCode, ErrorObject, Exchange, Id, Incoming, Json, Notification, Outcome, Request,
    Revision, serve,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

use super::session::{Backend, start};
use super::share::{Ended, Share};
use crate::demo;

/// Requests that wait for a child; more are refused.
const WAITING: u32 = 1024;
/// How long a child may take to say what it speaks; then clients of 2026-07-28 are told that it does not, and go on
/// with `initialize`, if they can.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A child that ends at once is not started again sooner.
const RESTART: Duration = Duration::from_secs(1);

/// Serves what arrives on the connection that has no session, until it ends.
pub(super) async fn run(front: Connection, backend: Backend, tools: Arc<ToolTable>) {
    if let Backend::Demo = backend {
        demo::serve_on(front).await;
        return;
    }
    let mut kept = JoinSet::new();
    let queues = [Era::Modern, Era::Legacy].map(|era| {
        let (queue, requests) = queue::channel(WAITING, WAITING);
        let span = tracing::info_span!("shared", ?era);
        kept.spawn(
            Kept { backend: backend.clone(), era, tools: tools.clone() }.keep(requests).instrument(span),
        );
        queue
    });
    let [modern, legacy] = queues;
    serve(front, |incoming| {
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
    })
    .await;
    modern.close();
    legacy.close();
    while kept.join_next().await.is_some() {}
}

/// A child that is started when it is needed, and again when it has ended.
struct Kept {
    backend: Backend,
    era: Era,
    tools: Arc<ToolTable>,
}

/// What a child turned out to be.
enum Found {
    /// It speaks this era; what it said of itself, for `initialize`.
    Speaks(Json),
    /// It does not, and says so.
    Refuses,
}

impl Kept {
    async fn keep(self, mut requests: queue::Receiver<Exchange>) {
        let requests = &mut requests;
        let mut not_before = Instant::now();
        while let Some(first) = requests.recv().await {
            sleep_until(not_before).await;
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
                    let ended = Share::new(child, asked, tools).run(first, requests, own).await;
                    if ended == Ended::Front {
                        return;
                    }
                    tracing::warn!("the shared child has ended");
                }
                Ok(Ok(Found::Refuses)) => {
                    tracing::info!("the server does not speak this era");
                    child.finish().await;
                    refuse(first);
                    // It will not learn it.
                    while let Some(exchange) = requests.recv().await {
                        refuse(exchange);
                    }
                    return;
                }
                Ok(Err(why)) => {
                    tracing::warn!("{why}");
                    first.fail(&ErrorObject::with_reason("the server cannot be reached", "child_exited"));
                }
                Err(_) if self.era == Era::Modern => {
                    tracing::info!("the server does not answer `server/discover`");
                    refuse(first);
                }
                Err(_) => {
                    tracing::warn!("the server does not answer");
                    first.fail(&ErrorObject::with_reason("the server does not answer", "timeout"));
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
                let response = mcp_transport::Response::json_result(&exchange.request().id(), said);
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
        let Outcome::Result(said) = response.outcome() else {
            return Ok(Found::Refuses);
        };
        let said = Json::parse(said.to_vec()).map_err(|error| error.to_string())?;
        match self.era {
            Era::Modern => {
                let found: Value = said.decode().map_err(|error| error.to_string())?;
                let speaks = found["supportedVersions"].as_array().is_some_and(|versions| {
                    versions.iter().any(|version| version == Revision::LATEST.as_str())
                });
                Ok(if speaks { Found::Speaks(said) } else { Found::Refuses })
            }
            Era::Legacy => {
                let _ = sender.try_send(Notification::new("notifications/initialized"));
                Ok(Found::Speaks(said))
            }
        }
    }
}

/// # Spec
///
/// MCP 2026-07-28, basic, Versioning: an unsupported revision is answered with those that are supported; a client that
/// knows both eras goes on with `initialize`.
fn refuse(exchange: Exchange) {
    let legacy = Revision::ALL
        .into_iter()
        .rev()
        .filter(|revision| revision.era() == Era::Legacy && *revision >= Revision::V2025_03_26);
    let supported: Vec<&str> = legacy.map(Revision::as_str).collect();
    let error = ErrorObject::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, "unsupported protocol version");
    let data = json!({ "supported": supported, "requested": Revision::LATEST.as_str() });
    exchange.fail(&error.clone().with_data(&data).unwrap_or(error));
}
