//! The table of sessions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_http::proto::SessionId;
use mcp_transport_core::Principal;

use super::session::Session;

/// Every session of one server, by id.
#[derive(Default)]
pub(super) struct Sessions {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: HashMap<SessionId, Arc<Session>>,
    /// No new ones.
    closed: bool,
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
    pub(super) fn register(self: &Arc<Self>, session: &Arc<Session>, max: usize) -> Result<Registered, Full> {
        let mut table = self.table();
        if table.closed {
            return Err(Full::ShuttingDown);
        }
        if table.open.len() >= max {
            return Err(Full::TooMany);
        }
        table.open.insert(session.id.clone(), session.clone());
        Ok(Registered { sessions: self.clone(), session: session.clone() })
    }

    /// The session with this id that belongs to this principal. One of somebody else's is as unknown as one that is
    /// not there.
    pub(super) fn find(&self, id: &SessionId, principal: Option<&Principal>) -> Option<Arc<Session>> {
        self.table().open.get(id).filter(|session| session.principal.as_ref() == principal).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.table().open.len()
    }

    /// Takes no new ones; gives those that are open.
    pub(super) fn close(&self) -> Vec<Arc<Session>> {
        let mut table = self.table();
        table.closed = true;
        table.open.values().cloned().collect()
    }

    /// Ends one, if it has not ended.
    pub(super) fn end(&self, id: &SessionId) {
        let session = self.table().open.remove(id);
        if let Some(session) = session {
            session.end();
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
    session: Arc<Session>,
}

impl Registered {
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Gives the place back early: nothing more comes in.
    pub(super) fn end(&self) {
        self.sessions.end(&self.session.id);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.end();
    }
}
