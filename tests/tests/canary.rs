//! Nothing secret is ever logged, shown by `Debug` or part of an error: not by us and not by what we are made of.
//!
//! Conversations are held over every binding, with a secret in every place where one may be, while everything is kept
//! that any target logs at any level, what panics say, and what every public type shows of itself. Then it is looked
//! through for the secrets, in several spellings.
//!
//! What is not looked at: the `Debug` of types of the crate `http` that are a request or a response as it is
//! ([`http::request::Parts`], [`http::Response`]).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod leaks;
mod whole;
mod wire;

use leaks::secrets::Secrets;
use leaks::{conversations, refusals, requests, things, ways};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said() {
    let secrets = Secrets::start();
    requests::requests(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in requests by hand");
    conversations::conversations(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in conversations");
    refusals::refusals(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in refusals");
    ways::ways(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "on the way");
    things::things(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in things");

    // It was listened to.
    for said in [
        "mcp.http: request refused",
        "mcp.message: direction",
        "hyper_util::",
        "rustls::",
        "panic: ",
        "Exchange {",
    ] {
        assert!(secrets.has_said(said), "{said} was not heard");
    }
    let leak = secrets.make("leak");
    tracing::trace!(target: "anybody", bytes = ?leak.as_bytes(), "shown");
    let found = secrets.found();
    assert!(found.len() == 1 && found[0].contains("anybody"), "{found:?}");
}
