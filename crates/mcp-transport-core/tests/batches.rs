//! Batches, where they are accepted.

mod raw;

use mcp_jsonrpc::ScanLimits;
use mcp_transport_core::{Incoming, Limits, Options};

/// What a server sees of this text, and what its peer hears.
async fn conversation(options: Options, text: &str) -> (Vec<String>, Vec<String>) {
    let (mut connection, mut peer) = raw::peer_with(64 * 1024, options);
    peer.say(text).await;
    peer.stop_talking().await;
    let mut seen = Vec::new();
    while let Some(incoming) = connection.next().await {
        seen.push(match incoming {
            Incoming::Request(exchange) => {
                let seen = format!("request {}", exchange.request().id());
                exchange.finish(&());
                seen
            }
            Incoming::Notification(notification, _) => format!("notification {}", notification.method()),
            Incoming::Malformed(malformed, _) => format!("malformed: {}", malformed.fault()),
            other => panic!("{other:?}"),
        });
    }
    drop(connection);
    (seen, peer.hear_all().await)
}

fn accepting() -> Options {
    Options::new("raw").with_batches()
}

const MIXED: &str = r#"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","method":"n"},7,{"jsonrpc":"2.0","id":"2","method":"b"}]"#;

#[tokio::test(start_paused = true)]
async fn each_message_of_a_batch_is_one() {
    let (seen, heard) = conversation(accepting(), MIXED).await;
    assert_eq!(seen, ["request 1", "notification n", "malformed: not a JSON object", "request \"2\""]);
    assert_eq!(
        heard,
        [r#"{"jsonrpc":"2.0","id":1,"result":null}"#, r#"{"jsonrpc":"2.0","id":"2","result":null}"#]
    );
}

#[tokio::test(start_paused = true)]
async fn where_nobody_asked_for_it_a_batch_is_refused() {
    let (seen, heard) = conversation(Options::new("raw"), MIXED).await;
    assert_eq!(seen, ["malformed: batches are not accepted here"]);
    assert!(heard.is_empty(), "it has no id to be answered under");
}

#[tokio::test(start_paused = true)]
async fn initialize_is_never_part_of_a_batch() {
    let text = r#"[{"jsonrpc":"2.0","id":1,"method":"initialize"},{"jsonrpc":"2.0","id":2,"method":"a"}]"#;
    let (seen, heard) = conversation(accepting(), text).await;
    assert_eq!(seen, ["malformed: batches are not accepted here", "request 2"]);
    assert_eq!(heard.len(), 2);
    assert!(heard.iter().any(|line| line.contains(r#""id":1,"error":{"code":-32600"#)), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn its_length_is_bounded() {
    let mut limits = Limits::default();
    let mut scan = ScanLimits::default();
    scan.max_batch = 2;
    limits.scan = scan;
    let options = || accepting().with_limits(limits);
    let batch = |count| format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"n"}"#; count].join(","));
    for (count, expected) in [(1, 1), (2, 2)] {
        assert_eq!(conversation(options(), &batch(count)).await.0, vec!["notification n"; expected]);
    }
    for count in [0, 3] {
        let (seen, _) = conversation(options(), &batch(count)).await;
        assert_eq!(seen, ["malformed: an empty batch, or one with too many messages"], "{count}");
    }
}
