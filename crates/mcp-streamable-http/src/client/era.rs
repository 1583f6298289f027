//! The two ways in which a connection works, and what each remembers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use mcp_jsonrpc::{Message, Object, Request, Response};
use mcp_transport_core::{Error, ErrorKind};

use crate::proto::{self, ToolTable, mirror};

pub(super) const SESSION_ID: HeaderName = HeaderName::from_static(mirror::MCP_SESSION_ID);
pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(mirror::MCP_PROTOCOL_VERSION);

/// The longest session id that is taken; those that are known have 32 or 36 characters, or are tokens of less than this.
const MAX_SESSION_ID: usize = 256;

/// Which era a connection is of: decided by its first message that says so, and once more by one that asked for the
/// modern era in vain and goes on with `initialize`.
///
/// ```text
///            ┌─ initialize ──────────────────▶ Legacy
/// Undecided ─┤                                   ▲ initialize
///            └─ _meta names the revision ────▶ Modern
/// ```
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility, Backward Compatibility: who knows both eras and is answered
/// `server/discover` with an error goes on with `initialize`; a relay sees both on one connection.
#[derive(Debug)]
pub(super) enum Era {
    /// Neither was seen. What is sent goes as to a legacy server that needs no session.
    Undecided(Arc<Legacy>),
    Legacy(Arc<Legacy>),
    Modern(Modern),
}

/// What a POST has to know about its era.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Its answer can be resumed.
    Legacy(Arc<Legacy>),
    /// Its stream is all that there is of it.
    Modern,
}

impl Era {
    pub(super) fn new() -> Self {
        Self::Undecided(Arc::default())
    }

    /// Looks at a message that is about to be sent.
    pub(super) fn see(&mut self, message: &Message) {
        let Message::Request(request) = message else { return };
        match self {
            Self::Legacy(_) => {}
            Self::Undecided(legacy) if request.method() == "initialize" => {
                *self = Self::Legacy(legacy.clone())
            }
            Self::Modern(_) if request.method() == "initialize" => *self = Self::Legacy(Arc::default()),
            Self::Undecided(_) => {
                if let Some(revision) = proto::revision_in(request) {
                    *self = Self::Modern(Modern { version: to_header(revision) });
                }
            }
            Self::Modern(modern) => {
                if let Some(version) = proto::revision_in(request).and_then(to_header) {
                    modern.version = Some(version);
                }
            }
        }
    }

    pub(super) fn way(&self) -> Way {
        match self {
            Self::Undecided(legacy) | Self::Legacy(legacy) => Way::Legacy(legacy.clone()),
            Self::Modern(_) => Way::Modern,
        }
    }

    /// The headers that a message goes with.
    pub(super) fn headers(&self, message: &Message, tools: Option<&ToolTable>) -> HeaderMap {
        match self {
            Self::Modern(modern) => modern.headers(message, tools),
            // MCP 2025-11-25, transports, Session Management: initialization has no session yet.
            _ if is_initialize(message) => HeaderMap::new(),
            Self::Undecided(legacy) | Self::Legacy(legacy) => legacy.headers(),
        }
    }
}

pub(super) fn is_initialize(message: &Message) -> bool {
    matches!(message, Message::Request(request) if request.method() == "initialize")
}

/// A session that `initialize` opened.
#[derive(Debug, Default)]
pub(super) struct Legacy(Mutex<Named>);

#[derive(Debug, Default)]
struct Named {
    session: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

impl Legacy {
    fn lock(&self) -> MutexGuard<'_, Named> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What every message after `initialize` carries.
    pub(super) fn headers(&self) -> HeaderMap {
        let named = self.lock();
        let mut headers = HeaderMap::new();
        let session = named.session.iter().map(|session| (SESSION_ID, session));
        let version = named.version.iter().map(|version| (PROTOCOL_VERSION, version));
        for (name, value) in session.chain(version) {
            headers.insert(name, value.clone());
        }
        headers
    }

    pub(super) fn session(&self) -> Option<HeaderValue> {
        self.lock().session.clone()
    }

    /// Takes the session id from the head of the answer to `initialize`.
    ///
    /// MCP 2025-11-25, transports, Session Management: only visible ASCII characters.
    pub(super) fn open(&self, head: &HeaderMap) -> Result<(), Error> {
        let mut ids = head.get_all(SESSION_ID).iter();
        let (id, more) = (ids.next(), ids.next());
        let visible = |id: &HeaderValue| id.as_bytes().iter().all(|byte| (0x21..=0x7e).contains(byte));
        if more.is_some() || id.is_some_and(|id| id.is_empty() || id.len() > MAX_SESSION_ID || !visible(id)) {
            return Err(Error::new(ErrorKind::Peer, "the session id of the server cannot be used"));
        }
        let session = id.map(|id| {
            let mut id = id.clone();
            // Whoever knows it can speak in the session.
            id.set_sensitive(true);
            id
        });
        *self.lock() = Named { session, version: None };
        Ok(())
    }

    /// Takes the revision from the answer to `initialize`.
    pub(super) fn agreed(&self, response: &Response) {
        let version = response.result_raw().and_then(Object::new).and_then(|result| {
            let text: String = serde_json::from_slice(result.get("protocolVersion")?).ok()?;
            to_header(text)
        });
        self.lock().version = version;
    }
}

/// No session; what went out last is remembered for notifications, which need not name a revision.
#[derive(Debug)]
pub(super) struct Modern {
    version: Option<HeaderValue>,
}

impl Modern {
    fn headers(&self, message: &Message, tools: Option<&ToolTable>) -> HeaderMap {
        let mut headers = match message {
            Message::Request(request) => modern_headers(request, tools),
            _ => proto::standard_headers(message),
        };
        if let Some(version) = &self.version {
            headers.entry(PROTOCOL_VERSION).or_insert_with(|| version.clone());
        }
        headers
    }
}

/// The headers of a request that names its own revision.
///
/// MCP 2026-07-28, transports, Request Metadata.
pub(super) fn modern_headers(request: &Request, tools: Option<&ToolTable>) -> HeaderMap {
    let mut headers = proto::standard_headers(&request.clone().into());
    if let Some(tools) = tools {
        headers.extend(tools.headers(request));
    }
    if let Some(version) = proto::revision_in(request).and_then(to_header) {
        headers.insert(PROTOCOL_VERSION, version);
    }
    headers
}

fn to_header(version: String) -> Option<HeaderValue> {
    HeaderValue::try_from(version).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_asked_for_the_modern_era_in_vain_may_still_initialize() {
        let mut era = Era::new();
        let meta = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } });
        era.see(&Request::with_params(1, "server/discover", &meta).unwrap().into());
        assert!(matches!(era, Era::Modern(_)));
        let initialize: Message = Request::new(2, "initialize").into();
        era.see(&initialize);
        assert!(era.headers(&initialize, None).is_empty());
        let Era::Legacy(legacy) = &era else { panic!("{era:?}") };
        legacy.open(&HeaderMap::from_iter([(SESSION_ID, HeaderValue::from_static("s"))])).unwrap();
        let listed = era.headers(&Request::new(3, "tools/list").into(), None);
        assert_eq!(listed.get(&SESSION_ID).unwrap(), "s");
    }
}
