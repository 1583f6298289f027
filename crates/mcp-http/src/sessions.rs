//! The table of sessions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_transport_core::{Error, Principal};

use crate::proto::SessionId;

/// What a [`SessionTable`] has to know of a session.
///
/// Neither is called while the table is locked, so both may use the table.
pub trait SessionEntry {
    /// Who opened it, if it is known who asks. Nobody else finds it.
    fn principal(&self) -> Option<&Principal>;

    /// It has lost its place and nobody finds it any more: nothing more comes in. Called once at most, and must not
    /// wait.
    fn end(&self);
}

/// Every session of one server, by id.
///
/// It does not know what a session is: a binding enters one when it opens, and keeps the [`Registered`] that it gets
/// for as long as the session lasts.
///
/// ```
/// use std::sync::Arc;
///
/// use mcp_http::proto::SessionId;
/// use mcp_http::{Full, SessionEntry, SessionTable};
/// use mcp_transport_core::Principal;
///
/// struct Session(Option<Principal>);
///
/// impl SessionEntry for Session {
///     fn principal(&self) -> Option<&Principal> {
///         self.0.as_ref()
///     }
///
///     fn end(&self) {}
/// }
///
/// # fn main() -> Result<(), mcp_transport_core::Error> {
/// let table = Arc::new(SessionTable::default());
/// let (id, alice) = (SessionId::random()?, Principal::new("alice"));
/// let registered = table.register(id.clone(), Arc::new(Session(Some(alice.clone()))), 1).unwrap();
/// assert!(table.find(&id, Some(&alice)).is_some());
/// assert!(table.find(&id, None).is_none());
///
/// let one_more = table.register(SessionId::random()?, Arc::new(Session(None)), 1);
/// assert_eq!(one_more.err(), Some(Full::TooMany));
/// drop(registered);
/// assert_eq!(table.len(), 0);
/// # Ok(()) }
/// ```
pub struct SessionTable<S> {
    table: Mutex<Table<S>>,
}

struct Table<S> {
    open: HashMap<SessionId, Arc<S>>,
    /// No new ones.
    closed: bool,
}

/// Why there is no place for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// As many are open as there may be.
    #[error("too many sessions")]
    TooMany,
    /// The table takes no new ones.
    #[error("shutting down")]
    ShuttingDown,
    /// There is another one with this id, and it stays. Ids that are drawn at random do not meet.
    #[error("the session id is in use")]
    Taken,
}

impl<S: SessionEntry> SessionTable<S> {
    /// Enters a session, unless `max` are open. It has its place until it is ended or the [`Registered`] is dropped. Its
    /// id was drawn for it, and is never used for another one.
    ///
    /// # Errors
    ///
    /// [`Full`]; the session is dropped then, without being ended.
    pub fn register(
        self: &Arc<Self>,
        id: SessionId,
        session: Arc<S>,
        max: usize,
    ) -> Result<Registered<S>, Full> {
        let mut table = self.table();
        if table.closed {
            return Err(Full::ShuttingDown);
        }
        if table.open.len() >= max {
            return Err(Full::TooMany);
        }
        match table.open.entry(id.clone()) {
            Entry::Occupied(_) => return Err(Full::Taken),
            Entry::Vacant(place) => place.insert(session.clone()),
        };
        drop(table);
        Ok(Registered { sessions: self.clone(), id, session })
    }

    /// The session with this id that belongs to this principal. One of somebody else's is as unknown as one that is not
    /// there.
    pub fn find(&self, id: &SessionId, principal: Option<&Principal>) -> Option<Arc<S>> {
        let session = self.table().open.get(id).cloned();
        session.filter(|session| session.principal() == principal)
    }

    /// Ends one, if it has not ended.
    pub fn end(&self, id: &SessionId) {
        let session = self.table().open.remove(id);
        if let Some(session) = session {
            session.end();
        }
    }

    /// Takes no new ones from now on, and ends those that are open.
    pub fn end_all(&self) {
        let open = {
            let mut table = self.table();
            table.closed = true;
            std::mem::take(&mut table.open)
        };
        open.into_values().for_each(|session| session.end());
    }
}

impl<S> SessionTable<S> {
    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn table(&self) -> MutexGuard<'_, Table<S>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sessions that are open.
    pub fn len(&self) -> usize {
        self.table().open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes no new ones from now on, and gives those that are open. These keep their places, for whoever ends them in
    /// a way of their own.
    pub fn close(&self) -> Vec<Arc<S>> {
        let mut table = self.table();
        table.closed = true;
        table.open.values().cloned().collect()
    }
}

impl<S> Default for SessionTable<S> {
    fn default() -> Self {
        Self { table: Mutex::new(Table { open: HashMap::new(), closed: false }) }
    }
}

/// How many, and never which.
impl<S> fmt::Debug for SessionTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTable").field("open", &self.len()).finish()
    }
}

/// A session's place in a [`SessionTable`], given back when it is dropped: the session ends then, if it has not.
pub struct Registered<S: SessionEntry> {
    sessions: Arc<SessionTable<S>>,
    id: SessionId,
    session: Arc<S>,
}

