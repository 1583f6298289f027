//! The end, and what everybody learns of it.

use std::future::Future;

use super::{polled, within};
use crate::{Caller, CloseReason, Connection, ErrorKind, Limits, State};

/// One side closes: both know why, and every pending call ends with it.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn close_is_told<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    let (near, far) = connect(Limits::default(), Limits::default()).await;
    let (mut near, mut far) = (near.spawn(), far.spawn());
    let callers = [Caller::new(&near.sender), Caller::new(&far.sender)];
    let calls = callers.map(|caller| tokio::spawn(async move { caller.request("never", &()).await }));
    // Both requests are on their way before the end.
    within("a request", far.receiver.recv()).await.expect("the connection is open");
    near.control.close();
    let here = within("the end here", near.control.closed()).await;
    assert!(matches!(*here, CloseReason::ClosedHere), "{here}");
    let there = within("the end there", far.control.closed()).await;
    assert!(!matches!(*there, CloseReason::ClosedHere), "the far side did not close by itself");
    for call in calls {
        let ended = within("a pending call", call).await.expect("a call panicked");
        // The first one may have had the answer that dropping its exchange is.
        if let Err(error) = ended {
            assert_eq!(error.kind(), ErrorKind::Closed);
            assert!(error.close_reason().is_some());
        }
    }
    for end in [&mut near, &mut far] {
        while within("the end of input", end.receiver.recv()).await.is_some() {}
    }
    for end in [near.control, far.control] {
        let health = end.health();
        assert_eq!((health.state, health.pending, health.in_flight), (State::Closed, 0, 0), "{health:?}");
    }
    let late = far.sender.send(mcp_jsonrpc::Notification::new("late")).await;
    assert_eq!(late.expect_err("it has ended").kind(), ErrorKind::Closed);
}

/// One side is dropped without a word: the other sees the end at once, and its pending calls do.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn vanishing_is_told<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    let (near, mut far) = connect(Limits::default(), Limits::default()).await;
    let (endpoint, driver) = near.split();
    let driving = tokio::spawn(driver);
    let caller = Caller::new(&endpoint.sender);
    let call = tokio::spawn(async move { caller.request("never", &()).await });
    let request = within("a request", far.next()).await.expect("the connection is open");
    assert!(polled(1, far.next()).await.is_none());
    // The exchange is kept, so that nothing answers it.
    drop(far);
    let ended = within("a pending call", call).await.expect("the call panicked");
    assert_eq!(ended.expect_err("nobody answered").kind(), ErrorKind::Closed);
    let reason = within("the end", driving).await.expect("the driver panicked");
    assert!(!matches!(*reason, CloseReason::ClosedHere), "{reason}");
    drop(request);
}
