//! One session: its streams, what is posted into it, and when it is idle.

mod attached;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use mcp_http::proto::SessionId;
use mcp_http::{Refusal, SessionEntry};
use mcp_jsonrpc::{Id, Message};
use mcp_transport_core::{
    Control, FOREVER, Frame, Outlet, Principal, ResponseStream, Revision, queue, response_stream,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub(super) use attached::{Attached, Replay};

use super::stream::{Busy, GENERAL, Pulled, Stream, keep_waker};
use crate::config::{Answers, StreamableOptions};
use crate::proto::EventPosition;
use crate::store::{EventStore, Lost, StreamKey};

/// Finished streams of a session that are kept until they are acknowledged; then the oldest one goes.
const MAX_FINISHED: usize = 64;

pub(super) struct Session {
    pub(super) id: SessionId,
    /// The id as contexts and keys have it.
    pub(super) name: Arc<str>,
    pub(super) principal: Option<Principal>,
    pub(super) posted: queue::Sender<Frame>,
    options: Arc<StreamableOptions>,
    /// Set once, when the connection is made.
    control: OnceLock<Control>,
    /// The way into the stream that the client opens with GET.
    general: Mutex<General>,
    /// `None` once it has ended.
    streams: Mutex<Option<Streams>>,
    next: AtomicU64,
    /// Of streams that are read by GET, from the first one on.
    places: OnceLock<Arc<Semaphore>>,
    revision: Mutex<Option<Revision>>,
    /// POSTs that are being looked at, and messages that came after `initialize`.
    posts: AtomicUsize,
    messages: AtomicUsize,
    activity: Mutex<Instant>,
    pump: Mutex<Pump>,
}

/// The stream that belongs to no request is made when somebody first needs it: most sessions never do.
#[derive(Default)]
enum General {
    #[default]
    Unused,
    Open(Outlet),
    /// With the connection.
    Closed,
}

/// The streams that somebody may come back for.
#[derive(Default)]
struct Streams {
    /// By number. That of a POST is here once its response is an event stream: before, nobody can have heard of it.
    open: BTreeMap<u64, Arc<Stream>>,
    /// Those that are over and unread, and since when, oldest first.
    finished: VecDeque<(Instant, u64)>,
}

/// What the connection has to know of streams that nobody reads.
#[derive(Default)]
struct Pump {
    connection: Option<Waker>,
    /// One of them has lost its reader, or has something to say.
    due: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of others runs under these locks, so a poisoned one is as good as before.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// A session without a stream.
    pub(super) fn new(
        id: SessionId,
        principal: Option<Principal>,
        posted: queue::Sender<Frame>,
        options: Arc<StreamableOptions>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: id.as_str().into(),
            id,
            principal,
            posted,
            control: OnceLock::new(),
            general: Mutex::default(),
            streams: Mutex::new(Some(Streams::default())),
            next: AtomicU64::new(GENERAL + 1),
            places: OnceLock::new(),
            revision: Mutex::default(),
            posts: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            activity: Mutex::new(Instant::now()),
            pump: Mutex::default(),
            options,
        })
    }

    pub(super) fn set_control(&self, control: Control) {
        let _ = self.control.set(control);
    }

    pub(super) fn control(&self) -> Option<&Control> {
        self.control.get()
    }

    /// The revision that was agreed on, once it was.
    pub(super) fn revision(&self) -> Option<Revision> {
        *lock(&self.revision)
    }

    pub(super) fn agree(&self, revision: Revision) {
        *lock(&self.revision) = Some(revision);
    }

    /// Whether its client comes back for a response that ended early.
    fn polls(&self) -> bool {
        self.revision().is_some_and(|revision| revision >= Revision::V2025_11_25)
    }

    /// Whether the response to a POST may end before the answer.
    pub(super) fn may_release(&self) -> bool {
        self.polls() && self.options.answers != Answers::Json
    }

    fn key(&self, stream: u64) -> StreamKey {
        StreamKey::new(self.principal.clone(), self.name.clone(), stream)
    }

    fn new_stream(&self, number: u64, source: ResponseStream) -> Arc<Stream> {
        Arc::new(Stream::new(self.key(number), source, self.options.store.clone()))
    }

    /// Has a stream found by its number from now on, unless the session has ended.
    fn enter(&self, stream: &Arc<Stream>) {
        let is_open = match &mut *lock(&self.streams) {
            Some(streams) => {
                streams.open.insert(stream.number(), stream.clone());
                true
            }
            None => false,
        };
        if !is_open {
            stream.forsake();
        }
    }

    fn stream(&self, number: u64) -> Option<Arc<Stream>> {
        lock(&self.streams).as_ref()?.open.get(&number).cloned()
    }

    /// The way into the stream that the client opens with GET; `None` once the connection is closed.
    pub(super) fn unrelated(&self) -> Option<queue::Sender<Message>> {
        let mut general = lock(&self.general);
        match &*general {
            General::Open(outlet) => return Some(outlet.queue().clone()),
            General::Closed => return None,
            General::Unused => {}
        }
        let limits = &self.options.limits;
        let (outlet, source) = response_stream(limits.outbound_bytes, limits.outbound_count);
        let queue = outlet.queue().clone();
        *general = General::Open(outlet);
        self.enter(&self.new_stream(GENERAL, source));
        drop(general);
        self.wake_pump();
        Some(queue)
    }

    /// Nothing more comes that belongs to no request, except for this.
    pub(super) fn close_unrelated(&self, last: Option<Message>) {
        let general = std::mem::replace(&mut *lock(&self.general), General::Closed);
        if let (General::Open(outlet), Some(message)) = (general, last) {
            let _ = outlet.queue().last_word(message.len(), message);
        }
    }

    fn places(&self) -> &Arc<Semaphore> {
        let most = self.options.max_streams.min(Semaphore::MAX_PERMITS);
        self.places.get_or_init(|| Arc::new(Semaphore::new(most)))
    }

    /// Opens the stream of one POST, with its first reader.
    pub(super) fn answer_to(self: &Arc<Self>, source: ResponseStream, request: Option<Id>) -> Attached {
        self.sweep();
        let stream = self.new_stream(self.next.fetch_add(1, Relaxed), source);
        let reader = Some(stream.attach());
        Attached { session: self.clone(), stream, reader, request, entered: false }
    }

    /// The general stream for a client that has not seen any of it, or not the newest.
    pub(super) async fn general(self: &Arc<Self>) -> Result<(Attached, Replay), Refusal> {
        let conflict = |busy| refused(busy, "the session has an open stream already\n");
        self.unrelated();
        let stream = self.stream(GENERAL).ok_or_else(ended)?;
        let reader = Some(stream.try_attach(self.places()).map_err(conflict)?);
        let mut attached = Attached { session: self.clone(), stream, reader, request: None, entered: true };
        let taken = attached.take_over().await.map_err(conflict)?;
        let replay = match &self.options.store {
            Some(store) => {
                let key = &attached.stream.key;
                let events = newest(&**store, key, taken.delivered, taken.last).await;
                attached.stream.note_delivered(taken.last);
                Replay::new(GENERAL, taken.last, events)
            }
            None => Replay::default(),
        };
        Ok((attached, replay))
    }

    /// The stream of a position, for a client that has everything up to it.
    pub(super) async fn resume(self: &Arc<Self>, from: EventPosition) -> Result<(Attached, Replay), Refusal> {
        self.sweep();
        let gone = || Refusal::new(StatusCode::BAD_REQUEST, "what follows this event id is not there\n");
        let store = self.options.store.clone().ok_or_else(gone)?;
        if from.stream == GENERAL {
            self.unrelated();
        }
        let stream = self.stream(from.stream).ok_or_else(gone)?;
        // Looked at before it is taken over too: an id that leads nowhere disturbs nobody who reads.
        let last = stream.last().ok_or_else(gone)?;
        if from.seq > last || store.after(&stream.key, from.seq, last).await.is_err() {
            return Err(gone());
        }
        let mut attached =
            Attached { session: self.clone(), stream, reader: None, request: None, entered: true };
        let elsewhere = |busy| refused(busy, "the stream is read elsewhere\n");
        let taken = attached.take_over().await.map_err(elsewhere)?;
        if let Some(streams) = &mut *lock(&self.streams) {
            streams.finished.retain(|(_, number)| *number != from.stream);
        }
        let key = &attached.stream.key;
        let events = store.after(key, from.seq, taken.last).await.map_err(|Lost| gone())?;
        store.acknowledge(key, from.seq);
        attached.stream.note_delivered(taken.last);
        if events.is_empty() && attached.stream.is_over() {
            // It is all there already: an empty stream would only have the client come back again.
            self.forget(&attached.stream);
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "nothing follows this event id\n"));
        }
        Ok((attached, Replay::new(from.stream, taken.last, events)))
    }

    fn forget(&self, stream: &Stream) {
        let removed = lock(&self.streams).as_mut().and_then(|streams| streams.open.remove(&stream.number()));
        stream.forget();
        drop(removed);
    }

    /// A stream is over, and nobody reads it.
    fn note_finished(&self, stream: &Stream, at: Instant) {
        let is_first = match &mut *lock(&self.streams) {
            Some(streams) => {
                streams.finished.push_back((at, stream.number()));
                streams.finished.len() == 1
            }
            None => false,
        };
        if is_first {
            // The connection knows of no time at which to let any go.
            self.wake_pump();
        }
    }

    /// When the next stream is to be let go that nobody has come back for.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        let (oldest, _) = *lock(&self.streams).as_ref()?.finished.front()?;
        Some(oldest + self.options.keep_finished.min(FOREVER))
    }

    /// Lets go of streams that nobody has come back for.
    pub(super) fn sweep(&self) {
        let over = match &mut *lock(&self.streams) {
            Some(streams) => streams.take_due(self.options.keep_finished),
            None => Vec::new(),
        };
        over.iter().for_each(|stream| stream.forget());
    }

    /// Takes what nobody reads into the store, so that no handler waits for a client that has gone.
    pub(super) fn poll_pump(self: &Arc<Self>, cx: &Context<'_>) {
        let (is_due, _former) = {
            let mut pump = lock(&self.pump);
            (std::mem::take(&mut pump.due), keep_waker(&mut pump.connection, cx))
        };
        if is_due {
            self.pump();
        }
    }

    fn pump(self: &Arc<Self>) {
        let alone: Vec<Arc<Stream>> = {
            let streams = lock(&self.streams);
            let open = streams.iter().flat_map(|streams| streams.open.values());
            open.filter(|stream| stream.is_alone()).cloned().collect()
        };
        // The session is woken, and not its connection, so that this is done only when there is something to pump.
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        for stream in alone {
            // A stream in a session has a bounded queue, so this ends.
            while let Poll::Ready(Pulled::Event(..)) = stream.poll_pull(None, &mut cx) {}
            if let Some(at) = stream.finished().filter(|_| stream.number() != GENERAL) {
                self.note_finished(&stream, at);
            }
        }
    }

    fn wake_pump(&self) {
        let connection = {
            let mut pump = lock(&self.pump);
            pump.due = true;
            pump.connection.take()
        };
        if let Some(connection) = connection {
            connection.wake();
        }
    }

    /// Whether somebody reads what belongs to no request: then whoever says it waits for room.
    pub(super) fn is_read(&self) -> bool {
        self.stream(GENERAL).is_some_and(|stream| stream.is_busy())
    }

    /// Whether its client has ended it, or it was idle for too long.
    pub(super) fn has_ended(&self) -> bool {
        lock(&self.streams).is_none()
    }

    /// Whether nothing more can come in.
    pub(super) fn is_closed(&self) -> bool {
        self.posted.try_reserve(0).is_err()
    }

    /// For a POST, until it is dropped.
    pub(super) fn posting(self: &Arc<Self>) -> Posting {
        self.posts.fetch_add(1, Relaxed);
        Posting(self.clone())
    }

    /// Something came in that is not the first thing.
    pub(super) fn note_message(&self) {
        self.messages.fetch_add(1, Relaxed);
    }

    fn touch(&self) {
        *lock(&self.activity) = Instant::now();
    }

    /// How often it is looked at while something happens: often enough that it ends soon after its time.
    pub(super) fn look_again(&self) -> Duration {
        (self.options.session_idle / 8).clamp(Duration::from_millis(100), Duration::from_secs(60))
    }

    /// Until when it is kept, if nothing happens; `None` while something does.
    pub(super) fn idle_until(&self) -> Option<Instant> {
        let in_flight = self.control().is_some_and(|control| control.health().in_flight > 0);
        let busy = in_flight
            || self.posts.load(Relaxed) > 0
            || lock(&self.streams).iter().flat_map(|open| open.open.values()).any(|stream| stream.is_busy());
        if busy {
            // It is idle from the end of what happens, of which nobody tells.
            self.touch();
            return None;
        }
        let keep = match self.messages.load(Relaxed) {
            0 => self.options.first_message.min(self.options.session_idle),
            _ => self.options.session_idle,
        };
        Some(*lock(&self.activity) + keep.min(FOREVER))
    }
}

