//! Whether a modern request is served, and the one answer to one that is not.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mcp_jsonrpc::{ErrorCode, ErrorObject, Message, Object, ScanLimits};
use mcp_streamable_http::proto::{Refused, ToolTable, check_modern, modern_status, unsupported};
use mcp_transport_core::Revision;

const SERVED: &[Revision] = &[Revision::V2026_07_28];
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn message(members: &str) -> Message {
    let members = members.replace("META", META);
    Message::parse(format!("{{\"jsonrpc\":\"2.0\",{members}}}").into_bytes(), &ScanLimits::default()).unwrap()
}

fn judge(fields: &[(&str, &str)], members: &str) -> Result<Revision, (u16, i64)> {
    let checked = check_modern(&headers(fields), &message(members), SERVED, None);
    checked.map_err(|refused| (refused.status.as_u16(), refused.error.code().0))
}

const V: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");
const LIST: (&str, &str) = ("Mcp-Method", "tools/list");
const CALL: (&str, &str) = ("Mcp-Method", "tools/call");
const FINE: Result<Revision, (u16, i64)> = Ok(Revision::V2026_07_28);
const HEADER: Result<Revision, (u16, i64)> = Err((400, -32020));
const PARAMS: Result<Revision, (u16, i64)> = Err((400, -32602));
const VERSION: Result<Revision, (u16, i64)> = Err((400, -32022));

type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Result<Revision, (u16, i64)>);

