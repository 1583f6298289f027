//! The legacy era: a session that `initialize` opens.

use mcp_transport::Caller;
use serde_json::{Map, Value, json};

use super::scenario::Asks;
use super::{Failure, Scenario, capabilities, client_info, result};

pub(super) async fn play(caller: Caller, scenario: &Scenario) -> Result<(), Failure> {
    let hello = json!({
        "protocolVersion": scenario.revision.as_str(),
        "capabilities": capabilities(),
        "clientInfo": client_info(),
    });
    let response = caller.request("initialize", &hello).await?;
    let hello = result(&response)?.map_err(|error| format!("initialize: {error}"))?;
    caller.notify("notifications/initialized", &()).await?;
    let capabilities = hello.get("capabilities").cloned().unwrap_or_default();
    scenario.calls(&Session { caller, capabilities }).await
}

struct Session {
    caller: Caller,
    /// What the server has declared.
    capabilities: Value,
}

impl Asks for Session {
    async fn ask(&self, method: &str, params: Map<String, Value>) -> Result<Value, Failure> {
        let response = self.caller.request(method, &params).await?;
        Ok(result(&response)?.map_err(|error| format!("{method}: {error}"))?)
    }

    fn offers(&self, capability: &str) -> bool {
        self.capabilities.get(capability).is_some()
    }
}
