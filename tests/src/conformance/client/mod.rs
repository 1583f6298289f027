//! The client that the suite's mock servers are asked by.
//!
//! ```text
//! play ─┬─ legacy: initialize ─────────┬─ scenario: which calls ── arguments: what is in them
//!       │    └─ asked: by the server   │
//!       └─ modern: `_meta`, rounds ────┘
//! ```
//!
//! It does not know over which transport it asks.

mod arguments;
mod asked;
mod legacy;
mod modern;
mod scenario;

use std::time::Duration;

use mcp_transport::{
    CallOptions, Connection, Control, Endpoint, Era, ErrorObject, Outcome, Response, Revision,
};
use serde_json::{Value, json};

/// A mock server that is silent for longer has hung; the suite waits 30 s for the whole program.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the suite says about a run, in the environment.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Of which revision the mock server is.
    pub revision: Revision,
    /// What else it wants the client to know.
    pub context: Value,
}

/// Why a run ended early, ready to print.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Plays a scenario on a fresh connection, to its end.
///
/// # Errors
///
/// What the server did not answer, or answered with an error where there is no going on. A call of a tool may fail: the
/// suite knows better whether it should have.
pub async fn play(connection: Connection, scenario: &Scenario) -> Result<(), Failure> {
    let Endpoint { sender, receiver, control, .. } = connection.spawn();
    // Ends with the connection.
    tokio::spawn(asked::answer(receiver));
    let caller = mcp_transport::Caller::new(&sender).with_options(CallOptions::timeout(PATIENCE));
    drop(sender);
    let played = match scenario.revision.era() {
        Era::Legacy => legacy::play(caller, scenario).await,
        Era::Modern => modern::play(caller, scenario).await,
    };
    end(control).await;
    played
}

/// In good order: a session is ended where there is one.
async fn end(control: Control) {
    control.shutdown();
    control.closed().await;
}

/// The result in a response, or the server's error.
fn result(response: &Response) -> Result<Result<Value, ErrorObject>, Failure> {
    match response.outcome() {
        Outcome::Result(text) => Ok(Ok(serde_json::from_slice(text)?)),
        Outcome::Error(error) => Ok(Err(error)),
    }
}

fn client_info() -> Value {
    json!({ "name": "mcp-transport-conformance", "version": env!("CARGO_PKG_VERSION") })
}

/// All that the suite may ask for.
fn capabilities() -> Value {
    json!({ "elicitation": {}, "roots": {}, "sampling": {} })
}
