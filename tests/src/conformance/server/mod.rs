//! The server that the suite asks.
//!
//! ```text
//! serve_on ── answer ─┬─ legacy: initialize, ping, levels ──────┬─ tools, resources, prompts
//!                     │    └─ asking: sampling, elicitation     │
//!                     └─ modern: server/discover, `_meta` ──────┘
//!                          ├─ stateless: what only this era has
//!                          ├─ rounds: input required, asked for in the result
//!                          └─ listening: subscriptions
//! ```
//!
//! It does not know over which transport it is asked.

mod asking;
mod content;
mod legacy;
mod listening;
mod modern;
mod prompts;
mod resources;
mod rounds;
mod seal;
mod shapes;
mod stateless;
mod tools;

use std::sync::Arc;

use mcp_transport::jsonrpc::Object;
use mcp_transport::{
    CloseReason, Connection, Context, Era, ErrorCode, ErrorObject, Exchange, Incoming, Notification, Request,
    Responder, Revision, serve,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use legacy::Session;
use listening::Lists;
use seal::Seal;

/// A result, or the error that the client is to have.
type Answer = Result<Value, ErrorObject>;

/// What all connections of the fixture share.
#[derive(Debug, Default)]
pub struct Fixture {
    lists: Lists,
    seal: Seal,
}

/// Serves one connection: a stdio client, a legacy session, or everybody of the modern era.
pub async fn serve_on(connection: Connection, fixture: Arc<Fixture>) -> Arc<CloseReason> {
    let session = Arc::new(Session::default());
    serve(connection, move |incoming| {
        let (fixture, session) = (Arc::clone(&fixture), Arc::clone(&session));
        async move {
            // Notifications change nothing here, and the transport has acted on a cancellation already.
            if let Incoming::Request(exchange) = incoming {
                answer(&fixture, &session, exchange).await;
            }
        }
    })
    .await
}

async fn answer(fixture: &Fixture, session: &Session, exchange: Exchange) {
    let (request, context, responder) = exchange.into_parts();
    let answering = async {
        match era(&request, &context) {
            Era::Legacy => legacy::answer(session, &request, &context, &responder).await,
            Era::Modern => modern::answer(fixture, &request, &responder).await,
        }
    };
    let answer = tokio::select! {
        answer = answering => answer,
        // Nobody wants it any more. What the handler was waiting for is dropped with it.
        () = responder.cancelled() => return,
    };
    match answer {
        Ok(result) => responder.finish(&result),
        Err(error) => responder.fail(&error),
    }
}

/// The era of one request: as the binding knows it, else as the request says.
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility: a dual-era server selects its behaviour from how the client opens.
fn era(request: &Request, context: &Context) -> Era {
    if let Some(revision) = context.revision {
        return revision.era();
    }
    let meta = request.params_raw().and_then(Object::new).and_then(|params| params.get("_meta"));
    let says = meta.and_then(Object::new).is_some_and(|meta| meta.get(shapes::VERSION).is_some());
    if says || request.method() == "server/discover" { Era::Modern } else { Era::Legacy }
}

/// The result of `tools/list` in the modern era, for a binding that has to know which parameters headers mirror.
pub fn modern_tools() -> Value {
    json!({ "tools": modern::tools() })
}

/// The params of a request, in the shape that its method wants. No params are empty ones.
fn params<T: DeserializeOwned>(request: &Request) -> Result<T, ErrorObject> {
    match request.params_raw() {
        // serde's words may quote the params; they go to nobody but their sender.
        Some(_) => request.params().map_err(|error| invalid_params(error.detail())),
        None => serde_json::from_value(Value::Object(Map::new())).map_err(invalid_params),
    }
}

fn no_such_method(request: &Request) -> ErrorObject {
    ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("no such method: {}", request.method()))
}

fn invalid_params(why: impl std::fmt::Display) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("invalid params: {why}"))
}

fn with_data(error: ErrorObject, data: &Value) -> ErrorObject {
    // A value of a few levels can be put into a message.
    error.clone().with_data(data).unwrap_or(error)
}

/// Sends a notification that belongs to a request.
async fn notify(responder: &Responder, method: &str, params: &(impl Serialize + ?Sized)) {
    let notification = match Notification::with_params(method, params) {
        Ok(notification) => notification,
        Err(error) => return tracing::error!(%error, method, "this cannot be put into a message"),
    };
    // A client that is no longer there is seen by whoever waits for its answer.
    let _ = responder.notify(notification).await;
}

fn server_info() -> Value {
    json!({ "name": "mcp-transport-conformance", "version": env!("CARGO_PKG_VERSION") })
}

/// Newest first. Those of the legacy era are reached through `initialize`.
fn supported() -> Vec<&'static str> {
    Revision::ALL.iter().rev().map(|revision| revision.as_str()).collect()
}
