//! Who a client is.
//!
//! | file | owns |
//! |---|---|
//! | `mod` | [`Authenticate`], the one question |
//! | `credentials` | the token of a request's `Authorization` |
//! | `challenge` | what is said to those who are not let in |
//! | `resource` | what clients are told of the server before they have a token |
//! | `any_of` | several ways to say who one is |
//! | `bearer` | tokens that were agreed on beforehand |
//! | `token_list` | how they are written down |
//! | `jwt` | tokens that an issuer has signed |
//! | `certificate` | the client's certificate of mutual TLS |
//! | `distinguished_name` | the names in it, as text |

mod any_of;
#[cfg(feature = "bearer")]
mod bearer;
#[cfg(feature = "tls")]
mod certificate;
mod challenge;
mod credentials;
#[cfg(feature = "tls")]
mod distinguished_name;
#[cfg(feature = "jwt")]
pub mod jwt;
mod resource;
mod scope;
#[cfg(feature = "bearer")]
mod token_list;

use http::request::Parts;
use mcp_transport_core::{BoxFuture, Principal};

use crate::reply::Refusal;

pub use any_of::AnyOf;
#[cfg(feature = "bearer")]
pub use bearer::BearerTokens;
#[cfg(feature = "tls")]
pub use certificate::CertificateSubject;
pub use challenge::Challenge;
pub use credentials::{BadCredentials, MAX_TOKEN, Presented, bearer_token};
pub use resource::Resource;

/// Finds out who a client is.
///
/// It is asked on every request of every route that is not [public](crate::Route::public), also within a session and
/// also for paths that do not exist, before the body is read. A session is never proof of anything: it belongs to the
/// principal that opened it, and to everybody else it is unknown.
///
/// Principals of different kinds of authenticators must never be equal by chance. So the ones here put their kind
/// before the name, `bearer:ann`, and an authenticator of your own should as well.
///
/// ```
/// use http::{StatusCode, request::Parts};
/// use mcp_http::{Authenticate, Presented, Refusal};
/// use mcp_transport_core::{BoxFuture, Principal};
///
/// /// Believes a proxy in front of it, which nobody can get around.
/// struct Forwarded;
///
/// impl Authenticate for Forwarded {
///     fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
///         let mut users = parts.headers.get_all("x-user").iter().map(|user| user.to_str());
///         let found = match (users.next(), users.next()) {
///             (Some(Ok(user)), None) => Ok(Some(Principal::new(format!("proxy:{user}")))),
///             _ => Err(Refusal::new(StatusCode::FORBIDDEN, "come through the proxy\n")),
///         };
///         Box::pin(std::future::ready(found))
///     }
/// }
/// ```
///
/// # Spec
///
/// MCP 2025-03-26 authorization and later, Access Token Usage: every request, even of one session. MCP security best
/// practices, Session Hijacking.
pub trait Authenticate: Send + Sync {
    /// Looks at the head of a request.
    ///
    /// `Ok(None)` lets a client pass that nobody knows. That is a decision: it is not for credentials that are not
    /// accepted.
    ///
    /// It has no time limit but its own: whatever it waits for (keys from elsewhere) it has to bound.
    ///
    /// # Errors
    ///
    /// The refusal to answer with: 401 with a `WWW-Authenticate` (RFC 9110 15.5.2), 403 where other credentials would
    /// not help, 400 for credentials that cannot be read; [`Challenge`] makes all three for bearer tokens. 503 when it
    /// cannot be found out now. Status and headers reach the client as they are, whatever the body of the request is.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the client goes away.
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>>;

    /// Which credentials of a request this one judges, good or bad; [`AnyOf`] goes by it.
    ///
    /// Default [`Presented::Own`]: something, which nobody else can judge.
    fn finds(&self, parts: &Parts) -> Presented {
        let _ = parts;
        Presented::Own
    }
}
