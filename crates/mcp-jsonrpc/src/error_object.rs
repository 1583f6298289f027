//! The error member of a response.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use serde::Serialize;

use crate::json::{decode, text_lossy};
use crate::{EncodeError, Id, Json, Object};

/// A code of an error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// The input is not JSON. JSON-RPC 2.0, section 5.1.
    pub const PARSE_ERROR: Self = Self(-32700);
    /// The input is no valid message. JSON-RPC 2.0, section 5.1.
    pub const INVALID_REQUEST: Self = Self(-32600);
    /// No such method. JSON-RPC 2.0, section 5.1.
    pub const METHOD_NOT_FOUND: Self = Self(-32601);
    /// Params that do not fit. JSON-RPC 2.0, section 5.1.
    pub const INVALID_PARAMS: Self = Self(-32602);
    /// The other side failed. JSON-RPC 2.0, section 5.1.
    pub const INTERNAL_ERROR: Self = Self(-32603);
    /// Resource not found: MCP up to 2025-11-25. Later revisions forbid sending it; clients still understand it.
    pub const RESOURCE_NOT_FOUND: Self = Self(-32002);
    /// A header and the body disagree. MCP 2026-07-28.
    pub const HEADER_MISMATCH: Self = Self(-32020);
    /// The request needs a capability that the client did not declare. MCP 2026-07-28.
    pub const MISSING_CLIENT_CAPABILITY: Self = Self(-32021);
    /// The protocol version is not supported. MCP 2026-07-28.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(-32022);
    /// A URL has to be visited first: MCP 2025-11-25 only. Later revisions forbid sending it.
    pub const URL_ELICITATION_REQUIRED: Self = Self(-32042);

    /// Whether the code is one that only a server of the modern era (2026-07-28 on) gives a meaning.
    pub fn is_modern(self) -> bool {
        matches!(
            self,
            Self::HEADER_MISMATCH | Self::MISSING_CLIENT_CAPABILITY | Self::UNSUPPORTED_PROTOCOL_VERSION
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error of a response: a code, a sentence and free data.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorObject {
    code: ErrorCode,
    message: String,
    data: Option<Json>,
}

impl ErrorObject {
    /// An error without data.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// An internal error whose `data.reason` tells a program what happened.
    ///
    /// MCP closed the codes -32000 to -32019 to new uses, so a transport says what it has to say in `data`.
    pub fn with_reason(message: impl Into<String>, reason: &'static str) -> Self {
        let data = Json::within(&BTreeMap::from([("reason", reason)]), 2).ok();
        Self { code: ErrorCode::INTERNAL_ERROR, message: message.into(), data }
    }

    /// The same error with data.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the value does not serialize or is nested too deeply.
    pub fn with_data<T: Serialize + ?Sized>(mut self, data: &T) -> Result<Self, EncodeError> {
        self.data = Some(Json::within(data, 2)?);
        Ok(self)
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The sentence; a lone surrogate in it reads as U+FFFD.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The data; `null` is data too.
    pub fn data(&self) -> Option<&Json> {
        self.data.as_ref()
    }

    /// `data.reason`, where there is one: what [`ErrorObject::with_reason`] set on the other side.
    pub fn reason(&self) -> Option<String> {
        Object::new(self.data.as_ref()?.as_bytes())?.get("reason").and_then(|text| decode(text).ok())
    }

    /// Reads an error object that passed the scan.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let object = Object::scanned(text)?;
        let code = ErrorCode(Id::from_json(object.get("code")?)?.as_i64()?);
        let message = text_lossy(object.get("message")?)?;
        let data = match object.get("data") {
            Some(data) => Some(Json::parse(data.to_vec()).ok()?),
            None => None,
        };
        Some(Self { code, message, data })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{{\"code\":{},\"message\":", self.code.0);
        let _ = serde_json::to_writer(&mut *out, &self.message);
        if let Some(data) = &self.data {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(data.as_bytes());
        }
        out.push(b'}');
    }
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// Code and sizes only: messages and data are somebody's words.
impl fmt::Debug for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorObject")
            .field("code", &self.code.0)
            .field("message_bytes", &self.message.len())
            .field("data", &self.data)
            .finish()
    }
}

impl std::error::Error for ErrorObject {}
