//! Asking the peer, and waiting for its answer within bounds.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use mcp_jsonrpc::{Id, Json, Message, Notification, Object, Request, Response, replace_part};
use serde::Serialize;
use tokio::time::{Duration, Instant, sleep_until};

use crate::endpoint::{Alive, Sender};
use crate::session::Session;
use crate::{Error, ErrorKind, FOREVER, queue};

/// How long one call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// Without an answer, or progress where that counts, for this long, the call fails. Default 60 s.
    pub timeout: Duration,
    /// However much progress there is, the call fails after this long. Default 1 h.
    pub max_total: Duration,
    /// Whether progress resets the time-out: the request then carries a progress token, the caller's own or one that
    /// is added to its `_meta`. Default no.
    pub progress_resets: bool,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            max_total: Duration::from_secs(3600),
            progress_resets: false,
        }
    }
}

impl CallOptions {
    /// The defaults with another time-out.
    pub fn timeout(timeout: Duration) -> Self {
        Self { timeout, ..Self::default() }
    }

    /// Sets the absolute maximum.
    #[must_use]
    pub fn with_max_total(mut self, max_total: Duration) -> Self {
        self.max_total = max_total;
        self
    }

    /// Has progress reset the time-out.
    #[must_use]
    pub fn with_progress_resets(mut self) -> Self {
        self.progress_resets = true;
        self
    }
}

/// Asks the peer: gives each request an id of its own, waits for the response, and tells the peer when it gives up.
///
/// Every call has exactly one outcome: the response (a result or the peer's error), or an [`Error`] that says why there
/// is none. When the connection ends, every pending call ends with it, at once and with the reason.
///
/// Cloning is cheap; clones share the ids and the pending table of their connection.
#[derive(Clone)]
pub struct Caller {
    session: Arc<Session>,
    out: queue::Sender<Message>,
    options: CallOptions,
    _alive: Option<Arc<Alive>>,
}

impl Caller {
    /// A caller of a connection.
    pub fn new(sender: &Sender) -> Self {
        let session = sender.session.clone();
        Self {
            out: session.outbound.clone(),
            session,
            options: CallOptions::default(),
            _alive: Some(sender._alive.clone()),
        }
    }

    pub(crate) fn on(session: Arc<Session>, out: queue::Sender<Message>) -> Self {
        Self { session, out, options: CallOptions::default(), _alive: None }
    }

    /// The same caller with other options.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends a request and waits for its response. `()` stands for no params.
    ///
    /// A response that carries an error of the peer is a response: see [`Response::outcome`].
    ///
    /// # Errors
    ///
    /// Closed when the connection has ended or ends; timeout; limit when too many calls are pending, or the request or
    /// its response is too large; peer when what came back under its id was no response; misuse when the params do not
    /// serialize.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up: the peer is told with `notifications/cancelled`, unless the request was not sent
    /// yet or is `initialize`, and a late response counts as unmatched.
    ///
    /// # Spec
    ///
    /// MCP 2025-11-25, basic, Lifecycle, Timeouts; utilities, Cancellation.
    pub async fn request<T: Serialize + ?Sized>(&self, method: &str, params: &T) -> Result<Response, Error> {
        self.request_with(method, params, &self.options).await
    }

    /// [`Caller::request`] with options of its own.
    ///
    /// # Errors
    ///
    /// As [`Caller::request`].
    ///
    /// # Cancel safety
    ///
    /// As [`Caller::request`].
    pub async fn request_with<T: Serialize + ?Sized>(
        &self,
        method: &str,
        params: &T,
        options: &CallOptions,
    ) -> Result<Response, Error> {
        let call = self.open(method)?;
        let request = if options.progress_resets {
            let (params, token) = with_progress_token(&Json::new(params)?, &call.id())?;
            self.session.pending().watch(call.number, token);
            Request::with_json_params(call.id(), method, &params)?
        } else {
            Request::with_params(call.id(), method, params)?
        };
        self.run(call, request, options).await
    }

    /// Passes a request on under an id of this caller's, and its response back under the request's own id.
    ///
    /// Every other byte of both stays as it is; this is how a proxy asks.
    /// Where progress resets the time-out, it is that with the request's own token; without one there is none.
    ///
    /// # Errors
    ///
    /// As [`Caller::request`].
    ///
    /// # Cancel safety
    ///
    /// As [`Caller::request`].
    pub async fn relay(&self, request: &Request) -> Result<Response, Error> {
        let call = self.open(&request.method())?;
        if self.options.progress_resets
            && let Some(token) = own_token(request)
        {
            self.session.pending().watch(call.number, token);
        }
        let numbered = request.with_id(&call.id());
        let response = self.run(call, numbered, &self.options).await?;
        Ok(response.with_id(&request.id()))
    }

    /// Sends a notification.
    ///
    /// # Errors
    ///
    /// Closed when the connection has ended; limit when the message is too large; misuse when the params do not
    /// serialize.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for room, it has sent nothing.
    pub async fn notify<T: Serialize + ?Sized>(&self, method: &str, params: &T) -> Result<(), Error> {
        let notification = Notification::with_params(method, params)?;
        self.session.admit_outgoing(notification.len())?;
        let permit = self.out.reserve(notification.len()).await.map_err(|_| self.session.closed_error())?;
        permit.send(notification.into()).map_err(|_| self.session.closed_error())
    }

