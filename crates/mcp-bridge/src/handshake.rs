//! Finds out which era the server is of, and says hello in it.
//!
//! ```text
//! server/discover ──▶ DiscoverResult, or a modern error ──▶ a version of its list, or none of ours: give up
//!        ├──────────▶ any other error or answer ──────────▶ initialize
//!        ├──────────▶ the child dies of it ───────────────▶ a fresh child, initialize
//!        └──────────▶ silence ────────────────────────────▶ initialize too; what is answered first decides
//! ```
//!
//! # Spec
//!
//! MCP 2026-07-28, stdio, Backward Compatibility; Versioning and Compatibility.

use std::pin::pin;
use std::time::Duration;

use mcp_transport::{Caller, CloseReason, Era, Error, Json, Outcome, Response, Revision};
use serde::Deserialize;
use tokio::time::sleep;

use crate::exit::Failure;
use crate::params::{Params, client_info};
use crate::peer::{text, why};
use crate::race::{First, race, race_mut};

/// How long a probe is waited for before `initialize` is sent as well.
///
/// A legacy server that ignores what it does not know costs this much in each call, so it is short. It may be short,
/// because a modern server that takes long to start loses nothing: its late answer still counts.
pub(crate) const PROBE: Duration = Duration::from_secs(2);

// The numbers of the signals by which people end programs; POSIX has fixed them.
const INT: i32 = 2;
const KILL: i32 = 9;
const TERM: i32 = 15;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Hello {
    /// The question can be asked, in this revision.
    Ready(Revision),
    /// The child has died of the probe; a fresh one is to be greeted with [`initialize`].
    Died(Failure),
}

/// Greets a server of either era.
pub(crate) async fn hello(caller: &Caller, wait: Duration) -> Result<Hello, Failure> {
    let nothing = Params::check(None).and_then(|none| none.with_meta(Revision::LATEST));
    let params = nothing.map_err(Failure::new)?;
    let probe = mcp_transport::Request::with_json_params(0, "server/discover", &params);
    let probe = probe.map_err(|error| why(&error.into()))?;
    let mut probing = pin!(caller.relay(&probe));
    match race_mut(probing.as_mut(), pin!(sleep(wait))).await {
        First::One(answer) => match judge(answer)? {
            Verdict::Speaks(revision) => greet(caller, revision).await,
            Verdict::Legacy => greet(caller, Revision::LATEST_LEGACY).await,
            Verdict::Died(failure) => Ok(Hello::Died(failure)),
        },
        First::Other(()) => {
            tracing::info!("no answer to the probe yet: trying `initialize` as well");
            hello_twice(caller, probing, wait).await
        }
    }
}

/// Both questions are out; the first answer that settles it counts.
async fn hello_twice(
    caller: &Caller,
    mut probing: std::pin::Pin<&mut impl Future<Output = Result<Response, Error>>>,
    wait: Duration,
) -> Result<Hello, Failure> {
    let mut greeting = pin!(initialize(caller, Revision::LATEST_LEGACY));
    let refused = match race_mut(probing.as_mut(), greeting.as_mut()).await {
        First::One(answer) => {
            return match judge(answer)? {
                Verdict::Speaks(revision) if revision.era() == Era::Modern => Ok(Hello::Ready(revision)),
                // The probe has been answered after all, so whatever happens now is about `initialize`.
                Verdict::Speaks(_) | Verdict::Legacy => greeting.await.map(Hello::Ready),
                Verdict::Died(failure) => Ok(Hello::Died(failure)),
            };
        }
        First::Other(Ok(revision)) => return Ok(Hello::Ready(revision)),
        First::Other(Err(refused)) => refused,
    };
    // Not that either: only a late answer to the probe can help.
    match race(probing, sleep(wait)).await {
        First::One(answer) => match judge(answer)? {
            Verdict::Speaks(revision) if revision.era() == Era::Modern => Ok(Hello::Ready(revision)),
            Verdict::Died(failure) => Ok(Hello::Died(failure)),
            _ => Err(refused),
        },
        First::Other(()) => Err(refused),
    }
}

async fn greet(caller: &Caller, revision: Revision) -> Result<Hello, Failure> {
    match revision.era() {
        Era::Modern => Ok(Hello::Ready(revision)),
        Era::Legacy => initialize(caller, revision).await.map(Hello::Ready),
    }
}

