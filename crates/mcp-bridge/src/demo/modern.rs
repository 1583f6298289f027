//! The modern era, from 2026-07-28: no session, and what has to be known stands in each request's `_meta`.

use mcp_transport::jsonrpc::Object;
use mcp_transport::{Era, ErrorCode, ErrorObject, Request, Responder, Revision};
use serde_json::{Map, Value, json};

use super::shapes::{Call, Level, List, Meta, WithMeta};
use super::tools::{self, Asking};
use super::{Answer, Demo, invalid_params, no_such_method, params, server_info};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// What the demo can do never changes while it runs, and depends on nobody.
const AN_HOUR_MS: u64 = 3_600_000;

/// Whether a request opens or belongs to the modern era.
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility: a dual-era server selects its behaviour from how the client opens.
pub(super) fn is_modern(request: &Request) -> bool {
    let meta = request.params_raw().and_then(Object::new).and_then(|params| params.get("_meta"));
    let says = |meta: Object<'_>| meta.get(VERSION).or_else(|| meta.get(CAPABILITIES)).is_some();
    request.method() == "server/discover" || meta.and_then(Object::new).is_some_and(says)
}

pub(super) async fn answer(_: &Demo, request: &Request, responder: &Responder) -> Answer {
    judge(&params::<WithMeta>(request)?.meta)?;
    let method = &*request.method();
    let result = match method {
        "server/discover" => cacheable(json!({
            "supportedVersions": supported(),
            "capabilities": { "tools": {}, "logging": {} },
            "instructions": "A demo: its tools do nothing of use, and each shows one thing that a server can do.",
        })),
        "tools/list" => cacheable(tools::list(&params::<List>(request)?)?),
        "tools/call" => {
            let call: Call = params(request)?;
            tools::call(call, &Modern { responder }).await?
        }
        // `initialize`, `ping` and `logging/setLevel` do not exist here.
        _ => return Err(no_such_method(method)),
    };
    Ok(complete(result))
}

/// # Spec
///
/// MCP 2026-07-28, basic, `_meta`: required fields are missing, -32602; Protocol Version Negotiation: -32022.
fn judge(meta: &Meta) -> Result<(), ErrorObject> {
    let missing = |key| invalid_params(format_args!("`_meta` has no {key}"));
    let version = meta.protocol_version.as_deref().ok_or_else(|| missing(VERSION))?;
    meta.client_capabilities.as_ref().ok_or_else(|| missing(CAPABILITIES))?;
    if version.parse().is_ok_and(|version: Revision| version.era() == Era::Modern) {
        return Ok(());
    }
    Err(with_data(
        ErrorObject::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, "unsupported protocol version"),
        &json!({ "supported": supported(), "requested": version }),
    ))
}

/// Newest first. Those of the legacy era are reached through `initialize`.
fn supported() -> Vec<&'static str> {
    Revision::ALL.iter().rev().map(|revision| revision.as_str()).collect()
}

fn cacheable(mut result: Value) -> Value {
    if let Some(members) = result.as_object_mut() {
        members.insert("ttlMs".into(), AN_HOUR_MS.into());
        members.insert("cacheScope".into(), "public".into());
    }
    result
}

/// What every result has; a result that is not complete has said so already.
fn complete(mut result: Value) -> Value {
    if let Some(members) = result.as_object_mut() {
        members.entry("resultType").or_insert_with(|| "complete".into());
        members.insert("_meta".into(), json!({ "io.modelcontextprotocol/serverInfo": server_info() }));
    }
    result
}

fn with_data(error: ErrorObject, data: &Value) -> ErrorObject {
    // A value of two levels can be put into a message.
    error.clone().with_data(data).unwrap_or(error)
}

/// What a tool may do while it is called in the modern era.
struct Modern<'a> {
    responder: &'a Responder,
}

impl Asking for Modern<'_> {
    fn responder(&self) -> &Responder {
        self.responder
    }

    /// # Spec
    ///
    /// MCP 2026-07-28, Logging: nothing is sent for a request that does not name a level.
    fn shows(&self, level: Level, call: &Call) -> bool {
        call.meta.log_level.is_some_and(|least| level >= least)
    }

    /// Answers that input is required; the client asks again with `inputResponses`.
    ///
    /// # Spec
    ///
    /// MCP 2026-07-28, Multi Round-Trip Requests; basic, `_meta`: a capability that is missing, -32021.
    async fn sample(&self, sampling: tools::Sampling, call: &Call) -> Answer {
        const KEY: &str = "sample";
        if let Some(Value::Object(sample)) = call.input_responses.get(KEY) {
            return Ok(tools::sampled(Value::Object(sample.clone()).to_string().as_bytes()));
        }
        if !call.meta.client_capabilities.as_ref().is_some_and(|can| can.contains_key("sampling")) {
            return Err(with_data(
                ErrorObject::new(
                    ErrorCode::MISSING_CLIENT_CAPABILITY,
                    "this tool needs a client that samples",
                ),
                &json!({ "requiredCapabilities": { "sampling": {} } }),
            ));
        }
        let request = json!({ "method": sampling.method, "params": sampling.params });
        Ok(json!({
            "resultType": "input_required",
            "inputRequests": Map::from_iter([(KEY.to_owned(), request)]),
        }))
    }
}
