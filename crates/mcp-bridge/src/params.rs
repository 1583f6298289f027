//! PARAMS-JSON: checked before anything is started, and passed on to the byte.

use mcp_transport::jsonrpc::Object;
use mcp_transport::{Json, Revision};
use serde::de::IgnoredAny;

/// The question's params as they were given.
///
/// # Spec
///
/// MCP, basic, Requests: params are an object.
#[derive(Debug)]
pub(crate) struct Params(Option<Json>);

impl Params {
    /// Checks the text of the command line.
    pub(crate) fn check(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self(None)) };
        let json = Json::parse(text.to_owned()).map_err(|error| {
            // serde tells where; what only the scan refuses, such as depth, it does not know.
            let why =
                serde_json::from_str::<IgnoredAny>(text).err().map(|error| format!("not JSON: {error}"));
            format!("PARAMS-JSON is {}; a command goes after `--`", why.unwrap_or_else(|| error.to_string()))
        })?;
        let object = Object::new(json.as_bytes()).ok_or("PARAMS-JSON is not a JSON object")?;
        if object.get("_meta").is_some_and(|meta| Object::new(meta).is_none()) {
            return Err("`_meta` in PARAMS-JSON is not a JSON object".into());
        }
        Ok(Self(Some(json)))
    }

    /// As given, for the legacy era.
    pub(crate) fn as_given(&self) -> Option<&Json> {
        self.0.as_ref()
    }

    /// With what the modern era wants in the `_meta` of every request. Members that are there already stay, also those.
    ///
    /// # Spec
    ///
    /// MCP 2026-07-28, basic, `_meta`: per-request protocol fields.
    pub(crate) fn with_meta(&self, revision: Revision) -> Result<Json, String> {
        let text = self.0.as_ref().map_or(&b"{}"[..], Json::as_bytes);
        let wanted = [
            ("io.modelcontextprotocol/protocolVersion", format!("\"{revision}\"")),
            ("io.modelcontextprotocol/clientInfo", client_info()),
            ("io.modelcontextprotocol/clientCapabilities", "{}".to_owned()),
        ];
        let meta = Object::new(text).and_then(|params| params.get("_meta"));
        let has = |key| meta.and_then(Object::new).is_some_and(|meta| meta.get(key).is_some());
        let missing: Vec<String> = wanted
            .iter()
            .filter(|(key, _)| !has(key))
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        let missing = missing.join(",");
        let spliced = match meta {
            None => insert(text, &format!("\"_meta\":{{{missing}}}")),
            Some(_) if missing.is_empty() => text.to_vec(),
            Some(meta) => {
                // `meta` is a part of `text`, so the distance between their starts is where it stands.
                let at = meta.as_ptr() as usize - text.as_ptr() as usize;
                let (before, rest) = text.split_at(at);
                let (_, after) = rest.split_at(meta.len());
                [before, &insert(meta, &missing), after].concat()
            }
        };
        Json::parse(spliced).map_err(|error| format!("PARAMS-JSON with `_meta` is {error}"))
    }
}

/// Who asks.
pub(crate) fn client_info() -> String {
    format!("{{\"name\":\"mcp-bridge\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"))
}

/// Puts members first into an object.
fn insert(object: &[u8], members: &str) -> Vec<u8> {
    let rest = object.get(1..).unwrap_or_default();
    let comma: &[u8] = if rest.trim_ascii_start() == b"}" { b"" } else { b"," };
    [b"{", members.as_bytes(), comma, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = concat!(
        r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
        r#""io.modelcontextprotocol/clientInfo":{"name":"mcp-bridge","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""},"io.modelcontextprotocol/clientCapabilities":{}"#
    );

    fn spliced(text: Option<&str>) -> String {
        let json = Params::check(text).unwrap().with_meta(Revision::LATEST).unwrap();
        String::from_utf8(json.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn meta_goes_in_and_nothing_else_changes() {
        assert_eq!(spliced(None), format!(r#"{{"_meta":{{{META}}}}}"#));
        assert_eq!(spliced(Some(" { } ")), format!(r#"{{"_meta":{{{META}}} }}"#));
        assert_eq!(
            spliced(Some(r#"{ "z":1e2,"a":[1.0,12345678901234567890],"a":"\u0062" }"#)),
            format!(r#"{{"_meta":{{{META}}}, "z":1e2,"a":[1.0,12345678901234567890],"a":"\u0062" }}"#)
        );
        assert_eq!(
            spliced(Some(r#"{"x":1,"_meta":{"progressToken":"t"},"y":2}"#)),
            format!(r#"{{"x":1,"_meta":{{{META},"progressToken":"t"}},"y":2}}"#)
        );
        assert_eq!(
            spliced(Some(r#"{"x":1,"_m\u0065ta":{ },"y":2}"#)),
            format!(r#"{{"x":1,"_m\u0065ta":{{{META} }},"y":2}}"#)
        );
    }

    #[test]
    fn what_the_user_says_of_itself_stays() {
        let own = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"1999-01-01","io.modelcontextprotocol/clientInfo":{},"io.modelcontextprotocol/clientCapabilities":{"sampling":{}}}}"#;
        assert_eq!(spliced(Some(own)), own);
    }

    #[test]
    fn what_is_no_params_is_refused() {
        for text in ["", "{", "[]", "null", "1", "tools", r#"{"_meta":1}"#, "{}{}", "{'a':1}"] {
            assert!(Params::check(Some(text)).is_err(), "{text}");
        }
    }
}
