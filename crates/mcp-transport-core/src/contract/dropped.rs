//! Futures that are dropped at any of their waits.

use std::future::Future;

use super::{number, numbered, polled, within};
use crate::{Connection, Limits};

/// A receive that is dropped at any poll loses nothing, whether the connection is polled by hand or driven.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn dropped_receive_loses_nothing<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    const MESSAGES: usize = 300;
    for driven in [false, true] {
        let (near, far) = connect(Limits::default(), Limits::default()).await;
        let near = near.spawn();
        let sender = near.sender.clone();
        let sending = tokio::spawn(async move {
            for at in 0..MESSAGES {
                let padding = if at % 50 == 0 { 200_000 } else { at };
                sender.send(numbered(at, padding)).await.expect("the connection is open");
                // Between two messages the other side sees an idle connection now and then.
                if at % 7 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut seen = Vec::new();
        let mut tries = 0;
        let (mut by_hand, mut endpoint) = if driven { (None, Some(far.spawn())) } else { (Some(far), None) };
        within("receives that are dropped", async {
            while seen.len() < MESSAGES {
                tries += 1;
                let polls = 1 + tries % 3;
                let received = match (&mut by_hand, &mut endpoint) {
                    (Some(connection), _) => polled(polls, connection.next()).await,
                    (_, Some(endpoint)) => polled(polls, endpoint.receiver.recv()).await,
                    _ => unreachable!("one of them is there"),
                };
                match received {
                    Some(incoming) => seen.push(number(&incoming.expect("the connection is open"))),
                    None => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        assert!(seen.iter().copied().eq(0..MESSAGES), "lost or out of order: {seen:?}");
        sending.await.expect("the sender panicked");
    }
}

/// A send that is dropped while it waits for room has sent nothing, and gives back its place.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn dropped_send_sends_nothing<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    const MESSAGES: usize = 200;
    let limits = Limits::default().with_outbound_count(4).with_inbound_count(4);
    let (near, far) = connect(limits, limits).await;
    let (near, mut far) = (near.spawn(), far.spawn());
    // Each is tried with a growing number of polls, so that it is dropped at every wait there is.
    let sender = near.sender.clone();
    let sending = tokio::spawn(async move {
        let mut dropped = 0;
        for at in 0..MESSAGES {
            let mut polls = 1;
            while polled(polls, sender.send(numbered(at, 20_000))).await.is_none() {
                dropped += 1;
                polls += 1;
            }
        }
        dropped
    });
    for at in 0..MESSAGES {
        let incoming = within("a message", far.receiver.recv()).await.expect("the connection is open");
        assert_eq!(number(&incoming), at, "a send that was dropped has sent, or one that was not has not");
    }
    let dropped = sending.await.expect("the sender panicked");
    assert!(dropped > 0, "no send ever waited");
    assert_eq!(near.control.health().outbound_bytes, 0, "room was not given back");
}
