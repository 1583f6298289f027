//! No `Debug` shows what a message, a context or a child says; everything public can be sent to another thread.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod raw;

use std::sync::Arc;

use mcp_jsonrpc::{Fault, Form, Malformed};
use mcp_transport_core::{
    Backoff, CallOptions, Caller, CloseReason, Connection, Context, Control, Driver, Endpoint, Error,
    ErrorKind, Exchange, Frame, Health, Heartbeat, Incoming, Limits, Options, Outbox, Principal, ProcessExit,
    Receiver, Reconnect, Responder, Revision, Sender, Session, Taken, Transport, Wire, queue, serve,
};

const CANARY: &str = "canary";

fn quiet(what: &impl std::fmt::Debug) {
    let shown = format!("{what:?} {what:#?}");
    assert!(!shown.contains(CANARY), "{shown}");
    // The bytes of it, as a slice would be shown.
    assert!(!shown.contains("99, 97, 110"), "{shown}");
    assert!(!shown.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_payload() {
    let (connection, mut peer) = raw::peer(Limits::default());
    quiet(&connection);
    let (mut end, driver) = connection.split();
    quiet(&driver);
    tokio::spawn(driver);
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"canary":"canary"}}"#,
        r#"{"jsonrpc":"2.0","method":"m","params":{"canary":"canary"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"canary"}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"canary","data":"canary"}}"#,
        r#"canary"#,
        r#"{"jsonrpc":"2.0","id":1,"method":1,"params":"canary"}"#,
    ] {
        peer.say(text).await;
        let incoming = end.receiver.recv().await.expect("open");
        quiet(&incoming);
        quiet(&Frame::Text(text.into()));
        if let Incoming::Request(exchange) = &incoming {
            quiet(exchange.responder());
            quiet(exchange.context());
        }
        quiet(&Taken::Incoming(incoming));
    }
    quiet(&end);
    quiet(&Caller::new(&end.sender));

    let mut context = Context::new("raw");
    context.session = Some(CANARY.into());
    context.principal = Some(Principal::new(CANARY));
    context.insert(CANARY.to_owned());
    assert_eq!(context.get::<String>().map(String::as_str), Some(CANARY));
    assert_eq!(context.get::<u32>(), None);
    context.insert("another".to_owned());
    assert_eq!(context.get::<String>().map(String::as_str), Some("another"));
    // More than have a place of their own.
    context.insert(1_u8);
    context.insert(2_u16);
    context.insert(4_u64);
    context.insert(8_u64);
    context.insert(CANARY.to_owned());
    let copy = context.clone();
    assert_eq!((copy.get(), copy.get(), copy.get()), (Some(&1_u8), Some(&2_u16), Some(&8_u64)));
    assert_eq!((copy.get::<String>().map(String::as_str), copy.get::<u32>()), (Some(CANARY), None));
    quiet(&context);
    quiet(&Options::default().with_context(|it| *it = context));

    let exit = ProcessExit::new(Some(1), None, vec![CANARY.into()]);
    quiet(&exit);
    let reason = CloseReason::ChildExited(exit);
    assert!(!reason.to_string().contains(CANARY) && !reason.wire_reason().contains(CANARY));
    quiet(&reason);
    quiet(&Error::closed(Arc::new(reason)));
    quiet(&Error::from(Malformed::new(Fault::Syntax, None, Form::Unknown, 5)));
    let mut out = Outbox::default();
    out.copy(CANARY.as_bytes());
    assert_eq!((out.len(), out.is_empty()), (6, false));
    quiet(&out);
    let (sender, receiver) = queue::channel(10, 10);
    sender.last_word(1, CANARY).expect("open");
    quiet(&sender);
    quiet(&receiver);
    quiet(&sender.try_reserve(1));
}

#[test]
fn errors_say_who_has_to_act() {
    let io = || std::io::Error::other("the cause");
    let error = Error::io("reading failed", io());
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Io, "reading failed"));
    assert!(std::error::Error::source(&error).is_some_and(|source| source.to_string() == "the cause"));
    let closed = Error::closed(Arc::new(CloseReason::from(io())));
    assert!(closed.is_closed() && !closed.is_timeout());
    assert!(matches!(closed.close_reason(), Some(CloseReason::Io(_))));
    assert!(std::error::Error::source(&closed).is_some());
    let other = Error::new(ErrorKind::Timeout, "late").with_source(io());
    assert!(other.is_timeout() && other.close_reason().is_none());
}

#[test]
fn revisions_read_as_they_are_written() {
    for revision in Revision::ALL {
        assert_eq!(revision.to_string().parse(), Ok(revision));
        assert_eq!(revision.has_batches(), revision.as_str() == "2025-03-26");
    }
    assert!("2025-13-01".parse::<Revision>().is_err());
    assert!(Revision::ALL.is_sorted());
    assert_ne!(Revision::LATEST.era(), Revision::LATEST_LEGACY.era());
}

fn send<T: Send>() {}
fn shared<T: Send + Sync>() {}
fn sent<T: Send>(_: T) {}

#[test]
fn everything_can_be_sent() {
    send::<Connection>();
    send::<Driver>();
    send::<Box<dyn Wire>>();
    send::<Box<dyn Transport>>();
    send::<Reconnect<Box<dyn FnOnce() + Send>>>();
    shared::<(Sender, Receiver, Control, Endpoint, Caller)>();
    shared::<(Exchange, Responder, Incoming, Session, Error, CloseReason, Context)>();
    shared::<(Limits, Options, Health, Heartbeat, Backoff, CallOptions)>();
    shared::<(queue::Sender<u8>, queue::Receiver<u8>, queue::Permit<u8>)>();
    // Never called: that it compiles is what is tested.
    let _ = |connection: Connection, end: &mut Endpoint, caller: &Caller, exchange: &Exchange| {
        sent(serve(connection, |_| async {}));
        sent(end.receiver.recv());
        sent(end.sender.reserve(1));
        sent(end.control.closed());
        sent(caller.request("m", &()));
        sent(caller.notify("m", &()));
        sent(caller.relay(exchange.request()));
        sent(exchange.responder().cancelled());
        sent(exchange.responder().notify(mcp_jsonrpc::Notification::new("m")));
        sent(Heartbeat::default().run(caller, &end.control));
    };
    let _ = |connection: Connection| sent(connection.finish());
    let _ = |connection: &mut Connection| sent(connection.next());
}
