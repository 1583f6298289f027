//! From what a wire yields to messages.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use mcp_jsonrpc::{Batch, Fault, Id, Malformed, Message, Request, Salvage, Salvaged};

use crate::{Context, Error, Frame, Limits, Outlet, Tap};

/// Scans what comes in, and takes batches apart where they are accepted.
pub(crate) struct Intake {
    tap: Option<Arc<dyn Tap>>,
    batches: bool,
    /// What is left of a batch; at most [`ScanLimits::max_batch`](mcp_jsonrpc::ScanLimits::max_batch).
    unpacked: VecDeque<Result<Message, Malformed>>,
}

/// What a frame turned out to be.
pub(crate) enum Opened {
    /// A message or none, and its context where it has one of its own.
    Scanned(Result<Message, Malformed>, Option<Arc<Context>>),
    /// A request with a way back of its own.
    Request(Request, Arc<Context>, Outlet),
    /// A request of ours did not get there.
    Undelivered(Id, Error),
}

impl Intake {
    pub(crate) fn new(tap: Option<Arc<dyn Tap>>, batches: bool) -> Self {
        Self { tap, batches, unpacked: VecDeque::new() }
    }

    /// The next message of a batch that is being taken apart.
    pub(crate) fn unpack(&mut self) -> Option<Result<Message, Malformed>> {
        let next = self.unpacked.pop_front();
        if next.is_some() && self.unpacked.is_empty() {
            self.unpacked = VecDeque::new();
        }
        next
    }

    pub(crate) fn open(&mut self, frame: Frame, limits: &Limits) -> Opened {
        let scanned = match frame {
            // For wires that do not look at lengths by themselves.
            Frame::Text(text) if text.len() > limits.max_message => Err(too_large(&text)),
            Frame::Text(text) => {
                if let Some(tap) = &self.tap {
                    tap.received(&text);
                }
                if self.batches && Batch::is_batch(&text) {
                    self.open_batch(text, limits)
                } else {
                    Message::parse(text, &limits.scan)
                }
            }
            Frame::Message(message, context) => {
                if let Some(tap) = &self.tap {
                    tap.received(message.as_bytes());
                }
                return Opened::Scanned(Ok(message), context);
            }
            Frame::Request(request, context, outlet) => {
                if let Some(tap) = &self.tap {
                    tap.received(request.as_bytes());
                }
                return Opened::Request(request, context, outlet);
            }
            Frame::Malformed(malformed) => Err(malformed),
            Frame::Undelivered(id, error) => return Opened::Undelivered(id, error),
        };
        Opened::Scanned(scanned, None)
    }

    /// The first message of a batch; the others wait for their turn.
    fn open_batch(&mut self, text: Bytes, limits: &Limits) -> Result<Message, Malformed> {
        let batch = Batch::parse(text, &limits.scan)?;
        self.unpacked.extend(batch.messages().map(|message| {
            message.and_then(|message| match &message {
                // MCP 2025-03-26, basic, Lifecycle: `initialize` must not be part of a batch.
                Message::Request(request) if request.method() == "initialize" => {
                    let len = request.len() as u64;
                    Err(Malformed::new(Fault::Batch, Some(request.id()), mcp_jsonrpc::Form::Request, len))
                }
                _ => Ok(message),
            })
        }));
        // A batch that was accepted has at least one.
        self.unpack()
            .unwrap_or_else(|| Err(Malformed::new(Fault::BatchLength, None, mcp_jsonrpc::Form::Unknown, 0)))
    }
}

fn too_large(text: &[u8]) -> Malformed {
    let mut salvage = Salvage::new();
    salvage.push(text);
    let Salvaged { id, form } = salvage.finish();
    Malformed::new(Fault::TooLarge, id, form, text.len() as u64)
}
