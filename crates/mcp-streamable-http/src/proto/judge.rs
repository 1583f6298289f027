//! Whether headers and body of a modern request agree, and what is answered where they do not.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mcp_jsonrpc::{ErrorCode, ErrorObject, Message, Notification, Object, Request};
use mcp_transport_core::Revision;

use super::body;
use super::mirror::{METHOD, NAME, PROTOCOL_VERSION, decode_value, literal};
use super::parameters::{ToolParameters, check_parameters};

/// The longest version that is repeated to the one who asked for it.
const MAX_REQUESTED: usize = 64;
/// Methods of the legacy era that the modern era has not.
const REMOVED: [&str; 5] =
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

/// How a request is refused. No error repeats anything of the request, except the version in `data.requested`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of the HTTP response.
    pub status: StatusCode,
    /// Its body: the error of a response with the request's id, or with none where there was none.
    pub error: ErrorObject,
}

impl Refused {
    fn new(status: StatusCode, code: ErrorCode, text: &str) -> Self {
        Self { status, error: ErrorObject::new(code, text) }
    }

    /// Headers and body disagree, or a header is missing or unreadable: 400.
    pub(super) fn header(text: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::HEADER_MISMATCH, text)
    }

    fn params(text: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::INVALID_PARAMS, text)
    }
}

/// Judges a message of the modern era; `supported` are the revisions of that era that are served, and `tools` knows
/// which parameters are repeated in headers.
///
/// A request is looked at in this order, and the first thing that is wrong is the answer:
///
/// 1. `Mcp-Method`, and `Mcp-Name` where the method has one, are there and say what the body says: else 400, -32020.
/// 2. `_meta` names a revision and the client's capabilities: else 400, -32602.
/// 3. `MCP-Protocol-Version` is there and names the same revision: else 400, -32020.
/// 4. That revision is served: else 400, -32022.
/// 5. The method was not removed: else 404, -32601.
/// 6. `Mcp-Param-*` of `tools/call`, for tools that are known: else 400, -32020.
///
/// A notification needs `MCP-Protocol-Version` and a revision that is served; `Mcp-Method`, and the revision in `_meta`,
/// have to agree where they are there. The revision defines no more for them. A response is refused.
///
/// # Errors
///
/// [`Refused`], whose error names the revisions that are served when the method is `initialize`.
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Request Metadata and Server Validation; basic, `_meta`; Versioning and
/// Compatibility.
pub fn check_modern(
    headers: &HeaderMap,
    message: &Message,
    supported: &[Revision],
    tools: Option<&dyn ToolParameters>,
) -> Result<Revision, Refused> {
    match message {
        Message::Request(request) => request_of(headers, request, supported, tools)
            .map_err(|refused| name_revisions(refused, request, supported)),
        Message::Notification(notification) => notification_of(headers, notification, supported),
        Message::Response(_) => Err(Refused::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::INVALID_REQUEST,
            "a client of this revision sends no responses",
        )),
    }
}

fn request_of(
    headers: &HeaderMap,
    request: &Request,
    supported: &[Revision],
    tools: Option<&dyn ToolParameters>,
) -> Result<Revision, Refused> {
    let method = request.method();
    let params = request.params_object();
    if !method_agrees(headers, &method)? {
        return Err(Refused::header("Mcp-Method is missing"));
    }
    let name = name_agrees(headers, &method, params)?;
    let meta = params.and_then(|params| params.object("_meta"));
    let meta = meta.ok_or_else(|| Refused::params("params._meta is missing or no object"))?;
    let version = meta.get(body::PROTOCOL_VERSION).and_then(body::text);
    let version = version.ok_or_else(|| Refused::params("_meta: protocolVersion is missing or no string"))?;
    if meta.object(body::CLIENT_CAPABILITIES).is_none() {
        return Err(Refused::params("_meta: clientCapabilities is missing or no object"));
    }
    if version_header(headers)? != version {
        return Err(Refused::header("MCP-Protocol-Version does not say what the body says"));
    }
    let revision = served(&version, supported)?;
    if REMOVED.contains(&&*method) {
        let text = "this revision does not have the method";
        return Err(Refused::new(StatusCode::NOT_FOUND, ErrorCode::METHOD_NOT_FOUND, text));
    }
    if method == "tools/call"
        && let Some(parameters) = tools.zip(name).and_then(|(tools, name)| tools.parameters(&name))
    {
        check_parameters(&parameters, params.and_then(|params| params.get("arguments")), headers)?;
    }
    Ok(revision)
}

