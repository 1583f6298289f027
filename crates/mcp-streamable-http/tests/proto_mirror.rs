//! Values of the headers that repeat the body, and which of them a message has.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::HeaderValue;
use mcp_jsonrpc::{Message, ScanLimits};
use mcp_streamable_http::proto::{ValueProblem, decode_value, encode_value, revision_in, standard_headers};
use proptest::prelude::*;

fn message(members: &str) -> Message {
    let text = format!("{{\"jsonrpc\":\"2.0\",{members}}}");
    Message::parse(text.into_bytes(), &ScanLimits::default()).unwrap()
}

#[test]
fn how_a_text_is_written() {
    for (text, value) in [
        ("us-west1", "us-west1"),
        ("", ""),
        ("42", "42"),
        ("a b  c", "a b  c"),
        ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        ("file:///a/b%20c?d=e#f", "file:///a/b%20c?d=e#f"),
        (" ", "=?base64?IA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        (" a", "=?base64?IGE=?="),
        ("a ", "=?base64?YSA=?="),
        ("\ta", "=?base64?CWE=?="),
        ("a\tb", "=?base64?YQli?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("a\r\nMcp-Name: b", "=?base64?YQ0KTWNwLU5hbWU6IGI=?="),
        ("\0", "=?base64?AA==?="),
        ("\x7f", "=?base64?fw==?="),
        ("é", "=?base64?w6k=?="),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("=?base64??=", "=?base64?PT9iYXNlNjQ/Pz0=?="),
        ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
        ("=?base64?", "=?base64?"),
        ("=?base64?abc", "=?base64?abc"),
        ("abc?=", "abc?="),
        ("x=?base64?YQ==?=", "x=?base64?YQ==?="),
        ("=?BASE64?YQ==?=", "=?BASE64?YQ==?="),
        ("=?base32?YQ==?=", "=?base32?YQ==?="),
    ] {
        let written = encode_value(text);
        assert_eq!(written, value, "{text:?}");
        assert_eq!(decode_value(&written).as_deref(), Ok(text), "{text:?}");
    }
}

#[test]
fn how_a_value_is_read() {
    use ValueProblem::{Base64, Characters, Utf8};
    let table: &[(&[u8], Result<&str, ValueProblem>)] = &[
        (b"plain", Ok("plain")),
        (b" \t plain \t", Ok("plain")),
        (b"a\tb", Ok("a\tb")),
        (b"=?base64?SGVsbG8=?=", Ok("Hello")),
        (b" =?base64?SGVsbG8=?= ", Ok("Hello")),
        (b"=?base64??=", Ok("")),
        (b"=?base64?SGVsbG8?=", Err(Base64)),
        (b"=?base64?SGVsbG8==?=", Err(Base64)),
        (b"=?base64?SGVsbG8===?=", Err(Base64)),
        (b"=?base64?SGVs bG8=?=", Err(Base64)),
        (b"=?base64? SGVsbG8=?=", Err(Base64)),
        (b"=?base64?SGVs!!!bG8=?=", Err(Base64)),
        (b"=?base64?_-8=?=", Err(Base64)),
        (b"=?base64?SGVsbG9=?=", Err(Base64)),
        (b"=?base64?====?=", Err(Base64)),
        (b"=?base64?a?b?=", Err(Base64)),
        (b"=?base64?/w==?=", Err(Utf8)),
        (b"=?base64?7aCA?=", Err(Utf8)),
        (b"SGVsbG8=", Ok("SGVsbG8=")),
        (b"=?base64?SGVsbG8=", Ok("=?base64?SGVsbG8=")),
        (b"SGVsbG8=?=", Ok("SGVsbG8=?=")),
        (b"=?Base64?SGVsbG8=?=", Ok("=?Base64?SGVsbG8=?=")),
        (b"=?BASE64?SGVsbG8=?=", Ok("=?BASE64?SGVsbG8=?=")),
        (b"=?base64?=", Ok("=?base64?=")),
        (b"=?base64?", Ok("=?base64?")),
        (b"?=", Ok("?=")),
        (b"\x80", Err(Characters)),
        ("é".as_bytes(), Err(Characters)),
        (b"=?base64?SGVsbG8=?=\xff", Err(Characters)),
    ];
    for (value, expected) in table {
        let value = HeaderValue::from_bytes(value).unwrap();
        assert_eq!(decode_value(&value).as_deref(), expected.as_ref().copied(), "{value:?}");
    }
}

#[test]
fn the_headers_of_a_message() {
    type Case<'a> = (&'a str, Option<&'a str>, Option<&'a str>);
    let table: &[Case<'_>] = &[
        (r#""id":1,"method":"tools/call","params":{"name":"echo"}"#, Some("tools/call"), Some("echo")),
        (
            r#""id":1,"method":"tools\/call","params":{"n\u0061me":"e\u0063ho"}"#,
            Some("tools/call"),
            Some("echo"),
        ),
        (r#""id":1,"method":"prompts/get","params":{"name":"p q"}"#, Some("prompts/get"), Some("p q")),
        (
            r#""id":1,"method":"resources/read","params":{"uri":"file:///a","name":"b"}"#,
            Some("resources/read"),
            Some("file:///a"),
        ),
        (r#""id":1,"method":"tasks/get","params":{"taskId":"t"}"#, Some("tasks/get"), Some("t")),
        (r#""id":1,"method":"tasks/update","params":{"taskId":"t"}"#, Some("tasks/update"), Some("t")),
        (r#""id":1,"method":"tasks/cancel","params":{"taskId":"t"}"#, Some("tasks/cancel"), Some("t")),
        (r#""id":1,"method":"tasks/list","params":{"taskId":"t"}"#, Some("tasks/list"), None),
        (r#""id":1,"method":"tools/list","params":{"name":"echo"}"#, Some("tools/list"), None),
        (r#""id":1,"method":"server/discover""#, Some("server/discover"), None),
        (r#""id":1,"method":"tools/call""#, Some("tools/call"), None),
        (r#""id":1,"method":"tools/call","params":{"name":7}"#, Some("tools/call"), None),
        (r#""id":1,"method":"tools/call","params":{"name":"\ud800"}"#, Some("tools/call"), None),
        (r#""id":1,"method":"tools/call","params":["echo"]"#, Some("tools/call"), None),
        (r#""id":1,"method":"tools/call","params":{"name":""}"#, Some("tools/call"), Some("")),
        (
            r#""id":1,"method":"tools/call","params":{"name":"é"}"#,
            Some("tools/call"),
            Some("=?base64?w6k=?="),
        ),
        (
            r#""id":1,"method":"tools/call","params":{"name":"a\nb"}"#,
            Some("tools/call"),
            Some("=?base64?YQpi?="),
        ),
        (r#""id":1,"method":"méthode""#, None, None),
        (r#""id":1,"method":"a\r\nb""#, None, None),
        (r#""id":1,"method":" a""#, None, None),
        (
            r#""method":"notifications/cancelled","params":{"name":"x"}"#,
            Some("notifications/cancelled"),
            None,
        ),
        (r#""method":"tools/call","params":{"name":"x"}"#, Some("tools/call"), None),
        (r#""id":1,"result":{}"#, None, None),
    ];
    for (members, method, name) in table {
        let headers = standard_headers(&message(members));
        let value = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap());
        assert_eq!(value("mcp-method"), *method, "{members}");
        assert_eq!(value("mcp-name"), *name, "{members}");
        assert_eq!(headers.len(), usize::from(method.is_some()) + usize::from(name.is_some()), "{members}");
    }
}

#[test]
fn the_revision_in_a_request() {
    for (params, expected) in [
        ("", None),
        (r#","params":{}"#, None),
        (r#","params":[]"#, None),
        (r#","params":{"_meta":[]}"#, None),
        (
            r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
            Some("2026-07-28"),
        ),
        (r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"\u0032"}}"#, Some("2")),
        (r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":2}}"#, None),
    ] {
        let Message::Request(request) = message(&format!("\"id\":1,\"method\":\"x\"{params}")) else {
            panic!()
        };
        assert_eq!(revision_in(&request).as_deref(), expected, "{params}");
    }
}

fn near_markers() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,12}", "(=\\?base64\\?)?[a-zA-Z=? \t]{0,6}(\\?=)?"]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(text in near_markers()) {
        let value = encode_value(&text);
        prop_assert!(value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)));
        prop_assert!(!value.as_bytes().starts_with(b" ") && !value.as_bytes().ends_with(b" "));
        prop_assert_eq!(decode_value(&value).unwrap(), text);
    }

    #[test]
    fn any_value_can_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = HeaderValue::from_bytes(&bytes)
            && let Ok(text) = decode_value(&value)
        {
            let written = encode_value(&text);
            prop_assert_eq!(decode_value(&written).unwrap(), text);
        }
    }
}
