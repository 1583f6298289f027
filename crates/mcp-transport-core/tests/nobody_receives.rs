//! A connection of somebody who only asks.

use mcp_jsonrpc::Outcome;
use mcp_transport_core::{Connection, Options};

#[tokio::test(start_paused = true)]
async fn requests_are_refused_and_a_ping_is_answered() {
    let (near, far) = Connection::pair(Options::default(), Options::default());
    let only_asks = near.spawn().into_caller();
    let far = far.spawn();
    let control = far.control.clone();
    let caller = far.into_caller();

    let pong = caller.request("ping", &()).await.expect("answered");
    assert_eq!(pong.result_raw(), Some(&b"{}"[..]));

    let refused = caller.request("sampling/createMessage", &()).await.expect("answered");
    let Outcome::Error(error) = refused.outcome() else { panic!("refused") };
    assert_eq!(error.code().0, -32601);
    assert_eq!(control.health().pending, 0);
    drop(only_asks);
}
