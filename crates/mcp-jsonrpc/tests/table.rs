//! Every case of the table through the parser.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod cases;

use cases::{Case, Want, cases, envelope};
use mcp_jsonrpc::{Fault, Form, Message, Outcome, ScanLimits};

/// What the parser says, in the table's words.
fn seen(text: &[u8], limits: &ScanLimits) -> Want {
    let own = |text: &[u8]| String::from_utf8(text.to_vec()).expect("parts of a message are UTF-8");
    match Message::parse(text.to_vec(), limits) {
        Ok(message) => {
            let body = match &message {
                Message::Request(request) => request.params_raw().map(own),
                Message::Notification(notification) => notification.params_raw().map(own),
                // The body of an error is reached by its fields; here it is what stands in the input.
                Message::Response(response) if response.is_error() => error_text(text),
                Message::Response(response) => response.result_raw().map(own),
            };
            let id = message.id().map(|id| own(id.as_json()));
            let method = message.method().map(|method| method.into_owned());
            Want::Message { kind: message.kind(), id, method, body }
        }
        Err(malformed) => {
            assert_eq!(malformed.input_len(), text.len() as u64);
            let id = malformed.id().map(|id| own(id.as_json()));
            Want::Malformed { fault: malformed.fault(), id, form: malformed.form() }
        }
    }
}

fn error_text(text: &[u8]) -> Option<String> {
    let object = mcp_jsonrpc::Object::new(text)?;
    Some(String::from_utf8(object.get("error")?.to_vec()).unwrap())
}

#[test]
fn every_case_is_what_the_table_says() {
    let cases = cases();
    assert!(cases.len() > 700, "{}", cases.len());
    for Case { text, want } in cases {
        let shown = String::from_utf8_lossy(&text);
        let shown: String = shown.chars().take(300).collect();
        assert_eq!(seen(&text, &ScanLimits::default()), want, "{shown}");
    }
}

#[test]
fn the_kind_does_not_depend_on_the_order_of_members() {
    let members = [r#""jsonrpc":"2.0""#, r#""id":7"#, r#""method":"m""#, r#""params":{"id":1}"#];
    for first in 0..4 {
        for second in 0..4 {
            for third in 0..4 {
                let order = [first, second, third, 6usize.wrapping_sub(first + second + third)];
                if (0..4).any(|at| !order.contains(&at)) {
                    continue;
                }
                let text = format!("{{{}}}", order.map(|at| members[at]).join(","));
                let Ok(Message::Request(request)) = Message::parse(text, &ScanLimits::default()) else {
                    panic!("{order:?}")
                };
                assert_eq!(
                    (request.id().as_i64(), &*request.method(), request.params_raw()),
                    (Some(7), "m", Some(&br#"{"id":1}"#[..]))
                );
            }
        }
    }
}

#[test]
fn the_bound_on_depth_can_be_lower() {
    let text = envelope(r#""id":1,"method":"m","params":[[]]"#);
    for max_depth in [3, 4, 128, u32::MAX] {
        let limits = ScanLimits::default().with_max_depth(max_depth);
        assert!(Message::parse(text.clone(), &limits).is_ok(), "{max_depth}");
    }
    for max_depth in [0, 1, 2] {
        let limits = ScanLimits::default().with_max_depth(max_depth);
        let malformed = Message::parse(text.clone(), &limits).unwrap_err();
        assert_eq!((malformed.fault(), malformed.form()), (Fault::Depth, Form::Request), "{max_depth}");
        assert_eq!(malformed.id(), Some(&1.into()));
    }
    // The fields are public, so a value out of range may stand there.
    let mut limits = ScanLimits::default();
    limits.max_depth = 0;
    assert!(Message::parse(envelope(r#""id":1,"method":"m""#), &limits).is_ok());
    limits.max_depth = 500;
    let deep = envelope(&format!(r#""id":1,"result":{}{}"#, "[".repeat(128), "]".repeat(128)));
    assert_eq!(Message::parse(deep, &limits).unwrap_err().fault(), Fault::Depth);
}

#[test]
fn the_bound_on_ids_counts_what_is_written() {
    let mut limits = ScanLimits::default();
    limits.max_id_bytes = 8;
    for id in [r#""abcdef""#, "12345678", r#""\u0041""#] {
        assert_eq!(id.len(), 8);
        let message = Message::parse(envelope(&format!(r#""id":{id},"method":"m""#)), &limits).unwrap();
        assert_eq!(message.id().unwrap().as_json(), id.as_bytes());
    }
    for id in [r#""abcdefg""#, "123456789", r#""\u0041a""#] {
        for members in [r#""method":"m""#, r#""method":"m","params":3"#, r#""result":1"#, r#""method":"m",!"#]
        {
            let malformed =
                Message::parse(envelope(&format!(r#""id":{id},{members}"#)), &limits).unwrap_err();
            let fault = if members.ends_with('!') { Fault::Syntax } else { Fault::IdTooLong };
            assert_eq!(malformed.fault(), fault);
            assert_eq!(malformed.id(), None, "an id over the bound is not handed on");
        }
    }
    let default = ScanLimits::default();
    let longest = format!(r#""{}""#, "x".repeat(1022));
    let message = Message::parse(envelope(&format!(r#""id":{longest},"method":"m""#)), &default).unwrap();
    assert_eq!(message.id().unwrap().as_json(), longest.as_bytes());
}

#[test]
fn errors_are_read_as_they_were_sent() {
    let read = |object: &str| {
        let text = envelope(&format!(r#""id":1,"error":{object}"#));
        let Ok(Message::Response(response)) = Message::parse(text, &ScanLimits::default()) else {
            panic!("{object}")
        };
        assert_eq!(response.result_raw(), None);
        match response.outcome() {
            Outcome::Error(error) => error,
            Outcome::Result(_) => panic!("{object}"),
        }
    };
    let error = read(r#"{"code":-32601,"message":"no \"x\"","data":null}"#);
    assert_eq!((error.code().0, error.message()), (-32601, r#"no "x""#));
    assert_eq!(error.data().map(|data| data.as_bytes()), Some(&b"null"[..]), "null is data");
    assert_eq!(error.reason(), None);
    assert!(read(r#"{"code":1,"message":"m"}"#).data().is_none());
    let error = read("{\"code\":1,\"message\":\"m\",\"data\":{\n\"x\":1e2,\"reason\":\"clo\\u0073ed\"}}");
    assert_eq!(error.reason().as_deref(), Some("closed"));
    assert_eq!(error.data().unwrap().as_bytes(), &b"{ \"x\":1e2,\"reason\":\"clo\\u0073ed\"}"[..]);
    assert_eq!(read(r#"{"code":-0,"message":"m"}"#).code().0, 0);
    assert_eq!(read(r#"{"code":-9223372036854775808,"message":"m"}"#).code().0, i64::MIN);
    assert_eq!(read(r#"{"code":1,"message":"cut \ud83d"}"#).message(), "cut \u{fffd}");
    assert_eq!(read(r#"{"code":1,"message":"\ud83d\ude00"}"#).message(), "😀");
    assert_eq!(read(r#"{"code":"x","code":2,"message":"a","message":"b"}"#).message(), "b");
    // As deep as it goes.
    let deep = format!("{}{}", "[".repeat(126), "]".repeat(126));
    let error = read(&format!(r#"{{"code":1,"message":"m","data":{deep}}}"#));
    assert_eq!(error.data().unwrap().as_bytes(), deep.as_bytes());
}
