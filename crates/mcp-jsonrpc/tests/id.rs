//! Ids: written as they came, compared by value.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use mcp_jsonrpc::{Id, Message, Request, ScanLimits};
use proptest::prelude::*;

fn read(text: &str) -> Id {
    Id::from_json(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn integers() {
    for (id, text) in [
        (Id::from(0i64), "0"),
        (Id::from(-1i64), "-1"),
        (Id::from(i64::MIN), "-9223372036854775808"),
        (Id::from(i64::MAX), "9223372036854775807"),
        (Id::from(u64::MAX), "18446744073709551615"),
        (Id::from(0u64), "0"),
        (Id::from(i32::MIN), "-2147483648"),
        (Id::from(u32::MAX), "4294967295"),
        (Id::from(10), "10"),
    ] {
        assert_eq!(id.as_json(), text.as_bytes());
        assert_eq!(id, read(text));
        assert_eq!(id.as_i64(), text.parse().ok());
        assert_eq!(id.as_str(), None);
        assert_eq!(id.to_string(), text);
    }
    assert_eq!(Id::from(u64::MAX).as_i64(), None);
    assert_eq!(read("-0").as_i64(), Some(0));
    assert_eq!(read("123456789012345678901234567890").as_i64(), None);
}

#[test]
fn strings() {
    for text in
        ["", "a", "\"", "\\", "\0\n\r\u{1f}\u{7f}", "é😀\u{2028}", "null", "1", "\\u0061", &"x".repeat(1000)]
    {
        for id in [Id::from(text), Id::from(text.to_owned())] {
            assert_eq!(id.as_str().as_deref(), Some(text));
            assert_eq!(id.as_i64(), None);
            assert_eq!(Id::from_json(id.as_json()), Some(id.clone()));
            assert_eq!(id.as_json(), serde_json::to_vec(text).unwrap());
        }
    }
    assert_eq!(read(r#""\ud83d\ude00\u0061""#).as_str().as_deref(), Some("😀a"));
}

#[test]
fn only_strings_and_integers() {
    for text in [
        "",
        " ",
        "1 ",
        " 1",
        "+1",
        "01",
        "-",
        "--1",
        "-01",
        "1.0",
        "1e2",
        "1.",
        "null",
        "true",
        "[]",
        "{}",
        "\"",
        "\"a",
        "a\"",
        "'a'",
        r#""a"b""#,
        r#""a" "b""#,
        r#""\""#,
        r#""\x""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        "\"\n\"",
        "\"\0\"",
        r#""\n","\n""#,
        "0x1",
        "１",
        "\"\\u0061\n\"",
        "1\n",
        "NaN",
    ] {
        assert_eq!(Id::from_json(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Id::from_json(b"\"\xff\""), None);
    assert_eq!(Id::from_json(b"\"\xed\xa0\x80\""), None);
    assert_eq!(Id::from_json(b"\"\\n\xff\""), None);
}

#[test]
fn equal_by_value() {
    let hasher = RandomState::new();
    let classes: [&[&str]; 9] = [
        &["0", "-0"],
        &["1"],
        &[r#""1""#, r#""\u0031""#],
        &["-1"],
        &[r#""ab""#, r#""a\u0062""#, r#""\u0061b""#, r#""\u0061\u0062""#],
        &[r#""aB""#],
        &[r#""/""#, r#""\/""#, r#""\u002f""#, r#""\u002F""#],
        &[r#""😀""#, r#""\ud83d\ude00""#, r#""\uD83D\uDE00""#],
        &[r#""""#],
    ];
    for (at, class) in classes.iter().enumerate() {
        for one in *class {
            for (other_at, others) in classes.iter().enumerate() {
                for other in *others {
                    assert_eq!(read(one) == read(other), at == other_at, "{one} {other}");
                    if at == other_at {
                        assert_eq!(hasher.hash_one(read(one)), hasher.hash_one(read(other)), "{one} {other}");
                    }
                }
            }
        }
    }
    let set: HashSet<Id> = classes.iter().flat_map(|class| class.iter().map(|text| read(text))).collect();
    assert_eq!(set.len(), classes.len());
    // As written is what goes out.
    assert_eq!(read(r#""a\u0062""#).as_json(), br#""a\u0062""#);
    assert_eq!(read("-0").as_json(), b"-0");
}

#[test]
fn around_the_length_that_needs_no_allocation() {
    for len in 40..60 {
        for id in [Id::from(&*"x".repeat(len)), read(&"7".repeat(len))] {
            let copy = id.clone();
            assert_eq!((copy.as_json(), &copy), (id.as_json(), &id));
            let request = Request::new(id.clone(), "m");
            let Ok(Message::Request(request)) = Message::parse(request.into_line(), &ScanLimits::default())
            else {
                panic!()
            };
            assert_eq!(request.id(), id);
        }
    }
}

#[test]
fn shown_in_one_short_line() {
    let shown = |text: &str| (format!("{}", Id::from(text)), format!("{:?}", Id::from(text)));
    assert_eq!(shown("a").0, r#""a""#);
    assert_eq!(shown("a").1, r#""a""#);
    // 64 bytes with the quotes are whole, one more is cut, and no character is cut in two.
    let whole = "x".repeat(62);
    assert_eq!(shown(&whole).0, format!("\"{whole}\""));
    assert_eq!(shown(&"x".repeat(63)).0, format!("\"{}…", "x".repeat(63)));
    assert_eq!(shown(&"é".repeat(500)).0, format!("\"{}…", "é".repeat(31)));
    // What would move a terminal's cursor is escaped, also where JSON lets it stand.
    assert_eq!(shown("\u{7f}\u{9b}2J\u{85}\n").0, r#""\u007f\u009b2J\u0085\n""#);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn round_trips(number in any::<i64>(), large in any::<u64>(), text in any::<String>()) {
        prop_assert_eq!(Id::from(number).as_i64(), Some(number));
        prop_assert_eq!(Id::from(large).to_string(), large.to_string());
        let id = Id::from(text.as_str());
        prop_assert_eq!(id.as_str().unwrap(), text.as_str());
        prop_assert_eq!(Id::from_json(id.as_json()), Some(id));
    }
}
