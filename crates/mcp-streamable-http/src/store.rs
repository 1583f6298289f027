//! Events that are kept for clients that come back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mcp_http::detached_bytes;
use mcp_transport_core::{BoxFuture, Principal};

/// Whose stream it is. Every part counts: nobody gets events of another session, or of another principal's.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StreamKey {
    /// Who opened the session, where somebody asks.
    pub principal: Option<Principal>,
    /// The session.
    pub session: Arc<str>,
    /// The stream within the session; 0 is the one that the client opens with GET.
    pub stream: u64,
}

impl StreamKey {
    /// The key of a stream.
    pub fn new(principal: Option<Principal>, session: Arc<str>, stream: u64) -> Self {
        Self { principal, session, stream }
    }
}

/// The session by its first characters, as everywhere: whoever knows them all can speak in it.
impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.session.chars().take(6).collect();
        f.debug_struct("StreamKey")
            .field("principal", &self.principal)
            .field("session", &format_args!("{start}…"))
            .field("stream", &self.stream)
            .finish()
    }
}

/// What follows a position is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events after this position were given up")]
pub struct Lost;

/// Keeps the events of streams until their client has them for certain.
///
/// Writing does not wait: a store that is elsewhere has a queue of its own, with a bound of its own.
/// Events of one stream come in order, numbered from 1, without a gap.
///
/// # Spec
///
/// MCP 2025-11-25, transports, Resumability and Redelivery.
pub trait EventStore: fmt::Debug + Send + Sync {
    /// Keeps one event. What cannot be kept is lost, and [`EventStore::after`] says so.
    fn append(&self, key: &StreamKey, seq: u64, message: Bytes);

    /// The events after `seq`, oldest first, up to `last`, which is the newest one that was appended.
    ///
    /// # Errors
    ///
    /// [`Lost`] when one of them is not there any more: a hole is never passed over.
    fn after(&self, key: &StreamKey, seq: u64, last: u64) -> BoxFuture<'static, Result<Vec<Bytes>, Lost>>;

    /// The client has all events up to `seq`; they will not be asked for again.
    fn acknowledge(&self, key: &StreamKey, seq: u64);

    /// Nothing of this stream will be asked for again.
    fn forget(&self, key: &StreamKey);
}

/// Keeps events in memory, within bounds.
///
/// A stream or a session that has its share loses its own oldest events; where the whole store is full, the stream goes
/// to which nothing was added for the longest time.
pub struct MemoryEventStore {
    state: Mutex<State>,
    per_stream: usize,
    per_session: usize,
    total: usize,
}

/// What an event costs beside its bytes.
const OVERHEAD: usize = 64;

#[derive(Default)]
struct State {
    streams: HashMap<StreamKey, Ring>,
    /// By when something was added last, oldest first.
    order: BTreeMap<u64, StreamKey>,
    ticks: u64,
    sessions: HashMap<Arc<str>, usize>,
    bytes: usize,
}

#[derive(Default)]
struct Ring {
    /// Number of the event before the oldest one that is kept.
    before: u64,
    events: VecDeque<Bytes>,
    bytes: usize,
    /// Its place in the order.
    tick: u64,
}

impl Default for MemoryEventStore {
    /// 1 MiB for each stream, 4 MiB for each session, 64 MiB in all.
    fn default() -> Self {
        Self::new(1024 * 1024, 4 * 1024 * 1024, 64 * 1024 * 1024)
    }
}

impl MemoryEventStore {
    /// A store with these bounds, in bytes.
    pub fn new(per_stream: usize, per_session: usize, total: usize) -> Self {
        Self { state: Mutex::default(), per_stream, per_session, total }
    }

