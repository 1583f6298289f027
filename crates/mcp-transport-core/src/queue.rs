//! The one queue: bounded in bytes and in count, with room for last words.
//!
//! tokio's mpsc counts messages and not bytes, allocates a block at birth and keeps no room for what `Drop` must say;
//! that is why this is not it.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::pending::Wake;

/// A ring that grew beyond this is given back once it is empty.
const KEEP_SLOTS: usize = 256;

/// Makes a queue of at most `max_bytes` and `max_count`.
///
/// Each message costs its length and at least `max_bytes / max_count`, rounded up, so that one semaphore holds both
/// bounds.
/// A message larger than `max_bytes` costs all of it: it passes, alone.
/// Nothing is allocated for messages before the first one.
pub fn channel<T>(max_bytes: u32, max_count: u32) -> (Sender<T>, Receiver<T>) {
    // The semaphore's own maximum is smaller than this only where addresses have 32 bits.
    let max_bytes = max_bytes.clamp(1, u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
    let inner = Arc::new(Inner {
        state: Mutex::new(State { items: Items::default(), reader: None, closed: false }),
        last_words: LastWords::default(),
        room: OnceLock::new(),
        max_bytes,
        unit: max_bytes.div_ceil(max_count.max(1)),
    });
    (Sender(inner.clone()), Receiver(inner))
}

struct Inner<T> {
    state: Mutex<State<T>>,
    last_words: LastWords,
    /// From the first message on that needs any: most ways back carry one answer, which needs none.
    room: OnceLock<Arc<Semaphore>>,
    max_bytes: u32,
    unit: u32,
}

struct State<T> {
    items: Items<T>,
    reader: Option<Waker>,
    /// Nothing comes in any more; what is in can still be taken.
    closed: bool,
}

/// What waits, in order. Most queues hold one message at a time, and that one needs no ring.
struct Items<T> {
    first: Option<Slot<T>>,
    /// Empty unless somebody put in more than was taken.
    others: VecDeque<Slot<T>>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { first: None, others: VecDeque::new() }
    }
}

impl<T> Items<T> {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    fn push(&mut self, slot: Slot<T>) {
        if self.len() == 0 {
            self.first = Some(slot);
        } else {
            self.others.push_back(slot);
        }
    }

    fn pop(&mut self) -> Option<Slot<T>> {
        let slot = self.first.take().or_else(|| self.others.pop_front())?;
        if self.others.is_empty() && self.others.capacity() > KEEP_SLOTS {
            self.others = VecDeque::new();
        }
        Some(slot)
    }
}

/// Last words that wait. They are changed under the lock of the state, and looked at for each message without it.
#[derive(Default)]
struct LastWords {
    count: AtomicUsize,
    bytes: AtomicUsize,
}

impl LastWords {
    fn add(&self, len: usize) {
        self.count.store(self.count.load(Relaxed) + 1, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + len, Relaxed);
    }

    fn remove(&self, len: usize) {
        self.count.store(self.count.load(Relaxed) - 1, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) - len, Relaxed);
    }
}

struct Slot<T> {
    item: T,
    room: Room,
}

/// What an item takes up.
enum Room {
    /// Given back when the item is taken.
    Taken { _permit: OwnedSemaphorePermit },
    /// None, and this many bytes.
    LastWord(usize),
}

