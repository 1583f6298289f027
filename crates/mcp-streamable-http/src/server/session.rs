//! One session: its streams, what is posted into it, and when it is idle.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use mcp_http::proto::SessionId;
use mcp_http::{Refusal, SessionEntry};
use mcp_jsonrpc::{ErrorObject, Id, Message, Response};
use mcp_transport_core::{
    Control, Error, ErrorKind, Frame, Principal, ResponseStream, Revision, queue, response_stream,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::body::{Event, Events, Opening};
use super::stream::{Busy, GENERAL, Left, Pulled, Stream, Taken};
use crate::config::{Answers, StreamableOptions};
use crate::proto::EventPosition;
use crate::store::{EventStore, Lost, StreamKey};

/// Finished streams of a session that are kept until they are acknowledged; then the oldest one goes.
const MAX_FINISHED: usize = 64;

pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) principal: Option<Principal>,
    pub(super) posted: queue::Sender<Frame>,
    /// Into the stream that the client opens with GET.
    unrelated: queue::Sender<Message>,
    options: Arc<StreamableOptions>,
    /// Set once, when the connection is made.
    control: OnceLock<Control>,
    /// `None` once it has ended.
    streams: Mutex<Option<HashMap<u64, Arc<Stream>>>>,
    next: AtomicU64,
    /// Of streams that are read by GET.
    places: Arc<Semaphore>,
    revision: Mutex<Option<Revision>>,
    /// POSTs that are being looked at, and messages that came after `initialize`.
    posts: AtomicUsize,
    messages: AtomicUsize,
    activity: Mutex<Instant>,
    /// The connection, to be told that a stream has lost its reader.
    pump: Mutex<Option<Waker>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of others runs under these locks, so a poisoned one is as good as before.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// A session, and what its wire needs of its general stream: the way in.
    pub(super) fn new(
        id: SessionId,
        principal: Option<Principal>,
        posted: queue::Sender<Frame>,
        options: Arc<StreamableOptions>,
    ) -> (Arc<Self>, mcp_transport_core::Outlet) {
        let limits = &options.limits;
        let (outlet, source) = response_stream(limits.outbound_bytes, limits.outbound_count);
        let session = Arc::new(Self {
            id,
            principal,
            posted,
            unrelated: outlet.queue().clone(),
            control: OnceLock::new(),
            streams: Mutex::new(Some(HashMap::new())),
            next: AtomicU64::new(GENERAL),
            places: Arc::new(Semaphore::new(options.max_streams.min(Semaphore::MAX_PERMITS))),
            revision: Mutex::default(),
            posts: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            activity: Mutex::new(Instant::now()),
            pump: Mutex::default(),
            options,
        });
        session.open(source);
        (session, outlet)
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
        StreamKey::new(self.principal.clone(), self.id.shared(), stream)
    }

    /// Opens a stream.
    fn open(&self, source: ResponseStream) -> Arc<Stream> {
        let number = self.next.fetch_add(1, Relaxed);
        let store = self.options.store.clone();
        let stream = Arc::new(Stream::new(self.key(number), source, store));
        let is_open = match &mut *lock(&self.streams) {
            Some(streams) => {
                streams.insert(number, stream.clone());
                true
            }
            None => false,
        };
        if !is_open {
            stream.forsake();
        }
        stream
    }

    fn stream(&self, number: u64) -> Option<Arc<Stream>> {
        lock(&self.streams).as_ref()?.get(&number).cloned()
    }

    /// Opens the stream of one POST, with its first reader.
    pub(super) fn answer_to(self: &Arc<Self>, source: ResponseStream, request: Option<Id>) -> Attached {
        self.sweep();
        let stream = self.open(source);
        let reader = Some(stream.attach());
        Attached { session: self.clone(), stream, reader, request }
    }

    /// The general stream for a client that has not seen any of it, or not the newest.
    pub(super) async fn general(self: &Arc<Self>) -> Result<(Attached, Replay), Refusal> {
        let conflict = |busy| refused(busy, "the session has an open stream already\n");
        let stream = self.stream(GENERAL).ok_or_else(ended)?;
        let reader = Some(stream.try_attach(&self.places).map_err(conflict)?);
        let mut attached = Attached { session: self.clone(), stream, reader, request: None };
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
        let stream = self.stream(from.stream).ok_or_else(gone)?;
        // Looked at before it is taken over too: an id that leads nowhere disturbs nobody who reads.
        let last = stream.last().ok_or_else(gone)?;
        if from.seq > last || store.after(&stream.key, from.seq, last).await.is_err() {
            return Err(gone());
        }
        let mut attached = Attached { session: self.clone(), stream, reader: None, request: None };
        let elsewhere = |busy| refused(busy, "the stream is read elsewhere\n");
        let taken = attached.take_over().await.map_err(elsewhere)?;
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
        let removed = lock(&self.streams).as_mut().and_then(|streams| streams.remove(&stream.number()));
        stream.forget();
        drop(removed);
    }

    /// When the next stream is to be let go that nobody has come back for.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        let ended =
            lock(&self.streams).as_ref().and_then(|streams| finished(streams).map(|(at, _)| at).min())?;
        Some(ended + self.options.keep_finished.min(FAR))
    }

    /// Lets go of streams that nobody has come back for.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut over = Vec::new();
        if let Some(streams) = &mut *lock(&self.streams) {
            let mut finished: Vec<(Instant, u64)> = finished(streams).collect();
            finished.sort_unstable();
            let surplus = finished.len().saturating_sub(MAX_FINISHED);
            for (place, (at, number)) in finished.into_iter().enumerate() {
                if place < surplus || now.saturating_duration_since(at) >= self.options.keep_finished {
                    over.extend(streams.remove(&number));
                }
            }
        }
        over.iter().for_each(|stream| stream.forget());
    }

    /// Takes what nobody reads into the store, so that no handler waits for a client that has gone.
    pub(super) fn poll_pump(&self, cx: &mut Context<'_>) {
        let former = lock(&self.pump).replace(cx.waker().clone());
        drop(former);
        let alone: Vec<Arc<Stream>> = {
            let streams = lock(&self.streams);
            streams.iter().flat_map(HashMap::values).filter(|stream| stream.is_alone()).cloned().collect()
        };
        for stream in alone {
            // A stream in a session has a bounded queue, so this ends.
            while let Poll::Ready(Pulled::Event(..)) = stream.poll_pull(None, cx) {}
        }
    }

    fn wake_pump(&self) {
        let pump = lock(&self.pump).take();
        if let Some(pump) = pump {
            pump.wake();
        }
    }

    /// Whether somebody reads what belongs to no request: then whoever says it waits for room.
    pub(super) fn is_read(&self) -> bool {
        self.stream(GENERAL).is_some_and(|stream| stream.is_busy())
    }

    /// Whether nothing more can come in.
    pub(super) fn is_closed(&self) -> bool {
        self.posted.try_reserve(0).is_err()
    }

    /// For a POST, until it is dropped.
    pub(super) fn posting(self: &Arc<Self>) -> Posting {
        self.posts.fetch_add(1, Relaxed);
        self.touch();
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
            || lock(&self.streams).iter().flat_map(HashMap::values).any(|stream| stream.is_busy());
        if busy {
            // It is idle from the end of what happens, of which nobody tells.
            self.touch();
            return None;
        }
        let keep = match self.messages.load(Relaxed) {
            0 => self.options.first_message.min(self.options.session_idle),
            _ => self.options.session_idle,
        };
        Some(*lock(&self.activity) + keep.min(FAR))
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
        streams.iter().flat_map(HashMap::values).for_each(|stream| stream.forsake());
    }
}

