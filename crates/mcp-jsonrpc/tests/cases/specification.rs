//! The examples of the JSON-RPC 2.0 specification, J1 to J12, read as MCP reads them.

use mcp_jsonrpc::{Fault, Form};

use super::{Case, bad, error, notification, refused, request, result};

pub(super) fn specification() -> Vec<Case> {
    vec![
        // J1
        request(r#""method":"subtract","params":[42,23],"id":1"#, "1", "subtract", "[42,23]"),
        request(r#""method":"subtract","params":[23,42],"id":2"#, "2", "subtract", "[23,42]"),
        // J2
        request(
            r#""method":"subtract","params":{"subtrahend":23,"minuend":42},"id":3"#,
            "3",
            "subtract",
            r#"{"subtrahend":23,"minuend":42}"#,
        ),
        request(
            r#""method":"subtract","params":{"minuend":42,"subtrahend":23},"id":4"#,
            "4",
            "subtract",
            r#"{"minuend":42,"subtrahend":23}"#,
        ),
        result(r#""result":19,"id":1"#, "1", "19"),
        // J3
        notification(r#""method":"update","params":[1,2,3,4,5]"#, "update", "[1,2,3,4,5]"),
        notification(r#""method":"foobar""#, "foobar", ""),
        // J4
        request(r#""method":"foobar","id":"1""#, r#""1""#, "foobar", ""),
        error(
            r#""error":{"code":-32601,"message":"Method not found"},"id":"1""#,
            r#""1""#,
            r#"{"code":-32601,"message":"Method not found"}"#,
        ),
        // J5
        bad(r#"{"jsonrpc":"2.0","method":"foobar,"params":"bar","baz]"#, Fault::Syntax, "", Form::Request),
        error(
            r#""error":{"code":-32700,"message":"Parse error"},"id":null"#,
            "",
            r#"{"code":-32700,"message":"Parse error"}"#,
        ),
        // J6
        refused(r#""method":1,"params":"bar""#, Fault::Method, "", Form::Request),
        // J7 to J12: arrays, which only a caller who asks for batches takes.
        bad(
            r#"[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},{"jsonrpc":"2.0","method"]"#,
            Fault::Syntax,
            "",
            Form::Unknown,
        ),
        bad("[]", Fault::Batch, "", Form::Unknown),
        bad("[1]", Fault::Batch, "", Form::Unknown),
        bad("[1,2,3]", Fault::Batch, "", Form::Unknown),
        bad(
            r#"[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},{"foo":"boo"}]"#,
            Fault::Batch,
            "",
            Form::Unknown,
        ),
        bad(r#"[{"jsonrpc":"2.0","method":"notify_hello"}]"#, Fault::Batch, "", Form::Unknown),
    ]
}
