//! The parser against its naive twin: the same rules in plain serde_json, slow and in another shape.
//!
//! Both are asked about the table, a corpus, generated messages, and what is left of them after a few bytes have been
//! changed. `PROPTEST_CASES` scales the number of cases; 256 is the ordinary run.
//!
//! Two differences are known and built into the twin: serde_json's raw values have no bound on depth, so it counts for
//! itself, and it does not tell in which way a text is broken.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod cases;
mod corpus;
mod generated;

use std::collections::BTreeMap;
use std::fmt;

use cases::cases;
use generated::{change, envelope, json, message, runs};
use mcp_jsonrpc::{Fault, Form, Json, Message, Outcome, Salvage, ScanLimits};
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Debug, PartialEq)]
enum Verdict {
    /// Not JSON, not UTF-8 or too deep.
    Broken,
    Malformed(Fault, Option<String>, Form),
    Message {
        kind: &'static str,
        id: Option<String>,
        method: Option<String>,
        body: Option<String>,
    },
}

/// A key as bytes, because serde_json has no `String` for a lone surrogate.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key(Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Key, E> {
                Ok(Key(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The members of an object, each key with all its values.
struct Members<'a>(BTreeMap<Key, Vec<&'a str>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members: BTreeMap<Key, Vec<&str>> = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<Key, &RawValue>()? {
                    members.entry(key).or_default().push(value.get());
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl<'a> Members<'a> {
    fn all(&self, key: &str) -> &[&'a str] {
        self.0.get(&Key(key.into())).map_or(&[], |values| &values[..])
    }

    fn last(&self, key: &str) -> Option<&'a str> {
        self.all(key).last().copied()
    }
}

/// Brackets open at once, strings left out.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest, mut string, mut escape) = (0usize, 0, false, false);
    for character in json.chars() {
        match (string, character) {
            (true, _) if escape => escape = false,
            (true, '\\') => escape = true,
            (_, '"') => string = !string,
            (false, '{' | '[') => open += 1,
            (false, '}' | ']') => open -= 1,
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

fn id(json: &str) -> Option<String> {
    let allowed = match serde_json::from_str(json).ok()? {
        serde_json::Value::String(_) => true,
        serde_json::Value::Number(number) => !number.to_string().contains(['.', 'e', 'E']),
        _ => false,
    };
    (allowed && json.len() <= 1024).then(|| json.to_owned())
}

fn error_object(json: &str) -> bool {
    let Ok(members) = serde_json::from_str::<Members<'_>>(json) else { return false };
    let code = members
        .last("code")
        .is_some_and(|code| !code.contains(['.', 'e', 'E', '"']) && code.parse::<i64>().is_ok());
    code && members.last("message").is_some_and(|message| message.starts_with('"'))
}

fn twin(input: &[u8]) -> Verdict {
    let Ok(input) = std::str::from_utf8(input) else { return Verdict::Broken };
    let Ok(raw) = serde_json::from_str::<&RawValue>(input) else { return Verdict::Broken };
    if depth(raw.get()) > 128 {
        return Verdict::Broken;
    }
    let members: Members<'_> = match raw.get().as_bytes()[0] {
        b'{' => serde_json::from_str(raw.get()).expect("a raw value that begins like an object"),
        b'[' => return Verdict::Malformed(Fault::Batch, None, Form::Unknown),
        _ => return Verdict::Malformed(Fault::NotAnObject, None, Form::Unknown),
    };
    let has = |key| members.last(key).is_some();
    let form = match (has("method"), has("result") || has("error")) {
        (true, _) => Form::Request,
        (false, true) => Form::Response,
        (false, false) => Form::Unknown,
    };
    match judge(&members) {
        Ok(verdict) => verdict,
        Err(fault) => {
            let id = (members.all("id").len() == 1).then(|| members.last("id")).flatten().and_then(id);
            Verdict::Malformed(fault, id, form)
        }
    }
}

fn judge(members: &Members<'_>) -> Result<Verdict, Fault> {
    let ours = ["jsonrpc", "id", "method", "params", "result", "error"];
    if ours.iter().any(|key| members.all(key).len() > 1) {
        return Err(Fault::DuplicateKey);
    }
    if members.last("jsonrpc").and_then(text).as_deref() != Some("2.0") {
        return Err(Fault::Version);
    }
    let parts = (members.last("method"), members.last("result"), members.last("error"));
    let known = match members.last("id") {
        None => None,
        Some("null") if matches!(parts, (None, None, Some(_))) => None,
        Some(_)
            if u8::from(parts.0.is_some()) + u8::from(parts.1.is_some()) + u8::from(parts.2.is_some())
                > 1 =>
        {
            return Err(Fault::Ambiguous);
        }
        Some(json) => {
            Some(id(json).ok_or(if json.len() > 1024 { Fault::IdTooLong } else { Fault::IdKind })?)
        }
    };
    let own = |json: &str| Some(json.to_owned());
    match parts {
        (Some(method), None, None) => {
            let method = Some(text(method).ok_or(Fault::Method)?);
            let params = members.last("params");
            if params.is_some_and(|params| !params.starts_with(['{', '['])) {
                return Err(Fault::Params);
            }
            let kind = if known.is_some() { "request" } else { "notification" };
            Ok(Verdict::Message { kind, id: known, method, body: params.and_then(own) })
        }
        (None, Some(_), None) if known.is_none() => Err(Fault::IdMissing),
        (None, Some(result), None) => {
            Ok(Verdict::Message { kind: "result", id: known, method: None, body: own(result) })
        }
        (None, None, Some(error)) if error_object(error) => {
            Ok(Verdict::Message { kind: "error", id: known, method: None, body: None })
        }
        (None, None, Some(_)) => Err(Fault::ErrorObject),
        (None, None, None) => Err(Fault::Incomplete),
        _ => Err(Fault::Ambiguous),
    }
}

fn ours(input: &[u8]) -> Verdict {
    let own = |text: &[u8]| String::from_utf8(text.to_vec()).expect("parts are UTF-8");
    let message = match Message::parse(input.to_vec(), &ScanLimits::default()) {
        Ok(message) => message,
        Err(malformed) if malformed.fault().is_parse_error() => return Verdict::Broken,
        Err(malformed) => {
            let id = malformed.id().map(|id| own(id.as_json()));
            return Verdict::Malformed(malformed.fault(), id, malformed.form());
        }
    };
    let body = match &message {
        Message::Request(request) => request.params_raw().map(own),
        Message::Notification(notification) => notification.params_raw().map(own),
        Message::Response(response) => match response.outcome() {
            Outcome::Result(result) => Some(own(result)),
            Outcome::Error(_) => None,
        },
    };
    let id = message.id().map(|id| own(id.as_json()));
    let method = message.method().map(|method| method.into_owned());
    Verdict::Message { kind: message.kind(), id, method, body }
}

/// Everything that must hold for any input whatever.
fn check(input: &[u8]) -> Result<(), TestCaseError> {
    let verdict = ours(input);
    prop_assert_eq!(&verdict, &twin(input), "{}", String::from_utf8_lossy(input));

    let mut salvage = Salvage::new();
    salvage.push(input);
    let found = salvage.finish();
    let found_id = found.id.map(|id| String::from_utf8(id.as_json().to_vec()).unwrap());
    match verdict {
        Verdict::Broken => {}
        Verdict::Malformed(_, id, form) => {
            prop_assert_eq!((found_id, found.form), (id.filter(|id| id.len() <= 256), form));
        }
        Verdict::Message { kind, id, .. } => {
            let form =
                if matches!(kind, "request" | "notification") { Form::Request } else { Form::Response };
            prop_assert_eq!((found_id, found.form), (id.filter(|id| id.len() <= 256), form));
            let message = Message::parse(input.to_vec(), &ScanLimits::default()).unwrap();
            let line = message.into_line();
            let flat: Vec<u8> =
                input.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect();
            prop_assert_eq!(&line[..], &flat[..]);
        }
    }
    Ok(())
}

fn assert_same(input: &[u8]) {
    if let Err(error) = check(input) {
        panic!("{error}");
    }
}

#[test]
fn the_table() {
    cases().iter().for_each(|case| assert_same(&case.text));
}

#[test]
fn the_corpus() {
    assert!(corpus::VALID.len() + corpus::INVALID.len() > 250);
    let parsed = |text: &[u8]| Json::parse(text.to_vec());
    for text in corpus::VALID {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(parsed(text).expect(&shown).as_bytes().len(), text.trim_ascii().len(), "{shown}");
        assert!(serde_json::from_slice::<&RawValue>(text).is_ok(), "{shown}");
    }
    for text in corpus::INVALID {
        let shown = String::from_utf8_lossy(text);
        assert!(parsed(text).is_err(), "{shown}");
        assert!(serde_json::from_slice::<&RawValue>(text).is_err(), "{shown}");
    }
}

/// Each text in every place of a message, and with each of its bytes gone.
#[test]
fn the_corpus_in_messages() {
    let places: [(&[u8], &[u8]); 9] = [
        (b"", b""),
        (br#"{"jsonrpc":"2.0","id":1,"result":"#, b"}"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"m","params":["#, b"]}"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"m","params":"#, b"}"),
        (br#"{"jsonrpc":"2.0","id":"#, br#","method":"m"}"#),
        (br#"{"jsonrpc":"2.0","method":"#, b"}"),
        (br#"{"jsonrpc":"#, br#","method":"m"}"#),
        (br#"{"jsonrpc":"2.0","error":{"code":1,"message":"#, b"},\"id\":2}"),
        (br#"{"jsonrpc":"2.0","error":{"message":"","code":"#, b"}}"),
    ];
    for text in corpus::VALID.iter().chain(corpus::INVALID) {
        for (before, after) in places {
            let whole = [before, text, after].concat();
            assert_same(&whole);
            for at in before.len()..before.len() + text.len().min(12) {
                let mut less = whole.clone();
                less.remove(at);
                assert_same(&less);
            }
        }
    }
}

proptest! {
    #![proptest_config(runs(3000))]

    #[test]
    fn values(text in json()) {
        prop_assert!(Json::parse(text.clone()).is_ok(), "{}", text);
        check(text.as_bytes())?;
        check(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#).as_bytes())?;
    }
}

proptest! {
    #![proptest_config(runs(5000))]

    #[test]
    fn envelopes(text in envelope()) {
        check(text.as_bytes())?;
    }
}

proptest! {
    #![proptest_config(runs(2000))]

    #[test]
    fn messages(text in message()) {
        prop_assert!(Message::parse(text.clone(), &ScanLimits::default()).is_ok(), "{}", text);
        check(text.as_bytes())?;
    }
}

proptest! {
    #![proptest_config(runs(3000))]

    /// Several changes of the same message, since making one is the slower part.
    #[test]
    fn mutations(
        text in prop_oneof![message(), envelope()],
        changes in prop::collection::vec(prop::collection::vec(change(), 1..4), 6),
    ) {
        for changes in changes {
            let mut text = text.clone().into_bytes();
            changes.iter().for_each(|change| change.apply(&mut text));
            check(&text)?;
        }
    }
}
