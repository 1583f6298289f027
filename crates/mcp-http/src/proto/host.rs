//! Who a request is addressed to, and whether that is us.
//!
//! A web page can have its own name point at this machine (DNS rebinding) and then send requests to a local server as
//! if they were to itself; only the `Host` header still tells.
//! So the list is always on, and it holds names, never patterns.
//!
//! # Spec
//!
//! RFC 9112, 3.2 and 3.2.2; RFC 9110, 7.2; RFC 9113, 8.3.1.

use http::request::Parts;
use http::uri::Scheme;
use http::{StatusCode, Version, header};

use super::authority::parse_port;
pub use super::authority::{Authority, Host};

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostProblem {
    /// Neither a `Host` header nor, in HTTP/2, an `:authority`.
    #[error("no Host header")]
    Missing,
    /// More than one `Host` header.
    #[error("more than one Host header")]
    Several,
    /// It is no host with an optional port.
    #[error("malformed Host header")]
    Malformed,
    /// The target of the request names another authority than the `Host` header.
    #[error("the target and the Host header disagree")]
    Disagreement,
    /// A well-formed host that is not ours.
    #[error("Host is not allowed")]
    NotListed,
}

impl HostProblem {
    /// 403 for a host that is not listed, 400 for everything else.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotListed => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl Authority {
    /// The authority that a request is addressed to.
    ///
    /// HTTP/1 needs exactly one `Host` header, HTTP/2 that or an `:authority`; when the target of the request has an
    /// authority too, both must be the same.
    ///
    /// # Errors
    ///
    /// Every [`HostProblem`] with status 400.
    pub fn of_request(request: &Parts) -> Result<Self, HostProblem> {
        let read = |text: &[u8]| Self::parse(text).ok_or(HostProblem::Malformed);
        let mut headers = request.headers.get_all(header::HOST).iter();
        let written = headers.next();
        if headers.next().is_some() {
            return Err(HostProblem::Several);
        }
        let written = written.map(|value| read(value.as_bytes())).transpose()?;
        let target =
            request.uri.authority().map(|authority| read(authority.as_str().as_bytes())).transpose()?;
        match (written, target) {
            (None, Some(target)) if request.version >= Version::HTTP_2 => Ok(target),
            (None, _) => Err(HostProblem::Missing),
            (Some(written), None) => Ok(written),
            (Some(written), Some(target)) => {
                let default = request.uri.scheme().and_then(default_port);
                let same_port = written.port().or(default) == target.port().or(default);
                if written.host() != target.host() || !same_port {
                    return Err(HostProblem::Disagreement);
                }
                Ok(written)
            }
        }
    }
}

/// The port of a URI that has none written.
pub(super) fn default_port(scheme: &Scheme) -> Option<u16> {
    if *scheme == Scheme::HTTP {
        Some(80)
    } else if *scheme == Scheme::HTTPS {
        Some(443)
    } else {
        None
    }
}

/// The hosts that we answer to.
///
/// ```
/// use mcp_http::proto::{Authority, HostList};
/// let list = HostList::loopback().allow("mcp.example.com")?.with_port(8808);
/// let allowed = |host: &str| Authority::parse(host.as_bytes()).is_some_and(|host| list.contains(&host));
/// assert!(allowed("127.0.0.1:8808") && allowed("LOCALHOST") && allowed("mcp.example.com"));
/// assert!(!allowed("127.0.0.1:9000") && !allowed("0.0.0.0:8808") && !allowed("localhost.example.com"));
/// # Ok::<(), mcp_http::proto::HostProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostList {
    loopback: bool,
    entries: Vec<Authority>,
    port: Option<u16>,
}

impl HostList {
    /// No host at all.
    pub fn none() -> Self {
        Self { loopback: false, entries: Vec::new(), port: None }
    }

    /// The names of this machine for itself: `localhost`, all of 127.0.0.0/8, and `[::1]`.
    pub fn loopback() -> Self {
        Self { loopback: true, ..Self::none() }
    }

    /// Adds a host, with a port if only that one is meant.
    ///
    /// An entry with the port 80 or 443 is also met by a `Host` without a port.
    ///
    /// # Errors
    ///
    /// [`HostProblem::Malformed`] when it is no host with an optional port, or is an unspecified address.
    pub fn allow(mut self, entry: &str) -> Result<Self, HostProblem> {
        let entry = Authority::parse(entry.as_bytes()).ok_or(HostProblem::Malformed)?;
        if entry.host().is_unspecified() {
            return Err(HostProblem::Malformed);
        }
        self.entries.push(entry);
        Ok(self)
    }

