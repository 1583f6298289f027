//! The shapes of params, as far as the demo looks at them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `_meta` of a request.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    #[serde(rename = "progressToken")]
    pub(super) progress_token: Option<Token>,
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

/// Params of `tools/list`.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    pub(super) cursor: Option<String>,
}

/// Params of `tools/call`.
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

/// A progress token, echoed in the type that it came in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Token {
    Number(i64),
    Text(String),
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

impl Level {
    pub(super) const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];
}