#[track_caller]
fn check(table: &[Case<'_>]) {
    for (fields, members, expected) in table {
        assert_eq!(judge(fields, members), *expected, "{fields:?} {members}");
    }
}

#[test]
fn the_method() {
    let list = r#""id":1,"method":"tools/list","params":{META}"#;
    check(&[
        (&[V, LIST], list, FINE),
        (&[("mcp-protocol-version", "2026-07-28"), ("MCP-METHOD", "tools/list")], list, FINE),
        (&[V, ("Mcp-Method", " \ttools/list\t ")], list, FINE),
        (&[V, LIST], r#""id":1,"method":"tools\/l\u0069st","params":{META}"#, FINE),
        (&[V], list, HEADER),
        (&[V, CALL], list, HEADER),
        (&[V, ("Mcp-Method", "Tools/list")], list, HEADER),
        (&[V, ("Mcp-Method", "tools/list/")], list, HEADER),
        (&[V, ("Mcp-Method", "")], list, HEADER),
        (&[V, ("Mcp-Method", "=?base64?dG9vbHMvbGlzdA==?=")], list, HEADER),
        (&[V, ("Mcp-Method", "tools/list, tools/list")], list, HEADER),
        (&[V, LIST, LIST], list, HEADER),
        (&[V, LIST, CALL], list, HEADER),
        (&[V, ("Mcp-Method", "méthode")], r#""id":1,"method":"méthode","params":{META}"#, HEADER),
        (&[V, ("Mcp-Method", "a/b")], r#""id":1,"method":"a/b","params":{META}"#, FINE),
    ]);
}

#[test]
fn the_name() {
    let call = r#""id":1,"method":"tools/call","params":{"name":"echo",META}"#;
    let unicode = r#""id":1,"method":"tools/call","params":{"name":"é",META}"#;
    let nameless = r#""id":1,"method":"tools/call","params":{META}"#;
    check(&[
        (&[V, CALL, ("Mcp-Name", "echo")], call, FINE),
        (&[V, CALL, ("mcp-name", " echo ")], call, FINE),
        (&[V, CALL, ("Mcp-Name", "=?base64?ZWNobw==?=")], call, FINE),
        (&[V, CALL, ("Mcp-Name", "=?base64?w6k=?=")], unicode, FINE),
        (&[V, CALL], call, HEADER),
        (&[V, CALL, ("Mcp-Name", "")], call, HEADER),
        (&[V, CALL, ("Mcp-Name", "Echo")], call, HEADER),
        (&[V, CALL, ("Mcp-Name", "echo"), ("Mcp-Name", "echo")], call, HEADER),
        (&[V, CALL, ("Mcp-Name", "=?base64?ZWNobw?=")], call, HEADER),
        (&[V, CALL, ("Mcp-Name", "=?BASE64?ZWNobw==?=")], call, HEADER),
        (&[V, CALL, ("Mcp-Name", "ZWNobw==")], call, HEADER),
        (&[V, CALL, ("Mcp-Name", "é")], unicode, HEADER),
        (&[V, CALL, ("Mcp-Name", "x")], nameless, HEADER),
        (&[V, CALL, ("Mcp-Name", "")], nameless, HEADER),
        (&[V, CALL], nameless, HEADER),
        (&[V, CALL, ("Mcp-Name", "7")], r#""id":1,"method":"tools/call","params":{"name":7,META}"#, HEADER),
        (&[V, CALL, ("Mcp-Name", "x")], r#""id":1,"method":"tools/call","params":["x"]"#, HEADER),
        (
            &[V, CALL, ("Mcp-Name", "a")],
            r#""id":1,"method":"tools/call","params":{"name":"b","name":"a",META}"#,
            FINE,
        ),
        (
            &[V, LIST, ("Mcp-Name", "whatever")],
            r#""id":1,"method":"tools/list","params":{"name":"x",META}"#,
            FINE,
        ),
    ]);
    for (method, key) in [
        ("tools/call", "name"),
        ("prompts/get", "name"),
        ("resources/read", "uri"),
        ("tasks/get", "taskId"),
        ("tasks/update", "taskId"),
        ("tasks/cancel", "taskId"),
    ] {
        let members = format!(r#""id":1,"method":"{method}","params":{{"{key}":"this",META}}"#);
        let fields = |name| [V, ("Mcp-Method", method), ("Mcp-Name", name)];
        assert_eq!(judge(&fields("this"), &members), FINE, "{method}");
        assert_eq!(judge(&fields("that"), &members), HEADER, "{method}");
        assert_eq!(judge(&[V, ("Mcp-Method", method)], &members), HEADER, "{method}");
    }
}

#[test]
fn the_metadata() {
    const P: &str = "io.modelcontextprotocol/protocolVersion";
    const C: &str = "io.modelcontextprotocol/clientCapabilities";
    let list = |params: &str| format!(r#""id":1,"method":"tools/list"{params}"#);
    for (meta, expected) in [
        (format!(r#"{{"{P}":"2026-07-28","{C}":{{}}}}"#), FINE),
        (format!(r#"{{"{P}":"2026-07-28","{C}":{{"sampling":{{}}}},"x":1}}"#), FINE),
        (format!(r#"{{"{P}":"2026-07-28"}}"#), PARAMS),
        (format!(r#"{{"{C}":{{}}}}"#), PARAMS),
        (format!(r#"{{"{P}":7,"{C}":{{}}}}"#), PARAMS),
        (format!(r#"{{"{P}":null,"{C}":{{}}}}"#), PARAMS),
        (format!(r#"{{"{P}":"\ud800","{C}":{{}}}}"#), PARAMS),
        (format!(r#"{{"{P}":"2026-07-28","{C}":[]}}"#), PARAMS),
        (format!(r#"{{"{P}":"2026-07-28","{C}":null}}"#), PARAMS),
        (format!(r#"{{"{P}":"2026-07-28","{C}":"{{}}"}}"#), PARAMS),
        (format!(r#"{{"{P}":"2025-11-25","{C}":{{}}}}"#), HEADER),
        (format!(r#"{{"{P}":"","{C}":{{}}}}"#), HEADER),
        ("{}".into(), PARAMS),
        ("[]".into(), PARAMS),
        ("null".into(), PARAMS),
    ] {
        let members = list(&format!(r#","params":{{"_meta":{meta}}}"#));
        assert_eq!(judge(&[V, LIST], &members), expected, "{meta}");
    }
    for params in ["", r#","params":{}"#, r#","params":[{}]"#] {
        assert_eq!(judge(&[V, LIST], &list(params)), PARAMS, "{params}");
    }
}

#[test]
fn the_version() {
    let list = |version: &str| {
        let meta = META.replace("2026-07-28", version);
        format!(r#""id":1,"method":"tools/list","params":{{{meta}}}"#)
    };
    let name = "MCP-Protocol-Version";
    for (values, version, expected) in [
        (&["2026-07-28"][..], "2026-07-28", FINE),
        (&[" 2026-07-28 "], "2026-07-28", FINE),
        (&[], "2026-07-28", HEADER),
        (&[""], "2026-07-28", HEADER),
        (&["2025-11-25"], "2026-07-28", HEADER),
        (&["2026-07-28"], "2099-01-01", HEADER),
        (&["2026-07-28", "2026-07-28"], "2026-07-28", HEADER),
        (&["2099-01-01"], "2099-01-01", VERSION),
        (&["2025-11-25"], "2025-11-25", VERSION),
        (&["1900-01-01"], "1900-01-01", VERSION),
        (&["DRAFT-2026-v1"], "DRAFT-2026-v1", VERSION),
        (&[""], "", VERSION),
        (&["é"], "é", HEADER),
        (&["=?base64?MjAyNi0wNy0yOA==?="], "2026-07-28", HEADER),
    ] {
        let mut fields = vec![LIST];
        fields.extend(values.iter().map(|value| (name, *value)));
        assert_eq!(judge(&fields, &list(version)), expected, "{values:?} {version}");
    }
}

#[test]
fn the_first_thing_that_is_wrong_is_the_answer() {
    let no_meta = r#""id":1,"method":"ping""#;
    let other = META.replace("2026-07-28", "2099-01-01");
    let other = format!(r#""id":1,"method":"ping","params":{{{other}}}"#);
    let removed = r#""id":1,"method":"ping","params":{META}"#;
    let ping = ("Mcp-Method", "ping");
    check(&[
        (&[], no_meta, HEADER),
        (&[ping], no_meta, PARAMS),
        (&[ping], &other, HEADER),
        (&[ping, ("MCP-Protocol-Version", "2099-01-01")], &other, VERSION),
        (&[ping], removed, HEADER),
        (&[ping, V], removed, Err((404, -32601))),
    ]);
    let methods = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];
    for method in methods {
        let members = format!(r#""id":1,"method":"{method}","params":{{META}}"#);
        assert_eq!(judge(&[V, ("Mcp-Method", method)], &members), Err((404, -32601)), "{method}");
    }
}

#[test]
fn notifications_and_responses() {
    let plain = r#""method":"notifications/x""#;
    let with = r#""method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    let other = r#""method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}"#;
    let number =
        r#""method":"notifications/x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}"#;
    let method = ("Mcp-Method", "notifications/x");
    check(&[
        (&[V], plain, FINE),
        (&[V, method], plain, FINE),
        (&[V, method], with, FINE),
        (&[V], r#""method":"tools/call","params":{"name":"x"}"#, FINE),
        (&[], plain, HEADER),
        (&[method], with, HEADER),
        (&[V, LIST], plain, HEADER),
        (&[V, method, method], plain, HEADER),
        (&[V, V], plain, HEADER),
        (&[V], other, HEADER),
        (&[V], number, HEADER),
        (&[("MCP-Protocol-Version", "2025-11-25")], other, VERSION),
        (&[("MCP-Protocol-Version", "2099-01-01")], plain, VERSION),
        (&[V], r#""id":1,"result":{}"#, Err((400, -32600))),
        (&[V], r#""id":1,"error":{"code":1,"message":"x"}"#, Err((400, -32600))),
    ]);
}

#[test]
fn parameters_of_tools_that_are_known() {
    let tools = ToolTable::default();
    tools.learn(br#"{"tools":[{"name":"q","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"Region"}}}}]}"#);
    let judge = |name: &str, arguments: &str, region: Option<&str>| {
        let mut fields = vec![V, CALL, ("Mcp-Name", name)];
        fields.extend(region.map(|region| ("Mcp-Param-Region", region)));
        let message =
            message(&format!(r#""id":1,"method":"tools/call","params":{{"name":"{name}"{arguments},META}}"#));
        let checked = check_modern(&headers(&fields), &message, SERVED, Some(&tools));
        checked.map_err(|refused| (refused.status.as_u16(), refused.error.code().0))
    };
    assert_eq!(judge("q", r#","arguments":{"r":"x"}"#, Some("x")), FINE);
    assert_eq!(judge("q", r#","arguments":{"r":"x"}"#, Some("y")), HEADER);
    assert_eq!(judge("q", r#","arguments":{"r":"x"}"#, None), HEADER);
    assert_eq!(judge("q", "", Some("x")), HEADER);
    assert_eq!(judge("q", "", None), FINE);
    assert_eq!(judge("other", r#","arguments":{"r":"x"}"#, Some("y")), FINE);
}

fn data(error: &ErrorObject) -> serde_json::Value {
    error.data().unwrap().decode().unwrap()
}

#[test]
fn what_an_error_repeats() {
    let longest = "9".repeat(64);
    let longer = "9".repeat(65);
    for (requested, repeated) in [
        ("2099-01-01", "2099-01-01"),
        (&longest, &longest),
        (&longer, ""),
        ("", ""),
        ("a b", ""),
        ("a\tb", ""),
        ("é", ""),
        ("\u{7f}", ""),
        ("<\"&'>", "<\"&'>"),
    ] {
        let Refused { status, error } =
            unsupported(requested, &[Revision::V2026_07_28, Revision::V2025_11_25]);
        assert_eq!(
            (status, error.code()),
            (StatusCode::BAD_REQUEST, ErrorCode::UNSUPPORTED_PROTOCOL_VERSION)
        );
        let expected = serde_json::json!({"supported": ["2026-07-28", "2025-11-25"], "requested": repeated});
        assert_eq!(data(&error), expected);
    }
    let secret = "s3cret";
    let members = format!(
        r#""id":1,"method":"{secret}","params":{{"name":"{secret}","_meta":{{"io.modelcontextprotocol/protocolVersion":"{secret}"}}}}"#
    );
    for fields in [&[("Mcp-Method", secret)][..], &[("Mcp-Method", "x")], &[V], &[("Mcp-Method", secret), V]]
    {
        let error = check_modern(&headers(fields), &message(&members), SERVED, None).unwrap_err().error;
        assert!(!error.to_string().contains(secret) && error.data().is_none(), "{error}");
    }
}

#[test]
fn whoever_wants_to_initialize_is_told_the_revisions() {
    for members in [
        r#""id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}"#,
        r#""id":1,"method":"initialize","params":{META}"#,
    ] {
        for fields in [&[][..], &[V], &[V, ("Mcp-Method", "initialize")], &[("Mcp-Method", "initialize")]] {
            let refused = check_modern(&headers(fields), &message(members), SERVED, None).unwrap_err();
            assert_eq!(data(&refused.error), serde_json::json!({"supported": ["2026-07-28"]}), "{fields:?}");
            assert!(refused.error.message().ends_with("; served here: 2026-07-28"), "{}", refused.error);
        }
    }
    let version = ("MCP-Protocol-Version", "2099-01-01");
    let members =
        format!(r#""id":1,"method":"initialize","params":{{{}}}"#, META.replace("2026-07-28", "2099-01-01"));
    let refused =
        check_modern(&headers(&[version, ("Mcp-Method", "initialize")]), &message(&members), SERVED, None);
    let error = refused.unwrap_err().error;
    assert!(Object::new(error.data().unwrap().as_bytes()).unwrap().get("requested").is_some());
}

#[test]
fn the_status_of_an_error() {
    for (code, status) in [
        (-32601, 404),
        (-32020, 400),
        (-32021, 400),
        (-32022, 400),
        (-32700, 400),
        (-32600, 400),
        (-32602, 200),
        (-32603, 200),
        (-32002, 200),
        (-32000, 200),
        (-32019, 200),
        (-32023, 200),
        (-32099, 200),
        (0, 200),
        (404, 200),
        (i64::MIN, 200),
    ] {
        assert_eq!(modern_status(&ErrorObject::new(ErrorCode(code), "no")).as_u16(), status, "{code}");
    }
}
