//! The modern era: what has to be known stands in each request's `_meta`, and what a server needs to know in addition
//! it asks for in its result.

use mcp_transport::{Caller, Era, ErrorCode, ErrorObject, Revision};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asked;
use super::scenario::Asks;
use super::{Failure, Scenario, capabilities, client_info, result};

/// Rounds of one call: a server that asks for ever is not answered for ever.
const ROUNDS: usize = 8;

pub(super) async fn play(caller: Caller, scenario: &Scenario) -> Result<(), Failure> {
    let server = agree(caller, scenario.revision).await?;
    scenario.calls(&server).await
}

/// Finds a version that both sides speak.
///
/// # Spec
///
/// MCP 2026-07-28, Protocol Version Negotiation: `server/discover` is optional, and -32022 names what is supported.
async fn agree(caller: Caller, wanted: Revision) -> Result<Stateless, Failure> {
    let mut server = Stateless { caller, revision: wanted, capabilities: None };
    match server.once("server/discover", &Map::new()).await? {
        Ok(discovered) => server.capabilities = discovered.get("capabilities").cloned(),
        Err(error) if error.code() == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => {
            server.revision = shared(&error).ok_or("there is no version that both sides speak")?;
            let again = server.once("server/discover", &Map::new()).await?;
            let discovered = again.map_err(|error| format!("server/discover: {error}"))?;
            server.capabilities = discovered.get("capabilities").cloned();
        }
        // It need not be there, and who cannot do without it is told so by the next request.
        Err(error) => eprintln!("server/discover: {error}"),
    }
    Ok(server)
}

/// The newest version of this era that the server says it supports.
fn shared(error: &ErrorObject) -> Option<Revision> {
    #[derive(Deserialize)]
    struct Unsupported {
        supported: Vec<String>,
    }
    let Unsupported { supported } = error.data()?.decode().ok()?;
    let known = supported.iter().filter_map(|version| version.parse().ok());
    known.filter(|revision: &Revision| revision.era() == Era::Modern).max()
}

struct Stateless {
    caller: Caller,
    revision: Revision,
    /// What the server has declared, if it said.
    capabilities: Option<Value>,
}

/// A result that is complete, or what it needs to become so.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Needs {
    /// Absent, it is `complete`.
    result_type: Option<String>,
    #[serde(default)]
    input_requests: Map<String, Value>,
    request_state: Option<Value>,
}

impl Asks for Stateless {
    /// # Spec
    ///
    /// MCP 2026-07-28, Multi Round-Trip Requests: the state is sent back as it came, and not at all if there was none.
    async fn ask(&self, method: &str, params: Map<String, Value>) -> Result<Value, Failure> {
        let mut round = params.clone();
        for _ in 0..ROUNDS {
            let result = self.once(method, &round).await?.map_err(|error| format!("{method}: {error}"))?;
            let needs = Needs::deserialize(&result)?;
            if needs.result_type.as_deref() != Some("input_required") {
                return Ok(result);
            }
            round = params.clone();
            let answers = needs.input_requests.iter().filter_map(|(key, request)| {
                let method = request.get("method")?.as_str()?;
                Some((key.clone(), asked::reply(method, request.get("params").unwrap_or(&Value::Null))?))
            });
            round.insert("inputResponses".into(), Value::Object(answers.collect()));
            round.extend(needs.request_state.map(|state| ("requestState".to_owned(), state)));
        }
        Err(format!("{method}: still not complete after {ROUNDS} rounds").into())
    }

    fn offers(&self, capability: &str) -> bool {
        self.capabilities.as_ref().is_none_or(|declared| declared.get(capability).is_some())
    }
}

impl Stateless {
    async fn once(
        &self,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<Result<Value, ErrorObject>, Failure> {
        let mut params = params.clone();
        params.insert("_meta".into(), self.meta());
        result(&self.caller.request(method, &params).await?)
    }

    /// # Spec
    ///
    /// MCP 2026-07-28, basic, `_meta`: per-request protocol fields.
    fn meta(&self) -> Value {
        json!({
            "io.modelcontextprotocol/protocolVersion": self.revision.as_str(),
            "io.modelcontextprotocol/clientInfo": client_info(),
            "io.modelcontextprotocol/clientCapabilities": capabilities(),
        })
    }
}
