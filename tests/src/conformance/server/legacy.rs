//! The legacy era, up to 2025-11-25: a session that `initialize` opens.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use mcp_transport::{Context, Era, Request, Responder, Revision};
use serde_json::{Map, Value, json};

use super::shapes::{Call, Initialize, Level, OfResource, SetLevel};
use super::{Answer, asking, invalid_params, no_such_method, params, prompts, resources, server_info, tools};

/// What a client has said of itself.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Its capabilities, once it has said hello.
    capabilities: OnceLock<Map<String, Value>>,
    /// The least [`Level`] that it wants to see.
    level: AtomicU8,
}

impl Session {
    pub(super) fn client_can(&self, capability: &str) -> bool {
        self.capabilities.get().is_some_and(|can| can.contains_key(capability))
    }

    pub(super) fn shows(&self, level: Level) -> bool {
        level as u8 >= self.level.load(Relaxed)
    }
}

pub(super) async fn answer(
    session: &Session,
    request: &Request,
    context: &Context,
    responder: &Responder,
) -> Answer {
    match &*request.method() {
        "initialize" => initialize(session, params(request)?),
        "ping" => Ok(json!({})),
        // Neither era: a modern request says so in its `_meta`, a legacy one comes after `initialize`.
        _ if session.capabilities.get().is_none() => {
            Err(invalid_params("neither `initialize` before, nor `_meta` with a protocol version"))
        }
        "logging/setLevel" => {
            let SetLevel { level } = params(request)?;
            session.level.store(level as u8, Relaxed);
            Ok(json!({}))
        }
        "tools/list" => {
            let tools = [tools::list(), asking::list()].concat();
            Ok(json!({ "tools": tools }))
        }
        "tools/call" => {
            let call: Call = params(request)?;
            match tools::call(&call, responder).await {
                Some(result) => Ok(result),
                None => asking::call(&call, session, context, responder).await,
            }
        }
        "prompts/list" => Ok(json!({ "prompts": prompts::list() })),
        "prompts/get" => prompts::get(&params(request)?),
        "resources/list" => Ok(json!({ "resources": resources::list() })),
        "resources/templates/list" => Ok(json!({ "resourceTemplates": resources::templates() })),
        "resources/read" => resources::read(&params::<OfResource>(request)?.uri),
        // Nothing here ever changes, so there is nothing to remember.
        "resources/subscribe" | "resources/unsubscribe" => params(request).map(|OfResource { .. }| json!({})),
        "completion/complete" => Ok(prompts::complete()),
        _ => Err(no_such_method(request)),
    }
}

/// # Spec
///
/// MCP 2025-11-25, basic, Lifecycle, Version Negotiation: the client's version if we speak it, else our latest.
fn initialize(session: &Session, hello: Initialize) -> Answer {
    let wanted = hello.protocol_version.parse().ok().filter(|wanted: &Revision| wanted.era() == Era::Legacy);
    let first = session.capabilities.set(hello.capabilities);
    first.map_err(|_| invalid_params("this session is initialized already"))?;
    Ok(json!({
        "protocolVersion": wanted.unwrap_or(Revision::LATEST_LEGACY).as_str(),
        "capabilities": {
            "tools": {},
            "prompts": {},
            "resources": { "subscribe": true },
            "logging": {},
            "completions": {},
        },
        "serverInfo": server_info(),
    }))
}
