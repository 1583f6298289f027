//! Which calls a scenario wants.

use serde_json::{Map, Value, json};

use super::arguments::minimal;
use super::{Failure, Scenario};

/// How an era asks: a result, or the server's error in words.
pub(super) trait Asks {
    async fn ask(&self, method: &str, params: Map<String, Value>) -> Result<Value, Failure>;

    /// Whether the server has declared the capability.
    ///
    /// # Spec
    ///
    /// MCP 2025-11-25, basic, Lifecycle, Operation: only capabilities that were negotiated are used.
    fn offers(&self, capability: &str) -> bool;
}

impl Scenario {
    /// All calls, after the greeting.
    pub(super) async fn calls(&self, server: &impl Asks) -> Result<(), Failure> {
        if server.offers("tools") {
            self.list_and_call(server).await?;
        }
        if self.name == "http-standard-headers" {
            self.read_and_get(server).await?;
        }
        Ok(())
    }

    async fn list_and_call(&self, server: &impl Asks) -> Result<(), Failure> {
        let listed = server.ask("tools/list", Map::new()).await?;
        let tools = listed.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
        for (name, arguments) in self.tool_calls(&tools) {
            let params = Map::from_iter([("name".to_owned(), name), ("arguments".to_owned(), arguments)]);
            said("tools/call", server.ask("tools/call", params).await);
        }
        Ok(())
    }

    /// Names and arguments.
    fn tool_calls(&self, tools: &[Value]) -> Vec<(Value, Value)> {
        let name = |tool: &Value| tool.get("name").cloned().unwrap_or_default();
        match self.name.as_str() {
            // The scenario is that nothing in the list is followed.
            "json-schema-ref-no-deref" => Vec::new(),
            "json-schema-2020-12-preservation" => {
                let echoed = tools.iter().find(|tool| name(tool) == "json_schema_2020_12_tool");
                let schema = echoed.and_then(|tool| tool.get("inputSchema"));
                vec![("json_schema_echo".into(), json!({ "schema": schema }))]
            }
            _ => match self.context.get("toolCalls").and_then(Value::as_array) {
                Some(calls) => calls
                    .iter()
                    .map(|call| (name(call), call.get("arguments").cloned().unwrap_or_else(|| json!({}))))
                    .collect(),
                None => tools
                    .iter()
                    .map(|tool| {
                        (name(tool), Value::Object(minimal(tool.get("inputSchema").unwrap_or(&Value::Null))))
                    })
                    .collect(),
            },
        }
    }

    /// Reads each resource and gets each prompt.
    async fn read_and_get(&self, server: &impl Asks) -> Result<(), Failure> {
        for (list, many, each, key) in [
            ("resources/list", "resources", "resources/read", "uri"),
            ("prompts/list", "prompts", "prompts/get", "name"),
        ] {
            if !server.offers(many) {
                continue;
            }
            let listed = server.ask(list, Map::new()).await?;
            for one in listed.get(many).and_then(Value::as_array).into_iter().flatten() {
                let value = one.get(key).cloned().unwrap_or_default();
                said(each, server.ask(each, Map::from_iter([(key.to_owned(), value)])).await);
            }
        }
        Ok(())
    }
}

/// The suite keeps what is said here.
fn said(method: &str, answer: Result<Value, Failure>) {
    match answer {
        Ok(result) => eprintln!("{method}: {result}"),
        Err(error) => eprintln!("{method} failed: {error}"),
    }
}
