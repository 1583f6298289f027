//! What is learned from `tools/list`, and what is cut out of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use mcp_jsonrpc::{Id, Message, Request, Response, ScanLimits};
use mcp_streamable_http::proto::{AnnotationProblem, ToolParameters, ToolTable};
use proptest::prelude::*;
use serde_json::{Value, json};

fn tool(name: &str, header: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": header}}}})
}

fn list(tools: &[Value]) -> Vec<u8> {
    json!({ "tools": tools }).to_string().into_bytes()
}

fn request(method: &str, params: &Value) -> Request {
    Request::with_params(1, method, params).unwrap()
}

#[test]
fn a_call_of_a_tool_that_is_known() {
    let table = ToolTable::default();
    assert!(table.is_empty());
    let learned = table.learn(&list(&[
        tool("q", "Region"),
        json!({"name": "plain", "inputSchema": {}}),
        json!({"name": "none"}),
    ]));
    assert_eq!((learned.dropped.len(), learned.result), (0, None));
    assert_eq!(table.len(), 1);
    let headers = |method: &str, name: &str| {
        table.headers(&request(method, &json!({"name": name, "arguments": {"a": "x"}})))
    };
    let found = headers("tools/call", "q");
    assert_eq!((found.len(), found["mcp-param-region"].to_str().unwrap()), (1, "x"));
    for (method, name) in
        [("tools/call", "plain"), ("tools/call", "other"), ("tools/call", "Q"), ("prompts/get", "q")]
    {
        assert!(headers(method, name).is_empty(), "{method} {name}");
    }
    for params in
        [json!({"name": "q"}), json!({"name": "q", "arguments": null}), json!({"name": 7}), json!(["q"])]
    {
        assert!(table.headers(&request("tools/call", &params)).is_empty(), "{params}");
    }
    assert!(table.headers(&Request::new(1, "tools/call")).is_empty());
}

#[test]
fn the_newest_word_counts() {
    let table = ToolTable::default();
    let header = |name: &str| table.parameters(name).map(|found| found[0].name().to_string());
    table.learn(&list(&[tool("a", "One"), tool("b", "One")]));
    table.learn(&list(&[tool("a", "Two")]));
    assert_eq!(
        (header("a").as_deref(), header("b").as_deref()),
        (Some("mcp-param-two"), Some("mcp-param-one"))
    );
    table.learn(&list(&[json!({"name": "a", "inputSchema": {"type": "object"}})]));
    assert_eq!((header("a"), table.len()), (None, 1));
    table.learn(&list(&[tool("b", "")]));
    assert_eq!((header("b"), table.len()), (None, 0));
    table.learn(&list(&[tool("a", "One"), tool("a", "Two")]));
    assert_eq!((header("a").as_deref(), table.len()), (Some("mcp-param-two"), 1));
}

