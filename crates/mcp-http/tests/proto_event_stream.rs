//! The event-stream decoder: every table entry whole, byte by byte and at every split, and compared with a naive twin.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

mod proto_events;

use bytes::Bytes;
use mcp_http::proto::{Decoded, EventDecoder, EventLimits, EventName};
use proptest::prelude::*;
use proto_events::{decode, show, twin};

/// Checks an input whole, byte by byte, and at every split. Comments are not part of the expectation.
#[track_caller]
fn check(name: &str, input: &[u8], expected: &[&str], last_id: Option<&str>) {
    let all = twin(input);
    let (mut events, id) = all.clone();
    events.retain(|event| event != "comment");
    assert_eq!(events, expected, "{name}: the twin");
    assert_eq!(id.as_deref(), last_id, "{name}: the twin's id");

    let limits = EventLimits::default();
    assert_eq!(decode(limits, [input]), all, "{name}: whole");
    assert_eq!(decode(limits, input.chunks(1)), all, "{name}: byte by byte");
    for at in 0..=input.len() {
        let (left, right) = input.split_at(at);
        assert_eq!(decode(limits, [left, right]), all, "{name}: split at {at}");
    }
}

type Case<'a> = (&'a str, &'a str, &'a [&'a str], Option<&'a str>);

#[test]
fn the_cases_of_the_web_platform_tests() {
    let long_comment = format!(
        "data:1\r:\0\n:\r\ndata:2\n:{}\rdata:3\n:data:fail\r\n:{}\ndata:4\n\n",
        "x".repeat(300),
        "y".repeat(2048)
    );
    let table: &[Case<'_>] = &[
        (
            "W1 byte order marks, a later one",
            "\u{feff}data:1\n\n\u{feff}data:2\n\ndata:3\n\n",
            &["message: 1", "message: 3"],
            None,
        ),
        (
            "W2 two byte order marks",
            "\u{feff}\u{feff}data:1\n\ndata:2\n\ndata:3\n\n",
            &["message: 2", "message: 3"],
            None,
        ),
        ("W3 comments", &long_comment, &["message: 1\\n2\\n3\\n4"], None),
        (
            "W4 an unfinished event and its id",
            "id:1\ndata:a\n\nid:2\ndata:b\n",
            &["message: a #1"],
            Some("1"),
        ),
        ("W4 of an id alone", "id: 1\ndata: 1", &[], None),
        (
            "W5 data without a value",
            "data:\n\ndata\ndata\n\ndata:test\n\n",
            &["message: ", "message: \\n", "message: test"],
            None,
        ),
        ("W6 an empty event name", "event: \ndata:data\n\n", &["message: data"], None),
        (
            "W7 the name is for one event",
            "event:test\ndata:data\n\ndata:data\n\n",
            &["test: data", "message: data"],
            None,
        ),
        ("W7 also when it had no data", "event:test\n\ndata:data\n\n", &["message: data"], None),
        ("W8 an id that is not ASCII", "id: …\ndata: hello\n\n", &["message: hello #…"], Some("…")),
        (
            "W9 an id stays",
            "id:1\ndata:a\n\ndata:b\n\nid:2\ndata:c\n\ndata:d\n\n",
            &["message: a #1", "message: b #1", "message: c #2", "message: d #2"],
            Some("2"),
        ),
        (
            "W10 an empty id resets",
            "id:1\ndata:a\n\nid:\ndata:b\n\nid:2\ndata:c\n\nid\ndata:d\n\n",
            &["message: a #1", "message: b", "message: c #2", "message: d"],
            None,
        ),
        (
            "W11 ids with a NUL",
            "id:1\ndata:a\n\nid:\0 \ndata:b\n\nid:x\0\ndata:c\n\nid:\0y\ndata:d\n\nid: \0\ndata:e\n\n",
            &["message: a #1", "message: b #1", "message: c #1", "message: d #1", "message: e #1"],
            Some("1"),
        ),
        (
            "W12 parsing of fields",
            "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
            &["message: \\u{0}\\n 2\\n1\\n3\\n\\n4"],
            None,
        ),
        ("W13 retry with a leading zero", "retry:03000\ndata:x\n\n", &["retry 3000", "message: x"], None),
        ("W14 a bogus retry", "retry:3000\nretry:1000x\ndata:x\n\n", &["retry 3000", "message: x"], None),
        ("W15 retry without a value", "retry\ndata:test\n\nretry:\nretry: \n", &["message: test"], None),
        (
            "W16 unknown fields",
            "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
            &["message: test\\n\\ntest"],
            None,
        ),
        (
            "W17 one leading space",
            "data:\ttest\rdata: \ndata:test\n\n",
            &["message: \\ttest\\n\\ntest"],
            None,
        ),
        ("W18 line ends", "data:test\r\ndata\ndata:test\r\n\r", &["message: test\\n\\ntest"], None),
        ("W19 NUL as data", "data:\0\n\n", &["message: \\u{0}"], None),
        (
            "W22 only what has its blank line",
            "data:1\n\ndata:2\n\ndata:3\n",
            &["message: 1", "message: 2"],
            None,
        ),
    ];
    for (name, input, expected, last_id) in table {
        check(name, input.as_bytes(), expected, *last_id);
    }
}

