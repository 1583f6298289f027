//! A message goes out as it came in; another id changes the id and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod cases;
mod generated;

use bytes::Bytes;
use cases::{cases, envelope};
use generated::{message, runs};
use mcp_jsonrpc::{Id, Message, Outcome, ScanLimits};
use proptest::prelude::*;

fn parse(text: impl Into<Bytes>) -> Message {
    Message::parse(text, &ScanLimits::default()).expect("a message")
}

#[test]
fn an_unbroken_message_is_the_same_memory() {
    for case in cases() {
        let bytes = Bytes::from(case.text);
        let Ok(message) = Message::parse(bytes.clone(), &ScanLimits::default()) else { continue };
        assert_eq!(message.as_bytes(), &bytes[..]);
        assert_eq!(message.len(), bytes.len());
        let line = message.into_line();
        assert_eq!(line.len(), bytes.len());
        if !bytes.contains(&b'\n') && !bytes.contains(&b'\r') {
            assert_eq!(line.as_ptr(), bytes.as_ptr(), "no copy");
            assert_eq!(line, bytes);
        }
    }
}

#[test]
fn what_nobody_knows_survives() {
    let text = r#" {"z":[1e2,1.0,-0,0.10,12345678901234567890,1E+400], "x-trace" :"\u00e9\/\ud800","id":"\u0061","params":{"b":1,"a":2,"b":3,"\u0062":4} ,"jsonrpc":"2.0","":null,"method":"\u006d"	}"#;
    let message = parse(text);
    assert_eq!(message.method().as_deref(), Some("m"));
    assert_eq!(message.into_line(), text.as_bytes());
}