fn notification_of(
    headers: &HeaderMap,
    notification: &Notification,
    supported: &[Revision],
) -> Result<Revision, Refused> {
    method_agrees(headers, &notification.method())?;
    let version = version_header(headers)?;
    let params = notification.params_object();
    if let Some(named) = body::meta(params, body::PROTOCOL_VERSION)
        && body::text(named).as_deref() != Some(version)
    {
        return Err(Refused::header("MCP-Protocol-Version does not say what the body says"));
    }
    served(version, supported)
}

/// Whether `Mcp-Method` is there; when it is, it says what the body says.
fn method_agrees(headers: &HeaderMap, method: &str) -> Result<bool, Refused> {
    let Some(value) = one(headers, &METHOD, "more than one Mcp-Method header")? else { return Ok(false) };
    match literal(value) {
        Ok(text) if text == method => Ok(true),
        Ok(_) => Err(Refused::header("Mcp-Method does not say what the body says")),
        Err(_) => Err(Refused::header("Mcp-Method holds invalid characters")),
    }
}

/// The name in the body, which `Mcp-Name` has to repeat, for the methods that have one.
fn name_agrees<'a>(
    headers: &HeaderMap,
    method: &str,
    params: Option<Object<'a>>,
) -> Result<Option<Cow<'a, str>>, Refused> {
    let Some(key) = body::name_key(method) else { return Ok(None) };
    let value = one(headers, &NAME, "more than one Mcp-Name header")?;
    let value = value.ok_or_else(|| Refused::header("Mcp-Name is missing"))?;
    let found = decode_value(value).map_err(|problem| Refused::header(&format!("Mcp-Name {problem}")))?;
    let named = params.and_then(|params| params.get(key)).and_then(body::text);
    match named {
        Some(named) if named == found => Ok(Some(named)),
        _ => Err(Refused::header("Mcp-Name does not say what the body says")),
    }
}

fn version_header(headers: &HeaderMap) -> Result<&str, Refused> {
    let value = one(headers, &PROTOCOL_VERSION, "more than one MCP-Protocol-Version header")?;
    let value = value.ok_or_else(|| Refused::header("MCP-Protocol-Version is missing"))?;
    literal(value).map_err(|_| Refused::header("MCP-Protocol-Version holds invalid characters"))
}

/// The one value of a header. Of two, a proxy may have gone by the other.
pub(super) fn one<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    several: &str,
) -> Result<Option<&'a HeaderValue>, Refused> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Refused::header(several)) } else { Ok(first) }
}

fn served(version: &str, supported: &[Revision]) -> Result<Revision, Refused> {
    let revision = supported.iter().copied().find(|revision| revision.as_str() == version);
    revision.ok_or_else(|| unsupported(version, supported))
}

/// A refusal with 400 and -32022: `data.supported` lists the revisions that are served, and `data.requested` repeats the one that was
/// asked for.
///
/// A version of more than 64 characters, or with others than visible ASCII, is not repeated: `requested`, which has to
/// be a string, is then empty.
///
/// # Spec
///
/// MCP 2026-07-28, Versioning and Compatibility, Protocol Version Negotiation.
pub fn unsupported(requested: &str, supported: &[Revision]) -> Refused {
    let visible = requested.bytes().all(|byte| byte.is_ascii_graphic());
    let requested = if visible && requested.len() <= MAX_REQUESTED { requested } else { "" };
    let error = ErrorObject::new(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, "unsupported protocol version");
    let data = serde_json::json!({ "supported": names(supported), "requested": requested });
    Refused { status: StatusCode::BAD_REQUEST, error: error.clone().with_data(&data).unwrap_or(error) }
}

fn names(supported: &[Revision]) -> Vec<&'static str> {
    supported.iter().map(|revision| revision.as_str()).collect()
}

/// Clients of the legacy era show their users what they get, and it may be all that they learn.
fn name_revisions(refused: Refused, request: &Request, supported: &[Revision]) -> Refused {
    if request.method() != "initialize" || refused.error.data().is_some() {
        return refused;
    }
    let names = names(supported);
    let text = format!("{}; served here: {}", refused.error.message(), names.join(", "));
    let error = ErrorObject::new(refused.error.code(), text);
    let error = error.clone().with_data(&serde_json::json!({ "supported": names })).unwrap_or(error);
    Refused { error, ..refused }
}

/// The HTTP status of an error response that is the first message of a modern exchange, and so its JSON body.
///
/// 404 for -32601; 400 for -32020, -32021, -32022, -32700 and -32600; 200 for all others, which are answers.
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Protocol Version Header and Server Validation; basic, `_meta`.
pub fn modern_status(error: &ErrorObject) -> StatusCode {
    match error.code() {
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        ErrorCode::PARSE_ERROR | ErrorCode::INVALID_REQUEST => StatusCode::BAD_REQUEST,
        code if code.is_modern() => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}
