//! The JSON-RPC 2.0 message model of the Model Context Protocol: **a message is its bytes, plus where its parts are**.
//!
//! ```text
//! bytes ──▶ one validating scan ──▶ Message { Request | Notification | Response }
//!                  │                    │ id, method, params, result, error: slices of the same bytes
//!                  └──▶ Malformed       └──▶ into_line(): the same bytes, on one line
//! ```
//!
//! Forwarding a message emits the bytes that came in: members that nobody knows stay, `1e2` stays `1e2`, a number of
//! twenty digits keeps its digits, and the order of keys is kept.
//! Typed access to params and results goes through serde, when it is asked for and not before.
//!
//! ```
//! use mcp_jsonrpc::{Message, ScanLimits};
//!
//! let line = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","x":1e2}}"#;
//! let Message::Request(request) = Message::parse(line.to_vec(), &ScanLimits::default())? else { unreachable!() };
//! assert_eq!(request.method(), "tools/call");
//! assert_eq!(request.id().as_i64(), Some(7));
//! assert_eq!(request.params_raw(), Some(&br#"{"name":"echo","x":1e2}"#[..]));
//! assert_eq!(request.into_line(), &line[..]);
//! # Ok::<(), mcp_jsonrpc::Malformed>(())
//! ```
//!
//! # What it does not do
//!
//! No IO and no async; no knowledge of tools, resources or prompts; no batches unless the caller asks ([`Batch`]).
//!
//! # Trade-offs
//!
//! The scan is this crate's own, because serde's raw values have no bound on depth, read `null` as absent and need
//! several passes; serde_json is its slower twin in the tests.
//! Strictness follows the specification and not habit: `"jsonrpc"` is exactly `"2.0"`, envelope keys are compared after
//! their escapes are resolved and never without regard to case, and an envelope key that stands twice is an error.

mod batch;
mod build;
mod encode;
mod envelope;
mod error_object;
mod id;
mod json;
mod malformed;
mod message;
mod salvage;
mod scan;
mod splice;
mod writer;

pub use batch::Batch;
pub use encode::EncodeError;
pub use error_object::{ErrorCode, ErrorObject};
pub use id::Id;
pub use json::{DecodeError, Json, Object};
pub use malformed::{Fault, Form, Malformed};
pub use message::{Message, Notification, Outcome, Request, Response};
pub use salvage::{Salvage, Salvaged};
pub use scan::{MAX_DEPTH, ScanLimits};
pub use splice::replace_part;
