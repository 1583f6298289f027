//! One child for requests that have no session: many clients, each request on its own.
//!
//! ```text
//! exchange ─▶ id and progress token of its own ─▶ child
//!          ◀─ its answer, its progress, what it subscribed to ◀─┘
//! ```
//!
//! Two clients may use the same id, so each request gets another on its way to the child, and what comes back gets the
//! former one again. Every other byte stays. What cannot be told whose it is goes to nobody.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mcp_transport::core::queue::Receiver;
use mcp_transport::core::{Deadlines, Principal, Responder};
use mcp_transport::jsonrpc::{ScanLimits, replace_part};
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::{
    Connection, ErrorCode, ErrorObject, Exchange, Id, Incoming, Json, Message, Notification, Outcome,
    Request, Response, Sender,
};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// A child and what it was asked.
pub(super) struct Share {
    child: Connection,
    sender: Sender,
    asked: HashMap<u64, Asked>,
    /// The number of the newest request.
    last: u64,
    /// What finds no room; until it does, nothing more is asked.
    held: VecDeque<Message>,
    /// Requests that are to be answered in time.
    deadlines: Deadlines<u64>,
    /// Learns from the lists of tools that come by.
    tools: Option<Arc<ToolTable>>,
    /// Whose they were.
    owners: Owners,
}

/// A request that the child has not answered.
struct Asked {
    responder: Responder,
    /// Its own progress token, which the child does not see.
    token: Option<Id>,
    /// Whether it asked for log messages.
    logs: bool,
    /// Whether its answer says which parameters are mirrored in headers.
    lists_tools: bool,
    /// Whether it is a subscription.
    listens: bool,
}

impl Asked {
    /// Answers; the end of a subscription names it, which it does by the client's own id.
    fn respond(self, response: Response) {
        let result = if self.listens { response.result_object() } else { None };
        let named = result.and_then(|result| result.object("_meta")?.get(SUBSCRIPTION));
        let own = self.responder.id().as_json();
        match named.and_then(|named| replaced(response.as_bytes(), named, own)) {
            Some(Message::Response(renamed)) => self.responder.respond(renamed),
            _ => self.responder.respond(response),
        }
    }
}

/// Whose requests a child has had.
#[derive(Debug, Default)]
enum Owners {
    #[default]
    None,
    One(Option<Principal>),
    Several,
}

impl Owners {
    fn see(&mut self, principal: Option<&Principal>) {
        match self {
            Self::None => *self = Self::One(principal.cloned()),
            Self::One(before) if before.as_ref() != principal => *self = Self::Several,
            Self::One(_) | Self::Several => {}
        }
    }
}

/// Why sharing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The child is gone.
    Child,
    /// There are no more requests.
    Front,
}

impl Share {
    /// For a child that was asked `last` requests so far, and has answered them; `answer` is the time that it has for
    /// each from now on.
    pub(super) fn new(
        child: Connection,
        last: u64,
        answer: Option<Duration>,
        tools: Option<Arc<ToolTable>>,
    ) -> Self {
        Self {
            sender: child.sender(),
            child,
            asked: HashMap::new(),
            last,
            held: VecDeque::new(),
            deadlines: Deadlines::new(answer),
            tools,
            owners: Owners::None,
        }
    }

    /// Passes on requests until either side ends; `own` answers those that are not the child's to answer, and gives back
    /// the others.
    pub(super) async fn run(
        mut self,
        first: Exchange,
        exchanges: &mut Receiver<Exchange>,
        own: impl Fn(Exchange) -> Option<Exchange>,
    ) -> Ended {
        own(first).into_iter().for_each(|first| self.ask(first));
        let ended = poll_fn(|cx| self.poll(exchanges, &own, cx)).await;
        let reason = self.child.control().close_reason();
        let reason = reason.map_or("closed", |reason| reason.wire_reason());
        for (_, asked) in self.asked.drain() {
            asked.responder.fail(&ErrorObject::with_reason("the server has ended", reason));
        }
        if ended == Ended::Front {
            self.child.finish().await;
        }
        ended
    }

