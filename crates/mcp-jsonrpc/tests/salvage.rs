//! The salvage of ids: the same however the input is cut, and the same as the parser's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod cases;

use cases::{Case, Want, cases, envelope};
use mcp_jsonrpc::{Form, Id, Salvage, Salvaged};

fn salvage<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Salvaged {
    let mut salvage = Salvage::new();
    pieces.into_iter().for_each(|piece| salvage.push(piece));
    salvage.finish()
}

/// The table's texts that are short enough to be cut at every place.
fn short() -> impl Iterator<Item = Vec<u8>> {
    cases().into_iter().map(|case| case.text).filter(|text| text.len() < 400)
}

#[test]
fn every_case_agrees_with_the_parser() {
    for Case { text, want } in cases() {
        let found = salvage([&text[..]]);
        let id = found.id.as_ref().map(|id| std::str::from_utf8(id.as_json()).unwrap());
        let (want_id, want_form) = match &want {
            Want::Message { kind: "request" | "notification", id, .. } => (id, Form::Request),
            Want::Message { id, .. } => (id, Form::Response),
            Want::Malformed { id, form, .. } => (id, *form),
        };
        assert_eq!((id, found.form), (want_id.as_deref(), want_form), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn no_split_changes_what_is_found() {
    for text in short() {
        let whole = salvage([&text[..]]);
        for at in 0..=text.len() {
            let (before, after) = text.split_at(at);
            assert_eq!(salvage([before, after]), whole, "at {at}: {}", String::from_utf8_lossy(&text));
            assert_eq!(salvage([before, &[], after]), whole);
        }
    }
}

#[test]
fn byte_by_byte_is_the_same() {
    for Case { text, .. } in cases() {
        let whole = salvage([&text[..]]);
        assert_eq!(salvage(text.chunks(1)), whole, "{}", String::from_utf8_lossy(&text));
        assert_eq!(salvage(text.chunks(7)), whole);
    }
}

#[test]
fn what_is_found_in_broken_inputs() {
    let found: &[(&str, Option<&str>, Form)] = &[
        // Behind the id there may be anything, but not in it.
        (r#"{"id":1 2,"method":"m"}"#, None, Form::Request),
        (r#"{"id":"a"b,"method":"m"}"#, None, Form::Request),
        (r#"{"id":"a" "b","method":"m"}"#, None, Form::Request),
        (r#"{"id":[1],"method":"m"}"#, None, Form::Request),
        (r#"{"id":{"id":1},"method":"m"}"#, None, Form::Request),
        (r#"{"id":,"method":"m"}"#, None, Form::Request),
        (r#"{"id":1.0}"#, None, Form::Unknown),
        (r#"{"id":01}"#, None, Form::Unknown),
        (r#"{"id":null,"error":{}}"#, None, Form::Response),
        // Two ids are none, in whatever order and spelling.
        (r#"{"id":1,"id":1}"#, None, Form::Unknown),
        (r#"{"id":1,"\u0069d":[]}"#, None, Form::Unknown),
        (r#"{"id":[],"id":1}"#, None, Form::Unknown),
        (r#"{"id":1,"id":"#, None, Form::Unknown),
        // Only those at the top count.
        (r#"{"params":{"id":1,"method":"m"},"result":[{"id":2}]}"#, None, Form::Response),
        (r#"{"a":[{"b":"\",\"id\":3"}],"id":4}"#, Some("4"), Form::Unknown),
        (r#"{"a":"\\","id":5}"#, Some("5"), Form::Unknown),
        (r#"{"a":"\\\",\"id\":6,\"b\":\"","id":7}"#, Some("7"), Form::Unknown),
        (r#"{"a\"":0,"id":8,"b":"}"}"#, Some("8"), Form::Unknown),
        (r#"{"id":9}{"id":10}"#, Some("9"), Form::Unknown),
        // Not valid, and still readable.
        (r#"{"method":"m","params":{"x":NaN,"y":Infinity},"id":11}"#, Some("11"), Form::Request),
        (r#"{"method":"m","params":[1,,2],"id":12,}"#, Some("12"), Form::Request),
        (r#"{"result":TRUE,"id":"thirteen"}"#, Some(r#""thirteen""#), Form::Response),
        // Which value belongs to the key is a guess here; a wrong id is worse than none.
        (r#"{"id" "x":14}"#, None, Form::Unknown),
        (r#"{"id","method":15}"#, None, Form::Unknown),
        (r#"{"id" "method":"tools/call"}"#, None, Form::Unknown),
        // Complete or not.
        (r#"{"id":16"#, None, Form::Unknown),
        (r#"{"id":"16""#, None, Form::Unknown),
        (r#"{"id":16,"#, Some("16"), Form::Unknown),
        (r#"{"id":16 }"#, Some("16"), Form::Unknown),
        ("", None, Form::Unknown),
        ("[{\"id\":1}]", None, Form::Unknown),
        ("x{\"id\":1}", None, Form::Unknown),
    ];
    for (text, id, form) in found {
        for pieces in [text.as_bytes().chunks(text.len().max(1)), text.as_bytes().chunks(1)] {
            let want = Salvaged { id: id.and_then(|id| Id::from_json(id.as_bytes())), form: *form };
            assert_eq!(salvage(pieces), want, "{text}");
        }
    }
}

#[test]
fn ids_are_kept_up_to_256_bytes() {
    for (len, kept) in [(1, true), (254, true), (255, false), (256, false), (5000, false)] {
        let id = Id::from(&*"x".repeat(len));
        let text = [br#"{"id": "#, id.as_json(), br#" ,"method":"m"}"#].concat();
        assert_eq!(salvage([&text[..]]).id, kept.then_some(id), "{len}");
        assert_eq!(salvage(text.chunks(1)).id.is_some(), kept);
    }
    let blanks = format!(r#"{{"id":{}1{},"method":"m"}}"#, " ".repeat(200), " ".repeat(20));
    assert_eq!(salvage([blanks.as_bytes()]).id, Some(1.into()));
}

#[test]
fn keys_of_any_length_are_told_apart() {
    let escaped = |key: &str| key.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<String>();
    for key in ["id", "method", "result", "error"] {
        for spelled in [key.to_owned(), escaped(key)] {
            let text = format!(r#"{{"{spelled}":7,"x":0}}"#);
            let found = salvage(text.as_bytes().chunks(3));
            assert_eq!(found.id.is_some(), key == "id", "{text}");
            assert_eq!(found.form == Form::Request, key == "method", "{text}");
            assert_eq!(found.form == Form::Response, key == "result" || key == "error", "{text}");
            // Longer, up to and beyond what is kept of a key.
            for extra in (1..60).chain([1000]) {
                for tail in ["x".repeat(extra), "\\u0000".repeat(extra), "\\\"".repeat(extra)] {
                    let text = format!(r#"{{"{spelled}{tail}":7,"x":0}}"#);
                    let none = Salvaged { id: None, form: Form::Unknown };
                    assert_eq!(salvage([text.as_bytes()]), none, "{text}");
                }
            }
        }
    }
}

#[test]
fn a_large_input_with_the_id_last() {
    let text = envelope(&format!(r#""result":"{}","id":"last""#, r#"{[\"id\":1,\\"#.repeat(100_000)));
    let found = salvage(text.as_bytes().chunks(4096));
    assert_eq!(found, Salvaged { id: Some("last".into()), form: Form::Response });
}