/// A time that no process sees the end of, and that no clock overflows by.
pub(super) const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Streams whose end nobody has come for, and since when.
fn finished(streams: &HashMap<u64, Arc<Stream>>) -> impl Iterator<Item = (Instant, u64)> {
    let of_posts = streams.iter().filter(|(number, _)| **number != GENERAL);
    of_posts.filter_map(|(number, stream)| Some((stream.ended()?, *number)))
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

/// Events that a client has missed, each with its place.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// The place before the first of them.
    pub(super) before: u64,
    pub(super) events: Vec<(EventPosition, Bytes)>,
}

impl Replay {
    fn new(stream: u64, last: u64, events: Vec<Bytes>) -> Self {
        // A store that gives more than it was asked for is not believed.
        let before = last.saturating_sub(events.len() as u64);
        let place = |(line, seq)| (EventPosition { stream, seq }, line);
        Self { before, events: events.into_iter().zip(before + 1..).map(place).collect() }
    }
}

/// The reader of a stream. When it is dropped, the client has gone.
pub(super) struct Attached {
    session: Arc<Session>,
    stream: Arc<Stream>,
    reader: Option<u64>,
    /// The one request that it answers.
    request: Option<Id>,
}

impl Attached {
    pub(super) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(super) fn opening(&self, last: u64) -> Opening {
        if !self.stream.has_ids() || !self.session.polls() {
            return Opening::default();
        }
        let priming = Some(EventPosition { stream: self.stream.number(), seq: last });
        Opening { priming, retry: self.session.options.retry }
    }

