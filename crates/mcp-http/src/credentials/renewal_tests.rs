use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::time::advance;

use super::*;

/// Fetches what it is told, one after the other, and counts.
#[derive(Clone)]
struct Fetched(Arc<AtomicUsize>, &'static [Result<&'static str, &'static str>]);

impl Fetched {
    fn new(says: &'static [Result<&'static str, &'static str>]) -> Self {
        Self(Arc::default(), says)
    }

    fn fetch(&self) -> Fetch {
        let says = self.1[self.0.fetch_add(1, SeqCst)];
        Box::pin(async move {
            tokio::task::yield_now().await;
            says.map(str::to_owned).map_err(|what| Error::new(ErrorKind::Io, what))
        })
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

async fn next(renewal: &Renewal, fetched: &Fetched) -> String {
    match renewal.next(|| fetched.fetch()).await {
        Ok(value) => value.to_str().unwrap().to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn refused(renewal: &Renewal, sent: &'static str, fetched: &Fetched) -> Result<bool, String> {
    let sent = HeaderValue::from_static(sent);
    renewal.refused(&sent, || fetched.fetch()).await.map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn it_is_kept_until_it_is_refused_and_the_interval_is_over() {
    let (renewal, fetched) = (Renewal::new(), Fetched::new(&[Ok("a"), Ok("b"), Ok("b"), Ok("c")]));
    for _ in 0..3 {
        assert_eq!(next(&renewal, &fetched).await, "Bearer a");
    }
    advance(INTERVAL - Duration::from_millis(1)).await;
    assert_eq!(refused(&renewal, "Bearer a", &fetched).await, Ok(false));
    assert_eq!((next(&renewal, &fetched).await.as_str(), fetched.count()), ("Bearer a", 1));
    advance(Duration::from_millis(1)).await;
    assert_eq!(refused(&renewal, "Bearer a", &fetched).await, Ok(true));
    // Somebody who was late finds another one there, however soon.
    assert_eq!(refused(&renewal, "Bearer a", &fetched).await, Ok(true));
    assert_eq!((next(&renewal, &fetched).await.as_str(), fetched.count()), ("Bearer b", 2));
    // The same again is not worth a try.
    advance(INTERVAL).await;
    assert_eq!(refused(&renewal, "Bearer b", &fetched).await, Ok(false));
    assert_eq!(refused(&renewal, "Bearer b", &fetched).await, Ok(false));
    assert_eq!(fetched.count(), 3);
    advance(INTERVAL).await;
    assert_eq!(refused(&renewal, "Bearer b", &fetched).await, Ok(true));
    assert_eq!(next(&renewal, &fetched).await, "Bearer c");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_for_the_interval() {
    let says = &[Err("first"), Ok("a"), Err("second"), Ok(" no token "), Ok("b")];
    let (renewal, fetched) = (Renewal::new(), Fetched::new(says));
    for _ in 0..3 {
        assert_eq!(next(&renewal, &fetched).await, "first");
    }
    assert_eq!(refused(&renewal, "Bearer x", &fetched).await, Ok(false));
    assert_eq!(fetched.count(), 1);
    advance(INTERVAL).await;
    assert_eq!(next(&renewal, &fetched).await, "Bearer a");
    // A refresh that fails leaves what is there.
    for error in ["second", "what was fetched is no bearer token"] {
        advance(INTERVAL).await;
        assert_eq!(refused(&renewal, "Bearer a", &fetched).await, Err(error.to_owned()));
        assert_eq!(refused(&renewal, "Bearer a", &fetched).await, Ok(false));
        assert_eq!(next(&renewal, &fetched).await, "Bearer a");
    }
    advance(INTERVAL).await;
    assert_eq!(refused(&renewal, "Bearer a", &fetched).await, Ok(true));
    assert_eq!((next(&renewal, &fetched).await.as_str(), fetched.count()), ("Bearer b", 5));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_and_says_nothing() {
    let renewal = Renewal::new();
    let panics = || -> Fetch { Box::pin(async { panic!("canary") }) };
    for _ in 0..2 {
        let error = renewal.next(panics).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Internal, "the task of a token has failed")
        );
        assert!(std::error::Error::source(&error).is_none());
        advance(INTERVAL).await;
    }
    let fetched = Fetched::new(&[Ok("a")]);
    assert_eq!(next(&renewal, &fetched).await, "Bearer a");
}

/// The task ends with the value, and nothing is left of it.
#[tokio::test]
async fn nobody_fetches_for_nobody() {
    let renewal = Arc::new(Renewal::new());
    let held = Arc::new(());
    let holds = held.clone();
    let asks = renewal.clone();
    let asking = tokio::spawn(async move {
        let fetch = move || -> Fetch {
            Box::pin(async move {
                let _held = holds;
                std::future::pending().await
            })
        };
        asks.next(fetch).await.map(drop)
    });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&held), 2);
    drop(renewal);
    while Arc::strong_count(&held) > 1 {
        tokio::task::yield_now().await;
    }
}
