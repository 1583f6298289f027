//! Tools and a prompt that need the client's input: they say so in their result, and are asked again with it.
//!
//! # Spec
//!
//! MCP 2026-07-28, Multi Round-Trip Requests.

use serde_json::{Map, Value, json};

use super::content::{said, text};
use super::prompts::{messages, prompt as listed};
use super::seal::Seal;
use super::shapes::Call;
use super::stateless::missing;
use super::tools::tool;
use super::{Answer, invalid_params};

pub(super) fn list() -> Vec<Value> {
    vec![
        tool("test_streaming_elicitation", "Asks, and sends no request", &[]),
        tool("test_input_required_result_elicitation", "Asks the user for a name", &[]),
        tool("test_input_required_result_sampling", "Asks the model", &[]),
        tool("test_input_required_result_list_roots", "Asks for the roots", &[]),
        tool("test_input_required_result_request_state", "Has the client keep a state", &[]),
        tool("test_input_required_result_multiple_inputs", "Asks for three things at once", &[]),
        tool("test_input_required_result_multi_round", "Asks twice", &[]),
        tool("test_input_required_result_tampered_state", "Refuses a state that is not its own", &[]),
        tool("test_input_required_result_capabilities", "Asks for what this client can give", &[]),
    ]
}

pub(super) fn prompts() -> Vec<Value> {
    vec![listed("test_input_required_result_prompt", "Asks the user first", &[])]
}

/// The answer of a tool, if it is one of these.
pub(super) fn call(call: &Call, seal: &Seal) -> Option<Answer> {
    let round = Round { call, seal };
    Some(match call.name.as_str() {
        "test_streaming_elicitation" | "test_input_required_result_elicitation" => round.greet(),
        "test_input_required_result_sampling" => {
            round.once(sample("capital_question", "What is the capital of France?", 100))
        }
        "test_input_required_result_list_roots" => round.once(list_roots()),
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            round.keep_state()
        }
        "test_input_required_result_multiple_inputs" => round.ask_three(),
        "test_input_required_result_multi_round" => round.ask_twice(),
        "test_input_required_result_capabilities" => round.ask_what_it_can(),
        _ => return None,
    })
}

/// The answer to `prompts/get`, if it is about the prompt that is here.
pub(super) fn prompt(call: &Call, seal: &Seal) -> Option<Answer> {
    (call.name == "test_input_required_result_prompt").then(|| {
        let round = Round { call, seal };
        let question = elicit("user_context", "What is it about?", "context", "string");
        match round.text_of(&question) {
            Some(context) => Ok(messages(vec![text(format!("Write about {context}."))])),
            None => round.ask(&[question], None),
        }
    })
}

/// A question to the client.
struct Question {
    /// What its answer will be called.
    key: &'static str,
    /// What a client has to declare to be asked.
    capability: &'static str,
    method: &'static str,
    params: Value,
}

/// Asks the user for one value.
fn elicit(key: &'static str, message: &str, property: &str, kind: &str) -> Question {
    let properties = Map::from_iter([(property.to_owned(), json!({ "type": kind }))]);
    Question {
        key,
        capability: "elicitation",
        method: "elicitation/create",
        params: json!({
            "message": message,
            "requestedSchema": { "type": "object", "properties": properties, "required": [property] },
        }),
    }
}

fn user_name() -> Question {
    elicit("user_name", "What is your name?", "name", "string")
}

fn confirm() -> Question {
    elicit("confirm", "Please confirm", "ok", "boolean")
}

fn sample(key: &'static str, prompt: &str, max_tokens: u32) -> Question {
    Question {
        key,
        capability: "sampling",
        method: "sampling/createMessage",
        params: json!({
            "messages": [{ "role": "user", "content": { "type": "text", "text": prompt } }],
            "maxTokens": max_tokens,
        }),
    }
}

fn greeting() -> Question {
    sample("greeting", "Say hello.", 50)
}

