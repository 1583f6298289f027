//! What arrives is what was sent, in the order in which it was sent.

use std::future::Future;

use super::{number, numbered, parse, within};
use crate::{Connection, Endpoint, Incoming, Limits};

/// Texts that a careless hand changes.
const TEXTS: &[&str] = &[
    r#"{"jsonrpc":"2.0","method":"m"}"#,
    r#"{"z":1,"params":{"b":1,"a":2},"method":"order/of/keys","a":[],"jsonrpc":"2.0"}"#,
    r#"{"jsonrpc":"2.0","method":"unknown/members","_x":{"deep":[{"er":null}]},"params":{}}"#,
    r#"{"jsonrpc":"2.0","method":"numbers","params":[1e2,1.0,-0,0.10,12345678901234567890,1E+2]}"#,
    r#"{"jsonrpc":"2.0","method":"escapes","params":["\u0061\/\n\u2028","\ud800 alone","\u0000"]}"#,
    "{\"jsonrpc\":\"2.0\",\"method\":\"unicode\",\"params\":[\"\u{2028}\u{85}\u{7f} ☃ 🦀 \u{feff}\"]}",
    r#"{"jsonrpc":"2.0","method":"duplicates","params":{"a":1,"a":2,"a":1}}"#,
    "\u{20}{ \"jsonrpc\" : \"2.0\" ,\t\"method\" : \"white space\" , \"params\" : [ ] } ",
    r#"{"jsonrpc":"2.0","id":"a\u0062c","method":"escaped/id"}"#,
    r#"{"jsonrpc":"2.0","id":-12345678901234567890,"method":"long/id"}"#,
    r#"{"jsonrpc":"2.0","id":"nobody asked","result":{"x":1e2}}"#,
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m","data":1.0,"more":[]}}"#,
    "{\r\n  \"jsonrpc\": \"2.0\",\n  \"method\": \"line/breaks\",\r  \"params\": {\n\n}\n}",
];

/// Messages pass byte for byte, in both directions; raw line breaks between tokens become spaces, and nothing else
/// changes.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn bytes_stay<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    let (near, far) = connect(Limits::default(), Limits::default()).await;
    let (mut near, mut far) = (near.spawn(), far.spawn());
    for text in TEXTS {
        passes(&mut near, &mut far, text).await;
        passes(&mut far, &mut near, text).await;
    }
}

async fn passes(from: &mut Endpoint, to: &mut Endpoint, text: &str) {
    from.sender.send(parse(text)).await.expect("the connection is open");
    let incoming = within(text, to.receiver.recv()).await.expect("the connection is open");
    let arrived = match &incoming {
        Incoming::Request(exchange) => exchange.request().as_bytes(),
        Incoming::Notification(notification, _) => notification.as_bytes(),
        Incoming::Response(response, _) => response.as_bytes(),
        Incoming::Malformed(malformed, _) => panic!("{text:?} arrived as {malformed:?}"),
    };
    // A transport may be free to cut white space around a message, which is not part of it.
    let sent = text.replace(['\r', '\n'], " ");
    assert_eq!(arrived.trim_ascii(), sent.as_bytes().trim_ascii(), "{text:?} arrived changed");
    if let Incoming::Request(exchange) = incoming {
        let id = exchange.responder().id().clone();
        exchange.finish(&[1]);
        let answer = within(text, from.receiver.recv()).await.expect("the connection is open");
        let Incoming::Response(answer, _) = answer else { panic!("{answer:?} answers {text:?}") };
        let echoed = answer.id().expect("an answer has the id of its request");
        assert_eq!(echoed.as_json(), id.as_json(), "the id is echoed as written");
    }
}

/// Thousands of messages, from a few bytes to a megabyte, arrive once and in order in both directions at once.
///
/// # Panics
///
/// Where the transport falls short.
pub async fn order_stays<F, Fut>(connect: &F)
where
    F: Fn(Limits, Limits) -> Fut,
    Fut: Future<Output = (Connection, Connection)>,
{
    const MESSAGES: usize = 3000;
    let (near, far) = connect(Limits::default(), Limits::default()).await;
    let ends = [near.spawn(), far.spawn()];
    let (mut tasks, mut kept) = (Vec::new(), Vec::new());
    for end in ends {
        let Endpoint { sender, mut receiver, control } = end;
        tasks.push(tokio::spawn(async move {
            for at in 0..MESSAGES {
                sender.send(numbered(at, padding(at))).await.expect("the connection is open");
            }
        }));
        tasks.push(tokio::spawn(async move {
            for at in 0..MESSAGES {
                let incoming = receiver.recv().await.expect("the connection is open");
                assert_eq!(number(&incoming), at, "out of order");
            }
        }));
        // Both ends stay until both have read everything.
        kept.push(control);
    }
    within("order", async {
        for task in tasks {
            task.await.expect("a task of this test panicked");
        }
    })
    .await;
}

fn padding(at: usize) -> usize {
    match at {
        _ if at % 1000 == 999 => 1024 * 1024,
        _ if at % 100 == 50 => 70_000,
        _ if at % 10 == 5 => 5_000,
        _ => at % 300,
    }
}
