//! Tools of the legacy era: they log to the session, and ask the client while they are called.

use std::time::Duration;

use mcp_transport::streamable_http::StreamHandle;
use mcp_transport::{Context, Outcome, Responder};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::content::{failed, said};
use super::legacy::Session;
use super::shapes::{Call, Level};
use super::tools::{STEP, tool};
use super::{Answer, invalid_params, notify};

/// When a client comes back to a stream that was closed under its call.
const COME_BACK: Duration = Duration::from_millis(500);

pub(super) fn list() -> Vec<Value> {
    vec![
        tool("test_tool_with_logging", "Logs while it works", &[]),
        tool("test_sampling", "Has the client ask its model", &["prompt"]),
        tool("test_elicitation", "Has the client ask its user", &["message"]),
        tool("test_elicitation_sep1034_defaults", "Asks with a default for each type", &[]),
        tool("test_elicitation_sep1330_enums", "Asks with each kind of choice", &[]),
        tool("test_reconnection", "Answers on a stream that the client has to come back to", &[]),
    ]
}

pub(super) async fn call(call: &Call, session: &Session, context: &Context, responder: &Responder) -> Answer {
    let client = Client { session, responder };
    Ok(match call.name.as_str() {
        "test_tool_with_logging" => client.log().await,
        "test_sampling" => client.sample(call.text("prompt")?).await,
        "test_elicitation" => client.elicit(call.text("message")?, contact()).await,
        "test_elicitation_sep1034_defaults" => client.elicit("Is this right?", defaults()).await,
        "test_elicitation_sep1330_enums" => client.elicit("Please choose", choices()).await,
        "test_reconnection" => reconnection(context).await,
        unknown => return Err(invalid_params(format_args!("no such tool: {unknown}"))),
    })
}

/// The client of a call.
struct Client<'a> {
    session: &'a Session,
    responder: &'a Responder,
}

impl Client<'_> {
    async fn log(&self) -> Value {
        for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
            if self.session.shows(Level::Info) {
                let params = json!({ "level": Level::Info, "data": line });
                notify(self.responder, "notifications/message", &params).await;
            }
            sleep(STEP).await;
        }
        said("Tool with logging executed successfully")
    }

    /// # Spec
    ///
    /// MCP 2025-11-25, client, Sampling.
    async fn sample(&self, prompt: &str) -> Value {
        let params = json!({
            "messages": [{ "role": "user", "content": { "type": "text", "text": prompt } }],
            "maxTokens": 100,
        });
        match self.ask("sampling", "sampling/createMessage", &params).await {
            Ok(result) => {
                let text = result.pointer("/content/text").and_then(Value::as_str);
                said(format!("LLM response: {}", text.unwrap_or("no text")))
            }
            Err(why) => failed(why),
        }
    }

    /// # Spec
    ///
    /// MCP 2025-11-25, client, Elicitation, form mode.
    async fn elicit(&self, message: &str, requested_schema: Value) -> Value {
        let params = json!({ "message": message, "requestedSchema": requested_schema });
        match self.ask("elicitation", "elicitation/create", &params).await {
            Ok(result) => said(format!("User response: {result}")),
            Err(why) => failed(why),
        }
    }

    /// Asks on the way back of the call that it belongs to; a client that gives up on the call is not asked any longer.
    async fn ask(&self, capability: &str, method: &str, params: &Value) -> Result<Value, String> {
        if !self.session.client_can(capability) {
            return Err(format!("this client has not declared the capability `{capability}`"));
        }
        let asked = self.responder.caller().request(method, params).await;
        match asked.map_err(|error| format!("the client does not answer: {error}"))?.outcome() {
            Outcome::Result(text) => serde_json::from_slice(text).map_err(|error| error.to_string()),
            Outcome::Error(error) => Err(format!("the client says: {error}")),
        }
    }
}

/// Ends the stream that the answer would have come on; the client comes back for it.
///
/// # Spec
///
/// MCP 2025-11-25, transports, Sending Messages to the Server: a server may close the connection before the response.
async fn reconnection(context: &Context) -> Value {
    let closed = context.get::<StreamHandle>().is_some_and(|stream| stream.close(COME_BACK));
    said(if closed { "This comes on the stream that was resumed." } else { "There was no stream to close." })
}

fn contact() -> Value {
    json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "Your name" },
            "email": { "type": "string", "description": "Your address" },
        },
        "required": ["username", "email"],
    })
}

fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "default": "John Doe" },
            "age": { "type": "integer", "default": 30 },
            "score": { "type": "number", "default": 95.5 },
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": { "type": "boolean", "default": true },
        },
    })
}

fn choices() -> Value {
    let options = json!(["option1", "option2", "option3"]);
    let titled = json!([
        { "const": "value1", "title": "First" },
        { "const": "value2", "title": "Second" },
        { "const": "value3", "title": "Third" },
    ]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": options },
            "titledSingle": { "type": "string", "oneOf": titled },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["One", "Two", "Three"],
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
            "titledMulti": { "type": "array", "items": { "anyOf": titled } },
        },
    })
}
