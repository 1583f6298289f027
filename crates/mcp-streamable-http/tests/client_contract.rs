//! What every transport has to hold, over our client, a real socket and our server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use std::future::poll_fn;
use std::task::{Poll, ready};

use mcp_jsonrpc::Notification;
use mcp_streamable_http::{StreamableClient, StreamableOptions};
use mcp_transport_core::{Caller, Connection, Incoming, Limits, Listener, Options, Transport, contract};

use served::Served;

/// A session after its handshake, as the client's connection and the server's.
async fn session(near: Limits, far: Limits) -> (Connection, Connection) {
    let mut options = StreamableOptions::default();
    options.limits = far;
    let (served, mut listener) = Served::bare(options).await;
    let mut client = StreamableClient::new(format!("http://{}/mcp", served.address).parse().unwrap())
        .with_options(Options::default().with_limits(near));
    let mut near = client.dial().await.unwrap();
    // The sessionless connection is not used here.
    let alone = listener.accept().await.unwrap().unwrap();
    tokio::spawn(alone.finish());
    let (caller, sender) = (Caller::new(&near.sender()), near.sender());
    let asking = async {
        caller.request("initialize", &serde_json::json!({ "protocolVersion": "2025-11-25" })).await.unwrap();
        sender.send(Notification::new("notifications/initialized")).await.unwrap();
        // It goes when the server's own stream is open.
        caller.request("ready", &()).await.unwrap();
    };
    let answering = async {
        let mut far = listener.accept().await.unwrap().unwrap();
        let mut asked = 0;
        poll_fn(|cx| {
            while asked < 2 {
                if let Some(Incoming::Request(exchange)) = ready!(far.poll_next(cx)) {
                    exchange.finish(&serde_json::json!({ "protocolVersion": "2025-11-25" }));
                    asked += 1;
                }
            }
            // What was just said goes out with the next poll.
            assert!(far.poll_next(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        far
    };
    let far = tokio::select! {
        ((), far) = async { tokio::join!(asking, answering) } => far,
        incoming = near.next() => panic!("{incoming:?}"),
    };
    tokio::spawn(async move {
        let _served = served;
        while listener.accept().await.is_some() {}
    });
    (near, far)
}

macro_rules! held {
    ($($name:ident)*) => {
        $(#[tokio::test]
        async fn $name() {
            contract::$name(&session).await;
        })*
    };
}

held! {
    bytes_stay

    both_sides_ask
    cancellation_arrives
    shutdown_finishes
    dropped_receive_loses_nothing
    dropped_send_sends_nothing
    silence_holds_back
}

/// The contract's own test of order is not among them: a server drops notifications for a stream that is read too slowly.
#[tokio::test]
async fn order_stays_on_the_way_up() {
    const NOTES: usize = 1000;
    let (near, far) = session(Limits::default(), Limits::default()).await;
    let (near, mut far) = (near.spawn(), far.spawn());
    let sender = near.sender.clone();
    tokio::spawn(async move {
        for at in 0..NOTES {
            let padding = if at % 100 == 50 { 70_000 } else { at % 300 };
            let note = Notification::with_params(&format!("n/{at}"), &["x".repeat(padding)]).unwrap();
            sender.send(note).await.unwrap();
        }
    });
    for at in 0..NOTES {
        let Some(Incoming::Notification(note, _)) = far.receiver.recv().await else { panic!() };
        assert_eq!(note.method(), format!("n/{at}"));
    }
}
