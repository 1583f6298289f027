//! Versions, spellings of keys, keys that come twice, and which keys make which kind of message.

use mcp_jsonrpc::{Fault, Form};

use super::{Case, bad, error, good, notification, refused, request, result};

pub(super) fn versions() -> Vec<Case> {
    let version = |version: &str| format!(r#"{{"jsonrpc":{version},"id":1,"method":"m"}}"#);
    let mut cases: Vec<Case> = [r#""2.0""#, r#""2\u002e0""#, r#""\u0032.0""#, r#""\u0032\u002E\u0030""#]
        .map(|text| good("request", version(text), "1", "m", ""))
        .into();
    let wrong = [
        "2.0",
        "2",
        "20e-1",
        r#""2.00""#,
        r#""1.0""#,
        r#""2""#,
        r#""""#,
        r#"" 2.0""#,
        r#""2.0 ""#,
        r#""2.0\u0000""#,
        r#""2\ud8000""#,
        "null",
        "true",
        r#"["2.0"]"#,
        r#"{"2.0":"2.0"}"#,
    ];
    cases.extend(wrong.map(|text| bad(version(text), Fault::Version, "1", Form::Request)));
    cases.push(bad(r#"{"id":1,"method":"m"}"#, Fault::Version, "1", Form::Request));
    cases.push(bad(r#"{"id":1,"result":{}}"#, Fault::Version, "1", Form::Response));
    cases.push(bad(r#"{"method":"m"}"#, Fault::Version, "", Form::Request));
    cases.push(bad(r#"{"JSONRPC":"2.0","id":1,"method":"m"}"#, Fault::Version, "1", Form::Request));
    cases.push(bad("{}", Fault::Version, "", Form::Unknown));
    cases
}

/// Which spellings are the same key, and which are not.
pub(super) fn keys() -> Vec<Case> {
    let mut cases = vec![
        request(r#""id":1,"m\u0065thod":"m""#, "1", "m", ""),
        request(r#""\u0069\u0064":1,"\u006d\u0065\u0074\u0068\u006F\u0064":"m""#, "1", "m", ""),
        request(r#""id":1,"method":"m","par\u0061ms":{}"#, "1", "m", "{}"),
        result(r#""id":1,"\u0072\u0065\u0073\u0075\u006c\u0074":1"#, "1", "1"),
        error(
            r#""id":1,"\u0065\u0072\u0072\u006f\u0072":{"code":1,"message":"m"}"#,
            "1",
            r#"{"code":1,"message":"m"}"#,
        ),
        good(
            "request",
            r#"{"\u006a\u0073\u006f\u006e\u0072\u0070\u0063":"2.0","id":1,"method":"m"}"#,
            "1",
            "m",
            "",
        ),
        // Members that nobody knows are no fault, whatever they are called.
        request(r#""":0,"x":1,"id":1,"method":"m","Params":7,"\ud800":1,"trace":{"id":2}"#, "1", "m", ""),
        notification(r#""method":"m","ID":1,"Id":2,"iD":3"#, "m", ""),
        notification(r#""method":"m","id\u0000":1,"id ":2," id":3,"\u200bid":4"#, "m", ""),
        notification(r#""method":"m","ıd":1,"İd":2"#, "m", ""),
        notification(r#""method":"m","paramſ":1,"paramS":2,"PARAMS":3"#, "m", ""),
        request(r#""id":1,"method":"m","Result":1,"reſult":2,"ERROR":3"#, "1", "m", ""),
    ];
    // None of these is `method`.
    for key in [
        "Method",
        "METHOD",
        r"method\u0000",
        r"\u0000method",
        "method ",
        "metho",
        "methods",
        r"m\\u0065thod",
        "mеthod",
        r"\u004dethod",
        r"method\ud800",
        "ｍethod",
        r"metho\u0064\u0301",
    ] {
        let members = format!(r#""id":1,"{key}":"m""#);
        cases.push(refused(&members, Fault::Incomplete, "1", Form::Unknown));
    }
    // Keys of our own that case folding would make out of others: Kelvin sign, long s.
    for key in ["jſonrpc", "jsonrpC", "\u{212a}", r"json\u017fpc"] {
        let text = format!(r#"{{"{key}":"2.0","id":1,"method":"m"}}"#);
        cases.push(bad(text, Fault::Version, "1", Form::Request));
    }
    for key in ["Error", "reſult", "Result", r"result\u0000", r"\ud800error"] {
        let members = format!(r#""id":1,"{key}":{{"code":1,"message":"m"}}"#);
        cases.push(refused(&members, Fault::Incomplete, "1", Form::Unknown));
    }
    // Longer than any key of ours can be, and alike as far as that goes.
    let long =
        format!(r#""id":1,"method":"m","{}":1,"{}":2"#, "method".repeat(20), r"\u0069\u0064".repeat(20));
    cases.push(request(&long, "1", "m", ""));
    cases
}

pub(super) fn duplicates() -> Vec<Case> {
    let base = [
        ("method", r"m\u0065thod", r#""m""#),
        ("params", r"p\u0061rams", "{}"),
        ("jsonrpc", r"jsonrp\u0063", r#""2.0""#),
    ];
    let mut cases = Vec::new();
    for (key, escaped, value) in base {
        for again in [key, escaped] {
            let members = format!(r#""id":1,"method":"m","params":{{}},"{again}":{value}"#);
            cases.push(refused(&members, Fault::DuplicateKey, "1", Form::Request));
            let members = format!(r#""{again}":{value},"method":"m","params":{{}},"jsonrpc":"2.0","id":1"#);
            cases.push(refused(&members, Fault::DuplicateKey, "1", Form::Request));
        }
    }
    for (key, value) in [("result", "1"), (r"r\u0065sult", "null"), ("result", "{}")] {
        let members = format!(r#""id":"a","result":1,"{key}":{value}"#);
        cases.push(refused(&members, Fault::DuplicateKey, r#""a""#, Form::Response));
    }
    for key in ["error", r"\u0065rror"] {
        let members =
            format!(r#""id":"a","error":{{"code":1,"message":"m"}},"{key}":{{"code":1,"message":"m"}}"#);
        cases.push(refused(&members, Fault::DuplicateKey, r#""a""#, Form::Response));
    }
    // Two ids are no id, also when they are equal.
    for (first, second) in [("1", "2"), ("1", "1"), ("1", "null"), ("null", "1"), ("[]", "1")] {
        for key in ["id", r"\u0069d"] {
            let members = format!(r#""id":{first},"method":"m","{key}":{second}"#);
            cases.push(refused(&members, Fault::DuplicateKey, "", Form::Request));
        }
    }
    // Anywhere but in the envelope they are somebody else's business.
    cases.push(request(
        r#""id":1,"method":"m","params":{"id":1,"id":2,"a":1,"a":1},"x":1,"x":2"#,
        "1",
        "m",
        r#"{"id":1,"id":2,"a":1,"a":1}"#,
    ));
    cases
}

pub(super) fn kinds() -> Vec<Case> {
    let failed = r#""error":{"code":1,"message":"m"}"#;
    vec![
        refused(&format!(r#""id":1,"result":1,{failed}"#), Fault::Ambiguous, "1", Form::Response),
        refused(&format!(r#""id":1,"result":null,{failed}"#), Fault::Ambiguous, "1", Form::Response),
        refused(r#""id":1,"result":1,"error":null"#, Fault::Ambiguous, "1", Form::Response),
        refused(r#""id":1,"method":"m","result":1"#, Fault::Ambiguous, "1", Form::Request),
        refused(r#""id":1,"method":null,"result":null"#, Fault::Ambiguous, "1", Form::Request),
        refused(&format!(r#""id":1,"method":"m",{failed}"#), Fault::Ambiguous, "1", Form::Request),
        refused(&format!(r#""method":"m",{failed}"#), Fault::Ambiguous, "", Form::Request),
        refused(r#""id":1"#, Fault::Incomplete, "1", Form::Unknown),
        refused(r#""id":1,"params":{}"#, Fault::Incomplete, "1", Form::Unknown),
        refused(r#""x":1"#, Fault::Incomplete, "", Form::Unknown),
        bad(r#"{"jsonrpc":"2.0"}"#, Fault::Incomplete, "", Form::Unknown),
        // A null result is a result.
        result(r#""id":1,"result":null"#, "1", "null"),
        result(r#""id":1,"result":"null""#, "1", r#""null""#),
        result(r#""id":1,"result":false"#, "1", "false"),
        result(r#""id":1,"result":[]"#, "1", "[]"),
        result(r#""id":1,"result":{},"params":3"#, "1", "{}"),
    ]
}