#[test]
fn ours_on_top() {
    let table: &[Case<'_>] = &[
        ("nothing", "", &[], None),
        ("blank lines", "\n\r\r\n\n", &[], None),
        (
            "a message as most write it",
            "event: message\r\ndata: {\"a\": \"b:c\"}\r\n\r\n",
            &["message: {\"a\": \"b:c\"}"],
            None,
        ),
        (
            "an endpoint",
            "event: endpoint\ndata: /messages?sessionId=1\n\n",
            &["endpoint: /messages?sessionId=1"],
            None,
        ),
        ("the last name counts", "event: a\nevent: endpoint\ndata: /\n\n", &["endpoint: /"], None),
        ("the last id counts", "id: 1\nid: 2\ndata:\n\n", &["message:  #2"], Some("2")),
        ("the priming event", "id: 5\nretry: 10\ndata:\n\n", &["retry 10", "message:  #5"], Some("5")),
        ("an id without data", "id: 5\n\ndata: x\n\n", &["cursor #5", "message: x #5"], Some("5")),
        ("the same id again without data", "id: 5\ndata: x\n\nid: 5\n\n", &["message: x #5"], Some("5")),
        ("a reset without data", "id: 5\n\nid\n\n", &["cursor #5", "cursor"], None),
        ("a ping that nobody knows", "event: ping\ndata: 1\n\n", &["ping: 1"], None),
        (
            "carriage returns only",
            "id:1\rdata:a\r\rdata:b\r\r",
            &["message: a #1", "message: b #1"],
            Some("1"),
        ),
        (
            "two carriage returns and a line feed",
            "data:a\r\r\ndata:b\r\r\n",
            &["message: a", "message: b"],
            None,
        ),
        ("line feed, carriage return", "data:a\n\rdata:b\n\r", &["message: a", "message: b"], None),
        ("a space before the colon", "data : x\n\n", &[], None),
        (
            "names that begin like ours",
            "dat:1\ndatas:2\nevents:x\ni:3\nidd:3\nretryy:5\nretr:5\n\n",
            &[],
            None,
        ),
        ("colons in a value", "data::: x: y\n\n", &["message: :: x: y"], None),
        ("a value that is a space", "data:  \n\n", &["message:  "], None),
        (
            "retry in order with events",
            "data:a\n\nretry:1\n\ndata:b\n\n",
            &["message: a", "retry 1", "message: b"],
            None,
        ),
        (
            "retry that is no digits",
            "retry:-1\nretry:+1\nretry: 1 \nretry:1.5\nretry:1e3\nretry:\u{661}\n",
            &[],
            None,
        ),
        (
            "retry at and beyond the clamp",
            "retry:0\nretry:86400000\nretry:86400001\nretry:18446744073709551616\nretry:99999999999999999999999999999\n",
            &["retry 0", "retry 86400000", "retry 86400000", "retry 86400000", "retry 86400000"],
            None,
        ),
        (
            "separators of other kinds",
            "data:\u{2028}\u{2029}\u{85}\u{b}\u{c}\n\n",
            &["message: \u{2028}\u{2029}\\u{85}\\u{b}\\u{c}"],
            None,
        ),
        (
            "an id that no header could carry",
            "id: 1\ndata: a\n\nid: 2\u{1}\ndata: b\n\nid: 2\u{7f}\n\n",
            &["message: a #1", "message: b #1"],
            Some("1"),
        ),
        ("a byte order mark alone", "\u{feff}", &[], None),
        ("a byte order mark and a blank line", "\u{feff}\n\ndata:1\n\n", &["message: 1"], None),
    ];
    for (name, input, expected, last_id) in table {
        check(name, input.as_bytes(), expected, *last_id);
    }
}

#[test]
fn what_is_not_utf8_stays_as_it_is() {
    check("W20 data", b"data: a\xff\xc3\n\n", &["message: a\\xff\\xc3"], None);
    check("an id", b"id: \xe9\ndata: a\n\n", &["message: a #\\xe9"], Some("\\xe9"));
    check("a name", b"event: \xe9\ndata: a\n\n", &["\\xe9: a"], None);
    check("a line", b"\xff\xfe\ndata: a\n\n", &["message: a"], None);
    check("half a byte order mark", b"\xEF\xBBdata: a\n\ndata: b\n\n", &["message: b"], None);
    check("half a byte order mark alone", b"\xEF\n\xEFdata: b\n\ndata: c\n\n", &["message: c"], None);
    check("half a byte order mark and a comment", b"\xEF\xBB:\ndata: b\n\n", &["message: b"], None);
    check("a broken byte order mark", b"\xEF\xBB\xBEdata: a\n\n\xEF\xBB\xBFdata: b\n\n", &[], None);
}