impl<S: SessionEntry> Registered<S> {
    /// The session.
    pub fn session(&self) -> &Arc<S> {
        &self.session
    }

    /// Gives the place back early: the session ends, if it has not.
    pub fn end(&self) {
        self.sessions.end(&self.id);
    }
}

impl<S: SessionEntry> Drop for Registered<S> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<S: SessionEntry> fmt::Debug for Registered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registered").field(&self.id).finish()
    }
}

// Here and not in `proto`, where nothing is left to chance.
impl SessionId {
    /// Draws an id from the system's randomness.
    ///
    /// # Errors
    ///
    /// Io, when the system gives none.
    pub fn random() -> Result<Self, Error> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| {
            Error::io("the system gives no randomness", io::Error::other(error.to_string()))
        })?;
        Ok(Self::new(random))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    /// Sees to it that its table is not locked whenever code of its own runs.
    struct Curious {
        principal: Option<Principal>,
        table: Arc<SessionTable<Self>>,
        ended: AtomicUsize,
    }

    impl Curious {
        fn look(&self) {
            assert!(self.table.table.try_lock().is_ok(), "the table is locked");
        }
    }

    impl SessionEntry for Curious {
        fn principal(&self) -> Option<&Principal> {
            self.look();
            self.principal.as_ref()
        }

        fn end(&self) {
            self.look();
            self.ended.fetch_add(1, Relaxed);
        }
    }

    impl Drop for Curious {
        fn drop(&mut self) {
            self.look();
        }
    }

    fn session(table: &Arc<SessionTable<Curious>>, principal: Option<&str>) -> Arc<Curious> {
        let principal = principal.map(Principal::new);
        Arc::new(Curious { principal, table: table.clone(), ended: AtomicUsize::new(0) })
    }

    fn id(byte: u8) -> SessionId {
        SessionId::new([byte; 24])
    }

    #[test]
    fn a_session_is_found_by_its_principal_alone() {
        let table = Arc::new(SessionTable::default());
        let (alice, bob) = (Principal::new("alice"), Principal::new("bob"));
        let _hers = table.register(id(1), session(&table, Some("alice")), 9).unwrap();
        let _nobodys = table.register(id(2), session(&table, None), 9).unwrap();
        let rows = [
            (1, Some(&alice), true),
            (1, Some(&bob), false),
            (1, None, false),
            (2, None, true),
            (2, Some(&alice), false),
            (3, None, false),
        ];
        for (byte, principal, is_found) in rows {
            assert_eq!(table.find(&id(byte), principal).is_some(), is_found, "{byte} {principal:?}");
        }
    }

    #[test]
    fn a_place_is_given_back_once() {
        let table = Arc::new(SessionTable::default());
        let first = session(&table, None);
        let registered = table.register(id(1), first.clone(), 1).unwrap();
        assert_eq!(table.register(id(2), session(&table, None), 1).err(), Some(Full::TooMany));
        assert!(Arc::ptr_eq(registered.session(), &first));
        assert_eq!((table.len(), first.ended.load(Relaxed)), (1, 0));
        registered.end();
        assert_eq!((table.len(), first.ended.load(Relaxed)), (0, 1));
        table.end(&id(1));
        drop(registered);
        assert_eq!(first.ended.load(Relaxed), 1);

        let second = table.register(id(2), session(&table, None), 1).unwrap();
        let kept = second.session().clone();
        drop(second);
        assert_eq!((table.len(), kept.ended.load(Relaxed)), (0, 1));
    }

    #[test]
    fn an_id_in_use_stays_with_its_session() {
        let table = Arc::new(SessionTable::default());
        let registered = table.register(id(1), session(&table, None), 9).unwrap();
        assert_eq!(table.register(id(1), session(&table, Some("mallory")), 9).err(), Some(Full::Taken));
        assert!(Arc::ptr_eq(&table.find(&id(1), None).unwrap(), registered.session()));
        assert_eq!(registered.session().ended.load(Relaxed), 0);
    }

    #[test]
    fn a_closed_table_takes_no_new_ones() {
        let table = Arc::new(SessionTable::default());
        let registered = table.register(id(1), session(&table, None), 9).unwrap();
        let open = table.close();
        assert!(matches!(&*open, [one] if Arc::ptr_eq(one, registered.session())));
        assert_eq!((table.len(), registered.session().ended.load(Relaxed)), (1, 0));
        assert_eq!(table.register(id(2), session(&table, None), 9).err(), Some(Full::ShuttingDown));

        table.end_all();
        assert!(table.is_empty() && table.find(&id(1), None).is_none());
        assert_eq!(registered.session().ended.load(Relaxed), 1);
        assert_eq!(table.register(id(2), session(&table, None), 9).err(), Some(Full::ShuttingDown));
    }

    #[test]
    fn random_ids_differ() {
        assert_ne!(SessionId::random().unwrap(), SessionId::random().unwrap());
    }
}