impl<T> Inner<T> {
    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self) -> &Arc<Semaphore> {
        let mut is_new = false;
        let room = self.room.get_or_init(|| {
            is_new = true;
            Arc::new(Semaphore::new(self.max_bytes as usize))
        });
        // Whoever closes says so first and then closes the room, if it is there: one of the two sees the other.
        if is_new && self.state().closed {
            room.close();
        }
        room
    }

    fn cost(&self, len: usize) -> u32 {
        u32::try_from(len).unwrap_or(u32::MAX).clamp(self.unit, self.max_bytes)
    }

    /// Puts an item in; who waits for it is to be woken outside whatever lock is held. A closed queue gives it back.
    fn put(&self, item: T, room: Room) -> Result<Wake, T> {
        let mut state = self.state();
        if state.closed {
            return Err(item);
        }
        if let Room::LastWord(len) = room {
            self.last_words.add(len);
        }
        state.items.push(Slot { item, room });
        Ok(Wake(state.reader.take()))
    }

    fn push(&self, item: T, room: Room) -> Result<(), Closed> {
        self.put(item, room).map(Wake::now).map_err(|_| Closed)
    }

    /// Takes the first item out.
    fn take(&self, state: &mut State<T>) -> Option<Slot<T>> {
        let slot = state.items.pop()?;
        if let Room::LastWord(len) = slot.room {
            self.last_words.remove(len);
        }
        Some(slot)
    }

    fn close(&self) {
        let reader = {
            let mut state = self.state();
            state.closed = true;
            state.reader.take()
        };
        if let Some(room) = self.room.get() {
            room.close();
        }
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// The queue takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is closed")]
pub struct Closed;

/// The way in; any number of them.
pub struct Sender<T>(Arc<Inner<T>>);

impl<T> Sender<T> {
    /// Waits for room for one message of `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the queue takes nothing more, also while this waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place in line and nothing else.
    pub async fn reserve(&self, len: usize) -> Result<Permit<T>, Closed> {
        let cost = self.0.cost(len);
        let room = self.0.room().clone().acquire_many_owned(cost).await.map_err(|_| Closed)?;
        Ok(Permit { to: self.0.clone(), room })
    }

    /// Room for one message of `len` bytes if there is some now; `None` if not.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the queue takes nothing more.
    pub fn try_reserve(&self, len: usize) -> Result<Option<Permit<T>>, Closed> {
        match self.0.room().clone().try_acquire_many_owned(self.0.cost(len)) {
            Ok(room) => Ok(Some(Permit { to: self.0.clone(), room })),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(Closed),
        }
    }

    /// Puts in a message of `len` bytes that needs no room.
    ///
    /// It never waits and is never refused for want of room, so it is only for what is bounded where it is made: there
    /// is one answer to each admitted request, and one cancellation for each of ours.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the queue takes nothing more; the message is dropped.
    pub fn last_word(&self, len: usize, item: T) -> Result<(), Closed> {
        self.0.push(item, Room::LastWord(len))
    }

    /// The same; who waits for it is to be woken once no lock is held. A closed queue gives the message back.
    pub(crate) fn put_last_word(&self, len: usize, item: T) -> Result<Wake, T> {
        self.0.put(item, Room::LastWord(len))
    }

    /// Last words that wait: how many, and their bytes. Whoever lets them be made has to look at this, because nothing
    /// here holds them back.
    pub fn last_words(&self) -> (usize, usize) {
        let LastWords { count, bytes } = &self.0.last_words;
        (count.load(Relaxed), bytes.load(Relaxed))
    }

    /// Takes nothing more; what is in can still be taken, and then the receiver sees the end.
    pub fn close(&self) {
        self.0.close();
    }

    /// Messages that wait.
    pub fn depth(&self) -> usize {
        self.0.state().items.len()
    }

    /// Bytes that are taken or promised, as far as they count against the bound.
    pub fn used_bytes(&self) -> usize {
        let room = self.0.room.get();
        room.map_or(0, |room| (self.0.max_bytes as usize).saturating_sub(room.available_permits()))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("depth", &self.depth()).finish_non_exhaustive()
    }
}

/// Room for one message; dropping it gives the room back.
pub struct Permit<T> {
    to: Arc<Inner<T>>,
    room: OwnedSemaphorePermit,
}

impl<T> Permit<T> {
    /// Puts the message in.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the queue has closed since; the message is dropped.
    pub fn send(self, item: T) -> Result<(), Closed> {
        self.to.push(item, Room::Taken { _permit: self.room })
    }
}

impl<T> fmt::Debug for Permit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("cost", &self.room.num_permits()).finish()
    }
}

/// The way out. Dropping it closes the queue and drops what is in it.
pub struct Receiver<T>(Arc<Inner<T>>);

impl<T> Receiver<T> {
    /// The next message; `None` once the queue is closed and empty.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.state();
        if let Some(slot) = self.0.take(&mut state) {
            drop(state);
            return Poll::Ready(Some(slot.item));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        let former = replace_waker(&mut state.reader, cx);
        drop(state);
        drop(former);
        Poll::Pending
    }

    /// The next message; `None` once the queue is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message if there is one now.
    pub fn try_recv(&mut self) -> Option<T> {
        // The lock ends with the first statement and the slot's room goes with the second.
        let slot = self.0.take(&mut self.0.state());
        slot.map(|slot| slot.item)
    }

    /// Takes nothing more; what is in can still be taken.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.state().items.len() == 0
    }
}

/// Keeps the waker of the latest poll; the former one is given back, to be dropped outside whatever lock is held.
pub(crate) fn replace_waker(kept: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match kept {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        kept => kept.replace(cx.waker().clone()),
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.close();
        // Items may hold senders of this very queue, so they are dropped outside the lock.
        let items = std::mem::take(&mut self.0.state().items);
        drop(items);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("depth", &self.0.state().items.len()).finish_non_exhaustive()
    }
}
