//! The shapes of params, as far as the fixture looks at them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// `_meta` of a request.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    /// A string or an integer, echoed as it came.
    #[serde(rename = "progressToken")]
    pub(super) progress_token: Option<Value>,
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    pub(super) protocol_version: Option<String>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    pub(super) client_capabilities: Option<Map<String, Value>>,
    #[serde(rename = "io.modelcontextprotocol/logLevel")]
    pub(super) log_level: Option<Level>,
}

/// Any params: only their `_meta` is of interest.
#[derive(Debug, Deserialize)]
pub(super) struct WithMeta {
    #[serde(rename = "_meta", default)]
    pub(super) meta: Meta,
}

/// Params of `tools/call` and `prompts/get`, which ask in the same way.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call {
    pub(super) name: String,
    #[serde(default)]
    pub(super) arguments: Map<String, Value>,
    #[serde(rename = "_meta", default)]
    pub(super) meta: Meta,
    /// What the client found out since it was asked: modern era only.
    #[serde(default)]
    pub(super) input_responses: Map<String, Value>,
    /// What we had it keep for us meanwhile.
    pub(super) request_state: Option<String>,
}

impl Call {
    /// An argument that is a string.
    pub(super) fn text(&self, argument: &str) -> Result<&str, mcp_transport::ErrorObject> {
        let text = self.arguments.get(argument).and_then(Value::as_str);
        text.ok_or_else(|| super::invalid_params(format_args!("{argument} is missing, or no string")))
    }

    /// Whether the client declared a capability with this request.
    pub(super) fn client_can(&self, capability: &str) -> bool {
        self.meta.client_capabilities.as_ref().is_some_and(|can| can.contains_key(capability))
    }
}

/// Params of `initialize`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Initialize {
    pub(super) protocol_version: String,
    #[serde(default)]
    pub(super) capabilities: Map<String, Value>,
}

/// Params of `logging/setLevel`.
#[derive(Debug, Deserialize)]
pub(super) struct SetLevel {
    pub(super) level: Level,
}

/// Params of what names a resource.
#[derive(Debug, Deserialize)]
pub(super) struct OfResource {
    pub(super) uri: String,
}

/// Params of `subscriptions/listen`.
#[derive(Debug, Deserialize)]
pub(super) struct Listen {
    pub(super) notifications: Filter,
}

/// What a subscription is about: as asked for, and as accepted. What is `false` is not mentioned.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Filter {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) tools_list_changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) prompts_list_changed: bool,
}

/// How severe a log message is, as in RFC 5424, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}
