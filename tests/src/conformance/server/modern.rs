//! The modern era, from 2026-07-28: no session, and what has to be known stands in each request's `_meta`.

use mcp_transport::{Era, ErrorCode, ErrorObject, Request, Responder, Revision};
use serde_json::{Value, json};

use super::shapes::{CAPABILITIES, Call, Meta, OfResource, VERSION, WithMeta};
use super::{
    Answer, Fixture, invalid_params, listening, no_such_method, params, prompts, resources, rounds,
    server_info, stateless, supported, tools, with_data,
};

/// How long a client may keep what never changes here.
const AN_HOUR_MS: u64 = 3_600_000;

pub(super) async fn answer(fixture: &Fixture, request: &Request, responder: &Responder) -> Answer {
    judge(&params::<WithMeta>(request)?.meta)?;
    let result = match &*request.method() {
        "server/discover" => discover(),
        "tools/list" => cacheable(json!({ "tools": tools() })),
        "tools/call" => call(fixture, &params(request)?, responder).await?,
        "prompts/list" => {
            let prompts = [prompts::list(), rounds::prompts()].concat();
            cacheable(json!({ "prompts": prompts }))
        }
        "prompts/get" => {
            let call: Call = params(request)?;
            match rounds::prompt(&call, &fixture.seal) {
                Some(answer) => answer?,
                None => prompts::get(&call)?,
            }
        }
        "resources/list" => cacheable(json!({ "resources": resources::list() })),
        "resources/templates/list" => cacheable(json!({ "resourceTemplates": resources::templates() })),
        "resources/read" => cacheable(resources::read(&params::<OfResource>(request)?.uri)?),
        "completion/complete" => prompts::complete(),
        "subscriptions/listen" => listening::listen(&fixture.lists, params(request)?, responder).await,
        // `initialize`, `ping`, `logging/setLevel` and `resources/subscribe` do not exist here.
        _ => return Err(no_such_method(request)),
    };
    Ok(complete(result))
}

/// The tools of this era.
pub(super) fn tools() -> Vec<Value> {
    [tools::list(), stateless::list(), rounds::list()].concat()
}

async fn call(fixture: &Fixture, call: &Call, responder: &Responder) -> Answer {
    if let Some(result) = tools::call(call, responder).await {
        return Ok(result);
    }
    match rounds::call(call, &fixture.seal) {
        Some(answer) => answer,
        None => stateless::call(call, &fixture.lists, responder).await,
    }
}

fn discover() -> Value {
    cacheable(json!({
        "supportedVersions": supported(),
        "capabilities": {
            "tools": { "listChanged": true },
            "prompts": { "listChanged": true },
            "resources": {},
            "logging": {},
            "completions": {},
        },
    }))
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

fn cacheable(mut result: Value) -> Value {
    if let Some(members) = result.as_object_mut() {
        members.insert("ttlMs".into(), AN_HOUR_MS.into());
        members.insert("cacheScope".into(), "public".into());
    }
    result
}

/// What every result has; one that is not complete, or has something of its own to say in `_meta`, has done so.
fn complete(mut result: Value) -> Value {
    if let Some(members) = result.as_object_mut() {
        members.entry("resultType").or_insert_with(|| "complete".into());
        let meta = members.entry("_meta").or_insert_with(|| json!({})).as_object_mut();
        meta.map(|meta| meta.insert("io.modelcontextprotocol/serverInfo".into(), server_info()));
    }
    result
}