    /// Says which port we are bound to: an entry without a port then takes this one or none.
    ///
    /// Until then such an entry takes any port: it is the name that keeps foreign pages out.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Whether a request to this authority is for us. An unspecified address never is.
    pub fn contains(&self, authority: &Authority) -> bool {
        let bound = authority.port().is_none_or(|port| self.port.is_none_or(|bound| port == bound));
        let entry_fits = |entry: &Authority| match entry.port() {
            None => bound,
            Some(port @ (80 | 443)) => authority.port().is_none_or(|written| written == port),
            Some(port) => authority.port() == Some(port),
        };
        !authority.host().is_unspecified()
            && (self.loopback && bound && authority.host().is_loopback()
                || self.entries.iter().any(|entry| entry.host() == authority.host() && entry_fits(entry)))
    }

    /// How clients write the hosts that are for us, most of the time.
    pub(crate) fn usual(&self) -> UsualHosts {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let names = loopback.into_iter().chain(self.entries.iter().map(ToString::to_string));
        let (mut with_port, mut without) = (Vec::new(), Vec::new());
        for name in names {
            if Authority::parse(name.as_bytes()).is_some_and(|host| self.contains(&host)) {
                let list = if has_port(name.as_bytes()) { &mut with_port } else { &mut without };
                list.push(name.into_bytes().into_boxed_slice());
            }
        }
        UsualHosts { with_port, without, port: self.port }
    }

    /// Whether the host is one of ours, whatever the port.
    pub fn contains_host(&self, host: &Host) -> bool {
        !host.is_unspecified()
            && (self.loopback && host.is_loopback() || self.entries.iter().any(|entry| entry.host() == host))
    }

    /// The authority of a request that is for us.
    ///
    /// # Errors
    ///
    /// Every [`HostProblem`].
    pub fn check(&self, request: &Parts) -> Result<Authority, HostProblem> {
        let authority = Authority::of_request(request)?;
        if self.contains(&authority) { Ok(authority) } else { Err(HostProblem::NotListed) }
    }
}

/// Spellings of hosts that are for us. What is none of these may be for us all the same, written otherwise: this spares
/// most requests the reading of an authority, and decides nothing.
pub(crate) struct UsualHosts {
    /// Where the list names a port, which is then the only one.
    with_port: Vec<Box<[u8]>>,
    without: Vec<Box<[u8]>>,
    port: Option<u16>,
}

fn has_port(name: &[u8]) -> bool {
    !name.ends_with(b"]") && name.contains(&b':')
}

impl UsualHosts {
    /// Whether a `Host` header is one of these, with the port that we are bound to or, while none is known, with any.
    pub(crate) fn contain(&self, host: &[u8]) -> bool {
        let is_in = |names: &[Box<[u8]>], text: &[u8]| names.iter().any(|name| **name == *text);
        // A port has at most five digits.
        if let Some(behind) = host.iter().rev().take(6).position(|&byte| byte == b':')
            && let (name, [_, port @ ..]) = host.split_at(host.len() - behind - 1)
            && parse_port(port).is_some_and(|port| self.port.is_none_or(|bound| bound == port))
            && is_in(&self.without, name)
        {
            return true;
        }
        is_in(&self.without, host) || is_in(&self.with_port, host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_host_is_one_that_the_list_has() {
        let lists = [
            HostList::none(),
            HostList::loopback(),
            HostList::loopback().with_port(8808),
            HostList::none().allow("mcp.example.com").unwrap().allow("other.example:443").unwrap(),
            HostList::loopback()
                .allow("mcp.example.com:9000")
                .unwrap()
                .allow("10.0.0.1")
                .unwrap()
                .with_port(80),
        ];
        let names = [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "mcp.example.com",
            "other.example",
            "10.0.0.1",
            "0.0.0.0",
            "",
        ];
        let ports =
            ["", ":", ":0", ":80", ":443", ":8808", ":9000", ":65536", ":+80", ":080", ":443:80", ":x"];
        let mut usual = 0;
        for list in &lists {
            for (name, port) in names.iter().flat_map(|name| ports.map(|port| (name, port))) {
                let host = format!("{name}{port}");
                let listed = Authority::parse(host.as_bytes()).is_some_and(|host| list.contains(&host));
                let is_usual = list.usual().contain(host.as_bytes());
                assert!(listed || !is_usual, "{host} {list:?}");
                usual += usize::from(is_usual);
            }
        }
        assert!(usual > 40, "{usual}");
        assert!(HostList::loopback().usual().contain(b"127.0.0.1:40123"));
    }
}
