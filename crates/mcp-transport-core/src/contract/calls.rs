//! Requests and their answers.

use std::future::Future;
use std::sync::Arc;

use mcp_jsonrpc::{Notification, Outcome};

use super::{polled, until, within};
use crate::{Caller, Connection, Endpoint, Exchange, Incoming, Limits, Receiver};

/// Both sides ask and both answer, at the same time and with the same ids.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn both_sides_ask<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    let (near, far) = connect(Limits::default(), Limits::default()).await;
    let (near, far) = (near.spawn(), far.spawn());
    let callers = [Caller::new(&near.sender), Caller::new(&far.sender)];
    let answering = [tokio::spawn(echo(near.receiver)), tokio::spawn(echo(far.receiver))];
    for caller in &callers {
        for at in 0..100 {
            let response = within("a call", caller.request("echo", &[at])).await.expect("it is answered");
            assert_eq!(response.result_raw(), Some(format!("[{at}]").as_bytes()));
        }
    }
    for control in [&near.control, &far.control] {
        let health = control.health();
        assert_eq!((health.pending, health.in_flight), (0, 0), "a table is not empty: {health:?}");
        assert!(health.since_received.is_some() && health.since_sent.is_some(), "{health:?}");
    }
    assert_eq!(near.control.health().sent, far.control.health().received);
    near.control.shutdown();
    for task in answering {
        within("the end", task).await.expect("an answering task panicked");
    }
}

/// Answers every request with its params.
async fn echo(mut receiver: Receiver) {
    while let Some(incoming) = receiver.recv().await {
        if let Incoming::Request(exchange) = incoming {
            let params: Vec<u64> = exchange.request().params().expect("a list of numbers");
            exchange.finish(&params);
        }
    }
}

async fn exchange(end: &mut Endpoint) -> Exchange {
    match within("a request", end.receiver.recv()).await {
        Some(Incoming::Request(exchange)) => exchange,
        other => panic!("{other:?} is no request"),
    }
}

/// A call that is given up is told to the peer once, whose exchange learns of it and then says nothing more.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn cancellation_arrives<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    let (near, far) = connect(Limits::default(), Limits::default()).await;
    let (mut near, mut far) = (near.spawn(), far.spawn());
    let caller = Caller::new(&near.sender);
    assert!(polled(1, caller.request("slow", &())).await.is_none());
    let given_up = exchange(&mut far).await;
    within("a cancellation", given_up.responder().cancelled()).await;
    assert!(given_up.responder().is_cancelled());
    let late = given_up.responder().notify(Notification::new("late")).await;
    assert!(late.is_err(), "nothing more is sent for a request that was cancelled");
    given_up.finish(&[1]);
    let cancelled = within("a cancellation", far.receiver.recv()).await.expect("the connection is open");
    let Incoming::Notification(cancelled, _) = cancelled else { panic!("{cancelled:?} is no notification") };
    assert_eq!(cancelled.method(), "notifications/cancelled");
    far.sender.send(Notification::new("last")).await.expect("the connection is open");
    let next = within("a notification", near.receiver.recv()).await.expect("the connection is open");
    let Incoming::Notification(next, _) = next else { panic!("{next:?} came although it was cancelled") };
    assert_eq!(next.method(), "last");
    assert_eq!((near.control.health().pending, far.control.health().in_flight), (0, 0));
}

/// Who shuts down gets the answers that it waits for, answers what it has accepted, and refuses what is new.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn shutdown_finishes<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    let (near, far) = connect(Limits::default(), Limits::default()).await;
    let (mut near, mut far) = (near.spawn(), far.spawn());
    let asking = Arc::new([Caller::new(&near.sender), Caller::new(&far.sender)]);
    let ask = |side: usize, method: &'static str| {
        let asking = asking.clone();
        tokio::spawn(async move { asking[side].request(method, &()).await })
    };
    let (from_near, from_far) = (ask(0, "a"), ask(1, "b"));
    let (at_far, at_near) = (exchange(&mut far).await, exchange(&mut near).await);
    near.control.shutdown();
    let refused = within("a refusal", ask(1, "too late")).await.expect("no panic").expect("it is answered");
    let Outcome::Error(error) = refused.outcome() else {
        panic!("a request was accepted after the shutdown")
    };
    assert_eq!(error.reason().as_deref(), Some("shutting_down"));
    at_far.finish(&["far"]);
    let answer = within("an answer", from_near).await.expect("no panic").expect("it is answered");
    assert_eq!(answer.result_raw(), Some(&br#"["far"]"#[..]));
    assert!(near.control.close_reason().is_none(), "it ended before it had answered");
    at_near.finish(&["near"]);
    let answer = within("an answer", from_far).await.expect("no panic").expect("it is answered");
    assert_eq!(answer.result_raw(), Some(&br#"["near"]"#[..]));
    within("the end", near.control.closed()).await;
    within("the end", far.control.closed()).await;
    until("the tables", || far.control.health().in_flight == 0 && near.control.health().pending == 0).await;
}
