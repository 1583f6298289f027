//! Which web page a request comes from, and whether it may; and whether two URIs are of one origin.
//!
//! # Spec
//!
//! RFC 6454; MCP 2025-11-25, transports, Security Warning: servers must validate `Origin` and answer 403.

use std::fmt;

use http::{HeaderMap, Uri, header};

use super::host::{Authority, Host, HostList};

/// An `http` or `https` origin: scheme, host and port, the default port filled in.
///
/// ```
/// use mcp_http::proto::Origin;
/// let one = Origin::of(&"https://Example.com/sse?x=1".parse()?)?;
/// assert_eq!(one, Origin::of(&"https://example.com:443/other".parse()?)?);
/// assert_ne!(one, Origin::parse(b"http://example.com")?);
/// assert_eq!(one.to_string(), "https://example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: Host,
    port: u16,
}

/// Why a request, or a URI, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginProblem {
    /// More than one `Origin` header.
    #[error("more than one Origin header")]
    Several,
    /// `null`, another scheme, or no origin at all.
    #[error("not an http or https origin")]
    Malformed,
    /// A well-formed origin that is not allowed.
    #[error("Origin is not allowed")]
    NotListed,
}

impl Origin {
    /// Reads the value of an `Origin` header: `scheme://host` or `scheme://host:port`, and nothing behind it.
    ///
    /// # Errors
    ///
    /// [`OriginProblem::Malformed`].
    pub fn parse(text: &[u8]) -> Result<Self, OriginProblem> {
        let at = memchr::memmem::find(text, b"://").ok_or(OriginProblem::Malformed)?;
        let (scheme, rest) = text.split_at(at);
        let authority = rest.get(3..).and_then(Authority::parse);
        Self::from_parts(scheme, authority)
    }

    /// The origin of an absolute URI. Credentials for the one may go to the other when these are equal.
    ///
    /// # Errors
    ///
    /// [`OriginProblem::Malformed`] when it is relative, neither `http` nor `https`, or has user information.
    pub fn of(uri: &Uri) -> Result<Self, OriginProblem> {
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().and_then(|authority| Authority::parse(authority.as_str().as_bytes()));
        Self::from_parts(scheme.as_bytes(), authority)
    }

    fn from_parts(scheme: &[u8], authority: Option<Authority>) -> Result<Self, OriginProblem> {
        let secure = if scheme.eq_ignore_ascii_case(b"https") {
            true
        } else if scheme.eq_ignore_ascii_case(b"http") {
            false
        } else {
            return Err(OriginProblem::Malformed);
        };
        let authority = authority.ok_or(OriginProblem::Malformed)?;
        let port = authority.port().unwrap_or(default_port(secure));
        Ok(Self { secure, host: authority.host().clone(), port })
    }

    /// Whether the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, also when it is the scheme's default.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as a browser would write them into `Host`: a default port is not written.
    fn authority(&self) -> Authority {
        let port = (self.port != default_port(self.secure)).then_some(self.port);
        Authority::new(self.host.clone(), port)
    }
}

/// As a browser writes it: a default port is left out.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// The origins whose pages may send requests.
///
/// No `Origin` passes, since programs that are not browsers send none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginList {
    hosts: HostList,
    exact: Vec<Origin>,
}

impl OriginList {
    /// The pages that were served by one of our hosts: over `http` or `https`, at a port at which the host is ours; on
    /// loopback at any port, because the page of a local tool has a port of its own.
    pub fn new(hosts: HostList) -> Self {
        Self { hosts, exact: Vec::new() }
    }

    /// Adds one origin.
    #[must_use]
    pub fn allow(mut self, origin: Origin) -> Self {
        self.exact.push(origin);
        self
    }

    /// Whether pages of this origin may send requests.
    pub fn contains(&self, origin: &Origin) -> bool {
        self.exact.contains(origin)
            || self.hosts.contains(&origin.authority())
            || origin.host.is_loopback() && self.hosts.contains_host(&origin.host)
    }

    /// The origin of a request, if it has one and may send it.
    ///
    /// # Errors
    ///
    /// Every [`OriginProblem`]; each is answered with 403.
    pub fn check(&self, headers: &HeaderMap) -> Result<Option<Origin>, OriginProblem> {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(OriginProblem::Several);
        }
        let origin = Origin::parse(value.as_bytes())?;
        if self.contains(&origin) { Ok(Some(origin)) } else { Err(OriginProblem::NotListed) }
    }
}
