//! Which era an answer speaks of.

use http::StatusCode;
use mcp_jsonrpc::{ErrorCode, ErrorObject, Id, Object, Outcome, Response};
use mcp_streamable_http::proto::{choose_revision, is_modern_error, is_modern_refusal};
use mcp_transport_core::{Era, Error, ErrorKind, Revision};
use serde_json::Value;

/// The id of every question. A text, because those who ask after us number theirs.
pub(super) const ID: &str = "mcp-transport-probe";

/// The era of a child that gave this answer to `server/discover`.
///
/// # Spec
///
/// MCP 2026-07-28, stdio, Backward Compatibility.
pub(super) fn era_of_child(response: &Response) -> Result<Era, Error> {
    match response.outcome() {
        Outcome::Result(result) => era_of_result(result),
        Outcome::Error(error) => Ok(era_of_error(&error)?.unwrap_or(Era::Legacy)),
    }
}

/// What an answer over HTTP tells; `None` when it may as well come from something that is no Streamable HTTP.
///
/// Which statuses of an error tell nothing was not only taken from the specification. With 400, servers of the legacy
/// era refuse what comes before `initialize`, and some of them bear one `initialize` in their life: they are not given
/// one that is not meant. With 404 and 405, anything at all says that nobody is there.
///
/// # Spec
///
/// MCP 2026-07-28, Streamable HTTP, Backward Compatibility.
pub(super) fn era_of_answer(status: StatusCode, response: &Response) -> Result<Option<Era>, Error> {
    let ours = response.id() == Some(Id::from(ID));
    let error = match response.outcome() {
        Outcome::Result(result) if ours => return era_of_result(result).map(Some),
        Outcome::Result(_) => return Ok(None),
        Outcome::Error(error) => error,
    };
    if let Some(era) = era_of_error(&error)? {
        return Ok(Some(era));
    }
    // Anybody may say 404; who repeats the id has read the request.
    if ours && is_modern_refusal(status, &error) {
        return Ok(Some(Era::Modern));
    }
    let nobody = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    Ok((!nobody && !status.is_server_error()).then_some(Era::Legacy))
}

/// A result is none of `server/discover` only because one was asked for: some servers answer everything.
fn era_of_result(result: &[u8]) -> Result<Era, Error> {
    let versions = Object::new(result).and_then(|result| result.get("supportedVersions"));
    let Some(Ok(versions)) = versions.map(serde_json::from_slice::<Vec<Value>>) else {
        return Ok(Era::Legacy);
    };
    let known = versions.iter().filter_map(|version| version.as_str()?.parse::<Revision>().ok());
    known.max().map(Revision::era).ok_or_else(nothing_in_common)
}

/// `None` for an error that a server of the modern era does not send.
fn era_of_error(error: &ErrorObject) -> Result<Option<Era>, Error> {
    match choose_revision(error, &Revision::ALL) {
        // It may name none but those of the legacy era.
        Some(revision) => Ok(Some(revision.era())),
        None if error.code() == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => Err(nothing_in_common()),
        // What is wrong with the request is wrong in the words of the modern era.
        None => Ok(is_modern_error(error).then_some(Era::Modern)),
    }
}

fn nothing_in_common() -> Error {
    Error::new(ErrorKind::Refused, "the server has no revision in common with this client")
}
