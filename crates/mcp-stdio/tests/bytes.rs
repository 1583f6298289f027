//! A message passes byte for byte: out to a child that sends lines back as they are, and in again.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_jsonrpc::{Message, Request, Response, ScanLimits};
use mcp_stdio::{CommandSpec, StdioClient};
use mcp_transport_core::{Endpoint, Incoming, Options, Tap};
use tokio::time::timeout;

#[derive(Default)]
struct Seen {
    received: Mutex<Vec<Vec<u8>>>,
    sent: Mutex<Vec<Vec<u8>>>,
}

impl Tap for Seen {
    fn received(&self, text: &[u8]) {
        self.received.lock().unwrap().push(text.to_vec());
    }
    fn sent(&self, text: &[u8]) {
        self.sent.lock().unwrap().push(text.to_vec());
    }
}

fn cat(seen: &Arc<Seen>) -> Endpoint {
    let options = Options::default().with_tap(seen.clone());
    StdioClient::new(CommandSpec::new("cat")).with_options(options).start().unwrap().spawn()
}

fn parse(text: &str) -> Message {
    Message::parse(text.to_owned(), &ScanLimits::default()).unwrap()
}

/// The text of what comes in.
fn text(incoming: &Incoming) -> Vec<u8> {
    match incoming {
        Incoming::Request(exchange) => exchange.request().as_bytes().to_vec(),
        Incoming::Notification(notification, _) => notification.as_bytes().to_vec(),
        Incoming::Response(response, _) => response.as_bytes().to_vec(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_byte_stays_and_line_breaks_become_spaces() {
    let table = [
        // Unknown members, and the order of keys.
        r#"{"id":1,"zeta":[],"jsonrpc":"2.0","alpha":{"b":1,"a":2},"method":"m","_meta":null}"#,
        // Numbers as they are written.
        r#"{"jsonrpc":"2.0","method":"n","params":[1e2,1.0,-0,0.10,12345678901234567890,1E+400,100000000000000000000000]}"#,
        // Escapes as they are written, in keys and methods too.
        r#"{"jsonrpc":"2.0","method":"\u006dethod\/x","params":{"\u0061":"\ud83e\udd80\/\b\u000A","é":"🦀\u2028"}}"#,
        r#"{"\u006dethod":"m","jsonrpc":"2\u002e0"}"#,
        // Duplicate keys in params.
        r#"{"jsonrpc":"2.0","method":"d","params":{"a":1,"a":2,"a":{"a":1,"a":1}}}"#,
        // Ids as they are written.
        r#"{"jsonrpc":"2.0","id":"\u0061\"b","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":98765432109876543210,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"","x":1.50}}"#,
        // Blanks between tokens, and around.
        " {\t\"jsonrpc\" : \"2.0\" , \"method\":\"m\"  } ",
        // Separators that are no line breaks of ours.
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[\"\u{2028}\u{2029}\u{85}\u{7f}\"]}",
        // Raw line breaks between tokens.
        "{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 7,\r  \"result\": {\n\n}\n}",
        "\r\n{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\r",
    ];
    let seen = Arc::new(Seen::default());
    let mut endpoint = cat(&seen);
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, "long \\u0041 ".repeat(100_000));
    let pretty = format!("{{\"jsonrpc\":\"2.0\",\n\"id\":1,\n\"result\":[\n{}1]}}", "1.0,\n".repeat(100_000));
    let texts: Vec<&str> = table.into_iter().chain([&*long, &*pretty]).collect();
    for was in &texts {
        endpoint.sender.send(parse(was)).await.unwrap();
        let incoming = timeout(Duration::from_secs(20), endpoint.receiver.recv()).await.unwrap().unwrap();
        let expected = was.replace(['\n', '\r'], " ");
        assert_eq!(expected.len(), was.len());
        let is = text(&incoming);
        assert!(is == expected.as_bytes(), "{} became {}", &was[..60], String::from_utf8_lossy(&is[..60]));
        if let Incoming::Request(exchange) = incoming {
            // Its answer goes to the child too, and comes back as a response that nobody waits for.
            let raw = r#"{"result":{"a":1.0,"a":1e2},"jsonrpc":"2.0","id":"other"}"#;
            let Message::Response(response) = parse(raw) else { panic!() };
            exchange.into_parts().2.respond(response);
            let back = timeout(Duration::from_secs(20), endpoint.receiver.recv()).await.unwrap().unwrap();
            assert_eq!(text(&back), raw.replace("\"other\"", "1").as_bytes());
        }
    }
    // The wire carried the same as the messages hold.
    let (sent, received) = (seen.sent.lock().unwrap(), seen.received.lock().unwrap());
    assert_eq!(sent.len(), texts.len() + 1);
    assert!(*sent == *received);
}

/// As a proxy asks: the child sends the request itself back, and so nobody answers it but us.
#[tokio::test]
async fn a_relayed_request_changes_in_its_id_only() {
    let seen = Arc::new(Seen::default());
    let mut endpoint = cat(&seen);
    let caller = mcp_transport_core::Caller::new(&endpoint.sender);
    let raw = r#"{"x":1e2,"params":{"b":1.0,"a":[1,1]},"id":"theirs","method":"m","jsonrpc":"2.0"}"#;
    let Message::Request(request) = parse(raw) else { panic!() };
    let relaying = tokio::spawn({
        let request: Request = request.clone();
        async move { caller.relay(&request).await }
    });
    let incoming = timeout(Duration::from_secs(20), endpoint.receiver.recv()).await.unwrap();
    let Some(Incoming::Request(exchange)) = incoming else { panic!() };
    assert_eq!(exchange.request().as_bytes(), raw.replace("\"theirs\"", "1").as_bytes());
    let answer = r#"{"id":"ours","result":[1.50,{"a":1,"a":2}],"jsonrpc":"2.0","y":0}"#;
    let Message::Response(response): Message = parse(answer) else { panic!() };
    exchange.into_parts().2.respond(response);
    let response: Response = timeout(Duration::from_secs(20), relaying).await.unwrap().unwrap().unwrap();
    assert_eq!(response.as_bytes(), answer.replace("\"ours\"", "\"theirs\"").as_bytes());
}
