//! Which parameters a tool's schema wants in headers.

use http::HeaderName;
use serde_json::{Map, Value};

use super::mirror::MCP_PARAM_PREFIX;
use super::parameters::{ParameterHeader, ParameterKind};

/// The key in a property's schema.
const ANNOTATION: &str = "x-mcp-header";
/// Bytes of a schema that is looked into: decoding takes some thirty times as much for a moment.
const MAX_SCHEMA: usize = 256 * 1024;
/// Parameters of one tool that are repeated: HTTP libraries take about a hundred headers in all.
const MAX_PARAMETERS: usize = 64;

/// Why a tool cannot be offered over this transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnotationProblem {
    /// The schema is no JSON.
    #[error("the schema is not JSON")]
    Unreadable,
    /// The schema has annotations and is longer than 256 KiB.
    #[error("a schema with x-mcp-header is too large")]
    TooLarge,
    /// An annotation is not a string.
    #[error("x-mcp-header is not a string")]
    NotAString,
    /// An annotation is empty.
    #[error("x-mcp-header is empty")]
    Empty,
    /// An annotation holds characters that the name of a header cannot have.
    #[error("x-mcp-header is not a token")]
    NotAToken,
    /// The annotated parameter is no string, integer or boolean.
    #[error("x-mcp-header on what is no string, integer or boolean")]
    NotPrimitive,
    /// There is no chain of nothing but `properties` from the root to the annotation.
    #[error("x-mcp-header on what is not reached through properties alone")]
    Unreachable,
    /// Two annotations are the same but for case.
    #[error("x-mcp-header twice with one name")]
    Duplicate,
    /// More than 64 parameters are annotated.
    #[error("x-mcp-header on too many parameters")]
    TooMany,
}

/// The parameters that a tool's `inputSchema`, which is given as its text, wants repeated in headers.
///
/// A type of two, one of which is `null`, counts as the other: a null argument has no header. What stands under
/// `const`, `enum`, `default` and `examples` is data, and so is no annotation.
///
/// # Errors
///
/// [`AnnotationProblem`]: the tool is then left out of `tools/list`.
///
/// # Spec
///
/// MCP 2026-07-28, transports, Streamable HTTP, Schema Extension.
pub fn parameters_of(input_schema: &[u8]) -> Result<Vec<ParameterHeader>, AnnotationProblem> {
    if input_schema.len() > MAX_SCHEMA {
        let annotated = input_schema.windows(ANNOTATION.len()).any(|window| window == ANNOTATION.as_bytes());
        return if annotated { Err(AnnotationProblem::TooLarge) } else { Ok(Vec::new()) };
    }
    let schema: Value = serde_json::from_slice(input_schema).map_err(|_| AnnotationProblem::Unreadable)?;
    let mut found = Vec::new();
    Walk { path: Vec::new(), found: &mut found }.schema(&schema, true)?;
    Ok(found)
}

struct Walk<'a, 'b> {
    path: Vec<&'a str>,
    found: &'b mut Vec<ParameterHeader>,
}

impl<'a> Walk<'a, '_> {
    /// Looks at a schema, or a list of schemas, and everything in it.
    fn schema(&mut self, schema: &'a Value, reachable: bool) -> Result<(), AnnotationProblem> {
        let members = match schema {
            Value::Object(members) => members,
            Value::Array(schemas) => return schemas.iter().try_for_each(|schema| self.schema(schema, false)),
            _ => return Ok(()),
        };
        if let Some(annotation) = members.get(ANNOTATION) {
            self.annotation(annotation, members, reachable)?;
        }
        for (key, value) in members {
            match key.as_str() {
                "properties" => self.named(value, reachable)?,
                "$defs" | "definitions" | "patternProperties" | "dependentSchemas" | "dependencies" => {
                    self.named(value, false)?;
                }
                ANNOTATION | "const" | "enum" | "default" | "examples" => {}
                _ => self.schema(value, false)?,
            }
        }
        Ok(())
    }

    /// Looks at schemas that have names, which mean nothing here.
    fn named(&mut self, schemas: &'a Value, reachable: bool) -> Result<(), AnnotationProblem> {
        for (name, schema) in schemas.as_object().into_iter().flatten() {
            self.path.push(name);
            self.schema(schema, reachable)?;
            self.path.pop();
        }
        Ok(())
    }

    fn annotation(
        &mut self,
        annotation: &Value,
        schema: &Map<String, Value>,
        reachable: bool,
    ) -> Result<(), AnnotationProblem> {
        let name = annotation.as_str().ok_or(AnnotationProblem::NotAString)?;
        if name.is_empty() {
            return Err(AnnotationProblem::Empty);
        }
        let name = HeaderName::try_from(format!("{MCP_PARAM_PREFIX}{name}"));
        let name = name.map_err(|_| AnnotationProblem::NotAToken)?;
        if !reachable {
            return Err(AnnotationProblem::Unreachable);
        }
        let kind = schema.get("type").and_then(kind).filter(|_| !self.path.is_empty());
        let kind = kind.ok_or(AnnotationProblem::NotPrimitive)?;
        // The name of a header has no upper case any more.
        if self.found.iter().any(|other| other.name == name) {
            return Err(AnnotationProblem::Duplicate);
        }
        if self.found.len() == MAX_PARAMETERS {
            return Err(AnnotationProblem::TooMany);
        }
        let path = self.path.iter().map(|&key| key.into()).collect();
        self.found.push(ParameterHeader { name, path, kind });
        Ok(())
    }
}

fn kind(value: &Value) -> Option<ParameterKind> {
    match value {
        Value::String(name) => match name.as_str() {
            "string" => Some(ParameterKind::Text),
            "integer" => Some(ParameterKind::Integer),
            "boolean" => Some(ParameterKind::Boolean),
            _ => None,
        },
        Value::Array(types) => match types.as_slice() {
            [one @ Value::String(_)] => kind(one),
            [Value::String(null), other @ Value::String(_)]
            | [other @ Value::String(_), Value::String(null)]
                if null == "null" =>
            {
                kind(other)
            }
            _ => None,
        },
        _ => None,
    }
}
