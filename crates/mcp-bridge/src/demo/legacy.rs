//! The legacy era, up to 2025-11-25: a session that `initialize` opens.

use std::sync::atomic::Ordering::Relaxed;

use mcp_transport::{Era, ErrorCode, ErrorObject, Request, Responder, Revision};
use serde_json::json;

use super::shapes::{Call, Initialize, List, SetLevel};
use super::tools::{self, Asking};
use super::{Answer, Demo, no_such_method, params, server_info};

pub(super) async fn answer(demo: &Demo, request: &Request, responder: &Responder) -> Answer {
    let method = &*request.method();
    match method {
        "initialize" => initialize(demo, request),
        "ping" => Ok(json!({})),
        // Neither era: a modern request says so in its `_meta`, a legacy one comes after `initialize`.
        _ if !demo.initialized.load(Relaxed) => Err(ErrorObject::new(
            ErrorCode::INVALID_PARAMS,
            format!(
                "neither `_meta` with io.modelcontextprotocol/protocolVersion ({}) nor `initialize` before",
                Revision::LATEST
            ),
        )),
        "tools/list" => tools::list(&params::<List>(request)?),
        "tools/call" => {
            let call: Call = params(request)?;
            tools::call(call, &Legacy { demo, responder }).await
        }
        "logging/setLevel" => {
            demo.set_level(params::<SetLevel>(request)?.level);
            Ok(json!({}))
        }
        _ => Err(no_such_method(method)),
    }
}

/// # Spec
///
/// MCP 2025-11-25, basic, Lifecycle, Version Negotiation: the client's version if we speak it, else our latest.
fn initialize(demo: &Demo, request: &Request) -> Answer {
    let Initialize { protocol_version, capabilities } = params(request)?;
    let wanted = protocol_version.parse().ok().filter(|wanted: &Revision| wanted.era() == Era::Legacy);
    demo.initialized.store(true, Relaxed);
    demo.samples.store(capabilities.contains_key("sampling"), Relaxed);
    Ok(json!({
        "protocolVersion": wanted.unwrap_or(Revision::LATEST_LEGACY).as_str(),
        "capabilities": { "tools": {}, "logging": {} },
        "serverInfo": server_info(),
        "instructions": "A demo: its tools do nothing of use, and each shows one thing that a server can do.",
    }))
}

/// What a tool may do while it is called in a legacy session.
struct Legacy<'a> {
    demo: &'a Demo,
    responder: &'a Responder,
}

impl Asking for Legacy<'_> {
    fn responder(&self) -> &Responder {
        self.responder
    }

    fn shows(&self, level: super::shapes::Level, _: &Call) -> bool {
        level >= self.demo.level()
    }

    /// Asks on the way back of the call that it belongs to.
    ///
    /// # Spec
    ///
    /// MCP 2025-11-25, client, Sampling.
    async fn sample(&self, sampling: tools::Sampling, _: &Call) -> Answer {
        if !self.demo.samples.load(Relaxed) {
            return Ok(tools::failed("this client has not declared the capability `sampling`"));
        }
        let caller = self.responder.caller();
        match caller.request(sampling.method, &sampling.params).await {
            Ok(response) => match response.outcome() {
                mcp_transport::Outcome::Result(text) => Ok(tools::sampled(text)),
                mcp_transport::Outcome::Error(error) => {
                    Ok(tools::failed(&format!("the client says: {error}")))
                }
            },
            Err(error) => Ok(tools::failed(&format!("the client does not answer: {error}"))),
        }
    }
}