#[test]
fn a_blank_line_is_not_waited_for() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    decoder.push("data: 1\r\n\r".into());
    assert_eq!(decoder.next().map(|found| show(&found)).as_deref(), Some("message: 1"));
    assert_eq!(decoder.next(), None);
    // The line feed of the same line end is no blank line of its own, and does not dispatch again.
    decoder.push("\nid: 2\r\n\r".into());
    assert_eq!(decoder.next().map(|found| show(&found)).as_deref(), Some("cursor #2"));
    assert_eq!(decoder.next(), None);
}

#[test]
fn one_line_in_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from_static(b"event: message\ndata: {\"jsonrpc\":\"2.0\"}\n\n");
    let mut decoder = EventDecoder::new(EventLimits::default());
    decoder.push(chunk.clone());
    let Some(Decoded::Event(event)) = decoder.next() else { panic!("no event") };
    assert_eq!(event.data.as_ptr(), chunk[21..].as_ptr());
    assert_eq!(event.name, EventName::Message);
    assert_eq!(event.into_message().unwrap(), chunk[21..38]);
}

#[test]
fn only_a_message_with_data_is_a_message() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    decoder.push("id: 1\ndata:\n\nevent: endpoint\ndata: /\n\nevent: ping\ndata: 1\n\ndata: {}\n\n".into());
    let messages: Vec<_> = decoder
        .map(|decoded| match decoded {
            Decoded::Event(event) => event.into_message(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(messages, [None, None, None, Some("{}".into())]);
}

#[test]
fn a_new_stream_resumes_behind_the_last_event() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    decoder.push("id: 1\ndata: a\n\nid: 2\nevent: x\ndata: b\r".into());
    assert_eq!(decoder.by_ref().count(), 1);
    assert!(decoder.finish(), "there was an unfinished event");
    assert_eq!(decoder.last_event_id().unwrap().to_str(), Some("1"));
    // Of the first stream there is no name, no data, no line end; and a byte order mark is one again.
    decoder.push("\u{feff}data: c\n\n".into());
    assert_eq!(decoder.next().map(|found| show(&found)).as_deref(), Some("message: c #1"));
    assert_eq!(decoder.next(), None);
    assert!(!decoder.finish(), "nothing was unfinished");

    let id = decoder.last_event_id().cloned();
    let mut other = EventDecoder::new(EventLimits::default()).with_last_event_id(id);
    other.push("\ndata: d\n\n".into());
    assert_eq!(other.next().map(|found| show(&found)).as_deref(), Some("message: d #1"));
}

#[test]
fn a_chunk_pushed_too_early_is_not_lost() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    decoder.push("data: a\n\nda".into());
    decoder.push("ta: b\n".into());
    assert_eq!(decoder.buffered(), 17);
    decoder.push("\ndata: c".into());
    let found: Vec<_> = decoder.by_ref().map(|found| show(&found)).collect();
    assert_eq!(found, ["message: a", "message: b"]);
    decoder.push("\n\nx".into());
    assert!(decoder.finish());
    assert_eq!(decoder.next(), None);
}

#[test]
fn debug_shows_no_payload() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    decoder.push("data: s3cret\n\n".into());
    let shown = format!("{:?}", decoder.next());
    assert!(!shown.contains("s3cret") && shown.contains("bytes: 6"), "{shown}");
    decoder.push("data: s3cret\ndata: and".into());
    decoder.push(" s3cret".into());
    assert!(!format!("{decoder:?}").contains("s3cret"), "{decoder:?}");
    assert_eq!(decoder.next(), None);
    assert!(!format!("{decoder:?}").contains("s3cret"), "{decoder:?}");
}

/// Streams that are made of what matters to the decoder.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n"]).prop_map(Vec::from),
        6 => prop::sample::select(vec![
            "data", "data:", "data: ", "event:", "event: ", "id: ", "id:", "id", "retry:", "retry: 5", ":", ": ", " ",
            "endpoint", "message", "\0", "\u{feff}", "da", "ta:", "1", "{\"id\":1}", "…", "x",
        ])
        .prop_map(Vec::from),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_chunks_give_what_the_twin_gives(input in streams(), cuts in prop::collection::vec(1_usize..12, 1..20)) {
        let mut rest = &input[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        prop_assert_eq!(decode(EventLimits::default(), pieces), twin(&input));
        prop_assert_eq!(decode(EventLimits::default(), [&input[..]]), twin(&input));
    }
}
