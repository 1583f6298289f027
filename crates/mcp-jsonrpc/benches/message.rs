//! One message scanned, built and given another id: `cargo bench -p mcp-jsonrpc`.
#![allow(clippy::unwrap_used, reason = "what fails here is to be seen")]

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use mcp_jsonrpc::{Id, Message, Request, Response, ScanLimits};

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"weather","arguments":{"city":"Uster on the lake","days":3},"_meta":{"progressToken":"p-42"}}}"#;

fn main() {
    divan::main();
}

/// A result with a text of about that many bytes, made of one piece.
fn result(piece: &str, bytes: usize) -> Bytes {
    let text = piece.repeat(bytes / piece.len());
    format!(r#"{{"jsonrpc":"2.0","id":42,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
        .into()
}

fn parse(bencher: Bencher<'_, '_>, message: Bytes) {
    let limits = ScanLimits::default();
    bencher
        .counter(BytesCount::new(message.len()))
        .bench(|| Message::parse(black_box(&message).clone(), &limits).unwrap());
}

#[divan::bench]
fn parse_call(bencher: Bencher<'_, '_>) {
    parse(bencher, Bytes::from_static(CALL));
}

#[divan::bench(args = [4 << 10, 1 << 20])]
fn parse_plain_text(bencher: Bencher<'_, '_>, bytes: usize) {
    parse(bencher, result("QUJDREVGR0hJSktMTU5PUFFSU1RVVldY", bytes));
}

#[divan::bench(args = [4 << 10, 1 << 20])]
fn parse_escaped_text(bencher: Bencher<'_, '_>, bytes: usize) {
    parse(bencher, result("A line of some file, \\\"quoted\\\", naïve.\\n", bytes));
}

#[divan::bench]
fn parse_structured(bencher: Bencher<'_, '_>) {
    let row = r#"{"id":1,"name":"row","price":1.25,"tags":["a","b"],"ok":true}"#;
    let rows = vec![row; 50].join(",");
    parse(bencher, format!(r#"{{"jsonrpc":"2.0","id":42,"result":{{"rows":[{rows}]}}}}"#).into());
}

#[divan::bench]
fn build_result(bencher: Bencher<'_, '_>) {
    let id = Id::from(42);
    bencher.bench(|| Response::result(black_box(&id), "sunny").unwrap().into_line());
}

#[divan::bench]
fn another_id(bencher: Bencher<'_, '_>) {
    let Ok(Message::Request(request)) = Message::parse(CALL, &ScanLimits::default()) else { return };
    let request: Request = request;
    let id = Id::from(4711);
    bencher.bench(|| black_box(&request).with_id(&id));
}
