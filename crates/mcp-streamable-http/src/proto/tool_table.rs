//! What was learned from `tools/list`: which parameters of which tool are repeated in headers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use mcp_jsonrpc::{Json, Object, Request, Response, replace_part};

use super::annotations::{AnnotationProblem, parameters_of};
use super::body;
use super::parameters::{ParameterHeader, ToolParameters, parameter_headers};

/// What an entry costs beside its texts.
const OVERHEAD: usize = 128;
/// Characters of a tool's name that are reported; MCP wants at most 128 in all.
const MAX_NAME: usize = 128;

/// The tools of one server that have parameters in headers; others need no entry.
///
/// It is bounded in tools and in bytes, and forgets what it learned first. A call of a forgotten tool goes without
/// headers; the server then refuses it, and `tools/list` teaches the table again.
pub struct ToolTable {
    max_tools: usize,
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    tool: Box<str>,
    parameters: Arc<[ParameterHeader]>,
    cost: usize,
}

/// What a result of `tools/list` said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned {
    /// The tools that are badly annotated, in order.
    pub dropped: Vec<DroppedTool>,
    /// The result without them, its other bytes unchanged; `None` when there are none, and the result stays.
    pub result: Option<Json>,
}

/// A tool that is badly annotated, for a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedTool {
    /// The first 128 characters of its name; empty when it has none.
    pub tool: String,
    /// What is wrong.
    pub problem: AnnotationProblem,
}

impl Learned {
    /// The response without the tools that are badly annotated; `None` when it can stay as it is.
    pub fn response(&self, response: &Response) -> Option<Response> {
        Some(Response::json_result(&response.id()?, self.result.as_ref()?))
    }
}

impl Default for ToolTable {
    /// 1,024 tools, and 256 KiB.
    fn default() -> Self {
        Self::new(1024, 256 * 1024)
    }
}

impl ToolTable {
    /// A table of at most so many tools and so many bytes, all keys and names together.
    pub fn new(max_tools: usize, max_bytes: usize) -> Self {
        Self { max_tools, max_bytes, state: Mutex::default() }
    }

    /// No code of others runs under the lock, so a poisoned one is as good as before.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the text of a result of `tools/list` says, page by page: each tool replaces what was known of it.
    ///
    /// What is no such result teaches nothing.
    ///
    /// # Spec
    ///
    /// MCP 2026-07-28, transports, Streamable HTTP, Schema Extension: a client leaves out tools that are badly
    /// annotated, and should log a warning.
    pub fn learn(&self, result: &[u8]) -> Learned {
        let Some(array) = Object::new(result).and_then(|result| result.get("tools")) else {
            return Learned::default();
        };
        let elements = body::elements(array);
        let mut kept = Vec::with_capacity(elements.len());
        let mut dropped = Vec::new();
        let mut entries = Vec::new();
        for element in elements {
            let tool = Object::new(element);
            let name = tool.and_then(|tool| tool.get("name")).and_then(body::text);
            let schema = tool.and_then(|tool| tool.get("inputSchema"));
            let parameters = match schema.map_or(Ok(Vec::new()), parameters_of) {
                Ok(parameters) => {
                    kept.push(element);
                    parameters
                }
                Err(problem) => {
                    let tool = name.as_deref().unwrap_or_default().chars().take(MAX_NAME).collect();
                    dropped.push(DroppedTool { tool, problem });
                    Vec::new()
                }
            };
            entries.extend(name.map(|name| Entry::new(&name, parameters)));
        }
        let mut state = self.state();
        for entry in entries {
            state.replace(entry, self.max_tools, self.max_bytes);
        }
        drop(state);
        let cut = if dropped.is_empty() { None } else { cut(result, array, &kept) };
        Learned { dropped, result: cut }
    }

    /// The `Mcp-Param-*` headers of a request; none unless it calls a tool that is known.
    pub fn headers(&self, request: &Request) -> HeaderMap {
        if request.method() != "tools/call" {
            return HeaderMap::new();
        }
        let params = request.params_object();
        let name = params.and_then(|params| params.get("name")).and_then(body::text);
        let Some(parameters) = name.and_then(|name| self.parameters(&name)) else { return HeaderMap::new() };
        parameter_headers(&parameters, params.and_then(|params| params.get("arguments")))
    }

    /// Tools in the table.
    pub fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ToolParameters for ToolTable {
    fn parameters(&self, tool: &str) -> Option<Arc<[ParameterHeader]>> {
        let state = self.state();
        state.entries.iter().find(|entry| &*entry.tool == tool).map(|entry| entry.parameters.clone())
    }
}

/// The result with other elements in its array.
fn cut(result: &[u8], array: &[u8], kept: &[&[u8]]) -> Option<Json> {
    let kept = [b"[", &*kept.join(&b','), b"]"].concat();
    Json::parse(replace_part(result, array, &kept)?).ok()
}

impl Entry {
    fn new(tool: &str, parameters: Vec<ParameterHeader>) -> Self {
        let texts = |parameter: &ParameterHeader| {
            OVERHEAD
                + parameter.name.as_str().len()
                + parameter.path().map(|key| key.len() + 16).sum::<usize>()
        };
        let cost = OVERHEAD + tool.len() + parameters.iter().map(texts).sum::<usize>();
        Self { tool: tool.into(), parameters: parameters.into(), cost }
    }
}

impl State {
    fn replace(&mut self, entry: Entry, max_tools: usize, max_bytes: usize) {
        if let Some(at) = self.entries.iter().position(|other| other.tool == entry.tool) {
            self.bytes -= self.entries.remove(at).map_or(0, |old| old.cost);
        }
        if entry.parameters.is_empty() || entry.cost > max_bytes || max_tools == 0 {
            return;
        }
        while self.entries.len() >= max_tools || self.bytes + entry.cost > max_bytes {
            self.bytes -= self.entries.pop_front().map_or(0, |old| old.cost);
        }
        self.bytes += entry.cost;
        self.entries.push_back(entry);
    }
}

/// Sizes only.
impl fmt::Debug for ToolTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("ToolTable")
            .field("tools", &state.entries.len())
            .field("bytes", &state.bytes)
            .finish_non_exhaustive()
    }
}
