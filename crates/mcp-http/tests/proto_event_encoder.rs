//! What the encoder writes reads back the same, in any chunks, and its parts cannot break each other.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

mod proto_events;

use std::time::Duration;

use bytes::BytesMut;
use mcp_http::proto::event_stream::{EVENT_SUFFIX, encode_comment, encode_event, encode_retry, event_prefix};
use mcp_http::proto::{Decoded, EventDecoder, EventId, EventLimits, EventName};
use proptest::prelude::*;
use proto_events::decode;

fn written(write: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn the_bytes_of_events() {
    let id = EventId::new("s-1").unwrap();
    let name = EventName::new("x").unwrap();
    let table = [
        (written(|out| encode_event(out, None, None, b"{}")), "data: {}\n\n"),
        (
            written(|out| encode_event(out, Some(&EventName::Message), None, b"{}")),
            "event: message\ndata: {}\n\n",
        ),
        (
            written(|out| encode_event(out, Some(&EventName::Endpoint), None, b"/m?s=1")),
            "event: endpoint\ndata: /m?s=1\n\n",
        ),
        (written(|out| encode_event(out, Some(&name), Some(&id), b"")), "event: x\nid: s-1\ndata: \n\n"),
        (
            written(|out| encode_event(out, None, None, b"a\nb\rc\r\nd\n\re\n")),
            "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\ndata: \n\n",
        ),
        (
            written(|out| encode_event(out, None, None, b"\nevent: endpoint\ndata: //evil\n\n")),
            "data: \ndata: event: endpoint\ndata: data: //evil\ndata: \ndata: \n\n",
        ),
        (written(|out| encode_comment(out, "")), ":\n\n"),
        (written(|out| encode_comment(out, "keep-alive")), ": keep-alive\n\n"),
        (written(|out| encode_comment(out, "a\ndata: b\r\n\r\nid: 1")), ": a\n: data: b\n:\n: id: 1\n\n"),
        (written(|out| encode_retry(out, Duration::from_micros(2_500_999))), "retry: 2500\n\n"),
        (written(|out| encode_retry(out, Duration::ZERO)), "retry: 0\n\n"),
        (written(|out| encode_retry(out, Duration::MAX)), "retry: 86400000\n\n"),
    ];
    for (is, should) in table {
        assert_eq!(is, should);
    }
}

#[test]
fn the_prefix_and_the_suffix_make_the_same_event() {
    let id = EventId::new("7").unwrap();
    let whole = written(|out| encode_event(out, Some(&EventName::Message), Some(&id), b"{\"a\":1}"));
    let parts = written(|out| {
        event_prefix(out, Some(&EventName::Message), Some(&id));
        out.extend_from_slice(b"{\"a\":1}");
        out.extend_from_slice(EVENT_SUFFIX);
    });
    assert_eq!(whole, parts);
}

/// Bytes in which everything that could break an event is frequent.
fn hostile(max: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\n", "\r", "\r\n", "\n\n", ":", " ", "\0", "\u{feff}", "data: ", "id: 1", "event: x",
            "retry: 1", "{}"
        ])
        .prop_map(Vec::from),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..max).prop_map(|pieces| pieces.concat())
}

/// As the data reads back: each line break is a line feed.
fn with_line_feeds(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = data.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte == b'\r' {
            bytes.next_if(|next| **next == b'\n');
            out.push(b'\n');
        } else {
            out.push(*byte);
        }
    }
    out
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        events in prop::collection::vec((hostile(3), hostile(3), hostile(12), hostile(4)), 1..6),
        cut in 1_usize..40,
    ) {
        let mut out = BytesMut::new();
        let mut expected = Vec::new();
        let mut last = None;
        for (name, id, data, comment) in &events {
            let name = EventName::new(name).ok();
            let id = EventId::new(id).ok();
            encode_comment(&mut out, &String::from_utf8_lossy(comment));
            encode_event(&mut out, name.as_ref(), id.as_ref(), data);
            last = id.or(last);
            expected.push((name.unwrap_or_default(), with_line_feeds(data), last.clone()));
        }
        let mut decoder = EventDecoder::new(EventLimits::default());
        let mut found = Vec::new();
        for piece in out.chunks(cut) {
            decoder.push(piece.to_vec().into());
            for decoded in &mut decoder {
                match decoded {
                    Decoded::Event(event) => found.push((event.name, event.data.to_vec(), event.id)),
                    Decoded::Comment => {}
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
        prop_assert!(!decoder.finish());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn waits_read_back(milliseconds in 0_u64..100_000_000) {
        let text = written(|out| encode_retry(out, Duration::from_millis(milliseconds)));
        let (found, _) = decode(EventLimits::default(), text.as_bytes().chunks(1));
        prop_assert_eq!(found, [format!("retry {}", milliseconds.min(86_400_000))]);
    }
}
