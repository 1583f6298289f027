//! What every transport has to hold, over our client, a real socket and our server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use mcp_http::HttpRefused;
use mcp_sse::SseOptions;
use mcp_transport_core::{Connection, Incoming, Limits, Options, Transport, contract};

use served::Served;

async fn client_is_near(near: Limits, far: Limits) -> (Connection, Connection) {
    let mut options = SseOptions::default();
    options.limits = far;
    let mut served = Served::new(options).await;
    let mut client = served.client().with_options(Options::default().with_limits(near));
    let near = client.dial().await.unwrap();
    (near, served.connection().await)
}

async fn server_is_near(near: Limits, far: Limits) -> (Connection, Connection) {
    let (client, server) = client_is_near(far, near).await;
    (server, client)
}

/// All but one: what is too large for the server is refused by HTTP, with 413 and before it is a message, so what its
/// contract says of the answer holds in the other direction only.
async fn all_of_the_client() {
    contract::bytes_stay(&client_is_near).await;
    contract::order_stays(&client_is_near).await;
    contract::both_sides_ask(&client_is_near).await;
    contract::cancellation_arrives(&client_is_near).await;
    contract::shutdown_finishes(&client_is_near).await;
    contract::dropped_receive_loses_nothing(&client_is_near).await;
    contract::dropped_send_sends_nothing(&client_is_near).await;
    contract::silence_holds_back(&client_is_near).await;
    contract::close_is_told(&client_is_near).await;
    contract::vanishing_is_told(&client_is_near).await;
    contract::storm(&client_is_near, 1).await;
}

#[tokio::test]
async fn held_by_the_client() {
    all_of_the_client().await;
}

#[tokio::test]
async fn held_by_the_server() {
    contract::all(server_is_near).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_on_two_threads() {
    all_of_the_client().await;
    contract::all(server_is_near).await;
}

#[tokio::test]
async fn a_call_that_is_too_large_fails_alone() {
    let far = Limits::default().with_max_message(10_000);
    let (near, mut far) = client_is_near(Limits::default(), far).await;
    let caller = near.spawn().into_caller();
    let (large, small) = (["x".repeat(10_000)], ["x"]);
    let calls = async { tokio::join!(caller.request("large", &large), caller.request("small", &small)) };
    let answers = async {
        while let Some(Incoming::Request(exchange)) = far.next().await {
            assert_eq!(exchange.request().method(), "small");
            exchange.finish(&1);
        }
    };
    let (large, small) = tokio::select! {
        both = calls => both,
        () = answers => panic!("it ended"),
    };
    assert!(small.is_ok());
    let error = large.unwrap_err();
    assert_eq!(HttpRefused::of(&error).unwrap().status(), 413, "{error}");
}

#[tokio::test]
async fn storms_of_other_seeds() {
    contract::storm(&client_is_near, 2).await;
    contract::storm(&server_is_near, 3).await;
}
