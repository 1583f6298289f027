//! What a client makes of a refusal: another revision, or another era.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::StatusCode;
use mcp_jsonrpc::{ErrorCode, ErrorObject, Json, Message, Request, ScanLimits};
use mcp_streamable_http::proto::{
    choose_revision, is_modern_error, is_modern_refusal, revision_in, with_revision,
};
use mcp_transport_core::Revision;
use proptest::prelude::*;

const NAMES: &str = "io.modelcontextprotocol/protocolVersion";

fn error(code: i64, data: Option<&str>) -> ErrorObject {
    let error = ErrorObject::new(ErrorCode(code), "no");
    let Some(data) = data else { return error };
    let text =
        format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"no","data":{data}}}}}"#);
    let Message::Response(response) = Message::parse(text.into_bytes(), &ScanLimits::default()).unwrap()
    else {
        panic!()
    };
    let mcp_jsonrpc::Outcome::Error(error) = response.outcome() else { panic!() };
    error
}

#[test]
fn the_newest_that_both_have() {
    use Revision::{V2025_06_18, V2025_11_25, V2026_07_28};
    let all = &Revision::ALL[..];
    type Case<'a> = (i64, Option<&'a str>, &'a [Revision], Option<Revision>);
    let table: &[Case<'_>] = &[
        (-32022, Some(r#"{"supported":["2026-07-28"],"requested":"2099-01-01"}"#), all, Some(V2026_07_28)),
        (-32022, Some(r#"{"supported":["2026-07-28","2025-11-25"]}"#), all, Some(V2026_07_28)),
        (-32022, Some(r#"{"supported":["2025-11-25","2026-07-28"]}"#), all, Some(V2026_07_28)),
        (
            -32022,
            Some(r#"{"supported":["2026-07-28","2025-11-25"]}"#),
            &[V2025_06_18, V2025_11_25],
            Some(V2025_11_25),
        ),
        (
            -32022,
            Some(r#"{ "supported" : [ 7 , {"a":["2026-07-28"]} , "2025-11-\u0032\u0035" ] }"#),
            all,
            Some(V2025_11_25),
        ),
        (-32022, Some(r#"{"supported":["2099-01-01"]}"#), all, None),
        (-32022, Some(r#"{"supported":["2026-07-28"]}"#), &[V2025_11_25], None),
        (-32022, Some(r#"{"supported":["2026-07-28"]}"#), &[], None),
        (-32022, Some(r#"{"supported":[]}"#), all, None),
        (-32022, Some(r#"{"supported":"2026-07-28"}"#), all, None),
        (-32022, Some(r#"{"supported":{"0":"2026-07-28"}}"#), all, None),
        (-32022, Some(r#"["2026-07-28"]"#), all, None),
        (-32022, Some("null"), all, None),
        (-32022, None, all, None),
        (-32020, Some(r#"{"supported":["2026-07-28"]}"#), all, None),
        (-32000, Some(r#"{"supported":["2026-07-28"]}"#), all, None),
    ];
    for (code, data, ours, expected) in table {
        assert_eq!(choose_revision(&error(*code, *data), ours), *expected, "{code} {data:?}");
    }
}

#[test]
fn whose_error_it_is() {
    for (code, modern, with_404) in [
        (-32020, true, true),
        (-32021, true, true),
        (-32022, true, true),
        (-32601, false, true),
        (-32023, false, false),
        (-32019, false, false),
        (-32000, false, false),
        (-32001, false, false),
        (-32600, false, false),
        (-32602, false, false),
        (-32700, false, false),
        (0, false, false),
    ] {
        let error = error(code, None);
        assert_eq!(is_modern_error(&error), modern, "{code}");
        assert_eq!(is_modern_refusal(StatusCode::NOT_FOUND, &error), with_404, "{code}");
        for status in [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::METHOD_NOT_ALLOWED] {
            assert_eq!(is_modern_refusal(status, &error), modern, "{code} {status}");
        }
    }
}

fn request(text: &str) -> Request {
    match Message::parse(text.as_bytes().to_vec(), &ScanLimits::default()).unwrap() {
        Message::Request(request) => request,
        _ => panic!(),
    }
}

#[test]
fn nothing_but_the_revision_changes() {
    let versions =
        [r#""2026-07-28""#, r#""""#, r#""2099-01-01 and a longer name""#, "7", "null", r#"{"a":[1]}"#];
    for version in versions {
        let text = |version: &str| {
            format!(
                "{{ \"params\" : {{\"x\":1e2, \"_meta\" : {{\"{NAMES}\" : {version} ,\n\"a\":{{\"{NAMES}\":9}}}}\r}},\"id\":\"\\u0061\", \"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"more\":0.10}}"
            )
        };
        let changed = with_revision(&request(&text(version)), Revision::V2025_11_25).unwrap();
        assert_eq!(changed.as_bytes(), text(r#""2025-11-25""#).as_bytes(), "{version}");
        assert_eq!(revision_in(&changed).as_deref(), Some("2025-11-25"));
        assert_eq!((changed.id().as_str().as_deref(), &*changed.method()), (Some("a"), "tools/call"));
    }
}

#[test]
fn a_request_that_names_no_revision_stays() {
    for params in
        ["", r#","params":{}"#, r#","params":[]"#, r#","params":{"_meta":{}}"#, r#","params":{"_meta":7}"#]
    {
        let request = request(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x"{params}}}"#));
        assert_eq!(with_revision(&request, Revision::LATEST), None, "{params}");
    }
}

#[test]
fn an_id_of_any_length_stays() {
    let id = "x".repeat(10_000);
    let params = Json::parse(format!(r#"{{"_meta":{{"{NAMES}":"a"}}}}"#)).unwrap();
    let request = Request::with_json_params(id.clone(), "x", &params).unwrap();
    let changed = with_revision(&request, Revision::LATEST).unwrap();
    assert_eq!(changed.id().as_str().as_deref(), Some(&*id));
}

proptest! {
    #[test]
    fn what_stands_around_it_does_not_matter(before in "[a-z]{0,8}", after in any::<String>(), old in any::<String>()) {
        let text = |version: &str| serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": "x",
            "params": { before.as_str(): after, "_meta": { NAMES: version, "z": after } }, "z": before,
        }).to_string();
        let changed = with_revision(&request(&text(&old)), Revision::LATEST).unwrap();
        let expected = text("2026-07-28");
        prop_assert_eq!(changed.as_bytes(), expected.as_bytes());
    }
}
