//! Keys at a URL, as time goes by: who waits for them, how long they are used, and when they are asked for again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod issuer;

use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use http::Uri;
use issuer::server::{DEADLINE, Issuer, here, pass, status};
use issuer::{By, N, Traced, bearer, claims, ed25519_key, good, judge, keys, rsa_key, token, with};
use mcp_http::jwt::Jwks;
use mcp_transport_core::ErrorKind;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A token of a key that nobody has.
fn stranger(number: usize) -> String {
    token(with(&By::Ed25519.header(), json!({ "kid": format!("k{number}") })), claims(), By::Ed25519)
}

fn set(keys: impl IntoIterator<Item = Value>) -> Value {
    json!({ "keys": keys.into_iter().collect::<Vec<_>>() })
}

#[tokio::test]
async fn one_fetch_for_a_hundred_requests() {
    let issuer = Issuer::new(keys()).await;
    issuer.open.send_replace(false);
    let authenticator = issuer.authenticator();
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let authenticator = authenticator.clone();
        requests.spawn(async move { status(&authenticator, &good(By::Ed25519)).await });
    }
    issuer.is_asked(1).await;
    assert!(requests.try_join_next().is_none());
    issuer.open.send_replace(true);
    assert_eq!(requests.join_all().await, [200; 100]);
    assert_eq!(status(&authenticator, &good(By::Es256)).await, 200);
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_fetch_for_many_threads() {
    for _ in 0..20 {
        let issuer = Issuer::new(keys()).await;
        let authenticator = issuer.authenticator();
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let authenticator = authenticator.clone();
            requests.spawn(async move { status(&authenticator, &good(By::Ed25519)).await });
        }
        let all = tokio::time::timeout(DEADLINE, requests.join_all()).await.unwrap();
        assert_eq!((all, issuer.asked()), (vec![200; 50], 1));
    }
}

