//! The table of sessions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_transport_core::{Frame, Principal, queue};

use crate::proto::SessionId;

/// Every session of one server, by id.
#[derive(Default)]
pub(super) struct Sessions {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: HashMap<SessionId, Open>,
    /// No new ones.
    closed: bool,
}

/// What a POST needs of a session.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) post: queue::Sender<Frame>,
    pub(super) principal: Option<Principal>,
}

/// Why there is no room for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    TooMany,
    ShuttingDown,
}

impl Sessions {
    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a session, unless `max` are open.
    pub(super) fn register(
        self: &Arc<Self>,
        id: SessionId,
        session: Open,
        max: usize,
    ) -> Result<Registered, Full> {
        let mut table = self.table();
        if table.closed {
            return Err(Full::ShuttingDown);
        }
        if table.open.len() >= max {
            return Err(Full::TooMany);
        }
        table.open.insert(id.clone(), session);
        drop(table);
        Ok(Registered { sessions: self.clone(), id })
    }

    /// The session with this id that belongs to this principal. One of somebody else's is as unknown as one that is
    /// not there.
    pub(super) fn find(&self, id: &SessionId, principal: Option<&Principal>) -> Option<Open> {
        self.table().open.get(id).filter(|session| session.principal.as_ref() == principal).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.table().open.len()
    }

    /// Ends them all, in good order: nothing more comes in, so each finishes what it accepted.
    pub(super) fn close(&self) {
        let open = {
            let mut table = self.table();
            table.closed = true;
            std::mem::take(&mut table.open)
        };
        for session in open.into_values() {
            session.post.close();
        }
    }

    /// Ends one, if it has not ended.
    pub(super) fn end(&self, id: &SessionId) {
        let session = self.table().open.remove(id);
        if let Some(session) = session {
            session.post.close();
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("open", &self.len()).finish()
    }
}

/// A session's place in the table, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    sessions: Arc<Sessions>,
    id: SessionId,
}

impl Registered {
    /// Gives the place back early: nothing more comes in.
    pub(super) fn end(&self) {
        self.sessions.end(&self.id);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.end();
    }
}
