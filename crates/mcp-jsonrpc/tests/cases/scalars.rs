//! Numbers and strings.

use mcp_jsonrpc::{Fault, Form};

use super::{Case, bad, refused, request, result};

pub(super) fn numbers() -> Vec<Case> {
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

pub(super) fn strings() -> Vec<Case> {
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

pub(super) fn surrogates() -> Vec<Case> {
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
