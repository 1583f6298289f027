//! What is said to those who are not let in.

use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};

use super::resource::Resource;
use super::scope::{OFFLINE_ACCESS, is_scope};
use crate::reply::Refusal;

/// Makes the refusals of an [`Authenticate`](super::Authenticate) that takes bearer tokens, each with its challenge.
///
/// What it is made of cannot leave a quoted string: a metadata URL, and scopes.
///
/// ```
/// use mcp_http::{Challenge, Reply, Resource};
/// # fn main() -> Result<(), mcp_transport_core::Error> {
/// let resource: Resource = "https://mcp.example/mcp".parse()?;
/// let resource = resource.with_authorization_server("https://login.example")?.with_scopes(["files:read"])?;
/// let reply = Reply::from(Challenge::of(Some(&resource)).missing());
/// assert_eq!(reply.status(), 401);
/// assert_eq!(
///     reply.headers()["www-authenticate"],
///     "Bearer scope=\"files:read\", \
///      resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\""
/// );
/// # Ok(()) }
/// ```
///
/// # Spec
///
/// RFC 6750 3; RFC 9728 5.1; MCP 2025-11-25 and 2026-07-28 authorization, Protected Resource Metadata Discovery, Scope
/// Challenge Handling, Error Handling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    metadata: Option<Box<str>>,
    scope: Box<str>,
}

impl Challenge {
    /// The challenge of a resource, which names its metadata and its scopes; of none it is a bare `Bearer`.
    pub fn of(resource: Option<&Resource>) -> Self {
        let scopes = resource.map(Resource::scopes).unwrap_or_default();
        Self { metadata: resource.map(|resource| resource.metadata_url().into()), scope: list(scopes) }
    }

    /// The scopes to name to a client without a token that is accepted: those that it needs at least. Default all of
    /// the resource.
    ///
    /// `offline_access`, and what is no scope of RFC 6749 3.3, is left out.
    #[must_use]
    pub fn with_scopes<S: AsRef<str>>(mut self, scopes: &[S]) -> Self {
        self.scope = list(scopes);
        self
    }

    /// For a request without credentials, or with some of another scheme: 401, and no `error`.
    pub fn missing(&self) -> Refusal {
        self.refusal(StatusCode::UNAUTHORIZED, "who are you? a bearer token is needed\n", None, &self.scope)
    }

    /// For a token that is not accepted, whatever is the matter with it: 401, `invalid_token`.
    pub fn invalid(&self) -> Refusal {
        let text = "the bearer token is not accepted\n";
        self.refusal(StatusCode::UNAUTHORIZED, text, Some("invalid_token"), &self.scope)
    }

    /// For credentials that cannot be read ([`BadCredentials`](super::BadCredentials)): 400, `invalid_request`.
    pub fn malformed(&self) -> Refusal {
        let text =
            "exactly one Authorization is needed, with one bearer token, and none in the query string\n";
        self.refusal(StatusCode::BAD_REQUEST, text, Some("invalid_request"), "")
    }

    /// For a token that is good, and not for this: 403, `insufficient_scope`, with all the scopes that the operation
    /// needs, in one challenge.
    ///
    /// `offline_access`, and what is no scope of RFC 6749 3.3, is left out.
    pub fn insufficient_scope<S: AsRef<str>>(&self, needed: &[S]) -> Refusal {
        let text = "the bearer token does not have the scopes that this needs\n";
        self.refusal(StatusCode::FORBIDDEN, text, Some("insufficient_scope"), &list(needed))
    }

    fn refusal(&self, status: StatusCode, text: &'static str, error: Option<&str>, scope: &str) -> Refusal {
        let mut value = String::from("Bearer");
        let scope = Some(scope).filter(|scope| !scope.is_empty());
        let parameters =
            [("error", error), ("scope", scope), ("resource_metadata", self.metadata.as_deref())];
        let parameters = parameters.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        for (at, (name, quoted)) in parameters.enumerate() {
            value.push_str(if at == 0 { " " } else { ", " });
            value.push_str(name);
            value.push_str("=\"");
            value.push_str(quoted);
            value.push('"');
        }
        let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("Bearer"));
        Refusal::new(status, text).with_header(WWW_AUTHENTICATE, value)
    }
}

fn list<S: AsRef<str>>(scopes: &[S]) -> Box<str> {
    let scopes = scopes.iter().map(AsRef::as_ref);
    let kept: Vec<&str> = scopes.filter(|scope| is_scope(scope) && *scope != OFFLINE_ACCESS).collect();
    kept.join(" ").into()
}
