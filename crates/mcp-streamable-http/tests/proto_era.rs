//! Which era a request is of, and which revision a legacy one names.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::{HeaderMap, HeaderValue};
use mcp_jsonrpc::{Message, ScanLimits};
use mcp_streamable_http::proto::mirror::MCP_PROTOCOL_VERSION;
use mcp_streamable_http::proto::{VersionProblem, era_of, era_of_headers, legacy_revision};
use mcp_transport_core::{Era, Revision};

fn headers(versions: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for version in versions {
        headers.append(MCP_PROTOCOL_VERSION, HeaderValue::from_bytes(version).unwrap());
    }
    headers
}

fn message(text: &str) -> Message {
    Message::parse(text.as_bytes().to_vec(), &ScanLimits::default()).unwrap()
}

#[test]
fn the_header_alone() {
    use Era::{Legacy, Modern};
    let plain = message(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let table: &[(&[&[u8]], Era)] = &[
        (&[], Legacy),
        (&[b"2024-10-07"], Legacy),
        (&[b"2024-11-05"], Legacy),
        (&[b"2025-03-26"], Legacy),
        (&[b"2025-06-18"], Legacy),
        (&[b"2025-11-25"], Legacy),
        (&[b"2025-11-25", b"2025-11-25"], Legacy),
        (&[b"2026-07-28"], Modern),
        (&[b"2099-01-01"], Modern),
        (&[b"1900-01-01"], Modern),
        (&[b"2025-11-24"], Modern),
        (&[b"2025-11-25x"], Modern),
        (&[b"2025-11-25, 2025-06-18"], Modern),
        (&[b""], Modern),
        (&[b"latest"], Modern),
        (&[b"\xff"], Modern),
        (&[b"2025-11-25", b"2026-07-28"], Modern),
        (&[b"2026-07-28", b"2025-11-25"], Modern),
    ];
    for (versions, era) in table {
        assert_eq!(era_of_headers(&headers(versions)), *era, "{versions:?}");
        assert_eq!(era_of(&headers(versions), &plain), *era, "{versions:?}");
    }
}

#[test]
fn the_body_beside_a_header() {
    use Era::{Legacy, Modern};
    let table: &[(&str, Era)] = &[
        (r#""id":1,"method":"tools/list","params":{}"#, Legacy),
        (r#""id":1,"method":"tools/list","params":[]"#, Legacy),
        (r#""id":1,"method":"tools/list","params":["_meta"]"#, Legacy),
        (r#""id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28"}"#, Legacy),
        (r#""id":1,"method":"x","params":{"_meta":{}}"#, Legacy),
        (r#""id":1,"method":"x","params":{"_meta":null}"#, Legacy),
        (r#""id":1,"method":"x","params":{"_meta":{"progressToken":1}}"#, Legacy),
        (
            r#""id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#,
            Legacy,
        ),
        (
            r#""id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/PROTOCOLVERSION":"2026-07-28"}}"#,
            Legacy,
        ),
        (r#""id":1,"method":"x","params":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#, Legacy),
        (
            r#""id":1,"method":"x","params":{"a":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2"}}}"#,
            Legacy,
        ),
        (r#""id":1,"result":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#, Legacy),
        (
            r#""id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
            Modern,
        ),
        (
            r#""id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}"#,
            Modern,
        ),
        (
            r#""id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":null}}"#,
            Modern,
        ),
        (
            r#""id":1,"method":"x","params":{"_meta":{"\u0069o.modelcontextprotocol/protocolVersion":7}}"#,
            Modern,
        ),
        (
            r#""method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
            Modern,
        ),
    ];
    for (members, era) in table {
        let message = message(&format!("{{\"jsonrpc\":\"2.0\",{members}}}"));
        assert_eq!(era_of(&headers(&[]), &message), *era, "{members}");
        assert_eq!(era_of(&headers(&[b"2025-11-25"]), &message), *era, "{members}");
        assert_eq!(era_of(&headers(&[b"2026-07-28"]), &message), Modern, "{members}");
    }
}

#[test]
fn headers_of_the_modern_era_make_no_modern_request() {
    let mut headers = headers(&[b"2025-11-25"]);
    headers.insert("mcp-method", HeaderValue::from_static("initialize"));
    headers.insert("mcp-name", HeaderValue::from_static("x"));
    let message = message(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#);
    assert_eq!(era_of(&headers, &message), Era::Legacy);
}

#[test]
fn the_revision_of_a_legacy_request() {
    use VersionProblem::{Several, Unsupported};
    type Case<'a> = (&'a [&'a [u8]], Result<Option<Revision>, VersionProblem>);
    let table: &[Case<'_>] = &[
        (&[], Ok(None)),
        (&[b"2024-10-07"], Ok(Some(Revision::V2024_10_07))),
        (&[b"2024-11-05"], Ok(Some(Revision::V2024_11_05))),
        (&[b"2025-03-26"], Ok(Some(Revision::V2025_03_26))),
        (&[b"2025-06-18"], Ok(Some(Revision::V2025_06_18))),
        (&[b"2025-11-25"], Ok(Some(Revision::V2025_11_25))),
        (&[b"2026-07-28"], Err(Unsupported)),
        (&[b"1900-01-01"], Err(Unsupported)),
        (&[b""], Err(Unsupported)),
        (&[b"2025-11-25,2025-11-25"], Err(Unsupported)),
        (&[b"2025-11-25\xff"], Err(Unsupported)),
        (&[b"2025-11-25", b"2025-11-25"], Err(Several)),
        (&[b"x", b"2025-11-25"], Err(Several)),
    ];
    for (versions, expected) in table {
        assert_eq!(legacy_revision(&headers(versions)), *expected, "{versions:?}");
    }
}
