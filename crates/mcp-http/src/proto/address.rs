//! Which addresses are of the public internet.
//!
//! # Spec
//!
//! The IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890), as of 2026.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one of the public internet, which anybody may be told to fetch something from.
///
/// | not | of IPv4 | of IPv6 |
/// |---|---|---|
/// | this machine, nobody | 127/8, 0/8 | `::1`, `::` |
/// | this network | 10/8, 172.16/12, 192.168/16, 169.254/16 | `fc00::/7`, `fe80::/10`, `fec0::/10` |
/// | the provider's network | 100.64/10 | |
/// | many | 224/4, 255.255.255.255 | `ff00::/8` |
/// | examples and measurements | 192.0.2/24, 198.51.100/24, 203.0.113/24, 198.18/15 | `2001:db8::/32`, `3fff::/20` |
/// | protocols | 192.0.0/24, 192.88.99/24 | `2001::/23`, Teredo among them, `64:ff9b:1::/48` |
/// | not given out | 240/4 | all that is not in `2000::/3` |
///
/// An IPv6 address with an IPv4 address in it is what that one is: `::ffff:0:0/96` (mapped), `64:ff9b::/96` (NAT64) and
/// `2002::/16` (6to4). The few addresses in 192.0.0/24 and `2001::/23` that are public have no servers to fetch from.
///
/// ```
/// use mcp_http::proto::address::is_globally_reachable;
/// assert!(is_globally_reachable("93.184.215.14".parse()?));
/// assert!(!is_globally_reachable("169.254.169.254".parse()?));
/// assert!(!is_globally_reachable("::ffff:10.0.0.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn is_globally_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    // The ones that the registry lists and are reachable all the same (192.31.196/24, 192.52.193/24, 192.175.48/24) are.
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_global_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}
