//! Which era a child has.

use mcp_jsonrpc::{Id, Outcome, Request, Response};
use mcp_stdio::{CommandSpec, StdioClient};
use mcp_transport_core::{CloseReason, Connection, Era, Error, ErrorKind, Incoming, Revision, Transport};
use mcp_streamable_http::proto::{choose_revision, is_modern_error};
use tokio::time::timeout;

use super::{Binding, Connected, Connector};

/// A text, because those who ask after us number theirs.
const ID: &str = "mcp-transport-probe";

impl Connector {
    /// # Spec
    ///
    /// MCP 2026-07-28, stdio, Backward Compatibility: any answer that is no modern one, and silence, means legacy.
    pub(super) async fn start(&self, spec: CommandSpec) -> Result<Connected, Error> {
        let mut options = self.options.clone();
        if options.context.transport.is_empty() {
            options = options.with_context(|context| context.transport = "stdio");
        }
        let mut client = StdioClient::new(spec).with_options(options);
        let mut connection = client.dial().await?;
        let era = match timeout(self.probe, self.ask(&mut connection)).await {
            Ok(Ok(response)) => era_of(&response)?,
            // It may have ended because of the question: a fresh one is not asked it.
            Ok(Err(reason)) if matches!(*reason, CloseReason::ChildExited(_) | CloseReason::PeerClosed) => {
                connection = client.dial().await?;
                Era::Legacy
            }
            Ok(Err(reason)) => return Err(Error::closed(reason)),
            Err(_) => Era::Legacy,
        };
        Ok(Connected { connection, binding: Binding::Stdio, era: Some(era) })
    }

    /// Asks `server/discover`, and waits for its answer and for nothing else.
    async fn ask(&self, connection: &mut Connection) -> Result<Response, std::sync::Arc<CloseReason>> {
        let control = connection.control();
        let closed = || control.close_reason().unwrap_or_else(|| CloseReason::PeerClosed.into());
        let Ok(request) = Request::with_params(ID, "server/discover", &self.discovery()) else {
            return Err(closed());
        };
        let _ = connection.sender().try_send(request);
        let id = Id::from(ID);
        loop {
            match connection.next().await {
                Some(Incoming::Response(response, _)) if response.id().as_ref() == Some(&id) => {
                    return Ok(response);
                }
                Some(Incoming::Request(exchange)) if exchange.request().method() == "ping" => {
                    exchange.finish(&serde_json::json!({}));
                }
                // Before a handshake nobody has anything to say that counts.
                Some(_) => {}
                None => return Err(closed()),
            }
        }
    }
}

/// The era of a server that gave this answer to `server/discover`.
pub(super) fn era_of(response: &Response) -> Result<Era, Error> {
    match response.outcome() {
        Outcome::Result(_) => Ok(Era::Modern),
        Outcome::Error(error) => match choose_revision(&error, &Revision::ALL) {
            Some(revision) => Ok(revision.era()),
            None if is_modern_error(&error) => {
                let text = "the server has no revision in common with this client";
                Err(Error::new(ErrorKind::Refused, text))
            }
            None => Ok(Era::Legacy),
        },
    }
}
