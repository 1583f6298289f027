//! Hosts and ports as they stand in a `Host` header or a URI.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A host, in one spelling: names in lower case and without a final dot, addresses as numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// A name.
    Name(Box<str>),
    /// An IPv4 address in four decimal parts.
    V4(Ipv4Addr),
    /// An IPv6 address, which stands in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a name, an IPv4 address, or an IPv6 address in brackets; `None` when it is none of these.
    ///
    /// Numbers that some programs take for an IPv4 address (`127.1`, `0x7f.0.0.1`, `2130706433`) are refused, and so
    /// are zone ids and percent-encoding.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(address) = text.strip_prefix('[') {
            return address.strip_suffix(']')?.parse().ok().map(Self::V6);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(inside)
        };
        if text.len() > 253 || !text.split('.').all(is_label) {
            return None;
        }
        // As the URL standard has it: what ends in a number is an address or nothing.
        let last = text.rsplit('.').next().unwrap_or_default();
        let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
        if last.bytes().all(|byte| byte.is_ascii_digit())
            || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return text.parse().ok().map(Self::V4);
        }
        Some(Self::Name(text.to_ascii_lowercase().into()))
    }

    /// Whether it is `localhost`, an address in 127.0.0.0/8, or `::1`.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => &**name == "localhost",
            Self::V4(address) => address.is_loopback(),
            Self::V6(address) => address.is_loopback(),
        }
    }

    /// Whether it is `0.0.0.0` or `::`, which are to bind to and never to be addressed.
    pub fn is_unspecified(&self) -> bool {
        match self {
            Self::Name(_) => false,
            Self::V4(address) => address.is_unspecified(),
            // Its other spelling, `::ffff:0.0.0.0`, reaches the same socket.
            Self::V6(address) => {
                address.is_unspecified()
                    || address.to_ipv4_mapped().is_some_and(|address| address.is_unspecified())
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// A host and, if it was written, a port.
///
/// ```
/// use mcp_http::proto::Authority;
/// let authority = Authority::parse(b"LocalHost.:8808").expect("well-formed");
/// assert_eq!(authority.to_string(), "localhost:8808");
/// assert!(authority.host().is_loopback());
/// assert_eq!(Authority::parse(b"user@localhost"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

impl Authority {
    /// A host and a port, or none.
    pub fn new(host: Host, port: Option<u16>) -> Self {
        Self { host, port }
    }

    /// Reads `host` or `host:port`; `None` when it is neither.
    ///
    /// User information is refused, and a colon without a port behind it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // The colons of an IPv6 address stand before its bracket.
        let behind_address = memchr::memrchr(b']', text).map_or(0, |at| at + 1);
        let Some(colon) = memchr::memrchr(b':', text.get(behind_address..)?) else {
            return Host::parse(text).map(|host| Self { host, port: None });
        };
        let (host, port) = text.split_at(behind_address + colon);
        let host = Host::parse(host)?;
        let port = Some(parse_port(port.get(1..)?)?);
        Some(Self { host, port })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, if one was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => self.host.fmt(f),
            Some(port) => write!(f, "{}:{port}", self.host),
        }
    }
}

/// One to five digits; the standard parser would take a sign.
pub(super) fn parse_port(text: &[u8]) -> Option<u16> {
    if !(1..=5).contains(&text.len()) {
        return None;
    }
    let digit = |port: u32, byte: &u8| byte.is_ascii_digit().then(|| port * 10 + u32::from(byte - b'0'));
    text.iter().try_fold(0, digit)?.try_into().ok()
}
