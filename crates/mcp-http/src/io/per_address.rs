//! How many connections an address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by address; it holds an entry only for those that have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct PerAddress {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    counts: PerAddress,
    address: Option<IpAddr>,
}

impl PerAddress {
    /// A place for one more connection, if its address has fewer than `max`. Loopback always has one.
    pub(crate) fn enter(&self, address: IpAddr, max: usize) -> Option<Place> {
        let address = counted(address);
        if address.is_loopback() {
            return Some(Place { counts: self.clone(), address: None });
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&address).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        counts.insert(address, count + 1);
        Some(Place { counts: self.clone(), address: Some(address) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = self.counts.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

/// Who has one IPv6 address usually has the 64 bits behind it.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_forgets() {
        let counts = PerAddress::default();
        let enter = |address: &str| counts.enter(address.parse().unwrap(), 2);
        let first = enter("192.0.2.1").unwrap();
        let _second = enter("::ffff:192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(first);
        let _again = enter("192.0.2.1").unwrap();
        let _v6 = (enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap());
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("2001:db8:0:1::3").is_some());
        assert_eq!(counts.counts.lock().unwrap().len(), 2);
    }

    #[test]
    fn one_less_as_many_and_one_more() {
        let (counts, most) = (PerAddress::default(), crate::ServerOptions::default().max_per_address);
        assert_eq!(most, 256);
        let enter = |address: &str| counts.enter(address.parse().unwrap(), most);
        let mut places: Vec<_> = (0..most).map(|_| enter("192.0.2.1")).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none() && enter("192.0.2.1").is_none());
        // What was refused took nothing, and one that ends makes room for one.
        drop(places.pop());
        let again = enter("192.0.2.1");
        assert!(again.is_some() && enter("192.0.2.1").is_none());
        assert!(PerAddress::default().enter("192.0.2.1".parse().unwrap(), 0).is_none());
    }

    #[test]
    fn loopback_is_not_counted() {
        let counts = PerAddress::default();
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            let places: Vec<_> = (0..4).map(|_| counts.enter(address.parse().unwrap(), 2)).collect();
            assert!(places.iter().all(Option::is_some), "{address}");
        }
        assert!(counts.counts.lock().unwrap().is_empty());
    }
}
