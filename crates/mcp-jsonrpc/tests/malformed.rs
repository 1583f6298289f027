//! Who is answered, and with what.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod cases;

use cases::{Want, cases};
use mcp_jsonrpc::{ErrorCode, Fault, Form, Malformed, Message, Outcome, ScanLimits};

const FAULTS: [Fault; 17] = [
    Fault::Syntax,
    Fault::Utf8,
    Fault::Depth,
    Fault::TooLarge,
    Fault::NotAnObject,
    Fault::Batch,
    Fault::BatchLength,
    Fault::DuplicateKey,
    Fault::Version,
    Fault::IdKind,
    Fault::IdTooLong,
    Fault::IdMissing,
    Fault::Method,
    Fault::Params,
    Fault::Ambiguous,
    Fault::Incomplete,
    Fault::ErrorObject,
];

#[test]
fn one_answer_for_each_readable_id_unless_it_is_a_response() {
    for fault in FAULTS {
        for form in [Form::Request, Form::Response, Form::Unknown] {
            assert_eq!(Malformed::new(fault, None, form, 9).answer(), None, "nobody to answer");
            let malformed = Malformed::new(fault, Some("x\"".into()), form, 9);
            let Some(answer) = malformed.answer() else {
                assert_eq!(form, Form::Response, "a response is never answered");
                continue;
            };
            assert_ne!(form, Form::Response);
            assert_eq!(answer.id(), Some("x\"".into()));
            let Outcome::Error(error) = answer.outcome() else { panic!() };
            if fault == Fault::TooLarge {
                assert_eq!(error.code(), ErrorCode::INTERNAL_ERROR);
                assert_eq!(error.reason().as_deref(), Some("too_large"));
            } else {
                assert_eq!((error.code(), error.message()), (ErrorCode::INVALID_REQUEST, fault.as_str()));
                assert_eq!(error.data(), None);
            }
            let again = Message::parse(answer.clone().into_line(), &ScanLimits::default()).unwrap();
            assert_eq!(again, answer.into());
        }
    }
}

#[test]
fn the_answer_echoes_the_id_as_it_was_written() {
    for (text, id) in [
        (r#"{"jsonrpc":"2.0","id":"a\u0062","method":1}"#, r#""a\u0062""#),
        (r#"{"jsonrpc":"2.0","id":-0,"method":"m","params":3}"#, "-0"),
        (r#"{"id":12345678901234567890,"method":"m"}"#, "12345678901234567890"),
        (r#"{"jsonrpc":"2.0","method":"m","params":[nul],"id":7}"#, "7"),
    ] {
        let answer = Message::parse(text, &ScanLimits::default()).unwrap_err().answer().unwrap();
        let start = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600,"#);
        assert!(answer.as_bytes().starts_with(start.as_bytes()), "{text}");
    }
}

#[test]
fn the_table() {
    for case in cases() {
        let Want::Malformed { id, form, .. } = case.want else { continue };
        let malformed = Message::parse(case.text, &ScanLimits::default()).unwrap_err();
        assert_eq!(malformed.answer().is_some(), id.is_some() && form != Form::Response);
    }
}

#[test]
fn parse_errors_are_those_that_json_rpc_calls_so() {
    for fault in FAULTS {
        let parse_error = matches!(fault, Fault::Syntax | Fault::Utf8 | Fault::Depth);
        assert_eq!(fault.is_parse_error(), parse_error);
        assert_eq!(fault.to_string(), fault.as_str());
    }
    assert_eq!(
        Malformed::new(Fault::Depth, None, Form::Unknown, 0).to_string(),
        "malformed message: nested too deeply"
    );
}
