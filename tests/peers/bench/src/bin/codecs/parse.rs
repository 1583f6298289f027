//! One message parsed: our scan, serde_json's raw values, and the official SDK's types.
//!
//! It is not the same work: the SDK decodes params and results into their types, the two others leave them as they are.

use std::borrow::Cow;
use std::hint::black_box;

use bytes::Bytes;
use mcp_jsonrpc::{Message, ScanLimits};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Outcome, messages, time};

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded is all that they have to be")]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

pub fn seconds(who: &str, message: &str) -> Outcome<f64> {
    let bytes = Bytes::from(messages::named(message)?);
    let is_call = message == "call";
    Ok(match who {
        "ours" => {
            Message::parse(bytes.clone(), &ScanLimits::default()).map_err(|_| "no message")?;
            time(|| drop(black_box(Message::parse(black_box(&bytes).clone(), &ScanLimits::default()))))
        }
        "raw" => {
            serde_json::from_slice::<Envelope<'_>>(&bytes)?;
            time(|| drop(black_box(serde_json::from_slice::<Envelope<'_>>(black_box(&bytes)))))
        }
        "rmcp" if is_call => {
            serde_json::from_slice::<ClientJsonRpcMessage>(&bytes)?;
            time(|| drop(black_box(serde_json::from_slice::<ClientJsonRpcMessage>(black_box(&bytes)))))
        }
        "rmcp" => {
            serde_json::from_slice::<ServerJsonRpcMessage>(&bytes)?;
            time(|| drop(black_box(serde_json::from_slice::<ServerJsonRpcMessage>(black_box(&bytes)))))
        }
        other => return Err(format!("nobody is {other}").into()),
    })
}