    /// A store of so many bytes in all, of which a stream has at most 1 MiB and a session at most 4 MiB.
    pub fn with_total(total: usize) -> Self {
        Self::new((1024 * 1024).min(total), (4 * 1024 * 1024).min(total), total)
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Streams of which something is kept.
    pub fn stream_count(&self) -> usize {
        self.state().streams.len()
    }

    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops the oldest event of a stream; whether there was one.
    fn drop_oldest(&mut self, key: &StreamKey) -> bool {
        let Some(ring) = self.streams.get_mut(key) else { return false };
        let Some(event) = ring.events.pop_front() else { return false };
        ring.before += 1;
        let cost = event.len() + OVERHEAD;
        ring.bytes -= cost;
        self.give_back(&key.session, cost);
        true
    }

    /// Gives up the stream to which nothing was added for the longest time, or the oldest event of `key` when there is
    /// no other; whether there was anything.
    fn drop_least_recent(&mut self, key: &StreamKey) -> bool {
        match self.order.values().next().cloned() {
            Some(other) if other != *key => {
                self.forget(&other);
                true
            }
            _ => self.drop_oldest(key),
        }
    }

    fn forget(&mut self, key: &StreamKey) {
        if let Some(ring) = self.streams.remove(key) {
            self.order.remove(&ring.tick);
            self.give_back(&key.session, ring.bytes);
        }
    }

    fn give_back(&mut self, session: &Arc<str>, cost: usize) {
        self.bytes -= cost;
        if let Some(bytes) = self.sessions.get_mut(session) {
            *bytes -= cost;
            if *bytes == 0 {
                self.sessions.remove(session);
            }
        }
    }
}

impl EventStore for MemoryEventStore {
    fn append(&self, key: &StreamKey, seq: u64, message: Bytes) {
        let message = detached_bytes(message);
        let cost = message.len() + OVERHEAD;
        let mut state = self.state();
        let state = &mut *state;
        let Err(message) = state.append(key, seq, message, self) else { return };
        let has_share = |state: &State| {
            let stream = state.streams.get(key).map_or(0, |ring| ring.bytes);
            let session = state.sessions.get(&key.session).copied().unwrap_or(0);
            stream + cost <= self.per_stream && session + cost <= self.per_session
        };
        loop {
            let has_share = has_share(state);
            if has_share && state.bytes + cost <= self.total {
                break;
            }
            let made_room = if has_share { state.drop_least_recent(key) } else { state.drop_oldest(key) };
            if !made_room {
                // It is larger than what is left: the stream begins anew behind it.
                if let Some(ring) = state.streams.get_mut(key) {
                    ring.before = seq;
                }
                return;
            }
        }
        *state.sessions.entry(key.session.clone()).or_default() += cost;
        state.bytes += cost;
        if let Some(ring) = state.streams.get_mut(key) {
            ring.bytes += cost;
            ring.events.push_back(message);
        }
    }

    fn after(&self, key: &StreamKey, seq: u64, last: u64) -> BoxFuture<'static, Result<Vec<Bytes>, Lost>> {
        let found = self.state().after(key, seq, last);
        Box::pin(std::future::ready(found))
    }

    fn acknowledge(&self, key: &StreamKey, seq: u64) {
        let mut state = self.state();
        while state.streams.get(key).is_some_and(|ring| ring.before < seq) && state.drop_oldest(key) {}
    }

    fn forget(&self, key: &StreamKey) {
        self.state().forget(key);
    }
}

impl State {
    /// Appends to a stream, which becomes the newest; gives back what there is no room for. Where there is, each table
    /// is looked into once.
    fn append(
        &mut self,
        key: &StreamKey,
        seq: u64,
        message: Bytes,
        bounds: &MemoryEventStore,
    ) -> Result<(), Bytes> {
        let cost = message.len() + OVERHEAD;
        let before = seq.saturating_sub(1);
        let ring = self.streams.entry(key.clone()).or_insert_with(|| Ring { before, ..Ring::default() });
        if ring.tick != 0 {
            self.order.remove(&ring.tick);
        }
        self.ticks += 1;
        ring.tick = self.ticks;
        self.order.insert(self.ticks, key.clone());
        let is_full = ring.bytes + cost > bounds.per_stream || self.bytes + cost > bounds.total;
        if is_full || cost > bounds.per_session {
            return Err(message);
        }
        let session = self.sessions.entry(key.session.clone()).or_default();
        if *session + cost > bounds.per_session {
            return Err(message);
        }
        *session += cost;
        self.bytes += cost;
        ring.bytes += cost;
        ring.events.push_back(message);
        Ok(())
    }

    fn after(&self, key: &StreamKey, seq: u64, last: u64) -> Result<Vec<Bytes>, Lost> {
        if seq == last {
            return Ok(Vec::new());
        }
        let ring = self.streams.get(key).ok_or(Lost)?;
        let known = usize::try_from(seq.checked_sub(ring.before).ok_or(Lost)?).map_err(|_| Lost)?;
        let wanted = usize::try_from(last.saturating_sub(seq)).map_err(|_| Lost)?;
        let events: Vec<Bytes> = ring.events.iter().skip(known).take(wanted).cloned().collect();
        if events.len() == wanted { Ok(events) } else { Err(Lost) }
    }
}