#[tokio::test]
async fn a_fetch_goes_on_without_the_request_that_began_it() {
    let issuer = Issuer::new(keys()).await;
    issuer.open.send_replace(false);
    let authenticator = issuer.authenticator();
    let spawned = || {
        let authenticator = authenticator.clone();
        tokio::spawn(async move { status(&authenticator, &good(By::Ed25519)).await })
    };
    // Each one who waits takes over from the one before.
    let mut first = spawned();
    issuer.is_asked(1).await;
    for _ in 0..5 {
        let second = spawned();
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        first = second;
    }
    issuer.open.send_replace(true);
    assert_eq!(tokio::time::timeout(DEADLINE, first).await.unwrap().unwrap(), 200);
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_rests() {
    let issuer = Issuer::new(keys()).await;
    issuer.open.send_replace(false);
    let authenticator = issuer.authenticator();
    let token = good(By::Ed25519);
    let leave = |times: usize| {
        let (issuer, authenticator, token) = (&issuer, &authenticator, &token);
        async move {
            let mut request = Box::pin(status(authenticator, token));
            let mut left = Box::pin(issuer.is_asked(times));
            std::future::poll_fn(|cx| {
                assert!(request.as_mut().poll(cx).is_pending());
                left.as_mut().poll(cx)
            })
            .await;
        }
    };
    leave(1).await;
    // The next one goes on with it.
    issuer.open.send_replace(true);
    assert_eq!(status(&authenticator, &token).await, 200);
    assert_eq!(issuer.asked(), 1);

    // One that has been left for longer than any may take is begun anew, and is no failure.
    let authenticator = issuer.authenticator();
    issuer.open.send_replace(false);
    let traced = Traced::new();
    let guard = tracing::subscriber::set_default(traced.clone());
    let mut first = Box::pin(status(&authenticator, &token));
    let mut asked = Box::pin(issuer.is_asked(2));
    std::future::poll_fn(|cx| {
        assert!(first.as_mut().poll(cx).is_pending());
        asked.as_mut().poll(cx)
    })
    .await;
    pass(7 * SECOND).await;
    issuer.open.send_replace(true);
    assert_eq!(status(&authenticator, &token).await, 200);
    assert_eq!(issuer.asked(), 3);
    // Who comes back to the old one has the new keys, whatever became of it.
    assert_eq!(first.await, 200);
    drop(guard);
    assert!(!traced.text().contains("cannot be fetched"), "{}", traced.text());
}

/// Dropped after any number of polls, a request takes nothing from the others.
#[tokio::test]
async fn a_request_may_go_at_any_await() {
    for polls in 1..12 {
        let issuer = Issuer::new(keys()).await;
        let authenticator = issuer.authenticator();
        let token = good(By::Ed25519);
        let mut request = Box::pin(status(&authenticator, &token));
        let mut left = polls;
        std::future::poll_fn(|cx| {
            left -= 1;
            let done = request.as_mut().poll(cx).is_ready();
            if done || left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(request);
        assert_eq!(tokio::time::timeout(DEADLINE, status(&authenticator, &token)).await.unwrap(), 200);
        assert_eq!(issuer.asked(), 1, "after {polls} polls");
    }
}

#[tokio::test]
async fn a_new_key_is_found() {
    let old = set([rsa_key("rsa-1", N)]);
    let issuer = Issuer::new(&old).await;
    issuer.says(200, Some(("cache-control", "max-age=86400")), &old);
    let authenticator = issuer.authenticator();
    assert_eq!(status(&authenticator, &good(By::Rs256)).await, 200);
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 401);
    assert_eq!(issuer.asked(), 1, "what was just fetched is not fetched again");

    issuer.says(200, Some(("cache-control", "max-age=86400")), keys());
    pass(30 * SECOND - SECOND / 10).await;
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 401);
    assert_eq!(issuer.asked(), 1);
    pass(SECOND).await;
    assert_eq!(status(&authenticator, &good(By::Rs256)).await, 200);
    assert_eq!(issuer.asked(), 1, "a known key is no reason");
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
    assert_eq!(status(&authenticator, &good(By::Rs256)).await, 200);
    assert_eq!(issuer.asked(), 2);

    // And one that was withdrawn is forgotten.
    issuer.says(200, None, set([ed25519_key("ed-1")]));
    pass(30 * SECOND).await;
    assert_eq!(status(&authenticator, &stranger(0)).await, 401);
    assert_eq!(status(&authenticator, &good(By::Rs256)).await, 401);
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_a_fetch_in_thirty_seconds() {
    let issuer = Issuer::new(keys()).await;
    issuer.says(200, Some(("cache-control", "max-age=86400")), keys());
    let authenticator = issuer.authenticator();
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
    // Ten minutes, ten strangers a second.
    for second in 0..600 {
        for at in 0..10 {
            assert_eq!(status(&authenticator, &stranger(second * 10 + at)).await, 401);
        }
        pass(SECOND).await;
    }
    let asked = issuer.asked();
    assert!((2..=21).contains(&asked), "{asked}");
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
}

#[tokio::test]
async fn keys_are_fresh_for_as_long_as_the_issuer_says() {
    for (said, fresh) in [("", 300), ("max-age=60", 300), ("max-age=1200", 1200), ("max-age=999999", 86_400)]
    {
        let issuer = Issuer::new(keys()).await;
        issuer.says(200, Some(("cache-control", said)), keys());
        let authenticator = issuer.authenticator();
        assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
        pass(Duration::from_secs(fresh) - SECOND).await;
        assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
        assert_eq!(issuer.asked(), 1, "{said}");
        pass(SECOND).await;
        assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
        assert_eq!(issuer.asked(), 2, "{said}");
    }
}

#[tokio::test]
async fn keys_are_used_for_a_day_after_the_issuer_went_down() {
    let issuer = Issuer::new(keys()).await;
    let authenticator = issuer.authenticator();
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
    issuer.says(500, None, "canary4711");
    let mut time = Duration::ZERO;
    // Fresh for five minutes, and a day beyond that.
    while time + 10 * MINUTE < 5 * MINUTE + DAY {
        pass(10 * MINUTE).await;
        time += 10 * MINUTE;
        let before = issuer.asked();
        for _ in 0..3 {
            assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
            assert_eq!(status(&authenticator, &stranger(0)).await, 401);
        }
        assert_eq!(issuer.asked(), before + 1, "one in ten minutes is tried again, and once");
    }
    pass(5 * MINUTE + DAY - time).await;
    let judged = judge(&authenticator, &bearer(&good(By::Ed25519))).await;
    assert_eq!(judged.status(), 503);
    let wait: u64 = judged.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(judged.header("www-authenticate"), None);
    assert!(
        judged.traced.contains("cannot be fetched") && !judged.traced.contains("4711"),
        "{}",
        judged.traced
    );

    // And it comes back.
    issuer.says(200, None, keys());
    pass(MINUTE).await;
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
}

#[tokio::test]
async fn who_has_a_key_does_not_wait_for_others() {
    let issuer = Issuer::new(keys()).await;
    let authenticator = issuer.authenticator();
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
    pass(6 * MINUTE).await;
    issuer.open.send_replace(false);
    let asking = authenticator.clone();
    let first = tokio::spawn(async move { status(&asking, &good(By::Ed25519)).await });
    issuer.is_asked(2).await;
    for by in [By::Ed25519, By::Es256, By::Rs256] {
        assert_eq!(status(&authenticator, &good(by)).await, 200);
    }
    let asking = authenticator.clone();
    let second = tokio::spawn(async move { status(&asking, &stranger(0)).await });
    tokio::task::yield_now().await;
    assert!(!first.is_finished() && !second.is_finished());
    issuer.open.send_replace(true);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (200, 401));
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn pauses_between_failures_grow_to_a_minute() {
    let issuer = Issuer::new("nothing").await;
    let authenticator = issuer.authenticator();
    let mut longest = Duration::from_secs(1);
    for failures in 1..10 {
        let judged = judge(&authenticator, &bearer(&good(By::Ed25519))).await;
        assert_eq!((judged.status(), issuer.asked()), (503, failures));
        let wait: u64 = judged.header("retry-after").unwrap().parse().unwrap();
        assert!(wait >= 1 && Duration::from_secs(wait) <= longest, "{wait} {longest:?}");
        assert_eq!(judged.traced.matches("cannot be fetched").count(), 1);
        // At least a half of the pause is kept.
        pass(longest / 2 - SECOND / 5).await;
        let judged = judge(&authenticator, &bearer(&good(By::Ed25519))).await;
        assert_eq!((judged.status(), issuer.asked()), (503, failures));
        assert_eq!(judged.traced, "", "a request that asks nobody says nothing");
        pass(longest / 2 + SECOND / 5).await;
        longest = (longest * 2).min(MINUTE);
    }
    issuer.says(200, None, keys());
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
    // And begin anew after a success.
    issuer.says(500, None, "");
    pass(5 * MINUTE + DAY).await;
    let judged = judge(&authenticator, &bearer(&good(By::Ed25519))).await;
    assert_eq!((judged.status(), judged.header("retry-after")), (503, Some("1")));
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_given_five_seconds() {
    let issuer = Issuer::new(keys()).await;
    issuer.open.send_replace(false);
    let authenticator = issuer.authenticator();
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        let authenticator = authenticator.clone();
        requests.spawn(async move { status(&authenticator, &good(By::Ed25519)).await });
    }
    issuer.is_asked(1).await;
    pass(Duration::from_millis(4900)).await;
    tokio::task::yield_now().await;
    assert!(requests.try_join_next().is_none());
    pass(Duration::from_millis(100)).await;
    let all = tokio::time::timeout(DEADLINE, requests.join_all()).await.unwrap();
    assert_eq!((all, issuer.asked()), (vec![503; 10], 1));
    issuer.open.send_replace(true);
    pass(SECOND).await;
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
}

/// The time is that of the whole fetch, and not of each of its parts.
#[tokio::test]
async fn an_issuer_that_trickles_is_given_five_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    let (wrote, written) = watch::channel(0);
    let trickling = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        while socket.write_all(b" ").await.is_ok() {
            wrote.send_modify(|count| *count += 1);
            tokio::time::sleep(SECOND).await;
        }
    });
    let jwks = Jwks::from_url(uri, here()).unwrap();
    let fetching = tokio::spawn(async move { jwks.prefetch().await });
    let mut seconds = 0;
    while !fetching.is_finished() {
        let mut written = written.clone();
        tokio::time::timeout(DEADLINE, written.wait_for(|count| *count > seconds)).await.unwrap().unwrap();
        pass(SECOND).await;
        seconds += 1;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(seconds <= 5, "goes on for {seconds} s");
    }
    assert_eq!(fetching.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    trickling.abort();
}
