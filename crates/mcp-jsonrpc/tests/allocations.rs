//! How often the way of a message asks the allocator: the numbers that the documentation promises.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

use std::collections::BTreeMap;

use allocation_counter::measure;
use bytes::Bytes;
use mcp_jsonrpc::{ErrorCode, ErrorObject, Id, Message, Object, Request, Response, Salvage, ScanLimits};

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"weather","arguments":{"city":"Uster on the lake","days":3},"_meta":{"progressToken":"p-42"}}}"#;

/// Allocations of one run, when one has gone before it.
fn count<T>(mut work: impl FnMut() -> T) -> u64 {
    drop(work());
    measure(|| drop(work())).count_total
}

#[test]
fn parsing_a_slice_allocates_nothing() {
    assert!((140..160).contains(&CALL.len()));
    // A slice of a read buffer: shared already, as in a transport.
    let buffer = Bytes::from([CALL, b"\n", CALL].concat());
    let line = buffer.slice(..CALL.len());
    let limits = ScanLimits::default();
    assert_eq!(count(|| Message::parse(line.clone(), &limits).unwrap()), 0);

    let Message::Request(request) = Message::parse(line, &limits).unwrap() else { panic!() };
    assert_eq!(count(|| request.id()), 0);
    assert_eq!(count(|| assert_eq!(request.method(), "tools/call")), 0);
    assert_eq!(count(|| request.params_raw().map(<[u8]>::len)), 0);
    let params = request.params_raw().unwrap();
    assert_eq!(count(|| Object::new(params).and_then(|object| object.get("name")).map(<[u8]>::len)), 0);
}

#[test]
fn an_error_response_is_parsed_without_an_allocation() {
    let line = Bytes::from_static(
        br#"{"jsonrpc":"2.0","id":"a","error":{"code":-32601,"message":"no such method"}}"#,
    );
    assert_eq!(count(|| Message::parse(line.clone(), &ScanLimits::default()).unwrap()), 0);
}

#[test]
fn a_line_of_an_unbroken_message_is_no_copy() {
    let line = Bytes::from_static(CALL);
    let limits = ScanLimits::default();
    assert_eq!(count(|| Message::parse(line.clone(), &limits).unwrap().into_line()), 0);
}

#[test]
fn a_line_of_a_broken_message_is_one_copy() {
    let line = Bytes::from_static(b"{\"jsonrpc\":\"2.0\",\n\"method\":\"m\"}");
    let limits = ScanLimits::default();
    assert_eq!(count(|| Message::parse(line.clone(), &limits).unwrap().into_line()), 1);
}

#[test]
fn a_built_message_is_one_allocation() {
    let id = Id::from(7);
    let echo = BTreeMap::from([("text", "hello"), ("to", "world")]);
    assert_eq!(count(|| Response::result(&id, &echo).unwrap()), 1);
    assert_eq!(count(|| Request::new(7, "ping")), 1);
    assert_eq!(count(|| Request::with_params(7, "tools/call", &echo).unwrap()), 1);
    assert_eq!(count(|| Response::result(&id, &echo).unwrap().into_line()), 1);
    let error = ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no such method");
    assert_eq!(count(|| Response::error(&id, &error)), 1);
    let request = Request::new(7, "ping");
    assert_eq!(count(|| request.with_id(&Id::from(123_456_789))), 1);
}

#[test]
fn a_built_message_holds_little_spare_room() {
    for len in [10, 1000, 60_000, 70_000, 300_000] {
        let text = "x".repeat(len);
        drop(Response::result(&1.into(), &text).unwrap());
        let mut built = None;
        let held = measure(|| built = Some(Response::result(&1.into(), &text).unwrap())).bytes_current;
        let message = built.unwrap();
        // A long text is not moved for an eighth of it. The scratch may stay behind or go, so it can be less.
        let most = if len > 64 * 1024 { message.len() + message.len() / 8 } else { message.len() };
        assert!(held <= most as i64, "{held} for {}", message.len());
    }
}

#[test]
fn ids_up_to_a_uuid_are_no_allocation() {
    assert_eq!(count(|| Id::from(u64::MAX)), 0);
    assert_eq!(count(|| Id::from_json(br#""0b9d4a2e-4b6f-4b7e-9c56-6a1a1c8f2f11""#)), 0);
    assert_eq!(count(|| Id::from_json(b"-9223372036854775808")), 0);
}

#[test]
fn discarding_takes_a_fixed_amount_of_memory() {
    let run = |strings: usize| {
        measure(|| {
            let mut salvage = Salvage::new();
            salvage.push(br#"{"id":"#);
            for _ in 0..strings {
                salvage.push(
                    br#"[{"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx":"xxxxxxxxxxxxxxxxxx"},"#,
                );
            }
            salvage.finish();
        })
        .bytes_max
    };
    assert_eq!(run(1_000), run(10_000));
    assert!(run(10_000) < 2_000);
}
