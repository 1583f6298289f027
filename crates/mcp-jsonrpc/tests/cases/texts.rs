//! What is JSON at all, and how deep.

use mcp_jsonrpc::{Fault, Form};

use super::{Case, bad, good, refused, request, result};

/// What is no JSON text, or none that is an object.
pub(super) fn texts() -> Vec<Case> {
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

pub(super) fn depths() -> Vec<Case> {
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