fn list_roots() -> Question {
    Question { key: "client_roots", capability: "roots", method: "roots/list", params: json!({}) }
}

/// One round of a call.
struct Round<'a> {
    call: &'a Call,
    seal: &'a Seal,
}

impl Round<'_> {
    fn greet(&self) -> Answer {
        let question = user_name();
        match self.text_of(&question) {
            Some(name) => Ok(said(format!("Hello, {name}!"))),
            None => self.ask(&[question], None),
        }
    }

    fn once(&self, question: Question) -> Answer {
        match self.answer(&question) {
            Some(answer) => Ok(said(format!("The client says: {}", Value::Object(answer.clone())))),
            None => self.ask(&[question], None),
        }
    }

    fn keep_state(&self) -> Answer {
        let question = confirm();
        match (self.state()?, self.answer(&question)) {
            (Some("asked"), Some(_)) => Ok(said("state-ok")),
            _ => self.ask(&[question], Some("asked")),
        }
    }

    fn ask_three(&self) -> Answer {
        let questions = [user_name(), greeting(), list_roots()];
        let all = questions.iter().all(|question| self.answer(question).is_some());
        match self.state()? {
            Some("asked") if all => Ok(said("All inputs are there.")),
            _ => self.ask(&questions, Some("asked")),
        }
    }

    fn ask_twice(&self) -> Answer {
        let one = elicit("step1", "The first step", "value", "string");
        let two = elicit("step2", "The second step", "value", "string");
        match self.state()? {
            Some("asked twice") if self.answer(&two).is_some() => Ok(said("Both steps are done.")),
            Some("asked twice") => self.ask(&[two], Some("asked twice")),
            Some("asked once") if self.answer(&one).is_some() => self.ask(&[two], Some("asked twice")),
            _ => self.ask(&[one], Some("asked once")),
        }
    }

    fn ask_what_it_can(&self) -> Answer {
        let mut questions = vec![user_name(), greeting(), list_roots()];
        questions.retain(|question| self.call.client_can(question.capability));
        if questions.is_empty() || questions.iter().any(|question| self.answer(question).is_some()) {
            return Ok(said("Nothing more is needed."));
        }
        self.ask(&questions, None)
    }

    /// The client's answer to a question. What is no object is none.
    fn answer(&self, question: &Question) -> Option<&Map<String, Value>> {
        self.call.input_responses.get(question.key)?.as_object()
    }

    /// The text that the user entered; one who declines has entered nothing.
    fn text_of(&self, question: &Question) -> Option<&str> {
        let content = self.answer(question)?.get("content");
        let entered = content.and_then(Value::as_object).and_then(|content| content.values().next());
        Some(entered.and_then(Value::as_str).unwrap_or("nobody"))
    }

    /// What we had the client keep in the round before.
    fn state(&self) -> Result<Option<&str>, mcp_transport::ErrorObject> {
        let Some(sealed) = &self.call.request_state else { return Ok(None) };
        let state = self.seal.open(&self.call.name, sealed);
        state.map(Some).ok_or_else(|| invalid_params("this requestState is not one of ours"))
    }

    fn ask(&self, questions: &[Question], state: Option<&str>) -> Answer {
        let lacking: Vec<&str> = questions
            .iter()
            .map(|question| question.capability)
            .filter(|capability| !self.call.client_can(capability))
            .collect();
        if !lacking.is_empty() {
            return Err(missing(lacking));
        }
        let requests = questions.iter().map(|question| {
            (question.key.to_owned(), json!({ "method": question.method, "params": question.params }))
        });
        let mut result = json!({
            "resultType": "input_required",
            "inputRequests": Map::from_iter(requests),
        });
        if let (Some(state), Some(members)) = (state, result.as_object_mut()) {
            members.insert("requestState".into(), self.seal.close(&self.call.name, state).into());
        }
        Ok(result)
    }
}
