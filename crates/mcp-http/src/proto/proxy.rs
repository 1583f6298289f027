//! Which proxy a request goes through.
//!
//! # Spec
//!
//! Nobody's but custom; where programs differ, curl's: the lower case name first, and an empty variable is none.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::header::HeaderValue;

use super::host::{Authority, Host};
use super::origin::Origin;
use super::query;

/// Why a proxy cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// It is no address of a proxy: a host and a port, with `http://` or `https://` and `user:password@` before it.
    #[error("not the address of a proxy")]
    Malformed,
    /// It is a proxy of another kind, such as SOCKS.
    #[error("neither an http nor an https proxy")]
    Scheme,
}

/// Which requests go through which proxy.
///
/// Requests to this machine (`localhost`, 127.0.0.0/8, `[::1]`) go through none.
/// What cannot be read as a proxy is an error where it would be used: a request that was to go through a proxy never
/// goes without.
///
/// ```
/// use mcp_http::proto::{Origin, Proxies};
/// let proxies = Proxies::through("http://user:word@proxy.example.com:3128").except("internal.example.com, 10.0.0.0/8");
/// let proxy = |origin: &str| proxies.of(&Origin::parse(origin.as_bytes()).unwrap()).unwrap();
/// assert_eq!(proxy("https://mcp.example.com").unwrap().uri(), "http://proxy.example.com:3128/");
/// assert!(proxy("http://a.internal.example.com").is_none() && proxy("http://10.1.2.3").is_none());
/// assert!(proxy("http://localhost:8080").is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Proxies {
    http: Choice,
    https: Choice,
    exceptions: Vec<Exception>,
}

type Choice = Result<Option<Proxy>, ProxyProblem>;

/// A proxy, and who it wants us to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    uri: Uri,
    origin: Origin,
    credentials: Option<HeaderValue>,
}

impl Proxies {
    /// No proxy for anything.
    pub fn none() -> Self {
        Self { http: Ok(None), https: Ok(None), exceptions: Vec::new() }
    }

    /// One proxy for everything, as `host:port`, `http://host:port` or `https://user:password@host:port`.
    pub fn through(proxy: &str) -> Self {
        let choice = Proxy::parse(proxy).map(Some);
        Self { http: choice.clone(), https: choice, exceptions: Vec::new() }
    }

    /// What the environment says, as [`from_variables`](Self::from_variables) reads it.
    pub fn from_env() -> Self {
        // What is not Unicode is no address either, but it is there.
        Self::from_variables(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// What these variables say:
    ///
    /// | requests | variable |
    /// |---|---|
    /// | to `http` | `http_proxy`, else `all_proxy`, else `ALL_PROXY` |
    /// | to `https` | `https_proxy`, else `HTTPS_PROXY`, else `all_proxy`, else `ALL_PROXY` |
    /// | that go through none | `no_proxy`, else `NO_PROXY`: see [`except`](Self::except) |
    ///
    /// `HTTP_PROXY` is not read: in a CGI program it is the header `Proxy` of whoever sent the request.
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| {
            names.iter().filter_map(|name| read(name)).find(|value| !value.trim().is_empty())
        };
        let choose = |names: &[&str]| first(names).map(|value| Proxy::parse(&value)).transpose();
        let proxies = Self {
            http: choose(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            https: choose(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            exceptions: Vec::new(),
        };
        proxies.except(&first(&["no_proxy", "NO_PROXY"]).unwrap_or_default())
    }

    /// Adds targets that are reached without a proxy, with commas or spaces between them.
    ///
    /// `*` is every target; `example.com`, `.example.com` and `*.example.com` are the host and all below it; an address
    /// is itself; `10.0.0.0/8` is a network; a port behind a host means only that port.
    /// What is none of these is left out, which sends more through the proxy and not less.
    #[must_use]
    pub fn except(mut self, targets: &str) -> Self {
        let targets = targets.split([',', ' ', '\t']).filter(|target| !target.is_empty());
        self.exceptions.extend(targets.filter_map(Exception::parse));
        self
    }

    /// The proxy for requests to an origin, if they go through one.
    ///
    /// # Errors
    ///
    /// When they would, and it cannot be used.
    pub fn of(&self, origin: &Origin) -> Result<Option<&Proxy>, ProxyProblem> {
        let choice = if origin.is_secure() { &self.https } else { &self.http };
        if matches!(choice, Ok(None))
            || is_here(origin.host())
            || self.exceptions.iter().any(|exception| exception.holds(origin))
        {
            return Ok(None);
        }
        choice.as_ref().map(Option::as_ref).map_err(|problem| *problem)
    }
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, ProxyProblem> {
        let (scheme, rest) = text.trim().split_once("://").unwrap_or(("http", text.trim()));
        let scheme = ["http", "https"]
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known))
            .ok_or(ProxyProblem::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, rest),
        };
        let authority = Authority::parse(authority.as_bytes()).ok_or(ProxyProblem::Malformed)?;
        let uri: Uri = format!("{scheme}://{authority}/").parse().map_err(|_| ProxyProblem::Malformed)?;
        let origin = Origin::of(&uri).map_err(|_| ProxyProblem::Malformed)?;
        Ok(Self { uri, origin, credentials: user.map(basic).transpose()? })
    }

