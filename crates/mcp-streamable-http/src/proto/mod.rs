//! The rules, without IO: messages and headers go in, values come out.
//!
//! | module | owns |
//! |---|---|
//! | [`era`] | whether a request is of the legacy or the modern era |
//! | [`version`] | the revision that a legacy request names |
//! | [`mirror`] | names and values of the headers that repeat the body |
//! | [`judge`] | whether headers and body of a modern request agree, and with what HTTP status an error is sent |
//! | [`annotations`] | which parameters a tool's schema wants in headers |
//! | [`parameters`] | writing and checking those headers |
//! | [`tool_table`] | what was learned from `tools/list` |
//! | [`position`] | event ids that find their stream |
//! | [`retry`] | another revision, after a server has named those that it has |

pub mod annotations;
mod body;
pub mod era;
pub mod judge;
pub mod mirror;
pub mod parameters;
pub mod position;
pub mod retry;
pub mod tool_table;
pub mod version;

pub use annotations::{AnnotationProblem, parameters_of};
pub use era::{era_of, era_of_headers};
pub use judge::{Refused, check_modern, modern_status, unsupported};
pub use mirror::{ValueProblem, decode_value, encode_value, revision_in, standard_headers};
pub use parameters::{ParameterHeader, ParameterKind, ToolParameters, check_parameters, parameter_headers};
pub use position::EventPosition;
pub use retry::{choose_revision, is_modern_error, is_modern_refusal, with_revision};
pub use tool_table::{DroppedTool, Learned, ToolTable};
pub use version::{VersionProblem, legacy_revision};
