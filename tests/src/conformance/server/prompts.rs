//! Prompts, and the completion of their arguments.

use serde_json::{Value, json};

use super::content::{image, resource, text};
use super::shapes::Call;
use super::{Answer, invalid_params};

pub(super) fn prompt(name: &str, description: &str, arguments: &[&str]) -> Value {
    let argument = |name: &&str| json!({ "name": name, "description": "Any text", "required": true });
    let arguments: Vec<Value> = arguments.iter().map(argument).collect();
    json!({ "name": name, "description": description, "arguments": arguments })
}

pub(super) fn list() -> Vec<Value> {
    vec![
        prompt("test_simple_prompt", "One message", &[]),
        prompt("test_prompt_with_arguments", "A message with two arguments in it", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", "A resource and a message", &["resourceUri"]),
        prompt("test_prompt_with_image", "An image and a message", &[]),
    ]
}

pub(super) fn get(call: &Call) -> Answer {
    Ok(messages(match call.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (one, other) = (call.text("arg1")?, call.text("arg2")?);
            vec![text(format!("Prompt with arguments: arg1='{one}', arg2='{other}'"))]
        }
        "test_prompt_with_embedded_resource" => vec![
            resource(call.text("resourceUri")?, "text/plain", "Embedded resource content for testing."),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![image(), text("Please analyze the image above.")],
        unknown => return Err(invalid_params(format_args!("no such prompt: {unknown}"))),
    }))
}

/// Messages of the user, one for each block.
pub(super) fn messages(blocks: Vec<Value>) -> Value {
    let message = |block| json!({ "role": "user", "content": block });
    json!({ "messages": blocks.into_iter().map(message).collect::<Vec<_>>() })
}

/// `completion/complete`: there is nothing to suggest.
pub(super) fn complete() -> Value {
    json!({ "completion": { "values": [], "total": 0, "hasMore": false } })
}
