//! Which parameters a schema wants in headers, and which schemas are refused.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use mcp_streamable_http::proto::{AnnotationProblem, ParameterKind, parameters_of};
use proptest::prelude::*;

/// Header, path and kind of each parameter, by header.
fn found(schema: &str) -> Result<Vec<String>, AnnotationProblem> {
    let mut found: Vec<_> = parameters_of(schema.as_bytes())?
        .iter()
        .map(|parameter| {
            let path: Vec<_> = parameter.path().collect();
            format!("{}={}:{:?}", parameter.name(), path.join("/"), parameter.kind())
        })
        .collect();
    found.sort();
    Ok(found)
}

#[test]
fn schemas_that_are_fine() {
    for (schema, expected) in [
        ("{}", &[][..]),
        ("true", &[]),
        ("null", &[]),
        (r#"{"type":"object"}"#, &[]),
        (r#"{"properties":{"a":{"type":"string"}}}"#, &[]),
        (r#"{"properties":{"a":{"type":"string","x-mcp-header":"Region"}}}"#, &["mcp-param-region=a:Text"]),
        (
            r#"{"properties":{"a":{"x-mcp-header":"A","type":"integer"},"b":{"type":"boolean","x-mcp-header":"B"},"c":{"type":"object"}}}"#,
            &["mcp-param-a=a:Integer", "mcp-param-b=b:Boolean"],
        ),
        (r#"{"properties":{"a":{"type":"string","x-mcp-heade\u0072":"A"}}}"#, &["mcp-param-a=a:Text"]),
        (
            r#"{"properties":{"a":{"type":"object","properties":{"b":{"properties":{"c/d":{"type":"string","x-mcp-header":"D"}}}}}}}"#,
            &["mcp-param-d=a/b/c/d:Text"],
        ),
        (
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"!#$%&'*+-.^_`|~09azAZ"}}}"#,
            &["mcp-param-!#$%&'*+-.^_`|~09azaz=a:Text"],
        ),
        (r#"{"properties":{"a":{"type":["string","null"],"x-mcp-header":"A"}}}"#, &["mcp-param-a=a:Text"]),
        (
            r#"{"properties":{"a":{"type":["null","integer"],"x-mcp-header":"A"}}}"#,
            &["mcp-param-a=a:Integer"],
        ),
        (r#"{"properties":{"a":{"type":["boolean"],"x-mcp-header":"A"}}}"#, &["mcp-param-a=a:Boolean"]),
        // A property may have any name, and data may look like a schema.
        (r#"{"properties":{"x-mcp-header":{"type":"string"}}}"#, &[]),
        (
            r#"{"properties":{"x-mcp-header":{"type":"string","x-mcp-header":"A"}}}"#,
            &["mcp-param-a=x-mcp-header:Text"],
        ),
        (
            r#"{"properties":{"properties":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}}"#,
            &["mcp-param-a=properties/a:Text"],
        ),
        (
            r#"{"properties":{"items":{"type":"string","x-mcp-header":"A"},"$ref":{"type":"string"}}}"#,
            &["mcp-param-a=items:Text"],
        ),
        (
            r#"{"default":{"x-mcp-header":""},"properties":{"a":{"const":{"x-mcp-header":""},"enum":[{"x-mcp-header":""}],"examples":[{"x-mcp-header":""}]}}}"#,
            &[],
        ),
        (r#"{"$defs":{"x-mcp-header":{"type":"string"}},"dependencies":{"x-mcp-header":["a"]}}"#, &[]),
        (r#"{"required":["x-mcp-header"],"description":"x-mcp-header"}"#, &[]),
    ] {
        assert_eq!(found(schema).unwrap(), expected, "{schema}");
    }
}

#[test]
fn names_that_no_header_has() {
    use AnnotationProblem::{Empty, NotAString, NotAToken};
    for (annotation, problem) in [
        (r#""""#, Empty),
        ("null", NotAString),
        ("true", NotAString),
        ("7", NotAString),
        (r#"["A"]"#, NotAString),
        (r#"{"name":"A"}"#, NotAString),
        (r#"" ""#, NotAToken),
        (r#""My Region""#, NotAToken),
        (r#"" A""#, NotAToken),
        (r#""A ""#, NotAToken),
        (r#""A:B""#, NotAToken),
        (r#""A,B""#, NotAToken),
        (r#""A/B""#, NotAToken),
        (r#""A;B""#, NotAToken),
        (r#""A@B""#, NotAToken),
        (r#""A\"B""#, NotAToken),
        (r#""(A)""#, NotAToken),
        (r#""{A}""#, NotAToken),
        (r#""[A]""#, NotAToken),
        (r#""A\\B""#, NotAToken),
        (r#""A\tB""#, NotAToken),
        (r#""A\r\nX: B""#, NotAToken),
        (r#""A\nB""#, NotAToken),
        (r#""A\u0000""#, NotAToken),
        (r#""A\u007f""#, NotAToken),
        (r#""Région""#, NotAToken),
    ] {
        let schema = format!(r#"{{"properties":{{"a":{{"type":"string","x-mcp-header":{annotation}}}}}}}"#);
        assert_eq!(found(&schema), Err(problem), "{annotation}");
    }
}

#[test]
fn what_is_not_primitive() {
    for rest in [
        "",
        r#","type":"number""#,
        r#","type":"object""#,
        r#","type":"array""#,
        r#","type":"null""#,
        r#","type":"String""#,
        r#","type":"any""#,
        r#","type":null"#,
        r#","type":[]"#,
        r#","type":["null"]"#,
        r#","type":["null","null"]"#,
        r#","type":["number","null"]"#,
        r#","type":["string","integer"]"#,
        r#","type":["string","integer","null"]"#,
        r#","type":["string",["null"]]"#,
        r#","type":{"string":1}"#,
        r#","enum":["a","b"]"#,
        r#","const":"a""#,
        r##","$ref":"#/$defs/x""##,
        r#","anyOf":[{"type":"string"},{"type":"null"}]"#,
    ] {
        let schema = format!(r#"{{"properties":{{"a":{{"x-mcp-header":"A"{rest}}}}}}}"#);
        assert_eq!(found(&schema), Err(AnnotationProblem::NotPrimitive), "{rest}");
    }
    let root = r#"{"type":"string","x-mcp-header":"A"}"#;
    assert_eq!(found(root), Err(AnnotationProblem::NotPrimitive));
}

#[test]
fn what_is_not_reached_through_properties_alone() {
    let parameter = r#"{"type":"string","x-mcp-header":"A"}"#;
    let with_property = format!(r#"{{"type":"object","properties":{{"b":{parameter}}}}}"#);
    for keyword in [
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "propertyNames",
        "additionalProperties",
        "unevaluatedProperties",
        "contentSchema",
        "$ref",
        "whatever",
    ] {
        for inner in [parameter, &with_property] {
            for schema in [
                format!(r#"{{"{keyword}":{inner}}}"#),
                format!(r#"{{"properties":{{"a":{{"{keyword}":{inner}}}}}}}"#),
                format!(r#"{{"properties":{{"a":{{"properties":{{"c":{{"{keyword}":{inner}}}}}}}}}}}"#),
            ] {
                assert_eq!(found(&schema), Err(AnnotationProblem::Unreachable), "{schema}");
            }
        }
    }
    for keyword in ["oneOf", "anyOf", "allOf", "prefixItems", "items"] {
        for inner in [parameter, &with_property] {
            let schema = format!(r#"{{"properties":{{"a":{{"{keyword}":[{{}},{inner}]}}}}}}"#);
            assert_eq!(found(&schema), Err(AnnotationProblem::Unreachable), "{schema}");
        }
    }
    for keyword in ["$defs", "definitions", "patternProperties", "dependentSchemas", "dependencies"] {
        for inner in [parameter, &with_property] {
            let schema = format!(r#"{{"{keyword}":{{"a":{inner}}}}}"#);
            assert_eq!(found(&schema), Err(AnnotationProblem::Unreachable), "{schema}");
        }
    }
}

#[test]
fn two_of_one_name() {
    let twice = |one: &str, other: &str| {
        format!(
            r#"{{"properties":{{"a":{{"type":"string","x-mcp-header":"{one}"}},"b":{{"properties":{{"c":{{"type":"integer","x-mcp-header":"{other}"}}}}}}}}}}"#
        )
    };
    for (one, other) in [("A", "A"), ("Region", "REGION"), ("rEGION", "Region")] {
        assert_eq!(found(&twice(one, other)), Err(AnnotationProblem::Duplicate), "{one} {other}");
    }
    assert_eq!(found(&twice("A", "A-")).unwrap().len(), 2);
}

#[test]
fn nothing_grows_without_bound() {
    let many = |count: usize| {
        let properties: Vec<_> =
            (0..count).map(|at| format!(r#""p{at}":{{"type":"string","x-mcp-header":"H{at}"}}"#)).collect();
        format!(r#"{{"properties":{{{}}}}}"#, properties.join(","))
    };
    assert_eq!(found(&many(64)).unwrap().len(), 64);
    assert_eq!(found(&many(65)), Err(AnnotationProblem::TooMany));
    let padding = "x".repeat(256 * 1024);
    let plain = format!(r#"{{"description":"{padding}"}}"#);
    assert_eq!(found(&plain), Ok(vec![]));
    let annotated = format!(
        r#"{{"description":"{padding}","properties":{{"a":{{"type":"string","x-mcp-header":"A"}}}}}}"#
    );
    assert_eq!(found(&annotated), Err(AnnotationProblem::TooLarge));
    for broken in ["", "{", "{}x", "nul", "\"\\ud800\"", &"[".repeat(200)] {
        assert_eq!(found(broken), Err(AnnotationProblem::Unreadable), "{broken}");
    }
}

proptest! {
    #[test]
    fn a_name_is_a_token_or_refused(name in prop_oneof![any::<String>(), "[!-~]{1,3}"]) {
        let schema = serde_json::json!({"properties": {"a": {"type": "string", "x-mcp-header": name}}}).to_string();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let fine = !name.is_empty() && name.bytes().all(token);
        let found = parameters_of(schema.as_bytes());
        prop_assert_eq!(found.is_ok(), fine);
        if let Ok(found) = found {
            prop_assert_eq!(found[0].name().as_str(), format!("mcp-param-{}", name.to_ascii_lowercase()));
            prop_assert_eq!(found[0].kind(), ParameterKind::Text);
        }
    }
}