#[test]
fn bad_tools_are_cut_out_and_nothing_else() {
    let bad = |name: &str| {
        format!(
            r#"{{ "name":"{name}", "inputSchema":{{"properties":{{"a":{{"type":"number","x-mcp-header":"A"}}}}}} }}"#
        )
    };
    let good = r#"{"description":"],\"}{[,","name":"g\u006fod","x":1e2,"inputSchema":{}}"#;
    let (bad, worse) = (bad("bad"), bad("worse"));
    for (tools, expected) in [
        (format!("[{bad}]"), "[]".into()),
        (format!("[ {bad} ]"), "[]".into()),
        (format!("[{bad},{worse}]"), "[]".into()),
        (format!("[{bad} , {good} ]"), format!("[ {good} ]")),
        (format!("[ {good} , {bad} ]"), format!("[ {good} ]")),
        (format!("[ {good}, {bad} ,{good}  ]"), format!("[ {good},{good}  ]")),
        (
            format!("[7, {bad},\"],[\" ,null,[[],{{}}],{worse},\"\\\\\",\"\\\"\"]"),
            "[7,\"],[\" ,null,[[],{}],\"\\\\\",\"\\\"\"]".into(),
        ),
    ] {
        let result = |tools: &str| {
            format!(r#"{{"x":[1,{{"tools":[]}}], "tools" : {tools} ,"nextCursor":"a\u0062","y":0.10}}"#)
        };
        let learned = ToolTable::default().learn(result(&tools).as_bytes());
        assert_eq!(std::str::from_utf8(learned.result.unwrap().as_bytes()).unwrap(), result(&expected));
        assert!(learned.dropped.iter().all(|dropped| dropped.problem == AnnotationProblem::NotPrimitive));
        assert_eq!(learned.dropped.len(), tools.matches("\"number\"").count());
        assert_eq!(learned.dropped[0].tool, "bad");
    }
}

#[test]
fn a_response_without_its_bad_tools() {
    let text = r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[{"name":"x","inputSchema":{"x-mcp-header":""}}],"ttlMs":1}}"#;
    let Message::Response(response) =
        Message::parse(text.as_bytes().to_vec(), &ScanLimits::default()).unwrap()
    else {
        panic!()
    };
    let learned = ToolTable::default().learn(response.result_raw().unwrap());
    let cut = learned.response(&response).unwrap();
    assert_eq!((cut.id(), cut.result_raw()), (Some(Id::from("a")), Some(&br#"{"tools":[],"ttlMs":1}"#[..])));
    let fine = Response::result(&Id::from(1), &json!({"tools": [tool("a", "A")]})).unwrap();
    let learned = ToolTable::default().learn(fine.result_raw().unwrap());
    assert_eq!(learned.response(&fine), None);
}

#[test]
fn what_is_no_list_of_tools_teaches_nothing() {
    for result in [
        "",
        "{",
        "null",
        "7",
        "[]",
        "{}",
        r#"{"tools":null}"#,
        r#"{"tools":{}}"#,
        r#"{"tools":"[]"}"#,
        r#"{"tools":[]}"#,
        r#"{"tools":[ ]}"#,
        r#"{"tools":[null,7,"x",[],{}]}"#,
        r#"{"tools":[{"name":7,"inputSchema":{}}]}"#,
        r#"{"resources":[{"name":"a","inputSchema":{"x-mcp-header":""}}]}"#,
    ] {
        let table = ToolTable::default();
        let learned = table.learn(result.as_bytes());
        assert_eq!((learned, table.len()), (Default::default(), 0), "{result}");
    }
}

#[test]
fn a_bad_tool_without_a_name_and_one_with_a_long_one() {
    let learned = ToolTable::default().learn(br#"{"tools":[{"inputSchema":{"x-mcp-header":""}}]}"#);
    assert_eq!(
        (learned.dropped[0].tool.as_str(), learned.dropped[0].problem),
        ("", AnnotationProblem::Empty)
    );
    let learned = ToolTable::default().learn(&list(&[tool(&"é".repeat(500), "")]));
    assert_eq!(learned.dropped[0].tool, "é".repeat(128));
}

#[test]
fn the_oldest_is_forgotten_first() {
    let names = |table: &ToolTable| -> Vec<String> {
        (0..9).map(|at| format!("t{at}")).filter(|name| table.parameters(name).is_some()).collect()
    };
    let tools: Vec<_> = (0..5).map(|at| tool(&format!("t{at}"), "A")).collect();
    let table = ToolTable::new(3, usize::MAX);
    table.learn(&list(&tools));
    assert_eq!(names(&table), ["t2", "t3", "t4"]);
    table.learn(&list(&[tool("t2", "B"), tool("t7", "A")]));
    assert_eq!(names(&table), ["t2", "t4", "t7"]);

    let table = ToolTable::new(100, 1000);
    table.learn(&list(&tools));
    assert_eq!(names(&table), ["t2", "t3", "t4"]);
    // One that is larger than the table costs nobody a place, but what was known of it is no longer true.
    table.learn(&list(&[tool("t3", &"A".repeat(2000)), tool("t8", &"A".repeat(2000))]));
    assert_eq!(names(&table), ["t2", "t4"]);
    let none = ToolTable::new(0, 1000);
    none.learn(&list(&tools));
    assert!(none.is_empty());
}

fn any_tool() -> impl Strategy<Value = (Value, bool)> {
    let header = prop_oneof![Just(("A", true)), Just(("", false)), Just(("a b", false))];
    prop_oneof![
        (any::<String>(), header).prop_map(|(name, (header, good))| (tool(&name, header), good)),
        any::<String>()
            .prop_map(|text| (json!({"name": text, "description": text, "x": [text, {"y": text}]}), true)),
    ]
}

proptest! {
    #[test]
    fn the_cut_is_what_a_reader_would_have_cut(tools in prop::collection::vec(any_tool(), 0..8), pretty: bool) {
        let all: Vec<_> = tools.iter().map(|(tool, _)| tool.clone()).collect();
        let good: Vec<_> = tools.iter().filter(|(_, good)| *good).map(|(tool, _)| tool.clone()).collect();
        let result = json!({"tools": all, "z": "\"]"});
        let text = if pretty { serde_json::to_vec_pretty(&result) } else { serde_json::to_vec(&result) }.unwrap();
        let learned = ToolTable::default().learn(&text);
        prop_assert_eq!(learned.dropped.len(), all.len() - good.len());
        match learned.result {
            Some(cut) => prop_assert_eq!(cut.decode::<Value>().unwrap(), json!({"tools": good, "z": "\"]"})),
            None => prop_assert_eq!(all, good),
        }
    }

    #[test]
    fn any_text_can_be_learned_from(text in "[\\[\\]{}\",:\\\\a-c]{0,40}") {
        ToolTable::default().learn(format!(r#"{{"tools":{text}}}"#).as_bytes());
    }
}
