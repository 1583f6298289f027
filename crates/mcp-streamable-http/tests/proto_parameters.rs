//! Headers that repeat arguments: written, and checked.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::{HeaderMap, HeaderName, HeaderValue};
use mcp_streamable_http::proto::{ParameterHeader, check_parameters, parameter_headers, parameters_of};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One parameter of each kind, and one that is deep.
fn parameters() -> Vec<ParameterHeader> {
    let schema = json!({"properties": {
        "text": {"type": "string", "x-mcp-header": "Text"},
        "number": {"type": "integer", "x-mcp-header": "Number"},
        "flag": {"type": "boolean", "x-mcp-header": "Flag"},
        "a": {"properties": {"b": {"properties": {"c": {"type": "string", "x-mcp-header": "Deep"}}}}},
    }});
    parameters_of(schema.to_string().as_bytes()).unwrap()
}

fn headers(fields: &[(&str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

#[test]
fn what_a_client_writes() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a [u8])]);
    let table: &[Case<'_>] = &[
        ("{}", &[]),
        ("[]", &[]),
        ("null", &[]),
        (r#"{"other":"x"}"#, &[]),
        (r#"{"text":"us-west1"}"#, &[("mcp-param-text", b"us-west1")]),
        (r#"{"text":""}"#, &[("mcp-param-text", b"")]),
        (r#"{"text":null}"#, &[]),
        (r#"{"text":"a b"}"#, &[("mcp-param-text", b"a b")]),
        (r#"{"text":" a"}"#, &[("mcp-param-text", b"=?base64?IGE=?=")]),
        (r#"{"text":"\u0061\t"}"#, &[("mcp-param-text", b"=?base64?YQk=?=")]),
        (r#"{"te\u0078t":"x","text":"y"}"#, &[("mcp-param-text", b"y")]),
        (r#"{"text":"\ud800"}"#, &[]),
        (r#"{"text":7}"#, &[("mcp-param-text", b"7")]),
        (r#"{"text":["x"]}"#, &[]),
        (r#"{"text":{"x":1}}"#, &[]),
        (r#"{"number":42}"#, &[("mcp-param-number", b"42")]),
        (r#"{"number":-7}"#, &[("mcp-param-number", b"-7")]),
        (r#"{"number":0}"#, &[("mcp-param-number", b"0")]),
        (r#"{"number":-0}"#, &[("mcp-param-number", b"0")]),
        (r#"{"number":42.0}"#, &[("mcp-param-number", b"42")]),
        (r#"{"number":4.2e1}"#, &[("mcp-param-number", b"42")]),
        (r#"{"number":4200E-2}"#, &[("mcp-param-number", b"42")]),
        (r#"{"number":0.05e+2}"#, &[("mcp-param-number", b"5")]),
        (r#"{"number":0e9}"#, &[("mcp-param-number", b"0")]),
        (r#"{"number":1e15}"#, &[("mcp-param-number", b"1000000000000000")]),
        (r#"{"number":9007199254740991}"#, &[("mcp-param-number", b"9007199254740991")]),
        (r#"{"number":-9007199254740991}"#, &[("mcp-param-number", b"-9007199254740991")]),
        (r#"{"number":9007199254740992}"#, &[]),
        (r#"{"number":-9007199254740992}"#, &[]),
        (r#"{"number":9007199254740991.4}"#, &[]),
        (r#"{"number":1e16}"#, &[]),
        (r#"{"number":1e999999999999999999999}"#, &[]),
        (r#"{"number":1.5}"#, &[]),
        (r#"{"number":1e-1}"#, &[]),
        (r#"{"number":"42"}"#, &[("mcp-param-number", b"42")]),
        (r#"{"number":true}"#, &[("mcp-param-number", b"true")]),
        (r#"{"flag":true}"#, &[("mcp-param-flag", b"true")]),
        (r#"{"flag":false}"#, &[("mcp-param-flag", b"false")]),
        (r#"{"a":{"b":{"c":"d"}}}"#, &[("mcp-param-deep", b"d")]),
        (r#"{"a":{"b":{"c":null}}}"#, &[]),
        (r#"{"a":{"b":"c"}}"#, &[]),
        (r#"{"a":[{"b":{"c":"d"}}]}"#, &[]),
        (r#"{"a":null,"c":"d"}"#, &[]),
        (
            r#"{"a":{"b":{"c":"d"}},"text":"x","flag":true}"#,
            &[("mcp-param-deep", b"d"), ("mcp-param-text", b"x"), ("mcp-param-flag", b"true")],
        ),
    ];
    for (arguments, expected) in table {
        assert_eq!(
            parameter_headers(&parameters(), Some(arguments.as_bytes())),
            headers(expected),
            "{arguments}"
        );
    }
    assert_eq!(parameter_headers(&parameters(), None), HeaderMap::new());
    assert_eq!(parameter_headers(&parameters(), Some(b"{")), HeaderMap::new());
    assert_eq!(parameter_headers(&[], Some(br#"{"text":"x"}"#)), HeaderMap::new());
}

#[track_caller]
fn check(arguments: Option<&str>, fields: &[(&str, &[u8])], fine: bool) {
    let checked = check_parameters(&parameters(), arguments.map(str::as_bytes), &headers(fields));
    assert_eq!(checked.is_ok(), fine, "{arguments:?} {fields:?} {checked:?}");
    if let Err(refused) = checked {
        assert_eq!((refused.status.as_u16(), refused.error.code().0), (400, -32020));
        assert!(refused.error.message().contains("mcp-param-"), "{}", refused.error);
        assert!(!refused.error.message().contains("s3cret") && refused.error.data().is_none());
    }
}

#[test]
fn what_a_server_takes() {
    let text = Some(r#"{"text":"s3cret"}"#);
    check(None, &[], true);
    check(None, &[("Mcp-Param-Text", b"s3cret")], false);
    check(Some("{}"), &[("Mcp-Param-Text", b"")], false);
    check(Some(r#"{"text":null}"#), &[], true);
    check(Some(r#"{"text":null}"#), &[("Mcp-Param-Text", b"null")], false);
    check(text, &[("Mcp-Param-Text", b"s3cret")], true);
    check(text, &[("MCP-PARAM-TEXT", b" s3cret\t")], true);
    check(text, &[("Mcp-Param-Text", b"=?base64?czNjcmV0?=")], true);
    check(text, &[("Mcp-Param-Text", b"s3cret"), ("Mcp-Param-Other", b"\xff")], true);
    check(text, &[], false);
    check(text, &[("Mcp-Param-Text", b"S3cret")], false);
    check(text, &[("Mcp-Param-Text", b"")], false);
    check(text, &[("Mcp-Param-Text", b"s3cret"), ("Mcp-Param-Text", b"s3cret")], false);
    check(text, &[("Mcp-Param-Text", b"s3cret, s3cret")], false);
    check(text, &[("Mcp-Param-Text", b"=?base64?czNjcmV?=")], false);
    check(text, &[("Mcp-Param-Text", b"=?base64?czNj!!!cmV0?=")], false);
    check(text, &[("Mcp-Param-Text", b"=?BASE64?czNjcmV0?=")], false);
    check(text, &[("Mcp-Param-Text", b"czNjcmV0")], false);
    check(text, &[("Mcp-Param-Text", b"s3cret\xff")], false);
    check(Some(r#"{"text":"=?base64?YQ=="}"#), &[("Mcp-Param-Text", b"=?base64?YQ==")], true);
    check(Some(r#"{"text":"=?base64?YQ==?="}"#), &[("Mcp-Param-Text", b"=?base64?YQ==?=")], false);
    check(Some(r#"{"text":"a"}"#), &[("Mcp-Param-Text", b"=?base64?YQ==?=")], true);
    check(Some(r#"{"text":""}"#), &[("Mcp-Param-Text", b"")], true);
    check(Some(r#"{"text":""}"#), &[], false);
    check(Some(r#"{"text":"\u00e9"}"#), &[("Mcp-Param-Text", b"=?base64?w6k=?=")], true);
    check(Some(r#"{"text":"\u00e9"}"#), &[("Mcp-Param-Text", "é".as_bytes())], false);
    check(Some(r#"{"text":"\ud800"}"#), &[("Mcp-Param-Text", b"x")], false);
    check(Some(r#"{"text":["x"]}"#), &[("Mcp-Param-Text", br#"["x"]"#)], false);
    check(Some(r#"{"text":{}}"#), &[("Mcp-Param-Text", b"{}")], false);
    check(Some(r#"{"a":{"b":{"c":"d"}}}"#), &[("Mcp-Param-Deep", b"d")], true);
    check(Some(r#"{"a":{"b":{"c":"d"}}}"#), &[], false);
    check(Some(r#"{"a":"d"}"#), &[("Mcp-Param-Deep", b"d")], false);
}

#[test]
fn numbers_and_booleans() {
    for (argument, value, fine) in [
        ("42", "42", true),
        ("42", "42.0", true),
        ("42.0", "42", true),
        ("42", "4.2e1", true),
        ("42", "420e-1", true),
        ("-0", "0", true),
        ("0", "-0.0", true),
        ("42", "=?base64?NDI=?=", true),
        ("42", "43", false),
        ("42", "-42", false),
        ("42", "42.5", false),
        ("42", "042", false),
        ("42", "+42", false),
        ("42", "42.", false),
        ("42", ".42e2", false),
        ("42", "0x2a", false),
        ("42", "4_2", false),
        ("42", "", false),
        ("42", "-", false),
        ("42", "42e", false),
        ("42", "forty-two", false),
        ("42", "٤٢", false),
        ("9007199254740991", "9007199254740991.0", true),
        ("9007199254740991", "9007199254740992", false),
        ("9007199254740993", "9007199254740993", true),
        ("9007199254740993", "9007199254740992", false),
        ("9007199254740992", "9007199254740992.0", false),
        ("1.5", "1.5", true),
        ("1.5", "1.50", false),
        ("1e400", "1e400", true),
        ("true", "true", true),
        ("true", "True", false),
        ("true", "1", false),
        ("true", "false", false),
        ("false", "false", true),
        ("false", "", false),
    ] {
        let arguments = format!(r#"{{"number":{argument}}}"#);
        check(Some(&arguments), &[("Mcp-Param-Number", value.as_bytes())], fine);
    }
}

fn argument() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "(=\\?base64\\?)?[ a-z]{0,4}(\\?=)?".prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn a_server_takes_what_a_client_writes(one in argument(), two in argument(), three in argument()) {
        let arguments = json!({"text": one, "number": two, "a": {"b": {"c": three}}}).to_string();
        let headers = parameter_headers(&parameters(), Some(arguments.as_bytes()));
        prop_assert_eq!(check_parameters(&parameters(), Some(arguments.as_bytes()), &headers), Ok(()));
        prop_assert_eq!(headers.len(), [one, two, three].iter().filter(|value| !value.is_null()).count());
    }

    #[test]
    fn a_changed_header_is_refused(value in argument(), other in argument()) {
        let text = |value: &Value| json!({ "text": value }).to_string();
        let headers = parameter_headers(&parameters(), Some(text(&other).as_bytes()));
        // `"1"` and `1` are written alike.
        let alike = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let same = value.is_null() == other.is_null() && alike(&value) == alike(&other);
        prop_assert_eq!(check_parameters(&parameters(), Some(text(&value).as_bytes()), &headers).is_ok(), same);
    }

    #[test]
    fn one_number_has_many_forms(number in -9_007_199_254_740_991_i64..=9_007_199_254_740_991, zeros in 0..30_usize) {
        let digits = number.unsigned_abs().to_string();
        let sign = if number < 0 { "-" } else { "" };
        let (first, rest) = digits.split_at(1);
        let power = rest.len();
        let padding = "0".repeat(zeros);
        for form in [
            format!("{number}.0{padding}"),
            format!("{number}e0"),
            format!("{sign}{first}.{rest}{padding}0E+{power}"),
            format!("{sign}0.{padding}{digits}e{}", zeros + digits.len()),
            format!("{number}{padding}e-{zeros}"),
        ] {
            // No number of JSON begins with two zeros.
            if form.trim_start_matches('-').starts_with("00") {
                continue;
            }
            let arguments = format!(r#"{{"number":{form}}}"#);
            let headers = parameter_headers(&parameters(), Some(arguments.as_bytes()));
            prop_assert_eq!(headers["mcp-param-number"].to_str().unwrap(), number.to_string(), "{}", form);
        }
    }
}