    fn poll(
        &mut self,
        exchanges: &mut Receiver<Exchange>,
        own: &impl Fn(Exchange) -> Option<Exchange>,
        cx: &mut Context<'_>,
    ) -> Poll<Ended> {
        loop {
            let mut moved = false;
            match self.child.poll_next(cx) {
                Poll::Ready(Some(incoming)) => {
                    self.take(incoming);
                    moved = true;
                }
                Poll::Ready(None) => return Poll::Ready(Ended::Child),
                Poll::Pending => {}
            }
            self.cancel(cx);
            moved |= self.retry();
            if self.held.is_empty() {
                match exchanges.poll_recv(cx) {
                    Poll::Ready(Some(exchange)) => {
                        own(exchange).into_iter().for_each(|exchange| self.ask(exchange));
                        moved = true;
                    }
                    Poll::Ready(None) if self.asked.is_empty() => return Poll::Ready(Ended::Front),
                    Poll::Ready(None) | Poll::Pending => {}
                }
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// Tells the child what nobody waits for any more.
    fn cancel(&mut self, cx: &mut Context<'_>) {
        let given_up: Vec<u64> = self
            .asked
            .iter()
            .filter(|(_, asked)| asked.responder.poll_cancelled(cx).is_ready())
            .map(|(number, _)| *number)
            .collect();
        for number in given_up {
            self.give_up(number);
        }
        while let Poll::Ready(number) = self.deadlines.poll_due(cx, |number| self.asked.contains_key(number))
        {
            if let Some(asked) = self.give_up(number) {
                let error = ErrorObject::with_reason("the server did not answer in time", "timeout");
                asked.responder.fail(&error);
            }
        }
    }

    /// Tells the child that nobody waits for an answer any more.
    fn give_up(&mut self, number: u64) -> Option<Asked> {
        let asked = self.asked.remove(&number);
        let params = serde_json::json!({ "requestId": number });
        if let Ok(cancel) = Notification::with_params("notifications/cancelled", &params) {
            // At most one for each request, and requests are bounded.
            self.held.push_back(cancel.into());
        }
        asked
    }

    /// Hands over what is held, as far as there is room; whether any of it went.
    fn retry(&mut self) -> bool {
        let mut moved = false;
        while let Some(message) = self.held.pop_front() {
            match self.sender.try_send(message) {
                Ok(None) => moved = true,
                Ok(Some(message)) => {
                    self.held.push_front(message);
                    break;
                }
                Err(error) if error.is_closed() => break,
                Err(error) => tracing::debug!(%error, "a message cannot be passed on"),
            }
        }
        moved
    }

    fn ask(&mut self, exchange: Exchange) {
        let (request, context, responder) = exchange.into_parts();
        self.owners.see(context.principal.as_ref());
        self.last += 1;
        let number = self.last;
        let meta = request.params_object().and_then(|params| params.object("_meta"));
        let token = meta.and_then(|meta| meta.get("progressToken"));
        let logs = meta.is_some_and(|meta| meta.get(LOG_LEVEL).is_some());
        let own = token.and_then(Id::from_json);
        if token.is_some() && own.is_none() {
            // What is no token would reach the child as it is, and may be read there as somebody else's number.
            let error =
                ErrorObject::new(ErrorCode::INVALID_PARAMS, "a progress token is a string or an integer");
            return responder.fail(&error);
        }
        let renamed = match token {
            Some(token) => replaced(request.as_bytes(), token, number.to_string().as_bytes()),
            None => Some(request.clone().into()),
        };
        let Some(Message::Request(renamed)) = renamed else {
            let error = ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the request cannot be passed on");
            return responder.fail(&error);
        };
        let numbered: Request = renamed.with_id(&Id::from(number));
        let len = numbered.len();
        let (lists_tools, listens) =
            (request.method() == "tools/list", request.method() == "subscriptions/listen");
        self.asked.insert(number, Asked { responder, token: own, logs, lists_tools, listens });
        // A subscription lasts for as long as its client wants it.
        if !listens {
            self.deadlines.add(number, |number| self.asked.contains_key(number));
        }
        match self.sender.try_send(numbered) {
            Ok(None) => {}
            Ok(Some(message)) => self.held.push_back(message),
            Err(error) => {
                tracing::debug!(%error, len, "a request cannot be passed on");
                if !error.is_closed()
                    && let Some(asked) = self.asked.remove(&number)
                {
                    asked
                        .responder
                        .fail(&ErrorObject::with_reason("the request is too large to pass on", "too_large"));
                }
            }
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Response(response, _) => self.answer(response),
            Incoming::Notification(notification, _) if notification.method() == "notifications/cancelled" => {
                self.end_subscription(&notification);
            }
            Incoming::Notification(notification, _) => self.tell(notification),
            Incoming::Request(exchange) if exchange.request().method() == "ping" => {
                exchange.finish(&serde_json::json!({}));
            }
            // MCP 2026-07-28, basic: servers do not initiate requests; and before that nobody in particular is here.
            Incoming::Request(exchange) => {
                exchange.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "nobody here can be asked"));
            }
            Incoming::Malformed(malformed, _) => {
                if let Some(asked) = number(malformed.id()).and_then(|number| self.asked.remove(&number)) {
                    asked
                        .responder
                        .fail(&ErrorObject::with_reason("the answer cannot be used", "unanswered"));
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, response: Response) {
        match number(response.id().as_ref()).and_then(|number| self.asked.remove(&number)) {
            Some(asked) => {
                if let (true, Some(tools), Outcome::Result(result)) =
                    (asked.lists_tools, &self.tools, response.outcome())
                {
                    // What is wrong in it is for its reader to find: every byte passes.
                    tools.learn(result);
                }
                asked.respond(response);
            }
            None => tracing::debug!(?response, "an answer that nobody waits for"),
        }
    }

    fn tell(&self, notification: Notification) {
        let params = notification.params_object();
        let found = match &*notification.method() {
            "notifications/progress" => {
                let token = params.and_then(|params| params.get("progressToken"));
                self.owner(token)
                    .and_then(|(asked, token)| Some((asked, Some((token, asked.token.clone()?)))))
            }
            "notifications/message" => self.logging().map(|asked| (asked, None)),
            _ => {
                let subscription = params.and_then(|params| params.object("_meta")?.get(SUBSCRIPTION));
                self.owner(subscription)
                    .map(|(asked, text)| (asked, Some((text, asked.responder.id().clone()))))
            }
        };
        let Some((asked, rename)) = found else {
            return tracing::debug!(?notification, "a notification that cannot be told whose it is");
        };
        let told = match rename {
            Some((text, own)) => replaced(notification.as_bytes(), text, own.as_json()),
            None => Some(notification.clone().into()),
        };
        let Some(Message::Notification(told)) = told else { return };
        // A client that does not read misses what is not its answer, and nobody waits for it.
        if let Ok(Some(told)) = asked.responder.try_notify(told) {
            tracing::debug!(?told, "a client does not read");
        }
    }

    /// Whose number a text is, and the text.
    fn owner<'a>(&self, text: Option<&'a [u8]>) -> Option<(&Asked, &'a [u8])> {
        let text = text?;
        Some((self.asked.get(&number(Id::from_json(text).as_ref())?)?, text))
    }

    /// Whose a log message is: it says nothing of that itself, so there may be one request only, beside subscriptions,
    /// and that one has to have asked for it. It may still be of a request before, whose answer is out or whose client
    /// is gone, so nobody hears any once the child has had requests of more than one principal.
    fn logging(&self) -> Option<&Asked> {
        if matches!(self.owners, Owners::Several) {
            return None;
        }
        let mut some = self.asked.values().filter(|asked| !asked.listens);
        some.next().filter(|asked| asked.logs && some.next().is_none())
    }

    /// The child ends a subscription: its client is answered, which ends its stream.
    ///
    /// # Spec
    ///
    /// MCP 2026-07-28, patterns, Cancellation; Subscriptions.
    fn end_subscription(&mut self, notification: &Notification) {
        let params = notification.params_object();
        let id = params.and_then(|params| params.get("requestId")).and_then(Id::from_json);
        let number =
            number(id.as_ref()).filter(|number| self.asked.get(number).is_some_and(|asked| asked.listens));
        let Some(asked) = number.and_then(|number| self.asked.remove(&number)) else { return };
        let own = Json::parse(asked.responder.id().as_json().to_vec());
        let own = own.ok().and_then(|id| id.decode::<serde_json::Value>().ok());
        asked
            .responder
            .finish(&serde_json::json!({ "resultType": "complete", "_meta": { SUBSCRIPTION: own } }));
    }
}

fn number(id: Option<&Id>) -> Option<u64> {
    u64::try_from(id?.as_i64()?).ok()
}

/// The same message with other text in place of a part of it.
fn replaced(message: &[u8], part: &[u8], text: &[u8]) -> Option<Message> {
    Message::parse(replace_part(message, part, text)?, &ScanLimits::default()).ok()
}
