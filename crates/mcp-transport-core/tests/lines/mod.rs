//! A toy codec: one message a line.
#![allow(dead_code, reason = "each test takes what it needs")]

use bytes::{Bytes, BytesMut};
use mcp_jsonrpc::{Fault, Malformed, Salvage};
use mcp_transport_core::{ByteWire, Codec, Connection, Frame, Limits, Options, Outbox};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

pub(crate) struct Lines {
    max: usize,
    seen: usize,
    discarding: Option<(Salvage, u64)>,
}

impl Lines {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message, seen: 0, discarding: None }
    }

    fn discard(&mut self, piece: &[u8]) {
        let (salvage, len) = self.discarding.get_or_insert_with(|| (Salvage::new(), 0));
        salvage.push(piece);
        *len += piece.len() as u64;
    }
}

impl Codec for Lines {
    fn decode(&mut self, read: &mut BytesMut, end: bool) -> Option<Frame> {
        loop {
            let stop = read[self.seen..].iter().position(|&byte| byte == b'\n').map(|at| self.seen + at);
            let Some(stop) = stop else {
                self.seen = read.len();
                if self.discarding.is_some() || read.len() > self.max {
                    let piece = read.split();
                    self.discard(&piece);
                    self.seen = 0;
                }
                if !end {
                    return None;
                }
                if let Some((salvage, len)) = self.discarding.take() {
                    return Some(too_large(salvage, len));
                }
                self.seen = 0;
                return (!read.is_empty()).then(|| Frame::Text(read.split().freeze()));
            };
            let line = read.split_to(stop);
            let _ = read.split_to(1);
            self.seen = 0;
            if self.discarding.is_some() || line.len() > self.max {
                self.discard(&line);
            }
            if let Some((salvage, len)) = self.discarding.take() {
                return Some(too_large(salvage, len));
            }
            if !line.is_empty() {
                return Some(Frame::Text(line.freeze()));
            }
        }
    }

    fn encode(&mut self, line: Bytes, out: &mut Outbox) {
        out.push(line);
        out.copy(b"\n");
    }
}

fn too_large(salvage: Salvage, len: u64) -> Frame {
    let salvaged = salvage.finish();
    Frame::Malformed(Malformed::new(Fault::TooLarge, salvaged.id, salvaged.form, len))
}

pub(crate) type Io = ByteWire<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>, Lines>;

pub(crate) fn wire(io: DuplexStream, limits: &Limits) -> Io {
    let (reader, writer) = split(io);
    ByteWire::new(reader, writer, Lines::new(limits))
}

/// Two connections over a pipe that holds so many bytes.
pub(crate) fn pair(holds: usize, near: Options, far: Options) -> (Connection, Connection) {
    let (one, other) = duplex(holds);
    let (near_wire, far_wire) = (wire(one, &near.limits), wire(other, &far.limits));
    (Connection::new(near_wire, near), Connection::new(far_wire, far))
}
