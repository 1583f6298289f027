//! What a schema asks for, with as little imagination as possible.

use serde_json::{Map, Value, json};

/// A value for each property of the schema.
pub(super) fn minimal(schema: &Value) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, schema)| (name.clone(), value(schema))).collect()
}

fn value(schema: &Value) -> Value {
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    if let Some(first) = schema.pointer("/enum/0").or_else(|| schema.pointer("/oneOf/0/const")) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => json!(2),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => Value::Object(minimal(schema)),
        Some("null") => Value::Null,
        _ => json!("x"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_its_value() {
        let schema = json!({ "type": "object", "properties": {
            "a": { "type": "number" },
            "b": { "type": "string", "default": "told" },
            "c": { "type": "string", "enum": ["one", "other"] },
            "d": { "type": "object", "properties": { "e": { "type": "boolean" } } },
            "f": {},
        } });
        let wanted = json!({ "a": 2, "b": "told", "c": "one", "d": { "e": true }, "f": "x" });
        assert_eq!(Value::Object(minimal(&schema)), wanted);
        assert!(minimal(&json!({ "type": "object" })).is_empty());
    }
}
