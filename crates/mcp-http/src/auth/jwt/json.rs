//! JSON that says everything once.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The members of a JSON object in UTF-8, nested at most 128 levels, in which no name stands twice at any level.
///
/// Readers differ in which of two they take, so that one could check what another does not use.
///
/// # Spec
///
/// RFC 7515 4, RFC 7517 4 and RFC 7519 4 allow refusing them.
pub(super) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice::<Once>(text).ok()?;
    match serde_json::from_slice(text).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// A value in which no name stands twice. It is looked at apart from reading it, because numbers come in more than one
/// shape when another crate turns on serde_json's arbitrary precision.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value in which no name stands twice")
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Once, A::Error> {
        while values.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Once, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name stands twice"));
            }
            members.next_value::<Once>()?;
        }
        Ok(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn a_name_stands_once_at_every_level() {
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let table = [
            (r#"{}"#, true),
            (" {\"a\":1,\"b\":[1,-1,1.5,true,null,\"x\",{\"a\":{}}]}\n", true),
            (r#"{"a":1,"A":2}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"b":{"a":1,"a":2}}"#, false),
            (r#"{"b":[[{"a":1,"a":2}]]}"#, false),
            (r#"[{}]"#, false),
            (r#""a""#, false),
            (r#"{"a":1}{}"#, false),
            (r#"{"a":1,}"#, false),
            (r#"{"a":"\ud800"}"#, false),
            (r#"{"a":NaN}"#, false),
            ("\u{feff}{}", false),
            ("", false),
            (&deep(126), true),
            (&deep(128), false),
            (&deep(100_000), false),
        ];
        for (text, read) in table {
            assert_eq!(object(text.as_bytes()).is_some(), read, "{}", &text[..text.len().min(40)]);
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_none());
    }
}
