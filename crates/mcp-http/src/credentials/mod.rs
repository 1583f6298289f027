//! Who a client is, for servers that want to know: the value of `Authorization`, and what to do when it is not accepted.
//!
//! | type | is |
//! |---|---|
//! | [`Credentials`] | what a client asks before each request, and tells of refusals |
//! | [`StaticToken`] | a bearer token that stays the same |
//! | [`FetchedToken`] | one that somebody fetches, and fetches again when it was refused |
//! | `TokenCommand` | one that a program prints (feature `token-command`) |
//! | [`CredentialsFailed`] | why there is nothing to send, behind the error of a request |
//!
//! ```
//! use std::sync::Arc;
//!
//! use mcp_http::credentials::StaticToken;
//! use mcp_http::proto::Origin;
//! use mcp_http::{HttpClient, HttpClientOptions};
//!
//! let origin = Origin::parse(b"https://mcp.example.com")?;
//! let token = StaticToken::new(origin, "mF_9.B5f-4.1JqM")?;
//! let client = HttpClient::new(HttpClientOptions::default().with_credentials(Arc::new(token)));
//! # drop(client); Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each of them knows the origin that its token is for, and sends it to no other. Over `http` everybody on the way can
//! read a token: that is for this machine, and for networks that are trusted.

mod asking;
mod bearer;
#[cfg(feature = "token-command")]
mod command;
mod failed;
mod fetched;
mod renewal;
mod static_token;

use std::fmt;

use http::Uri;
use http::header::HeaderValue;
use mcp_transport_core::{BoxFuture, Error};

use crate::proto::Origin;
use crate::refused::HttpRefused;

pub(crate) use asking::Asking;
pub use bearer::MAX_TOKEN;
#[cfg(feature = "token-command")]
pub use command::TokenCommand;
pub use failed::CredentialsFailed;
pub use fetched::FetchedToken;
pub use static_token::StaticToken;

/// Says who the client is. An [`HttpClient`](crate::HttpClient) asks it before each request, and tells it of refusals.
///
/// A request that has an `Authorization` of its own, or gets one from
/// [`HttpClientOptions::headers`](crate::HttpClientOptions::headers), goes with that one, and nothing is asked.
///
/// ```text
///           ┌─────────────────────────────────────────┐
/// request ──┴▶ next ─▶ sent ─┬─ anything else ─▶ out   │ repeated, twice at most
///                            └─ 401, or 403 with a ─▶ refused ─┬─ true
///                               challenge                      └─ false ─▶ the refusal is the error
/// ```
///
/// A request that was refused with one of these has not been carried out, so it is repeated whatever its method is
/// (RFC 9110 15.5.2 and 15.5.4).
///
/// # To implement it
///
/// * One token belongs to one server. Look at [`Destination::origin`], and give nothing to an origin that you do not
///   know: whoever can have a client send a request somewhere could ask for the token otherwise.
/// * Many requests ask at the same time, and when a token runs out, all of them are refused at the same time. Compare
///   what was sent with what you would send now: if they differ, somebody has been there before, and `true` is the whole
///   answer. Else renew it while the others wait, such as by holding a `tokio::sync::Mutex`. [`FetchedToken`] does both.
/// * A server may refuse everything for ever: renew no more than so often.
/// * Either future is dropped when it takes longer than [`HttpClientOptions::token`](crate::HttpClientOptions::token), or
///   when nobody waits for its request any more.
/// * Texts of errors, and `Debug`, are read by others: no token is part of them.
/// * Who has to ask a server for a token does so with another client, one without these credentials.
///
/// # Spec
///
/// MCP 2025-03-26 authorization and later, Access Token Usage: in the header of every request, and never in the URI.
/// Where a challenge leads ([`HttpRefused::challenges`]), RFC 9728 5.1 and MCP 2025-11-25 authorization, Scope Challenge
/// Handling, say.
pub trait Credentials: Send + Sync {
    /// The value of `Authorization` for the next request; `None` sends none. It is marked as sensitive.
    ///
    /// It is asked for each request, so what does not change is kept.
    ///
    /// # Errors
    ///
    /// The request is not sent, and fails with an error of the same kind, which has this one behind it
    /// ([`CredentialsFailed`]).
    fn next<'a>(&'a self, destination: Destination<'a>) -> BoxFuture<'a, Result<Option<HeaderValue>, Error>>;

    /// Takes note of a refusal: of a 401, or of a 403 with a challenge, such as one that asks for more scope. With it
    /// comes what was sent. `true` when the request is worth another try, for which [`next`](Self::next) is asked again.
    ///
    /// # Errors
    ///
    /// The request fails with this, as with those of [`next`](Self::next), and not with the refusal.
    fn refused<'a>(
        &'a self,
        destination: Destination<'a>,
        sent: Option<&'a HeaderValue>,
        refused: &'a HttpRefused,
    ) -> BoxFuture<'a, Result<bool, Error>>;
}

/// Where a request goes.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Destination<'a> {
    /// Scheme, host and port: who gets what is sent.
    pub origin: &'a Origin,
    /// The whole URI. On one origin there may be several servers, each with tokens of its own.
    pub uri: &'a Uri,
}

impl<'a> Destination<'a> {
    /// A URI and its origin.
    pub fn new(origin: &'a Origin, uri: &'a Uri) -> Self {
        Self { origin, uri }
    }
}

/// Without the query, which may be a secret.
impl fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("origin", &format_args!("{}", self.origin))
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}