    fn open(&self, method: &str) -> Result<Call<'_>, Error> {
        if self.session.is_sessionless() {
            return Err(Error::new(
                ErrorKind::Misuse,
                "nobody can be asked on a connection that many peers share",
            ));
        }
        let number = self.session.pending().open(self.session.limits.max_pending)?;
        // MCP 2025-11-25, utilities, Cancellation: `initialize` is never cancelled.
        Ok(Call { caller: self, number, tell: method != "initialize", sent: false })
    }

    async fn run(
        &self,
        mut call: Call<'_>,
        request: Request,
        options: &CallOptions,
    ) -> Result<Response, Error> {
        self.session.admit_outgoing(request.len())?;
        let started = Instant::now();
        let latest = after(started, options.max_total);
        let mut deadline = after(started, options.timeout).min(latest);
        let mut timer = pin!(sleep_until(deadline));
        let mut room = pin!(self.out.reserve(request.len()));
        let mut request = Some(request);
        poll_fn(|cx| {
            if let Some(waiting) = request.take() {
                match room.as_mut().poll(cx) {
                    Poll::Ready(Ok(permit)) => {
                        permit.send(waiting.into()).map_err(|_| self.session.closed_error())?;
                        call.sent = true;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(self.session.closed_error())),
                    Poll::Pending => request = Some(waiting),
                }
            }
            let (polled, _former) = { self.session.pending().poll(call.number, cx) };
            if let Poll::Ready(outcome) = polled {
                return Poll::Ready(outcome);
            }
            while timer.as_mut().poll(cx).is_ready() {
                let progress = self.session.pending().last_progress(call.number);
                let extended = progress.map_or(deadline, |at| after(at, options.timeout).min(latest));
                if extended <= deadline {
                    let what = format!("no response within {:?}", deadline - started);
                    return Poll::Ready(Err(Error::new(ErrorKind::Timeout, what)));
                }
                deadline = extended;
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

/// A deadline that does not overflow when somebody asks for [`Duration::MAX`].
pub(crate) fn after(start: Instant, wait: Duration) -> Instant {
    start + wait.min(FOREVER)
}

/// One call's place in the table. Dropping it gives the place back, and tells the peer if it still works on the call.
struct Call<'a> {
    caller: &'a Caller,
    number: u64,
    tell: bool,
    sent: bool,
}

impl Call<'_> {
    fn id(&self) -> Id {
        self.number.into()
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let abandoned = self.caller.session.pending().abandon(self.number);
        if abandoned.to_be_told && self.sent && self.tell {
            let params = Json::parse(format!("{{\"requestId\":{}}}", self.number));
            let cancel =
                params.and_then(|params| Notification::with_json_params("notifications/cancelled", &params));
            if let Ok(cancel) = cancel {
                // One for each call at most, and calls are bounded: it needs no room, and `Drop` cannot wait for any.
                let _ = self.caller.out.last_word(cancel.len(), cancel.into());
            }
        }
        self.caller.session.look_again();
    }
}

/// The progress token that a request carries.
pub(crate) fn own_token(request: &Request) -> Option<Id> {
    Id::from_json(request.params_object()?.object("_meta")?.get("progressToken")?)
}

/// The params with a progress token in `_meta`, and the token: the one that is there already, or `id`.
fn with_progress_token(params: &Json, id: &Id) -> Result<(Json, Id), Error> {
    let text = match params.as_bytes() {
        b"null" => b"{}",
        text => text,
    };
    let misuse = || Error::new(ErrorKind::Misuse, "params that are no object cannot carry a progress token");
    let object = Object::new(text).ok_or_else(misuse)?;
    let Some(meta) = object.get("_meta") else {
        let token = [b"\"_meta\":{\"progressToken\":", id.as_json(), b"}"].concat();
        return Ok((insert(text, &token)?, id.clone()));
    };
    let members = Object::new(meta).ok_or_else(misuse)?;
    if let Some(token) = members.get("progressToken") {
        let misuse = || Error::new(ErrorKind::Misuse, "a progress token is a string or an integer");
        return Ok((params.clone(), Id::from_json(token).ok_or_else(misuse)?));
    }
    let token = [b"\"progressToken\":", id.as_json()].concat();
    let meta_with = insert(meta, &token)?;
    let joined = replace_part(text, meta, meta_with.as_bytes()).ok_or_else(misuse)?;
    Ok((Json::parse(joined)?, id.clone()))
}

/// Puts a member first into an object.
fn insert(object: &[u8], member: &[u8]) -> Result<Json, Error> {
    let rest = object.get(1..).unwrap_or_default();
    let comma: &[u8] = if rest.trim_ascii_start() == b"}" { b"" } else { b"," };
    Ok(Json::parse([b"{", member, comma, rest].concat())?)
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("options", &self.options).finish_non_exhaustive()
    }
}
