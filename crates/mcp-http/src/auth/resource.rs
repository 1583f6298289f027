//! What clients are told of a server before they have a token for it.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::InvalidUri;
use http::{Method, StatusCode, Uri};
use mcp_transport_core::{BoxFuture, Error, ErrorKind};
use serde_json::json;

use super::scope::{OFFLINE_ACCESS, is_scope};
use crate::proto::Authority;
use crate::reply::{Reply, json_reply};
use crate::route::{Arrived, Handler, Route};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A server that takes tokens of others: what they are to be issued for, and by whom.
///
/// The identifier is the URL that clients are given, as they see it, also behind a proxy that calls the server
/// something else. It is kept in one spelling: scheme and host in lower case, no default port, no final slash.
///
/// ```
/// use mcp_http::Resource;
/// # fn main() -> Result<(), mcp_transport_core::Error> {
/// let resource: Resource = "https://MCP.example:443/mcp/".parse()?;
/// let resource = resource.with_authorization_server("https://login.example")?;
/// assert_eq!(resource.as_str(), "https://mcp.example/mcp");
/// assert_eq!(resource.metadata_url(), "https://mcp.example/.well-known/oauth-protected-resource/mcp");
/// let paths: Vec<String> = resource.routes()?.iter().map(|route| route.path().to_owned()).collect();
/// assert_eq!(paths, ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]);
/// # Ok(()) }
/// ```
///
/// # Spec
///
/// RFC 9728; RFC 8707 2; MCP 2025-06-18 authorization and later, Authorization Server Discovery, Canonical Server URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    identifier: Box<str>,
    /// How many bytes of the identifier stand before its path.
    origin: usize,
    metadata_url: Box<str>,
    authorization_servers: Vec<Box<str>>,
    scopes: Vec<Box<str>>,
    name: Option<Box<str>>,
    documentation: Option<Box<str>>,
}