/// Opens a legacy session.
pub(crate) async fn initialize(caller: &Caller, revision: Revision) -> Result<Revision, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Welcome {
        protocol_version: String,
    }
    let params = opening(revision).map_err(|error| why(&error))?;
    let request = mcp_transport::Request::with_json_params(0, "initialize", &params);
    let request = request.map_err(|error| why(&error.into()))?;
    let response = caller.relay(&request).await.map_err(|error| why(&error))?;
    if let Outcome::Error(error) = response.outcome() {
        let line = format!("the server refused `initialize`: {error}");
        return Err(Failure { line, error: error_text(&response) });
    }
    let welcome: Option<Welcome> = response.result_raw().and_then(|text| serde_json::from_slice(text).ok());
    let Some(Welcome { protocol_version }) = welcome else {
        return Err(Failure::new("the server's answer to `initialize` has no protocol version"));
    };
    let agreed = protocol_version.parse().ok().filter(|agreed: &Revision| agreed.era() == Era::Legacy);
    let Some(agreed) = agreed else {
        return Err(Failure::new(format!(
            "the server wants to speak version {protocol_version:?}, we do not"
        )));
    };
    caller.notify("notifications/initialized", &()).await.map_err(|error| why(&error))?;
    tracing::info!(revision = %agreed, "initialized");
    Ok(agreed)
}

/// The params by which we open a legacy session.
pub(crate) fn opening(revision: Revision) -> Result<Json, Error> {
    let info = client_info();
    let text = format!(r#"{{"protocolVersion":"{revision}","capabilities":{{}},"clientInfo":{info}}}"#);
    Ok(Json::parse(text)?)
}

/// What the answer to the probe says about the server.
#[derive(Debug)]
enum Verdict {
    /// It named versions, and this is the newest that we share.
    Speaks(Revision),
    Legacy,
    Died(Failure),
}

fn judge(answer: Result<Response, Error>) -> Result<Verdict, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Discovered {
        supported_versions: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Unsupported {
        supported: Vec<String>,
    }
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.is_closed() => {
            // A child that somebody has ended did not die of the probe.
            let ended = matches!(error.close_reason(), Some(CloseReason::ChildExited(exit))
                if matches!(exit.signal, Some(INT | KILL | TERM)));
            return if ended { Err(why(&error)) } else { Ok(Verdict::Died(why(&error))) };
        }
        // What came back was no response. A legacy server may do anything.
        Err(error) => {
            tracing::info!(%error, "the probe was not answered properly");
            return Ok(Verdict::Legacy);
        }
    };
    match response.outcome() {
        Outcome::Result(text) => match serde_json::from_slice::<Discovered>(text) {
            Ok(discovered) => shared(&discovered.supported_versions, None),
            Err(_) => Ok(Verdict::Legacy),
        },
        Outcome::Error(error) if error.code().is_modern() => {
            let named = error.data().and_then(|data| data.decode::<Unsupported>().ok());
            match named {
                Some(Unsupported { supported }) => shared(&supported, error_text(&response)),
                // Modern, and not about versions: the question itself will be answered with it.
                None if error.code() != mcp_transport::ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => {
                    Ok(Verdict::Speaks(Revision::LATEST))
                }
                None => {
                    let line =
                        format!("the server does not speak {}, nor does it say what", Revision::LATEST);
                    Err(Failure { line, error: error_text(&response) })
                }
            }
        }
        // Whatever the code: servers answer what they do not know with all kinds of it.
        Outcome::Error(error) => {
            tracing::info!(code = error.code().0, "the probe was refused: a legacy server");
            Ok(Verdict::Legacy)
        }
    }
}

/// The newest version that both sides speak.
fn shared(theirs: &[String], error: Option<String>) -> Result<Verdict, Failure> {
    let newest = theirs.iter().filter_map(|version| version.parse::<Revision>().ok()).max();
    newest.map(Verdict::Speaks).ok_or_else(|| {
        let theirs = theirs.join(", ");
        let ours: Vec<&str> = Revision::ALL.iter().map(|revision| revision.as_str()).collect();
        let line = format!("no common version: the server speaks [{theirs}], we speak [{}]", ours.join(", "));
        Failure { line, error }
    })
}

/// The error object of a response, as the server wrote it.
pub(crate) fn error_text(response: &Response) -> Option<String> {
    let error = mcp_transport::jsonrpc::Object::new(response.as_bytes())?.get("error")?;
    Some(text(error).into_owned())
}