#[test]
fn raw_breaks_become_spaces_and_nothing_else_changes() {
    let tokens = [
        "",
        "{",
        r#""jsonrpc""#,
        ":",
        r#""2.0""#,
        ",",
        r#""id""#,
        ":",
        "1",
        ",",
        r#""method""#,
        ":",
        r#""a\nb""#,
    ]
    .into_iter()
    .chain([",", r#""params""#, ":", "{", r#""k\r""#, ":", "[", "1.0", ",", "[", "]", "]", "}", "}", ""]);
    let tokens: Vec<&str> = tokens.collect();
    for blank in ["\n", "\r", "\r\n", "\n\n", " \n\t", "\t", " "] {
        // Everywhere, and at each place alone.
        let everywhere = tokens.join(blank);
        let alone =
            (1..tokens.len()).map(|at| format!("{}{blank}{}", tokens[..at].concat(), tokens[at..].concat()));
        for text in alone.chain([everywhere]) {
            let message = parse(text.clone());
            assert_eq!(message.as_bytes(), text.as_bytes(), "as it came in");
            let line = message.into_line();
            assert_eq!(line, text.replace(['\r', '\n'], " ").as_bytes());
            let Message::Request(request) = parse(line) else { panic!("{text}") };
            assert_eq!(request.method(), "a\nb");
        }
    }
}

#[test]
fn a_detached_message_is_equal_and_elsewhere() {
    let buffer = Bytes::from([&envelope(r#""id":1,"method":"m""#)[..], &" ".repeat(9000)].concat());
    let text = buffer.slice(..buffer.len() - 9000);
    let message = parse(text.clone());
    let detached = message.clone().detached();
    assert_eq!(detached, message);
    assert_ne!(detached.as_bytes().as_ptr(), text.as_ptr());
}

const IDS: [&str; 9] = [
    "0",
    "-17",
    "123456789012345678901234567890",
    r#""""#,
    r#""a""#,
    r#""\ud83d\ude00""#,
    r#""id\"""#,
    r#""0b9d4a2e-4b6f-4b7e-9c56-6a1a1c8f2f11""#,
    r#""0123456789012345678901234567890123456789012345678901234567890123456789""#,
];

/// Each order of three members, with the id first, in the middle and last.
fn orders(id: &str, others: [&str; 2]) -> [String; 6] {
    let id = format!("\"id\" : {id}");
    let [one, two] = others;
    [[&id, one, two], [&id, two, one], [one, &id, two], [two, &id, one], [one, two, &id], [two, one, &id]]
        .map(|members| format!("{{{}\r\n, \"x\":1e2,\"jsonrpc\":\"2.0\"}}", members.join(" ,")))
}

#[test]
fn another_id_in_a_request() {
    for old in IDS {
        for new in IDS.map(|id| Id::from_json(id.as_bytes()).unwrap()) {
            let wanted = orders(
                std::str::from_utf8(new.as_json()).unwrap(),
                [r#""method":"a\/b""#, r#""params":{"id":1}"#],
            );
            let texts = orders(old, [r#""method":"a\/b""#, r#""params":{"id":1}"#]);
            for (text, wanted) in texts.into_iter().zip(wanted) {
                let Message::Request(request) = parse(text) else { panic!() };
                let request = request.with_id(&new);
                assert_eq!(request.as_bytes(), wanted.as_bytes());
                assert_eq!((request.id(), &*request.method()), (new.clone(), "a/b"));
                assert_eq!(request.params_raw(), Some(&br#"{"id":1}"#[..]));
                assert_eq!(Message::from(request.clone()), parse(wanted.clone()), "the spans too");
                assert_eq!(request.into_line(), wanted.replace(['\r', '\n'], " ").as_bytes());
            }
        }
    }
}

#[test]
fn another_id_in_a_response() {
    let failed = r#""error":{"code":-1,"message":"no","data":{"id":1}}"#;
    for old in IDS.into_iter().chain(["null"]) {
        for new in IDS.map(|id| Id::from_json(id.as_bytes()).unwrap()) {
            for body in [failed, r#""result":{"id":1}"#, r#""result":null"#] {
                if old == "null" && body != failed {
                    continue;
                }
                let wanted = orders(std::str::from_utf8(new.as_json()).unwrap(), [body, r#""id ":0"#]);
                for (text, wanted) in orders(old, [body, r#""id ":0"#]).into_iter().zip(wanted) {
                    let Message::Response(response) = parse(text) else { panic!() };
                    let response = response.with_id(&new);
                    assert_eq!(response.as_bytes(), wanted.as_bytes());
                    assert_eq!(response.id(), Some(new.clone()));
                    assert_eq!(Message::from(response.clone()), parse(wanted));
                    match response.outcome() {
                        Outcome::Result(result) => {
                            assert!(body.ends_with(std::str::from_utf8(result).unwrap()))
                        }
                        Outcome::Error(error) => assert_eq!(error.data().unwrap().as_bytes(), br#"{"id":1}"#),
                    }
                }
            }
        }
    }
}

#[test]
fn a_response_without_an_id_stays() {
    let text = envelope(r#""error":{"code":1,"message":"m"}"#);
    let Message::Response(response) = parse(text.clone()) else { panic!() };
    assert_eq!(response.id(), None);
    assert_eq!(response.with_id(&1.into()).as_bytes(), text.as_bytes());
}

proptest! {
    #![proptest_config(runs(1500))]

    #[test]
    fn another_id_and_back(text in message(), number in any::<i64>()) {
        let message = parse(text.clone());
        let (there, back) = match message.clone() {
            Message::Request(request) => {
                let there = request.with_id(&number.into());
                (there.clone().into(), there.with_id(&request.id()).into())
            }
            Message::Response(response) => {
                let there = response.with_id(&number.into());
                (there.clone().into(), there.with_id(&response.id().unwrap()).into())
            }
            Message::Notification(_) => return Ok(()),
        };
        let there: Message = there;
        let back: Message = back;
        prop_assert_eq!(&parse(there.as_bytes().to_vec()), &there);
        prop_assert_eq!(there.id(), Some(number.into()));
        prop_assert_eq!(back, message);
    }
}