impl Resource {
    /// A resource by its URL. A fragment cannot be seen in a [`Uri`]: text that a user wrote is better parsed, which
    /// refuses one.
    ///
    /// # Errors
    ///
    /// Misuse, when it is not `https` (or `http` on loopback), has user information or a query, or a path with bytes or
    /// segments that clients would change.
    pub fn new(resource: Uri) -> Result<Self, Error> {
        let origin = origin(&resource)?;
        let path = resource.path().trim_end_matches('/');
        if resource.query().is_some() {
            return Err(misuse("the URL of a protected resource has no query"));
        }
        if !path.bytes().all(is_path_byte) || path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(misuse("the URL of a protected resource has a path that clients would change"));
        }
        Ok(Self {
            identifier: format!("{origin}{path}").into(),
            origin: origin.len(),
            metadata_url: format!("{origin}{WELL_KNOWN}{path}").into(),
            authorization_servers: Vec::new(),
            scopes: Vec::new(),
            name: None,
            documentation: None,
        })
    }

    /// Adds who issues tokens for it, by the issuer's identifier. It is text and goes out as it is, because clients
    /// compare it with what the issuer calls itself, byte by byte.
    ///
    /// # Errors
    ///
    /// Misuse, when it is not `https` (or `http` on loopback), or has user information, a query or a fragment.
    pub fn with_authorization_server(mut self, issuer: &str) -> Result<Self, Error> {
        let uri = url(issuer)?;
        origin(&uri)?;
        if uri.query().is_some() || !uri.path().bytes().all(is_path_byte) {
            return Err(misuse(
                "the identifier of an authorization server has no query, and no bytes beyond a URI's",
            ));
        }
        self.authorization_servers.push(issuer.into());
        Ok(self)
    }

    /// The scopes that it knows, for clients that have no other advice. Default none.
    ///
    /// # Errors
    ///
    /// Misuse, when one is no scope of RFC 6749 3.3, or is `offline_access`, which is not for a resource to ask for (MCP
    /// 2026-07-28 authorization).
    pub fn with_scopes<S: Into<Box<str>>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        self.scopes.clear();
        for scope in scopes {
            let scope = scope.into();
            if !is_scope(&scope) {
                return Err(misuse("a scope is visible ASCII without spaces, quotes and backslashes"));
            }
            if &*scope == OFFLINE_ACCESS {
                return Err(misuse(
                    "offline_access is for clients to ask for, and is no scope of a resource",
                ));
            }
            if !self.scopes.contains(&scope) {
                self.scopes.push(scope);
            }
        }
        Ok(self)
    }

    /// What to call it in front of a user. Default nothing.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A page for developers. Default none.
    ///
    /// # Errors
    ///
    /// Misuse, when it is not `https` (or `http` on loopback).
    pub fn with_documentation(mut self, page: &str) -> Result<Self, Error> {
        origin(&url(page.split_once('#').map_or(page, |(page, _)| page))?)?;
        self.documentation = Some(page.into());
        Ok(self)
    }

    /// The identifier: the audience of its tokens.
    pub fn as_str(&self) -> &str {
        &self.identifier
    }

    /// Its path; empty for that of the whole origin.
    pub fn path(&self) -> &str {
        self.identifier.get(self.origin..).unwrap_or_default()
    }

    /// Who issues tokens for it.
    pub fn authorization_servers(&self) -> &[Box<str>] {
        &self.authorization_servers
    }

    /// The scopes that it knows.
    pub fn scopes(&self) -> &[Box<str>] {
        &self.scopes
    }

    /// Where its metadata is, which is what challenges name: the well-known path with its own behind it.
    pub fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    /// What serves its metadata, to everybody: at [`metadata_url`](Self::metadata_url), and at the origin's own
    /// well-known path for clients that look nowhere else.
    ///
    /// No cache keeps it. Clients ask for it only when they have no token, and whoever has put a wrong issuer right
    /// does not want to wait.
    ///
    /// # Errors
    ///
    /// Misuse, when no authorization server was added: there is at least one (MCP 2025-06-18 authorization and later).
    pub fn routes(&self) -> Result<Vec<Route>, Error> {
        if self.authorization_servers.is_empty() {
            return Err(misuse("a protected resource needs at least one authorization server"));
        }
        let document = Bytes::from(self.document());
        let serve = move |_: Arrived| -> BoxFuture<'static, Reply> {
            Box::pin(std::future::ready(json_reply(StatusCode::OK, document.clone())))
        };
        let serve: Arc<dyn Handler> = Arc::new(serve);
        let route = |path: &str| Route::new(Method::GET, path, serve.clone()).public().at_root();
        let mut routes = vec![route(&format!("{WELL_KNOWN}{}", self.path()))];
        if !self.path().is_empty() {
            routes.push(route(WELL_KNOWN));
        }
        Ok(routes)
    }

    fn document(&self) -> String {
        let mut document = json!({
            "resource": self.identifier,
            "authorization_servers": self.authorization_servers,
            "bearer_methods_supported": ["header"],
        });
        let optional = [
            ("scopes_supported", (!self.scopes.is_empty()).then(|| json!(self.scopes))),
            ("resource_name", self.name.as_ref().map(|name| json!(name))),
            ("resource_documentation", self.documentation.as_ref().map(|page| json!(page))),
        ];
        for (key, value) in optional {
            if let (Some(document), Some(value)) = (document.as_object_mut(), value) {
                document.insert(key.to_owned(), value);
            }
        }
        document.to_string()
    }
}

/// As [`Resource::new`], and refuses a fragment.
impl FromStr for Resource {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(url(text)?)
    }
}

fn url(text: &str) -> Result<Uri, Error> {
    if text.contains('#') {
        return Err(misuse("a URL of authorization has no fragment"));
    }
    text.parse().map_err(|error: InvalidUri| misuse("not a URL").with_source(error))
}

/// Scheme and authority, in one spelling.
fn origin(uri: &Uri) -> Result<String, Error> {
    let authority = uri.authority().and_then(|authority| Authority::parse(authority.as_str().as_bytes()));
    let authority =
        authority.ok_or_else(|| misuse("a URL of authorization has a host, and no user information"))?;
    let default = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") if authority.host().is_loopback() => 80,
        _ => return Err(misuse("a URL of authorization is https, or http on this machine")),
    };
    let port = authority.port().filter(|port| *port != default);
    let scheme = uri.scheme_str().unwrap_or_default();
    Ok(format!("{scheme}://{}", Authority::new(authority.host().clone(), port)))
}

/// `pchar` and the slash of RFC 3986 3.3: [`Uri`] takes more, a quote among it.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte)
}

fn misuse(what: &'static str) -> Error {
    Error::new(ErrorKind::Misuse, what)
}