impl SessionEntry for Session {
    fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Nothing of it is kept.
    fn end(&self) {
        self.posted.close();
        let streams = lock(&self.streams).take();
        streams.iter().flat_map(|streams| streams.open.values()).for_each(|stream| stream.forsake());
    }
}

/// A stream that is pumped has something to say.
impl Wake for Session {
    fn wake(self: Arc<Self>) {
        self.wake_pump();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_pump();
    }
}

impl Streams {
    /// Those that were kept for long enough, or have too many behind them.
    fn take_due(&mut self, keep: Duration) -> Vec<Arc<Stream>> {
        let mut due = Vec::new();
        if self.finished.is_empty() {
            return due;
        }
        let now = Instant::now();
        while let Some(&(at, number)) = self.finished.front() {
            if self.finished.len() <= MAX_FINISHED && now.saturating_duration_since(at) < keep {
                break;
            }
            self.finished.pop_front();
            // Somebody may have come back for it just now.
            if self.open.get(&number).is_some_and(|stream| stream.finished() == Some(at)) {
                due.extend(self.open.remove(&number));
            }
        }
        due
    }
}

/// What is left of the events after `from`, up to `last`, for a client that has seen none of them: the oldest ones may
/// have been given up.
async fn newest(store: &dyn EventStore, key: &StreamKey, from: u64, last: u64) -> Vec<Bytes> {
    match store.after(key, from, last).await {
        Ok(events) => events,
        Err(Lost) => {
            let (mut lost, mut kept, mut events) = (from, last, Vec::new());
            while kept.saturating_sub(lost) > 1 {
                let between = lost + (kept - lost) / 2;
                match store.after(key, between, last).await {
                    Ok(found) => (kept, events) = (between, found),
                    Err(Lost) => lost = between,
                }
            }
            events
        }
    }
}

/// # Spec
///
/// MCP 2025-11-25, transports, Multiple Connections: a client may have several streams at once, and nothing is said of
/// too many. 409 says here that this very stream is somebody's; 429 that the client may come back for it, and when.
fn refused(busy: Busy, read: &'static str) -> Refusal {
    match busy {
        Busy::Read => Refusal::new(StatusCode::CONFLICT, read),
        Busy::NoPlace => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "the session has too many open streams\n")
                .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
        }
    }
}

fn ended() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no such session\n")
}

/// A POST that is being looked at.
pub(super) struct Posting(Arc<Session>);

impl Drop for Posting {
    fn drop(&mut self) {
        self.0.posts.fetch_sub(1, Relaxed);
        self.0.touch();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("streams", &lock(&self.streams).as_ref().map(|streams| streams.open.len()))
            .finish_non_exhaustive()
    }
}
