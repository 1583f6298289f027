//! Who a client is.
//!
//! | file | owns |
//! |---|---|
//! | `mod` | [`Authenticate`], the one question |
//! | `credentials` | the token of a request's `Authorization` |
//! | `challenge` | what is said to those who are not let in |
//! | `resource` | what clients are told of the server before they have a token |
//! | `any_of` | several ways to say who one is |
//! | `bearer` | tokens that are agreed upon beforehand |
//! | `jwt` | tokens that an issuer has signed |
//! | `certificate`, `name` | the certificate of mutual TLS, and the names in it |

mod challenge;
mod credentials;
#[cfg(feature = "jwt")]
pub mod jwt;
mod resource;
mod scope;

use http::request::Parts;
use mcp_transport_core::{BoxFuture, Principal};

use crate::reply::Refusal;

pub use challenge::Challenge;
pub use credentials::{BadCredentials, MAX_TOKEN, bearer_token};
pub use resource::Resource;

/// Finds out who a client is.
pub trait Authenticate: Send + Sync {
    /// Looks at a request before its route is known and its body is read.
    ///
    /// `Ok(None)` lets an unknown client pass, which is a decision.
    ///
    /// # Errors
    ///
    /// A refusal, with status 401 and a challenge, or 403.
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>>;
}
