//! Which era a child has.

use std::sync::Arc;

use mcp_jsonrpc::{Id, Response};
use mcp_stdio::{CommandSpec, StdioClient};
use mcp_transport_core::{CloseReason, Connection, Era, Error, Incoming, Transport};
use tokio::time::timeout;

use super::era::{ID, era_of_child};
use super::{Binding, Connected, Connector};

impl Connector {
    /// # Spec
    ///
    /// MCP 2026-07-28, stdio, Backward Compatibility: any answer that is no modern one, and silence, means legacy.
    pub(super) async fn start(&self, spec: CommandSpec) -> Result<Connected, Error> {
        let mut client = StdioClient::new(spec).with_options(self.options.clone());
        let mut connection = client.dial().await?;
        let question = self.discovery()?;
        // What is too large for the connection fails here, and is not taken for silence.
        connection.sender().try_send(question)?;
        let heard = match timeout(self.probe, answer(&mut connection)).await {
            Ok(heard) => Some(heard),
            // One that has ended may still be on its ladder.
            Err(_) => connection.control().close_reason().map(Err),
        };
        let era = match heard {
            None => Era::Legacy,
            Some(Ok(response)) => era_of_child(&response)?,
            // It may have ended because of the question: a fresh one is not asked it.
            Some(Err(reason)) if is_end_of_peer(&reason) => {
                connection = client.dial().await?;
                Era::Legacy
            }
            Some(Err(reason)) => return Err(Error::closed(reason)),
        };
        Ok(Connected { connection, binding: Binding::Stdio, era: Some(era) })
    }
}

/// A child that reads nothing and lives breaks its input without having ended.
fn is_end_of_peer(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::ChildExited(_) | CloseReason::PeerClosed | CloseReason::Io(_))
}

/// Waits for the answer to the question, and for nothing else.
async fn answer(connection: &mut Connection) -> Result<Response, Arc<CloseReason>> {
    let id = Id::from(ID);
    loop {
        match connection.next().await {
            // Who could not read the id names none, and nothing else was asked.
            Some(Incoming::Response(response, _)) if response.id().is_none_or(|its| its == id) => {
                return Ok(response);
            }
            Some(Incoming::Request(exchange)) if exchange.request().method() == "ping" => {
                exchange.finish(&serde_json::json!({}));
            }
            // Before a handshake nobody has anything to say that counts.
            Some(_) => {}
            None => {
                let reason = connection.control().close_reason();
                return Err(reason.unwrap_or_else(|| CloseReason::PeerClosed.into()));
            }
        }
    }
}
