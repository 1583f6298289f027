//! Bounds: a peer that does not read, and messages that are too large.

use std::future::Future;
use std::time::Duration;

use mcp_jsonrpc::{Fault, Notification, Outcome};

use super::{number, numbered, parse, within};
use crate::{CallOptions, Caller, Connection, ErrorKind, Incoming, Limits};

/// What a transport may hold by itself: the buffers of the system, which grow to a few megabytes for sockets.
const OWN_BUFFERS: usize = 16 * 1024 * 1024;
/// A sender that finds no room for so long is held back. Taken too early it is no harm: the bound holds all the more.
const QUIET: Duration = Duration::from_millis(50);

/// A peer that does not read holds its sender back, within the bounds; then it reads, and nothing was lost.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn silence_holds_back<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    const PADDING: usize = 60_000;
    let limits = Limits::default().with_outbound_bytes(256 * 1024).with_inbound_bytes(256 * 1024);
    let (near, far) = connect(limits, limits).await;
    let (mut near, mut far) = (near.spawn(), far.spawn());
    let most = (OWN_BUFFERS + 512 * 1024) / PADDING;
    let mut sent = 0;
    while let Ok(done) = tokio::time::timeout(QUIET, near.sender.send(numbered(sent, PADDING))).await {
        done.expect("the connection is open");
        sent += 1;
        assert!(sent <= most, "{sent} messages of {PADDING} bytes went to a peer that does not read");
    }
    assert!(near.control.health().outbound_bytes <= 256 * 1024);
    // The other direction goes on meanwhile.
    far.sender.send(numbered(7, 0)).await.expect("the connection is open");
    let other = within("the other direction", near.receiver.recv()).await.expect("the connection is open");
    assert_eq!(number(&other), 7);
    for at in 0..sent {
        let incoming =
            within("what was held back", far.receiver.recv()).await.expect("the connection is open");
        assert_eq!(number(&incoming), at);
    }
    near.sender.send(numbered(sent, 0)).await.expect("there is room again");
    let last = within("the next message", far.receiver.recv()).await.expect("the connection is open");
    assert_eq!(number(&last), sent);
}

/// A message above the sender's limit is refused to the sender; one above the receiver's is reported there with its id,
/// its sender is told, and its neighbours arrive.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn oversize_is_refused<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    const SMALL: usize = 10_000;
    let (near, far) = connect(Limits::default(), Limits::default().with_max_message(SMALL)).await;
    let (mut near, mut far) = (near.spawn(), far.spawn());

    let error = far.sender.send(numbered(0, SMALL)).await.expect_err("it is above the limit");
    assert_eq!(error.kind(), ErrorKind::Limit);
    far.sender.send(numbered(1, 0)).await.expect("the connection is open");
    let next = within("the next message", near.receiver.recv()).await.expect("the connection is open");
    assert_eq!(number(&next), 1, "what was refused was sent");

    near.sender.send(numbered(2, 0)).await.expect("the connection is open");
    near.sender.send(numbered(3, 20 * SMALL)).await.expect("the connection is open");
    let caller = Caller::new(&near.sender).with_options(CallOptions::timeout(Duration::from_secs(30)));
    let large = ["x".repeat(3 * SMALL)];
    let response = within("an oversize request", caller.request("large", &large)).await;
    let response = response.expect("its sender is told");
    let Outcome::Error(error) = response.outcome() else { panic!("an oversize request had a result") };
    assert_eq!(error.reason().as_deref(), Some("too_large"));
    // Written with the id last, as the TypeScript SDK does.
    let text = format!(r#"{{"jsonrpc":"2.0","method":"m","params":["{}"],"id":"last"}}"#, "x".repeat(SMALL));
    near.sender.send(parse(&text)).await.expect("the connection is open");
    near.sender.send(Notification::new("n/4")).await.expect("the connection is open");

    let mut next = async || within("a message", far.receiver.recv()).await.expect("the connection is open");
    assert_eq!(number(&next().await), 2);
    for id in [None, Some("1".to_owned()), Some("\"last\"".to_owned())] {
        let incoming = next().await;
        let Incoming::Malformed(malformed, _) = incoming else { panic!("{incoming:?} is not too large") };
        assert_eq!(malformed.fault(), Fault::TooLarge);
        assert_eq!(malformed.id().map(|id| String::from_utf8_lossy(id.as_json()).into_owned()), id);
    }
    assert_eq!(number(&next().await), 4, "the neighbour of an oversize message was lost");
    assert_eq!(far.control.health().malformed, 3);
}
