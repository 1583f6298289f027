//! Notifications and responses that were refused for want of credentials, and wait for others.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many wait, and their bytes: as many as wait for their turn. What has no place is lost, and logged.
const MAX_PARKED: (usize, usize) = (64, 4 * 1024 * 1024);

/// What is parked on one connection: how many, and their bytes.
#[derive(Debug, Default)]
pub(super) struct Parking(Mutex<(usize, usize)>);

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Parked<'a> {
    parking: &'a Parking,
    len: usize,
}

impl Parking {
    fn lock(&self) -> MutexGuard<'_, (usize, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a message of `len` bytes, if there is one.
    pub(super) fn park(&self, len: usize) -> Option<Parked<'_>> {
        let (count, bytes) = &mut *self.lock();
        let (most, most_bytes) = MAX_PARKED;
        if *count >= most || *bytes + len > most_bytes && *count > 0 {
            return None;
        }
        (*count, *bytes) = (*count + 1, *bytes + len);
        Some(Parked { parking: self, len })
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        let (count, bytes) = &mut *self.parking.lock();
        (*count, *bytes) = (*count - 1, *bytes - self.len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_come_back() {
        let parking = Parking::default();
        let mut parked: Vec<_> = (0..64).map(|_| parking.park(1).unwrap()).collect();
        assert!(parking.park(1).is_none());
        parked.pop();
        drop(parking.park(MAX_PARKED.1 - 63).unwrap());
        assert!(parking.park(MAX_PARKED.1 - 62).is_none());
        parked.clear();
        // One of any size.
        let _large = parking.park(MAX_PARKED.1 + 1).unwrap();
        assert!(parking.park(0).is_none());
    }
}
