//! The tools, the same in both eras.

use std::time::Duration;

use mcp_transport::{Notification, Responder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::shapes::{Call, Level, List};
use super::{Answer, invalid_params};
use crate::race::{First, race};

/// Between two steps of progress, and between the last and the answer.
///
/// The TypeScript SDKs hand notifications to a later turn of their loop than answers: progress that arrives in the same
/// read as the answer to its request is lost there (seen in 1.32 and 2.4).
const BETWEEN_STEPS: Duration = Duration::from_millis(5);
/// Steps of `progress`: half a second of them.
const MAX_STEPS: u32 = 100;
/// Bytes of `large`: half of what a message may have by default.
const MAX_LARGE: usize = 8 * 1024 * 1024;

/// What a tool may do while it is called; the eras differ.
pub(super) trait Asking: Sync {
    /// The way back of the call.
    fn responder(&self) -> &Responder;
    /// Whether the client wants to see a log message of this level now.
    fn shows(&self, level: Level, call: &Call) -> bool;
    /// Has the client ask its model.
    fn sample(&self, sampling: Sampling, call: &Call) -> impl Future<Output = Answer> + Send;
}

/// A request for a sample.
pub(super) struct Sampling {
    pub(super) method: &'static str,
    pub(super) params: Value,
}

/// `tools/list`, always in this order and on one page.
pub(super) fn list(list: &List) -> Answer {
    if list.cursor.is_some() {
        return Err(invalid_params("there is one page only, and no cursor"));
    }
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            },
        })
    };
    let levels: Vec<_> = Level::ALL.iter().map(|level| json!(level)).collect();
    Ok(json!({ "tools": [
        tool("echo", "Says what it is told", json!({ "text": { "type": "string" } }), &["text"]),
        tool(
            "add",
            "Adds two numbers",
            json!({ "a": { "type": "number" }, "b": { "type": "number" } }),
            &["a", "b"],
        ),
        tool(
            "progress",
            "Takes that many steps and reports each, to a client that gave a progress token",
            json!({ "steps": { "type": "integer", "minimum": 0, "maximum": MAX_STEPS } }),
            &["steps"],
        ),
        tool(
            "log",
            "Logs a message before it answers",
            json!({ "level": { "type": "string", "enum": levels }, "text": { "type": "string" } }),
            &["level", "text"],
        ),
        tool("fail", "Fails, as tools do: in its result", json!({}), &[]),
        tool(
            "large",
            "Answers with a text of that many bytes",
            json!({ "bytes": { "type": "integer", "minimum": 0, "maximum": MAX_LARGE } }),
            &["bytes"],
        ),
        tool("ask", "Has the client ask its model, and says what that said", json!({}), &[]),
    ] }))
}

/// `tools/call`
pub(super) async fn call(mut call: Call, client: &impl Asking) -> Answer {
    let arguments = std::mem::take(&mut call.arguments);
    match call.name.as_str() {
        "echo" => echo(read(arguments)?),
        "add" => add(&read(arguments)?),
        "progress" => progress(&read(arguments)?, &call, client).await,
        "log" => log(&read(arguments)?, &call, client).await,
        "fail" => read(arguments).map(|Nothing {}| failed("this tool fails, as it was asked to")),
        "large" => large(&read(arguments)?),
        "ask" => ask(&read(arguments)?, &call, client).await,
        unknown => Err(invalid_params(format_args!("no such tool: {unknown}"))),
    }
}

fn read<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, mcp_transport::ErrorObject> {
    serde_json::from_value(Value::Object(arguments)).map_err(invalid_params)
}

/// A result with one text.
fn said(text: impl Into<String>) -> Value {
    json!({ "content": [{ "type": "text", "text": text.into() }] })
}

/// The result of a tool that failed.
pub(super) fn failed(why: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": why }], "isError": true })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    text: String,
}

fn echo(Echo { text }: Echo) -> Answer {
    Ok(said(text))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    a: serde_json::Number,
    b: serde_json::Number,
}

fn add(Add { a, b }: &Add) -> Answer {
    if let Some(sum) = a.as_i128().zip(b.as_i128()).map(|(a, b)| a + b) {
        return Ok(said(sum.to_string()));
    }
    let sum = a.as_f64().zip(b.as_f64()).map(|(a, b)| a + b).filter(|sum| sum.is_finite());
    sum.map(|sum| said(sum.to_string())).ok_or_else(|| invalid_params("the sum is too large"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    steps: u32,
}

/// # Spec
///
/// MCP 2025-11-25 and 2026-07-28, Progress: only with a token that the client gave, and increasing with each step.
async fn progress(Steps { steps }: &Steps, call: &Call, client: &impl Asking) -> Answer {
    if *steps > MAX_STEPS {
        return Err(invalid_params(format_args!("at most {MAX_STEPS} steps")));
    }
    for step in 1..=*steps {
        if let Some(token) = &call.meta.progress_token {
            let params = json!({ "progressToken": token, "progress": step, "total": steps });
            if !notify(client.responder(), "notifications/progress", &params).await {
                break;
            }
        }
        sleep(BETWEEN_STEPS).await;
    }
    Ok(said(format!("{steps} steps")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    level: Level,
    text: String,
}

async fn log(Log { level, text }: &Log, call: &Call, client: &impl Asking) -> Answer {
    let shown = client.shows(*level, call);
    if shown {
        let params = json!({ "level": level, "logger": "demo", "data": text });
        notify(client.responder(), "notifications/message", &params).await;
    }
    Ok(said(if shown { "logged" } else { "not logged: the client does not want this level" }))
}

/// Says whether the client still listens.
async fn notify(responder: &Responder, method: &str, params: &Value) -> bool {
    match Notification::with_params(method, params) {
        Ok(notification) => responder.notify(notification).await.is_ok(),
        Err(error) => {
            tracing::error!(%error, method, "this cannot be put into a message");
            false
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Large {
    bytes: usize,
}

fn large(Large { bytes }: &Large) -> Answer {
    if *bytes > MAX_LARGE {
        return Err(invalid_params(format_args!("at most {MAX_LARGE} bytes")));
    }
    Ok(said("x".repeat(*bytes)))
}

async fn ask(Nothing {}: &Nothing, call: &Call, client: &impl Asking) -> Answer {
    let sampling = Sampling {
        method: "sampling/createMessage",
        params: json!({
            "messages": [{ "role": "user", "content": { "type": "text", "text": "Say something." } }],
            "maxTokens": 100,
        }),
    };
    // A client that gives up on its call is not asked any longer.
    match race(client.sample(sampling, call), client.responder().cancelled()).await {
        First::One(answer) => answer,
        First::Other(()) => Ok(failed("cancelled")),
    }
}

/// The result of `ask`: the first text of what the client's model said.
pub(super) fn sampled(result: &[u8]) -> Value {
    #[derive(Deserialize)]
    struct Sampled {
        content: Value,
    }
    let content = serde_json::from_slice(result).map(|Sampled { content }| content).unwrap_or_default();
    // One block, or since 2025-11-25 also a list of them.
    let blocks = content.as_array().map_or(std::slice::from_ref(&content), Vec::as_slice);
    match blocks.iter().find_map(|block| block.get("text")?.as_str()) {
        Some(text) => said(text),
        None => failed("what the client's model said is no text"),
    }
}