    /// Its address as a URI, without credentials.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its address: scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The value of `Proxy-Authorization`, for the proxy and nobody else.
    pub fn credentials(&self) -> Option<&HeaderValue> {
        self.credentials.as_ref()
    }
}

/// RFC 7617, from the user information of a URI.
fn basic(user: &str) -> Result<HeaderValue, ProxyProblem> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let decode = |text| query::decode(text).map_err(|_| ProxyProblem::Malformed);
    let pair = format!("{}:{}", decode(name)?, decode(password)?);
    let mut value = HeaderValue::try_from(format!("Basic {}", base64(pair.as_bytes())))
        .map_err(|_| ProxyProblem::Malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

/// RFC 4648 4. Only writing is needed and only here, which is no reason for a crate.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[derive(Clone, Debug)]
enum Exception {
    Everything,
    /// A name and all below it, at one port or all.
    Name(Box<str>, Option<u16>),
    Address(IpAddr, Option<u16>),
    /// An address and how many of its bits count.
    Network(IpAddr, u8),
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
            let most = if address.is_ipv4() { 32 } else { 128 };
            return (bits <= most).then_some(Self::Network(address, bits));
        }
        // Here an IPv6 address may stand without brackets.
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address, None));
        }
        let text = text.strip_prefix('*').unwrap_or(text);
        let authority = Authority::parse(text.strip_prefix('.').unwrap_or(text).as_bytes())?;
        Some(match authority.host() {
            Host::Name(name) => Self::Name(name.clone(), authority.port()),
            Host::V4(address) => Self::Address((*address).into(), authority.port()),
            Host::V6(address) => Self::Address((*address).into(), authority.port()),
        })
    }

    fn holds(&self, origin: &Origin) -> bool {
        let at = |port: &Option<u16>| port.is_none_or(|port| port == origin.port());
        let address: Option<IpAddr> = match origin.host() {
            Host::Name(_) => None,
            Host::V4(address) => Some((*address).into()),
            Host::V6(address) => Some((*address).into()),
        };
        match (self, origin.host()) {
            (Self::Everything, _) => true,
            (Self::Name(name, port), Host::Name(host)) => {
                let above = host.strip_suffix(&**name);
                at(port) && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Self::Address(one, port), _) => at(port) && address == Some(*one),
            (Self::Network(network, bits), _) => match (network, address) {
                (IpAddr::V4(network), Some(IpAddr::V4(address))) => {
                    let differ = network.to_bits() ^ address.to_bits();
                    differ.checked_shr(32 - u32::from(*bits)).unwrap_or(0) == 0
                }
                (IpAddr::V6(network), Some(IpAddr::V6(address))) => {
                    let differ = network.to_bits() ^ address.to_bits();
                    differ.checked_shr(128 - u32::from(*bits)).unwrap_or(0) == 0
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// RFC 6761 6.3 has all of `localhost` mean this machine, and an IPv4 address has a spelling in IPv6.
fn is_here(host: &Host) -> bool {
    host.is_loopback()
        || match host {
            Host::Name(name) => name.ends_with(".localhost"),
            Host::V4(_) => false,
            Host::V6(address) => address.to_ipv4_mapped().is_some_and(|address| address.is_loopback()),
        }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("origin", &format_args!("{}", self.origin))
            .field("credentials", &self.credentials.is_some())
            .finish()
    }
}
