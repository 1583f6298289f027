//! Requests of the peer that are being handled.

use std::task::{Context, Poll, Waker};

use mcp_jsonrpc::Id;

use crate::pending::Wake;
use crate::queue::replace_waker;

/// A table that grew beyond this is given back once nothing is in flight.
const KEEP_SLOTS: usize = 32;

/// The table of exchanges: by place, never by JSON-RPC id, since two peers may use the same one.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    slots: Vec<Slot>,
    free: Vec<u32>,
    open: u32,
    next: u32,
}

#[derive(Debug)]
struct Slot {
    /// Tells this exchange from an earlier one in the same place.
    serial: u32,
    id: Id,
    running: bool,
    given_up: bool,
    waker: Option<Waker>,
}

/// The place of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    place: u32,
    serial: u32,
}

impl Flights {
    pub(crate) fn open(&self) -> u32 {
        self.open
    }

    /// Admits one more, unless `max` are open.
    pub(crate) fn admit(&mut self, id: &Id, max: u32) -> Option<Flight> {
        if self.open >= max {
            return None;
        }
        self.open += 1;
        self.next = self.next.wrapping_add(1);
        let slot = Slot { serial: self.next, id: id.clone(), running: true, given_up: false, waker: None };
        let place = match self.free.pop() {
            Some(place) => place,
            None => self.slots.len() as u32, // at most `max`
        };
        match self.slots.get_mut(place as usize) {
            Some(free) => *free = slot,
            None => {
                if self.slots.capacity() == 0 {
                    // Most peers have one at a time, and four would be taken for them.
                    self.slots.reserve_exact(1);
                }
                self.slots.push(slot);
            }
        }
        Some(Flight { place, serial: self.next })
    }

    fn slot(&mut self, flight: Flight) -> Option<&mut Slot> {
        self.slots.get_mut(flight.place as usize).filter(|slot| slot.running && slot.serial == flight.serial)
    }

    /// Ends an exchange: its place is free from now on.
    ///
    /// The place has to be free before the peer can see the answer, and a connection that drains must not end between
    /// the two; so the answer is queued while this table is locked.
    pub(crate) fn land(&mut self, flight: Flight) -> Landing {
        let Some(slot) = self.slot(flight) else { return Landing { wanted: false, _waker: None } };
        slot.running = false;
        let landing = Landing { wanted: !slot.given_up, _waker: slot.waker.take() };
        self.free.push(flight.place);
        self.open -= 1;
        if self.open == 0 && self.slots.len() > KEEP_SLOTS {
            (self.slots, self.free) = (Vec::new(), Vec::new());
        }
        landing
    }

    /// The peer has given up on its request with this id.
    pub(crate) fn give_up(&mut self, id: &Id) -> Vec<Wake> {
        self.stop(|slot| slot.id == *id)
    }

    /// The peer has given up on this one.
    pub(crate) fn give_up_one(&mut self, flight: Flight) -> Option<Wake> {
        let slot = self.slot(flight)?;
        slot.given_up = true;
        Some(Wake(slot.waker.take()))
    }

    /// Nobody wants any answer any more.
    pub(crate) fn give_up_all(&mut self) -> Vec<Wake> {
        self.stop(|_| true)
    }

    fn stop(&mut self, which: impl Fn(&Slot) -> bool) -> Vec<Wake> {
        let mut wakes = Vec::new();
        for slot in self.slots.iter_mut().filter(|slot| slot.running && which(slot)) {
            slot.given_up = true;
            wakes.push(Wake(slot.waker.take()));
        }
        wakes
    }

    pub(crate) fn is_given_up(&mut self, flight: Flight) -> bool {
        self.slot(flight).is_none_or(|slot| slot.given_up)
    }

    /// Ready when the peer has given up; also the waker that this one replaces, to be dropped outside the lock.
    pub(crate) fn poll_given_up(&mut self, flight: Flight, cx: &Context<'_>) -> (Poll<()>, Option<Waker>) {
        match self.slot(flight) {
            Some(slot) if !slot.given_up => {
                let former = replace_waker(&mut slot.waker, cx);
                (Poll::Pending, former)
            }
            _ => (Poll::Ready(()), None),
        }
    }
}

/// What is left of an exchange that has ended.
#[must_use]
pub(crate) struct Landing {
    /// Whether its peer still wants the answer.
    pub(crate) wanted: bool,
    /// Dropped outside the lock.
    _waker: Option<Waker>,
}
