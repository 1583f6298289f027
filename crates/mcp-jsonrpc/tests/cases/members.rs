//! Methods, params and error objects.

use mcp_jsonrpc::{Fault, Form};

use super::{Case, error, notification, refused, request};

pub(super) fn methods() -> Vec<Case> {
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

pub(super) fn params() -> Vec<Case> {
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

pub(super) fn errors() -> Vec<Case> {
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
