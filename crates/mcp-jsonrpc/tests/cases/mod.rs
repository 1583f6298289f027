//! The table of single messages: what goes in, what is expected.
//!
//! J1 to J12 are the examples of the JSON-RPC 2.0 specification, read as MCP reads them.

#![allow(dead_code, reason = "each test program takes what it needs")]

use mcp_jsonrpc::{Fault, Form};

/// What an input must turn out to be; ids, params and results as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Message { kind: &'static str, id: Option<String>, method: Option<String>, body: Option<String> },
    Malformed { fault: Fault, id: Option<String>, form: Form },
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) text: Vec<u8>,
    pub(crate) want: Want,
}

/// An envelope with these members behind its version.
pub(crate) fn envelope(members: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0",{members}}}"#)
}

fn owned(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn good(kind: &'static str, text: impl AsRef<[u8]>, id: &str, method: &str, body: &str) -> Case {
    let method = (kind == "request" || kind == "notification").then(|| method.to_owned());
    let want = Want::Message { kind, id: owned(id), method, body: owned(body) };
    Case { text: text.as_ref().to_vec(), want }
}

fn request(members: &str, id: &str, method: &str, params: &str) -> Case {
    good("request", envelope(members), id, method, params)
}

fn notification(members: &str, method: &str, params: &str) -> Case {
    good("notification", envelope(members), "", method, params)
}

fn result(members: &str, id: &str, result: &str) -> Case {
    good("result", envelope(members), id, "", result)
}

fn error(members: &str, id: &str, error: &str) -> Case {
    good("error", envelope(members), id, "", error)
}

fn bad(text: impl AsRef<[u8]>, fault: Fault, id: &str, form: Form) -> Case {
    Case { text: text.as_ref().to_vec(), want: Want::Malformed { fault, id: owned(id), form } }
}

fn refused(members: &str, fault: Fault, id: &str, form: Form) -> Case {
    bad(envelope(members), fault, id, form)
}

pub(crate) fn cases() -> Vec<Case> {
    let groups = [
        specification(),
        versions(),
        keys(),
        ids(),
        duplicates(),
        kinds(),
        methods(),
        params(),
        errors(),
        surrogates(),
        depths(),
        texts(),
        numbers(),
        strings(),
    ];
    groups.concat()
}

fn specification() -> Vec<Case> {
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

fn versions() -> Vec<Case> {
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
fn keys() -> Vec<Case> {
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

fn ids() -> Vec<Case> {
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

fn duplicates() -> Vec<Case> {
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

fn kinds() -> Vec<Case> {
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

fn methods() -> Vec<Case> {
    let mut cases = Vec::new();
    for (text, method) in [
        (r#""""#, ""),
        (r#""tools/call""#, "tools/call"),
        (r#""tools\/call""#, "tools/call"),
        (r#""t\u006fols""#, "tools"),
        (r#""\"\\\n""#, "\"\\\n"),
        (r#""m\u0000""#, "m\0"),
        (r#""\ud83d\ude00 é""#, "😀 é"),
    ] {
        cases.push(request(&format!(r#""method":{text},"id":1"#), "1", method, ""));
        cases.push(notification(&format!(r#""method":{text},"params":[]"#), method, "[]"));
    }
    for text in ["1", "null", "true", "[]", "{}", r#"["m"]"#, r#""\ud800""#, r#""m\udfff""#] {
        cases.push(refused(&format!(r#""method":{text},"id":1"#), Fault::Method, "1", Form::Request));
        cases.push(refused(&format!(r#""method":{text}"#), Fault::Method, "", Form::Request));
    }
    cases
}

fn params() -> Vec<Case> {
    let mut cases = Vec::new();
    for params in ["{}", "[]", r#"{"":{}}"#, "[null]", "{ }", "[\t]", r#"{"a":"\ud800"}"#] {
        cases.push(request(&format!(r#""method":"m","id":1,"params":{params}"#), "1", "m", params));
        cases.push(request(&format!(r#""params" : {params} ,"method":"m","id":1"#), "1", "m", params));
        cases.push(notification(&format!(r#""method":"m","params":{params}"#), "m", params));
    }
    for params in ["null", "0", "1.5", r#""""#, r#""{}""#, "true", "false"] {
        cases.push(refused(
            &format!(r#""method":"m","id":1,"params":{params}"#),
            Fault::Params,
            "1",
            Form::Request,
        ));
        cases.push(refused(&format!(r#""method":"m","params":{params}"#), Fault::Params, "", Form::Request));
    }
    cases
}

fn errors() -> Vec<Case> {
    let mut cases = Vec::new();
    for object in [
        r#"{"code":1,"message":"m"}"#,
        r#"{"message":"m","code":-32603}"#,
        r#"{"code":0,"message":""}"#,
        r#"{"code":-0,"message":""}"#,
        r#"{"code":9223372036854775807,"message":"m"}"#,
        r#"{"code":-9223372036854775808,"message":"m"}"#,
        r#"{"code":1,"message":"m","data":null}"#,
        r#"{"code":1,"message":"m","data":{"reason":"closed"},"x":1}"#,
        r#"{"c\u006fde":1,"m\u0065ssage":"m"}"#,
        r#"{"code":1,"message":"cut \ud83d"}"#,
        r#"{"code":"x","code":1,"message":2,"message":"m"}"#,
        "{ \"code\" : 1 , \"message\" : \"m\" }",
    ] {
        cases.push(error(&format!(r#""id":1,"error":{object}"#), "1", object));
        cases.push(error(&format!(r#""error":{object},"id":null"#), "", object));
    }
    for object in [
        "null",
        "1",
        r#""m""#,
        "true",
        "[]",
        r#"[1,"m"]"#,
        "{}",
        r#"{"code":1}"#,
        r#"{"message":"m"}"#,
        r#"{"code":1.5,"message":"m"}"#,
        r#"{"code":1.0,"message":"m"}"#,
        r#"{"code":1e2,"message":"m"}"#,
        r#"{"code":"x","message":"m"}"#,
        r#"{"code":"1","message":"m"}"#,
        r#"{"code":null,"message":"m"}"#,
        r#"{"code":9223372036854775808,"message":"m"}"#,
        r#"{"code":1,"message":1}"#,
        r#"{"code":1,"message":null}"#,
        r#"{"code":1,"message":["m"]}"#,
        r#"{"Code":1,"message":"m"}"#,
        r#"{"code":1,"Message":"m"}"#,
        r#"{"code":1,"message\u0000":"m"}"#,
        r#"{"code":1,"message":"m","code":"x"}"#,
    ] {
        cases.push(refused(&format!(r#""id":1,"error":{object}"#), Fault::ErrorObject, "1", Form::Response));
        cases.push(refused(&format!(r#""error":{object}"#), Fault::ErrorObject, "", Form::Response));
    }
    cases
}

fn surrogates() -> Vec<Case> {
    let mut cases = Vec::new();
    for lone in [
        r"\ud800",
        r"\udfff",
        r"\uD83D",
        r"\ude00\ud83d",
        r"\ud83d\ud83d",
        r"\ud83d\\ude00",
        r"\ud83d \ude00",
    ] {
        // In values and in keys that are not ours they pass.
        let params = format!(r#"{{"a":"{lone}","{lone}":"x"}}"#);
        cases.push(request(
            &format!(r#""id":1,"method":"m","params":{params},"{lone}":1"#),
            "1",
            "m",
            &params,
        ));
        cases.push(result(&format!(r#""id":1,"result":"{lone}""#), "1", &format!(r#""{lone}""#)));
        cases.push(refused(&format!(r#""id":1,"method":"{lone}""#), Fault::Method, "1", Form::Request));
        cases.push(refused(&format!(r#""id":"{lone}","method":"m""#), Fault::IdKind, "", Form::Request));
        cases.push(refused(&format!(r#""id":1,"method{lone}":"m""#), Fault::Incomplete, "1", Form::Unknown));
        let text = format!(r#"{{"jsonrpc":"2.0{lone}","id":1,"method":"m"}}"#);
        cases.push(bad(text, Fault::Version, "1", Form::Request));
    }
    cases
}

fn depths() -> Vec<Case> {
    let nests: [(&str, &str, &str); 3] = [("[", "", "]"), (r#"{"k":"#, "0", "}"), (r#"[{"k":"#, "0", "}]")];
    let mut cases = Vec::new();
    for (open, inside, close) in nests {
        let levels = open.matches(['[', '{']).count();
        // The envelope is one level, and 127 are left.
        let fits = 127 / levels;
        let nested = |times: usize| format!("{}{inside}{}", open.repeat(times), close.repeat(times));
        let deepest = if levels == 2 { format!("[{}]", nested(fits)) } else { nested(fits) };
        cases.push(request(&format!(r#""id":1,"method":"m","params":{deepest}"#), "1", "m", &deepest));
        cases.push(result(&format!(r#""result":{deepest},"id":1"#), "1", &deepest));
        let deeper = nested(fits + 1);
        cases.push(refused(
            &format!(r#""id":1,"method":"m","params":{deeper}"#),
            Fault::Depth,
            "1",
            Form::Request,
        ));
        cases.push(refused(&format!(r#""x":{deeper},"result":1,"id":1"#), Fault::Depth, "1", Form::Response));
        cases.push(refused(&format!(r#""id":{deeper},"method":"m""#), Fault::Depth, "", Form::Request));
        let far = nested(2000);
        cases.push(refused(
            &format!(r#""method":"m","params":{far},"id":"end""#),
            Fault::Depth,
            r#""end""#,
            Form::Request,
        ));
    }
    let array = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    cases.push(bad(array(128), Fault::Batch, "", Form::Unknown));
    cases.push(bad(array(129), Fault::Depth, "", Form::Unknown));
    cases.push(bad("[".repeat(100_000), Fault::Depth, "", Form::Unknown));
    // Many containers that are not open at once.
    let wide = format!("[{}[]]", "[],{},".repeat(500));
    cases.push(request(&format!(r#""id":1,"method":"m","params":{wide}"#), "1", "m", &wide));
    cases
}

/// What is no JSON text, or none that is an object.
fn texts() -> Vec<Case> {
    let whole = r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
    let mut cases = vec![
        bad("", Fault::Syntax, "", Form::Unknown),
        bad(" \r\n\t", Fault::Syntax, "", Form::Unknown),
        bad(format!("\u{feff}{whole}"), Fault::Syntax, "", Form::Unknown),
        bad(format!("{whole}\u{feff}"), Fault::Syntax, "1", Form::Request),
        bad(format!("\u{a0}{whole}"), Fault::Syntax, "", Form::Unknown),
        bad(format!("\u{c}{whole}"), Fault::Syntax, "", Form::Unknown),
        good("request", format!(" \r\n\t{whole}\t\n\r "), "1", "m", ""),
        good("request", "{\n\"jsonrpc\"\r:\t\"2.0\" ,\r\n\"id\"\n:\n1\n,\"method\":\"m\"\n}", "1", "m", ""),
    ];
    for junk in ["}", "]", ",", "x", "{}", "\0", "null", whole, "//"] {
        cases.push(bad(format!("{whole}{junk}"), Fault::Syntax, "1", Form::Request));
    }
    for text in ["null", "true", "1", r#""{}""#, "-0.0", "\"\u{7f}\""] {
        cases.push(bad(text, Fault::NotAnObject, "", Form::Unknown));
    }
    for text in [
        "nul",
        "True",
        "NaN",
        "-",
        "'a'",
        "\"",
        "{",
        "[",
        "}",
        "]",
        ",",
        ":",
        "/**/{}",
        "{]",
        "[}",
        "undefined",
    ] {
        cases.push(bad(text, Fault::Syntax, "", Form::Unknown));
    }
    for (members, form) in [
        (r#""id":1,"method":"m","#, Form::Request),
        (r#""id":1,,"method":"m""#, Form::Request),
        (r#""id":1,"method":"m","params":[1,]"#, Form::Request),
        (r#""id":1,"method":"m","params":{"a":1,}"#, Form::Request),
        (r#""id":1,"method":"m","params":{"a"}"#, Form::Request),
        (r#""id":1,"method":"m","params":{"a" 1}"#, Form::Request),
        (r#""id":1,"method":"m","params":{1:1}"#, Form::Request),
        (r#""id":1,"method":"m","params":{"a":NaN}"#, Form::Request),
        (r#""id":1,"method":"m","params":{"a":tru}"#, Form::Request),
        (r#""id":1,"result":"#, Form::Response),
        (r#""id":1,"method":'m'"#, Form::Request),
        (r#""id":1,method:"m""#, Form::Unknown),
    ] {
        cases.push(refused(members, Fault::Syntax, "1", form));
    }
    // Cut short: what was complete by then is kept, and `1` might have been the start of `12`.
    cases.push(bad(r#"{"jsonrpc":"2.0","id":1"#, Fault::Syntax, "", Form::Unknown));
    cases.push(bad(r#"{"jsonrpc":"2.0","id":1,"method":"m"#, Fault::Syntax, "1", Form::Request));
    cases.push(bad(r#"{"jsonrpc":"2.0","id":1,"result":{"a":[1,"#, Fault::Syntax, "1", Form::Response));
    // Not UTF-8: stray, overlong, surrogate, cut, too large; in keys, values and the id.
    for bytes in [&b"\xff"[..], b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80"] {
        let with = |before: &str, after: &str| [before.as_bytes(), bytes, after.as_bytes()].concat();
        cases.push(bad(
            with(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":["#, "\"]}"),
            Fault::Syntax,
            "1",
            Form::Request,
        ));
        cases.push(bad(
            with(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[""#, "\"]}"),
            Fault::Utf8,
            "1",
            Form::Request,
        ));
        cases.push(bad(
            with(r#"{"jsonrpc":"2.0","id":1,"method":"m",""#, "\":1}"),
            Fault::Utf8,
            "1",
            Form::Request,
        ));
        cases.push(bad(
            with(r#"{"jsonrpc":"2.0","id":""#, "\",\"method\":\"m\"}"),
            Fault::Utf8,
            "",
            Form::Request,
        ));
        cases.push(bad(with("[\"", "\"]"), Fault::Utf8, "", Form::Unknown));
    }
    cases
}

fn numbers() -> Vec<Case> {
    let mut cases = Vec::new();
    let huge = "9".repeat(5000);
    for number in [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1",
        "10",
        "-1",
        "0.5",
        "1.0",
        "1e2",
        "1E2",
        "1e+2",
        "1e-2",
        "1.5e10",
        "0e0",
        "0E+0",
        "1e99999",
        "-1e-99999",
        "123456789012345678901234567890",
        "0.000000000000000000000000000001",
        &huge,
    ] {
        cases.push(result(&format!(r#""id":1,"result":{number}"#), "1", number));
        let params = format!("[{number},{number} ]");
        cases.push(request(&format!(r#""id":1,"method":"m","params":{params}"#), "1", "m", &params));
    }
    for number in [
        "1.",
        ".5",
        "01",
        "+1",
        "1e",
        "1e+",
        "1e-",
        "-",
        "--1",
        "-01",
        "00",
        "-.5",
        "1.e1",
        "1.5.5",
        "0x1",
        "1_0",
        "1 0",
        "Infinity",
        "-Infinity",
        "NaN",
        "1f",
        "1e1.5",
        "１",
        "-a",
    ] {
        cases.push(refused(&format!(r#""id":1,"result":{number}"#), Fault::Syntax, "1", Form::Response));
        cases.push(refused(
            &format!(r#""id":1,"method":"m","params":[{number}]"#),
            Fault::Syntax,
            "1",
            Form::Request,
        ));
        // As an id it is not read as anything else.
        cases.push(refused(&format!(r#""id":{number},"method":"m""#), Fault::Syntax, "", Form::Request));
    }
    cases
}

fn strings() -> Vec<Case> {
    let mut cases = Vec::new();
    let long = "x".repeat(300);
    for inside in [
        "",
        r#"\""#,
        r"\\",
        r"\/",
        r"\b",
        r"\f",
        r"\n",
        r"\r",
        r"\t",
        r"\u0000",
        r"\u001f",
        r"\uABCD",
        r"\uabcd",
        r"\uFFFF",
        "\u{7f}",
        "\u{80}",
        "\u{2028}\u{2029}",
        "é€😀",
        "/",
        r"\\\\\\\\",
        r#"\\\""#,
        r"\\u0041",
        &long,
        "{}[],:",
        "'",
    ] {
        cases.push(result(&format!(r#""id":1,"result":"{inside}""#), "1", &format!(r#""{inside}""#)));
        let params = format!(r#"{{"{inside}":"{long}{inside}"}}"#);
        cases.push(request(&format!(r#""method":"m","params":{params},"id":1"#), "1", "m", &params));
    }
    for inside in [
        r"\a", r"\x41", r"\u", r"\u1", r"\u12", r"\u123", r"\u123g", r"\U0041", r"\'", r"\0", r"\u+123",
        r"\ ", "\\\n",
    ] {
        cases.push(refused(&format!(r#""id":1,"result":"{inside}""#), Fault::Syntax, "1", Form::Response));
        cases.push(refused(
            &format!(r#""id":1,"method":"m","params":["{long}{inside}{long}"]"#),
            Fault::Syntax,
            "1",
            Form::Request,
        ));
    }
    for control in 0..0x20u8 {
        let raw = char::from(control);
        cases.push(refused(&format!(r#""id":1,"result":"{raw}""#), Fault::Syntax, "1", Form::Response));
        cases.push(refused(
            &format!(r#""id":1,"method":"m","params":["{long}{raw}{long}"]"#),
            Fault::Syntax,
            "1",
            Form::Request,
        ));
        cases.push(refused(
            &format!(r#""id":1,"method":"m","params":{{"a{raw}":1}}"#),
            Fault::Syntax,
            "1",
            Form::Request,
        ));
        if !matches!(raw, '\t' | '\n' | '\r') {
            cases.push(refused(
                &format!(r#""id":1,"method":"m","params":[{raw}]"#),
                Fault::Syntax,
                "1",
                Form::Request,
            ));
        }
    }
    cases
}
