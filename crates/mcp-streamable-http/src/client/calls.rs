//! Requests of ours that have no outcome yet, or whose POST has not ended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mcp_jsonrpc::Id;

use super::lane::Ticket;

/// Calls that have ended and are remembered, so that a response that comes once more by another stream is known for it.
const REMEMBERED: usize = 64;

/// Keeps that each call has one outcome, whichever stream brings it, and however often.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    calls: HashMap<Id, Call>,
    ended: VecDeque<Id>,
}

#[derive(Debug)]
struct Call {
    ticket: Ticket,
    settled: bool,
}

/// Whose outcome it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// This call's, and the first.
    First(Ticket),
    /// That of a call that had one already.
    Again,
    /// Nobody's that is known here.
    Unknown,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request goes out.
    pub(super) fn open(&self, id: Id, ticket: Ticket) {
        let mut table = self.lock();
        table.ended.retain(|ended| *ended != id);
        table.calls.insert(id, Call { ticket, settled: false });
    }

    /// The ticket of a request that has no outcome yet.
    pub(super) fn waiting(&self, id: &Id) -> Option<Ticket> {
        self.lock().calls.get(id).filter(|call| !call.settled).map(|call| call.ticket)
    }

    /// An outcome has come.
    pub(super) fn settle(&self, id: &Id) -> Settled {
        let Table { calls, ended } = &mut *self.lock();
        match calls.get_mut(id) {
            None if ended.contains(id) => Settled::Again,
            None => Settled::Unknown,
            Some(call) if call.settled => Settled::Again,
            Some(call) => {
                call.settled = true;
                Settled::First(call.ticket)
            }
        }
    }

    /// The POST of a request has ended; whether that leaves it without an outcome.
    pub(super) fn close(&self, id: &Id, ticket: Ticket) -> bool {
        let mut table = self.lock();
        // Another under the same id may have taken its place.
        if table.calls.get(id).is_none_or(|call| call.ticket != ticket) {
            return false;
        }
        let Some((id, call)) = table.calls.remove_entry(id) else { return false };
        // One that was given up has none, and its late response is its caller's to ignore.
        if call.settled {
            if table.ended.len() == REMEMBERED {
                table.ended.pop_front();
            }
            table.ended.push_back(id);
        }
        !call.settled
    }
}
