//! Frames of HTTP/2 by hand, RFC 9113 4 and 6, with fields as literals, RFC 7541 6.2.2.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::certified::{Authority, Dials};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// An integer with a prefix of seven bits, RFC 7541 5.1.
fn integer(mut value: usize) -> Vec<u8> {
    if value < 127 {
        return vec![value as u8];
    }
    let mut bytes = vec![127];
    value -= 127;
    while value >= 128 {
        bytes.push((value % 128 + 128) as u8);
        value /= 128;
    }
    bytes.push(value as u8);
    bytes
}

pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn block(fields: Fields<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.extend(integer(text.len()));
            block.extend(text.as_bytes());
        }
    }
    block
}

pub(crate) fn headers(stream: u32, flags: u8, fields: Fields<'_>) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// `GET https://localhost…`.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path)];
    headers(stream, END_STREAM, &fields)
}

/// What a server said, frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Status or reset of each stream.
    pub(crate) streams: BTreeMap<u32, String>,
    /// Streams that are over, either way.
    pub(crate) over: Vec<u32>,
    pub(crate) goaway: Option<&'static str>,
    pub(crate) pongs: Vec<Vec<u8>>,
    pub(crate) ended: bool,
}

impl Said {
    /// `1: 200, 3: reset CANCEL, GOAWAY PROTOCOL_ERROR`
    pub(crate) fn text(&self) -> String {
        let mut parts: Vec<String> =
            self.streams.iter().map(|(stream, outcome)| format!("{stream}: {outcome}")).collect();
        parts.extend(self.goaway.map(|code| format!("GOAWAY {code}")));
        parts.join(", ")
    }
}

/// A client that says what it is told, right or wrong.
pub(crate) struct Raw {
    pub(crate) read: ReadHalf<TlsStream<TcpStream>>,
    pub(crate) write: WriteHalf<TlsStream<TcpStream>>,
    buffer: Vec<u8>,
    pub(crate) said: Said,
}

impl Raw {
    /// A connection on which HTTP/2 is agreed, and nothing is said yet.
    pub(crate) async fn silent(dials: &Dials<'_>, address: SocketAddr) -> Self {
        let stream = Dials { alpn: &[b"h2"], ..*dials }.to(address).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (read, write) = split(stream);
        Self { read, write, buffer: Vec::new(), said: Said::default() }
    }

    /// With the preface, and settings: no table for what the server compresses, so that a status can be read.
    pub(crate) async fn new(authority: &Authority, address: SocketAddr) -> Self {
        let mut raw = Self::silent(&Dials::trusting(authority), address).await;
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0])].concat()).await;
        raw
    }

    /// Sends as much as is taken.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.write.write_all(bytes).await;
        let _ = self.write.flush().await;
    }

    /// Reads until something is so, or the connection ends.
    pub(crate) async fn until(&mut self, is_so: impl Fn(&Said) -> bool) -> &Said {
        let reading = async {
            while !is_so(&self.said) && !self.said.ended {
                while let Some(length) = self.next() {
                    let frame: Vec<u8> = self.buffer.drain(..length).collect();
                    self.note(&frame);
                }
                if is_so(&self.said) {
                    break;
                }
                match self.read.read_buf(&mut self.buffer).await {
                    Ok(1..) => {}
                    _ => self.said.ended = true,
                }
            }
        };
        if timeout(Duration::from_secs(20), reading).await.is_err() {
            panic!("it takes too long: {:?}", self.said);
        }
        &self.said
    }

    fn next(&self) -> Option<usize> {
        let length =
            self.buffer.get(..3)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)) + 9;
        (self.buffer.len() >= length).then_some(length)
    }

    fn note(&mut self, frame: &[u8]) {
        let (kind, flags, payload) = (frame[3], frame[4], &frame[9..]);
        let stream = u32::from_be_bytes(frame[5..9].try_into().unwrap());
        let code = |bytes: &[u8]| ERRORS[u32::from_be_bytes(bytes.try_into().unwrap()) as usize];
        match kind {
            HEADERS => drop(self.said.streams.insert(stream, status(payload))),
            RST_STREAM => {
                let reset = format!("reset {}", code(&payload[..4]));
                let outcome = self.said.streams.entry(stream).or_default();
                *outcome = if outcome.is_empty() { reset } else { format!("{outcome} {reset}") };
                self.said.over.push(stream);
            }
            PING if flags & ACK != 0 => self.said.pongs.push(payload.to_vec()),
            GOAWAY => self.said.goaway = Some(code(&payload[4..8])),
            _ => {}
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            self.said.over.push(stream);
        }
    }
}

/// The first field of a reply, which is its status: RFC 7541, Appendix A, 8 to 14, or three digits in Huffman's code,
/// which has five bits for 0 to 2 and six for the rest.
fn status(block: &[u8]) -> String {
    let block = if block[0] == 0x20 { &block[1..] } else { block };
    let known = ["200", "204", "206", "304", "400", "404", "500"];
    if let Some(status) = block[0].checked_sub(0x88).and_then(|index| known.get(usize::from(index))) {
        return (*status).to_owned();
    }
    assert!(block[0] & 0x3f == 8 || block[0] == 8 || block[0] == 0x18, "{block:?}");
    assert!(block[1] & 0x80 != 0, "{block:?}");
    let bytes = &block[2..2 + usize::from(block[1] & 0x7f)];
    let bits = bytes.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    let mut left = 8 * bytes.len();
    let mut digits = String::new();
    while digits.len() < 3 {
        let five = bits >> (left - 5) & 31;
        let (digit, length) = if five < 3 { (five, 5) } else { ((bits >> (left - 6) & 63) - 0x19 + 3, 6) };
        digits.push(char::from_digit(digit, 10).unwrap());
        left -= length;
    }
    digits
}
