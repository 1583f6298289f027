//! Input that is no message.

use mcp_jsonrpc::{Fault, Message, ScanLimits};

use super::within;
use crate::{Connection, Incoming};

/// What is sent, what is found wrong with it, and the id of the one answer if there is one.
fn table() -> Vec<(Vec<u8>, Fault, Option<&'static str>)> {
    let deep = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{}{}}}"#, "[".repeat(128), "]".repeat(128));
    vec![
        (b"not json".to_vec(), Fault::Syntax, None),
        (b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\xfe\"}".to_vec(), Fault::Utf8, None),
        (b"42".to_vec(), Fault::NotAnObject, None),
        (br#"[{"jsonrpc":"2.0","method":"m"}]"#.to_vec(), Fault::Batch, None),
        (deep.into_bytes(), Fault::Depth, None),
        (br#"{"jsonrpc":"1.0","id":1,"method":"m"}"#.to_vec(), Fault::Version, Some("1")),
        (br#"{"id":"x","method":"m"}"#.to_vec(), Fault::Version, Some("\"x\"")),
        (br#"{"jsonrpc":"2.0","id":null,"method":"m"}"#.to_vec(), Fault::IdKind, None),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#.to_vec(), Fault::IdKind, None),
        (br#"{"jsonrpc":"2.0","id":[1],"method":"m"}"#.to_vec(), Fault::IdKind, None),
        (br#"{"jsonrpc":"2.0","id":true,"method":"m"}"#.to_vec(), Fault::IdKind, None),
        (br#"{"jsonrpc":"2.0","id":2,"method":"m","params":3}"#.to_vec(), Fault::Params, Some("2")),
        (br#"{"jsonrpc":"2.0","id":3,"result":1,"error":{}}"#.to_vec(), Fault::Ambiguous, None),
        (br#"{"jsonrpc":"2.0","id":4}"#.to_vec(), Fault::Incomplete, Some("4")),
    ]
}

/// Malformed input between two messages is reported, answered where it is to be answered, and costs nothing else.
///
/// `connection` is the end under test, and `peer` the other end's raw side: `send` puts bytes on the wire as the
/// transport frames one message, `recv` takes the next message that comes back.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn malformed(
    connection: Connection,
    mut send: impl AsyncFnMut(Vec<u8>),
    mut recv: impl AsyncFnMut() -> Vec<u8>,
) {
    let mut end = connection.spawn();
    for (at, (text, fault, answered)) in table().into_iter().enumerate() {
        let shown = String::from_utf8_lossy(&text).into_owned();
        let before = end.control.health();
        send(text).await;
        let id = 1000 + at;
        send(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"after"}}"#).into_bytes()).await;
        let incoming = within(&shown, end.receiver.recv()).await.expect("garbage ends no connection");
        let Incoming::Malformed(malformed, _) = incoming else { panic!("{shown} arrived as {incoming:?}") };
        assert_eq!(malformed.fault(), fault, "{shown}");
        let next = within("its neighbour", end.receiver.recv()).await.expect("garbage ends no connection");
        let Incoming::Request(exchange) = next else { panic!("{next:?} came after {shown}") };
        exchange.finish(&[1]);
        let mut ids = Vec::new();
        while ids.len() < 1 + usize::from(answered.is_some()) {
            let answer = within("an answer", recv()).await;
            let answer = Message::parse(answer, &ScanLimits::default()).expect("answers are well formed");
            ids.push(answer.id().expect("it has an id").to_string());
        }
        let own = id.to_string();
        assert!(ids.contains(&own), "{shown}: {ids:?} is answered, and not {own}");
        if let Some(answered) = answered {
            assert!(ids.iter().any(|id| id == answered), "{shown}: {ids:?} is answered, and not {answered}");
        }
        assert_eq!(end.control.health().malformed, before.malformed + 1, "{shown}");
    }
    assert!(end.control.close_reason().is_none());
}
