//! What goes to a log never holds what a peer said.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

use std::error::Error;
use std::fmt::{Debug, Display};

use mcp_jsonrpc::{
    Batch, ErrorCode, ErrorObject, Form, Json, Malformed, Message, Object, Outcome, Response, Salvage,
    ScanLimits,
};
use serde_json::json;

const CANARY: &str = "canary";

#[track_caller]
fn silent(shown: impl AsRef<str>) {
    let shown = shown.as_ref();
    assert!(!shown.contains(CANARY) && !shown.contains("99, 97, 110"), "{shown}");
    assert!(!shown.is_empty() && shown.len() < 400, "{shown}");
}

#[track_caller]
fn debug(value: &impl Debug) {
    silent(format!("{value:?}"));
    silent(format!("{value:#?}"));
}

#[track_caller]
fn both(value: &(impl Debug + Display)) {
    debug(value);
    silent(format!("{value}"));
}

#[test]
fn messages() {
    let bodies = [
        r#""id":1,"method":"m","params":{"canary":"canary"},"canary":"canary""#,
        r#""method":"m","params":["canary"]"#,
        r#""id":1,"result":"canary""#,
        r#""id":1,"error":{"code":1,"message":"canary","data":"canary","canary":1}"#,
    ];
    for body in bodies {
        let text = format!(r#"{{"jsonrpc":"2.0",{body}}}"#);
        let message = Message::parse(text.clone(), &ScanLimits::default()).unwrap();
        debug(&message);
        if let Message::Response(response) = &message {
            debug(response);
            debug(&response.outcome());
            if let Outcome::Error(error) = response.outcome() {
                debug(&error);
                debug(&error.data());
            }
        }
        let shown = format!("{message:?}");
        assert!(shown.contains(&format!("bytes: {}", text.len())), "{shown}");
    }
    let long = Message::from(mcp_jsonrpc::Request::new("i".repeat(5000), &"é\n".repeat(5000)));
    let shown = format!("{long:?}");
    assert!(shown.len() < 400 && !shown.contains('\n'), "{shown}");
}

#[test]
fn malformed() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":"canary"}"#,
        r#"{"jsonrpc":"canary","id":1,"method":"canary"}"#,
        r#"{"jsonrpc":"2.0","id":["canary"],"method":"canary"}"#,
        r#"{"canary":canary}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"canary"}"#,
        "canary",
        r#""canary""#,
        r#"["canary"]"#,
    ] {
        let malformed = Message::parse(text, &ScanLimits::default()).unwrap_err();
        both(&malformed);
        both(&malformed.fault());
        assert!(malformed.source().is_none());
        if let Some(answer) = malformed.answer() {
            silent(String::from_utf8_lossy(answer.as_bytes()));
        }
        if let Err(malformed) = Batch::parse(text, &ScanLimits::default()) {
            both(&malformed);
        }
    }
    debug(&Malformed::new(mcp_jsonrpc::Fault::TooLarge, None, Form::Unknown, u64::MAX));
}

#[test]
fn parts() {
    debug(&Json::parse(r#"["canary"]"#).unwrap());
    debug(&Object::new(br#"{"canary":"canary"}"#).unwrap());
    debug(&Batch::parse(r#"["canary"]"#, &ScanLimits::default()).unwrap());
    let error = ErrorObject::new(ErrorCode(1), CANARY).with_data(&json!({ CANARY: CANARY })).unwrap();
    debug(&error);
    debug(&Response::error(&1.into(), &error));
    // Its `Display` is the sentence and the code, on purpose, and never the data.
    assert_eq!(error.to_string(), "canary (1)");
    for end in 0..40 {
        let mut salvage = Salvage::new();
        salvage.push(&br#"{"canary":1,"id":"canary","canary"   :2}"#[..end]);
        debug(&salvage);
    }
    both(&Json::parse(r#"{"canary""#).unwrap_err());
}

#[test]
fn decoding() {
    let json = Json::parse(r#"{"canary":"canary"}"#).unwrap();
    let errors = [
        json.decode::<u8>().unwrap_err(),
        Json::parse(r#""canary""#).unwrap().decode::<u8>().unwrap_err(),
        Json::parse(r#""canary""#).unwrap().decode::<std::net::IpAddr>().unwrap_err(),
        Json::parse(r#"["canary","\ud800"]"#).unwrap().decode::<Vec<String>>().unwrap_err(),
    ];
    for error in errors {
        both(&error);
        assert!(error.source().is_none());
        assert!(!error.detail().is_empty());
    }
    // serde's own words are there for whoever asks.
    assert!(Json::parse(r#""canary""#).unwrap().decode::<u8>().unwrap_err().detail().contains(CANARY));
}