    /// Waits until nobody else is at it; an error when somebody else has come for it meanwhile.
    async fn take_over(&mut self) -> Result<Taken, Busy> {
        let Self { session, stream, reader, .. } = self;
        poll_fn(|cx| stream.poll_take_over(reader, &session.places, cx)).await
    }

    fn place(&self, seq: Option<u64>) -> Option<EventPosition> {
        seq.map(|seq| EventPosition { stream: self.stream.number(), seq })
    }
}

impl Events for Attached {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.stream.poll_pull(self.reader, cx).map(|pulled| match pulled {
            Pulled::Event(seq, message) => {
                if matches!(message, Message::Response(_)) {
                    self.request = None;
                }
                Some(Event { position: self.place(seq), message })
            }
            Pulled::TakenOver => {
                self.request = None;
                None
            }
            Pulled::End => None,
        })
    }

    fn commit(&mut self, first: Option<Event>) -> (Opening, Option<Event>) {
        let opening = self.opening(0);
        let seq = self.stream.commit(first.as_ref().map(|event| &event.message));
        let first = first.map(|event| Event { position: self.place(seq), ..event });
        (opening, first)
    }

    fn poll_released(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let released = self.stream.poll_released(cx);
        if released.is_ready() {
            // It goes on, elsewhere.
            self.request = None;
        }
        released
    }

    fn farewell(&mut self) -> Option<Message> {
        let id = self.request.take()?;
        let reason = self.session.control()?.close_reason()?;
        let error = ErrorObject::with_reason("the session has ended", reason.wire_reason());
        Some(Response::error(&id, &error).into())
    }

    fn divert(&mut self, message: Message) {
        if let Ok(Some(room)) = self.session.unrelated.try_reserve(message.len()) {
            let _ = room.send(message);
            return;
        }
        tracing::debug!(kind = message.kind(), "a message finds no stream");
        if let Message::Request(request) = &message {
            // Whoever asked is told now, and does not wait for an answer that nobody can give. Calls are bounded.
            let error = Error::new(ErrorKind::Limit, "the client does not read its stream");
            let _ = self.session.posted.last_word(0, Frame::Undelivered(request.id(), error));
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let Some(reader) = self.reader else { return };
        let left = self.stream.detach(reader);
        self.session.touch();
        match left {
            Left::Over => self.session.forget(&self.stream),
            Left::Waits => self.session.wake_pump(),
            Left::TakenOver => {}
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("streams", &lock(&self.streams).as_ref().map(HashMap::len))
            .finish_non_exhaustive()
    }
}
