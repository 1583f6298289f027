//! `text/event-stream`: a decoder that takes any chunks, and an encoder whose events their data cannot break.
//!
//! # Spec
//!
//! WHATWG HTML, section 9.2 Server-sent events, 9.2.5 Parsing an event stream and 9.2.6 Interpreting an event stream.

mod decoder;
mod encoder;
mod event;
mod fields;
mod interpreter;

pub use decoder::{EventDecoder, EventLimits};
pub use encoder::{EVENT_SUFFIX, encode_comment, encode_event, encode_retry, event_prefix};
pub use event::{Decoded, Event, EventId, EventName, InvalidField, OtherName, OversizeEvent};