impl fmt::Debug for MemoryEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryEventStore")
            .field("streams", &state.streams.len())
            .field("bytes", &state.bytes)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(session: &str, stream: u64) -> StreamKey {
        StreamKey::new(None, session.into(), stream)
    }

    fn after(store: &MemoryEventStore, key: &StreamKey, seq: u64, last: u64) -> Result<usize, Lost> {
        store.state().after(key, seq, last).map(|events| events.len())
    }

    fn fill(store: &MemoryEventStore, key: &StreamKey, seqs: std::ops::RangeInclusive<u64>, len: usize) {
        seqs.for_each(|seq| store.append(key, seq, vec![b'x'; len].into()));
    }

    #[test]
    fn strictly_after_and_never_over_a_hole() {
        let store = MemoryEventStore::new(4 * (36 + OVERHEAD), 10_000, 10_000);
        let key = key("s", 1);
        fill(&store, &key, 1..=6, 36);
        let table = [(0, Err(Lost)), (1, Err(Lost)), (2, Ok(4)), (5, Ok(1)), (6, Ok(0))];
        for (seq, found) in table {
            assert_eq!(after(&store, &key, seq, 6), found, "{seq}");
        }
        assert_eq!(after(&store, &key, 4, 9), Err(Lost), "what was not appended is not there");
    }

    #[test]
    fn nobody_else_finds_it() {
        let store = MemoryEventStore::default();
        let mine = StreamKey::new(Some(Principal::new("me")), "s".into(), 1);
        fill(&store, &mine, 1..=2, 10);
        let others = [
            key("s", 1),
            key("t", 1),
            StreamKey::new(Some(Principal::new("me")), "s".into(), 2),
            StreamKey::new(Some(Principal::new("you")), "s".into(), 1),
        ];
        for other in others {
            assert_eq!(after(&store, &other, 0, 2), Err(Lost), "{other:?}");
        }
        assert_eq!(after(&store, &mine, 0, 2), Ok(2));
    }

    #[test]
    fn a_share_costs_its_owner_and_a_full_store_whoever_was_still() {
        let one = 36 + OVERHEAD;
        let store = MemoryEventStore::new(10 * one, 3 * one, 5 * one);
        fill(&store, &key("a", 1), 1..=2, 36);
        fill(&store, &key("a", 2), 1..=5, 36);
        assert_eq!(after(&store, &key("a", 1), 0, 2), Ok(2), "the older stream of the session keeps its own");
        assert_eq!(after(&store, &key("a", 2), 4, 5), Ok(1));
        fill(&store, &key("b", 1), 1..=2, 36);
        assert_eq!(store.bytes(), 5 * one);
        fill(&store, &key("c", 1), 1..=1, 36);
        assert_eq!(after(&store, &key("c", 1), 0, 1), Ok(1), "the newest is kept");
        assert_eq!(
            after(&store, &key("a", 1), 0, 2),
            Err(Lost),
            "the one that was still for the longest time goes"
        );
        assert_eq!(after(&store, &key("a", 1), 2, 2), Ok(0));
        assert_eq!((after(&store, &key("a", 2), 4, 5), after(&store, &key("b", 1), 0, 2)), (Ok(1), Ok(2)));
        assert_eq!(store.bytes(), 4 * one);
    }

    #[test]
    fn what_is_acknowledged_or_forgotten_gives_its_room_back() {
        let store = MemoryEventStore::default();
        fill(&store, &key("a", 1), 1..=4, 36);
        store.acknowledge(&key("a", 1), 3);
        assert_eq!(after(&store, &key("a", 1), 2, 4), Err(Lost));
        assert_eq!(after(&store, &key("a", 1), 3, 4), Ok(1));
        assert_eq!(store.bytes(), 36 + OVERHEAD);
        store.acknowledge(&key("a", 1), 99);
        store.forget(&key("a", 1));
        assert_eq!((store.bytes(), store.stream_count()), (0, 0));
        assert!(store.state().sessions.is_empty());
    }
}
