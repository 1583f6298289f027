//! `demo`: a small MCP server on stdin and stdout, of both eras.
//!
//! ```text
//! serve ── answer ─┬─ legacy: initialize, ping, logging/setLevel ─┬─ tools: tools/list, tools/call
//!                  └─ modern: server/discover, `_meta`, resultType ┘
//! ```
//!
//! It has no SDK under it: this is what a server looks like that speaks the protocol through the wire layer alone.

mod legacy;
mod modern;
mod shapes;
#[cfg(test)]
mod tests;
mod tools;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use mcp_transport::{
    CloseReason, Connection, ErrorCode, ErrorObject, Exchange, Incoming, Limits, Options, own, serve,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::exit::Exit;
use crate::log;
use crate::report::{PATIENCE, Report};
use shapes::Level;

/// A client that has gone is not kept waiting for: the demo ends within a second of the end of its input.
const DRAIN: Duration = Duration::from_millis(800);

/// A result, or the error that the client is to have.
type Answer = Result<Value, ErrorObject>;

/// What the demo remembers. The modern era needs none of it: there each request stands alone.
#[derive(Debug, Default)]
struct Demo {
    /// Whether a legacy session was opened.
    initialized: AtomicBool,
    /// Whether the legacy client can be asked for a sample.
    samples: AtomicBool,
    /// The least [`Level`] that the legacy client wants to see.
    level: AtomicU8,
}

impl Demo {
    fn level(&self) -> Level {
        Level::ALL.get(usize::from(self.level.load(Relaxed))).copied().unwrap_or(Level::Debug)
    }

    fn set_level(&self, level: Level) {
        self.level.store(level as u8, Relaxed);
    }
}

/// Runs the command: serves one client, until its input ends.
pub(crate) fn run(log: &log::Args) -> Exit {
    let Ok(report) = Report::start(log.format(), PATIENCE) else { return Exit::Failed };
    log.start(log::QUIET, &report);
    let served =
        Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string()).and_then(
            |runtime| {
                runtime.block_on(async {
                    // One of the revisions that it serves has batches.
                    let options = Options::default().with_batches();
                    let options = options.with_limits(Limits::default().with_drain(DRAIN));
                    let connection = own(options).map_err(|error| error.to_string())?;
                    match &*serve_on(connection).await {
                        CloseReason::PeerClosed | CloseReason::ClosedHere => Ok(()),
                        reason => Err(reason.to_string()),
                    }
                })
            },
        );
    let exit = match served {
        Ok(()) => Exit::Answered,
        Err(line) => {
            tracing::error!("{line}");
            Exit::Failed
        }
    };
    report.finish();
    exit
}

/// Serves one client.
pub(crate) async fn serve_on(connection: Connection) -> Arc<CloseReason> {
    let demo = Arc::new(Demo::default());
    serve(connection, move |incoming| {
        let demo = Arc::clone(&demo);
        async move {
            // Notifications change nothing here, and the transport has acted on a cancellation already.
            if let Incoming::Request(exchange) = incoming {
                demo.answer(exchange).await;
            }
        }
    })
    .await
}

impl Demo {
    async fn answer(&self, exchange: Exchange) {
        let (request, _, responder) = exchange.into_parts();
        let answer = if modern::is_modern(&request) {
            modern::answer(self, &request, &responder).await
        } else {
            legacy::answer(self, &request, &responder).await
        };
        match answer {
            Ok(result) => responder.finish(&result),
            Err(error) => responder.fail(&error),
        }
    }
}

fn no_such_method(method: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("no such method: {method}"))
}

fn invalid_params(why: impl std::fmt::Display) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("invalid params: {why}"))
}

/// The params of a request, in the shape that its method wants.
fn params<T: DeserializeOwned>(request: &mcp_transport::Request) -> Result<T, ErrorObject> {
    // serde's words may quote the params; they go to nobody but their sender.
    request.params().map_err(|error| invalid_params(error.detail()))
}

fn server_info() -> Value {
    json!({ "name": "mcp-bridge-demo", "version": env!("CARGO_PKG_VERSION") })
}
