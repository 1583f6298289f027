//! What is an id.

use mcp_jsonrpc::{Fault, Form};

use super::{Case, error, notification, refused, request, result};

pub(super) fn ids() -> Vec<Case> {
    let mut cases = Vec::new();
    for id in [
        "0",
        "-0",
        "1",
        "-1",
        "12345678901234567890",
        "-98765432109876543210",
        "9223372036854775807",
        "9007199254740993",
        r#""""#,
        r#""a""#,
        r#""1""#,
        r#""null""#,
        r#""a\u0062""#,
        r#""\"""#,
        r#""\\""#,
        r#""\/\b\f\n\r\t""#,
        r#""é€😀""#,
        r#""\ud83d\ude00""#,
        r#""\u0000""#,
        r#"" ""#,
        "\"\u{7f}\u{9b}\"",
        r#""0b9d4a2e-4b6f-4b7e-9c56-6a1a1c8f2f11""#,
        r#""0123456789012345678901234567890123456789012345678901234567890123456789""#,
    ] {
        cases.push(request(&format!(r#""id":{id},"method":"m""#), id, "m", ""));
        cases.push(request(
            &format!(r#""method":"m","params":{{"id":9}},"id": {id} "#),
            id,
            "m",
            r#"{"id":9}"#,
        ));
        cases.push(result(&format!(r#""id":{id},"result":{{}}"#), id, "{}"));
        cases.push(error(
            &format!(r#""error":{{"code":1,"message":""}},"id":{id}"#),
            id,
            r#"{"code":1,"message":""}"#,
        ));
    }
    for id in [
        "1.0",
        "1e2",
        "1E2",
        "-1.5",
        "0.0",
        "1e400",
        "true",
        "false",
        "[]",
        "{}",
        "[1]",
        r#"{"id":1}"#,
        r#"["a","b"]"#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud83dx""#,
    ] {
        cases.push(refused(&format!(r#""id":{id},"method":"m""#), Fault::IdKind, "", Form::Request));
        cases.push(refused(&format!(r#""id":{id},"result":1"#), Fault::IdKind, "", Form::Response));
        cases.push(refused(
            &format!(r#""id":{id},"error":{{"code":1,"message":"m"}}"#),
            Fault::IdKind,
            "",
            Form::Response,
        ));
        cases.push(refused(&format!(r#""id":{id}"#), Fault::IdKind, "", Form::Unknown));
    }
    // Absent makes a notification; null does not, and is an id only in an error.
    cases.push(notification(r#""method":"m""#, "m", ""));
    cases.push(refused(r#""id":null,"method":"m""#, Fault::IdKind, "", Form::Request));
    cases.push(refused(r#""id":null,"result":1"#, Fault::IdKind, "", Form::Response));
    cases.push(refused(r#""result":1"#, Fault::IdMissing, "", Form::Response));
    cases.push(error(r#""id":null,"error":{"code":1,"message":"m"}"#, "", r#"{"code":1,"message":"m"}"#));
    cases.push(error(r#""error":{"code":1,"message":"m"}"#, "", r#"{"code":1,"message":"m"}"#));
    // The bound counts the quotes. Beyond 256 bytes nothing is salvaged, which is its own test.
    let id = format!(r#""{}""#, "x".repeat(254));
    cases.push(request(&format!(r#""id":{id},"method":"m""#), &id, "m", ""));
    let id = format!(r#""{}""#, "x".repeat(1023));
    cases.push(refused(&format!(r#""id":{id},"method":"m""#), Fault::IdTooLong, "", Form::Request));
    cases.push(refused(
        &format!(r#""id":{},"method":"m""#, "1".repeat(1025)),
        Fault::IdTooLong,
        "",
        Form::Request,
    ));
    cases
}
