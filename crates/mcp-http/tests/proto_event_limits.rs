//! Hostile event streams: nothing grows, nothing is quadratic, and the next event is read as usual.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

mod proto_events;

use bytes::Bytes;
use mcp_http::proto::{Decoded, EventDecoder, EventId, EventLimits, EventName};
use mcp_jsonrpc::{Fault, Form};
use proptest::prelude::*;
use proto_events::{decode, show};

/// Checks an input whole, byte by byte, and at every split.
#[track_caller]
fn check(limits: EventLimits, input: &str, expected: &[&str], last_id: Option<&str>) {
    let input = input.as_bytes();
    let check = |pieces: Vec<&[u8]>| {
        let (found, id) = decode(limits, pieces);
        assert_eq!(found, expected);
        assert_eq!(id.as_deref(), last_id);
    };
    check(vec![input]);
    check(input.chunks(1).collect());
    for at in 0..=input.len() {
        let (left, right) = input.split_at(at);
        check(vec![left, right]);
    }
}

#[test]
fn the_limit_is_inclusive_and_counts_the_joined_data() {
    let limits = EventLimits::default().with_max_data(8);
    check(
        limits,
        "data: 12345678\n\ndata:1234\ndata:678\n\n",
        &["message: 12345678", "message: 1234\\n678"],
        None,
    );
    let over = "message: too large None Unknown 9";
    check(limits, "data: 123456789\n\ndata: a\n\n", &[over, "message: a"], None);
    check(limits, "data:1234\ndata:6789\n\ndata: a\n\n", &[over, "message: a"], None);
    check(limits, "data:12345678\ndata\n\ndata: a\n\n", &[over, "message: a"], None);
    check(limits, "data:\ndata\ndata\ndata\ndata\ndata\ndata:789\n\n", &[over], None);
    check(
        EventLimits::default().with_max_data(0),
        "data\n\ndata: \n\ndata:a\n\n",
        &["message: ", "message: ", "message: too large None Unknown 1"],
        None,
    );
}

#[test]
fn an_oversize_event_keeps_its_ids() {
    let limits = EventLimits::default().with_max_data(24);
    let request = "id: e1\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"x\",\ndata: \"params\":{\"a\":1},\ndata: \"id\"\ndata: :\ndata: \"seven\"}\n\ndata: {}\n\n";
    check(
        limits,
        request,
        &["message: too large Some(\"seven\") Request 64 #e1", "message: {} #e1"],
        Some("e1"),
    );
    let response =
        "data: {\"result\":{\"text\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaa\"},\"id\":1234567890123}\nid: e2\n\n";
    check(limits, response, &["message: too large Some(1234567890123) Response 68 #e2"], Some("e2"));
    let endpoint = "event: endpoint\ndata: /messages?sessionId=aaaaaaaaaaaaaaa\n\n";
    check(limits, endpoint, &["endpoint: too large None Unknown 35"], None);
    // Without its blank line it was no event.
    check(limits, "id: e3\ndata: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", &[], None);
}

#[test]
fn too_many_fields_make_an_event_oversize() {
    let limits = EventLimits::default().with_max_fields(3);
    check(
        limits,
        ":\n:\n:\n:\ndata:1\n:\ndata:2\n:\ndata:3\n\n",
        &["comment", "comment", "comment", "comment", "comment", "comment", "message: 1\\n2\\n3"],
        None,
    );
    check(
        limits,
        "data:1\ndata:2\ndata:3\ndata:4\n\ndata:5\n\n",
        &["message: too large None Unknown 7", "message: 5"],
        None,
    );
    check(
        limits,
        "x\nx\nx\nx\ndata:1\ndata:2\n\ndata:5\n\n",
        &["message: too large None Unknown 3", "message: 5"],
        None,
    );
    check(
        limits,
        "id:1\nx\nx\ny\n\ndata:5\n\n",
        &["message: too large None Unknown 0 #1", "message: 5 #1"],
        Some("1"),
    );
}

#[test]
fn ids_and_names_at_their_limits() {
    let id = "i".repeat(EventId::MAX_LEN);
    let (found, last) =
        decode(EventLimits::default(), [format!("id: {id}\ndata: a\n\nid: {id}i\ndata: b\n\n").as_bytes()]);
    assert_eq!(found, [format!("message: a #{id}"), format!("message: b #{id}")]);
    assert_eq!(last.as_deref(), Some(&*id));
    let (by_byte, _) = decode(
        EventLimits::default(),
        format!("id: {id}\ndata: a\n\nid: {id}i\ndata: b\n\n").as_bytes().chunks(1),
    );
    assert_eq!(by_byte, found);

    let name = "n".repeat(EventName::MAX_LEN);
    let input = format!("event: {name}\ndata: a\n\nevent: {name}n\ndata: b\n\n");
    let expected = [format!("{name}: a"), format!("{name}: b")];
    assert_eq!(decode(EventLimits::default(), [input.as_bytes()]).0, expected);
    assert_eq!(decode(EventLimits::default(), input.as_bytes().chunks(1)).0, expected);

    for (id, fine) in [
        ("", false),
        ("a", true),
        ("a\tb", true),
        (" a ", true),
        ("…", true),
        ("a\n", false),
        ("\r", false),
        ("\0", false),
        ("\u{1b}", false),
    ] {
        assert_eq!(EventId::new(id).is_ok(), fine, "{id:?}");
        assert_eq!(EventId::new(id).ok().is_some_and(|id| id.to_header().is_some()), fine, "{id:?}");
    }
    assert!(EventId::new("i".repeat(EventId::MAX_LEN + 1)).is_err());
    assert!(EventName::new("a\nb").is_err() && EventName::new("a\r").is_err());
    assert!(EventName::new("n".repeat(EventName::MAX_LEN + 1)).is_err());
    assert_eq!(EventName::new("").unwrap(), EventName::Message);
    assert_eq!(EventName::new("endpoint").unwrap(), EventName::Endpoint);
}

/// Pushes `count` chunks, counts what comes of them, and looks at what is held after each.
fn flood(decoder: &mut EventDecoder, chunk: &Bytes, count: usize, held: usize) -> usize {
    let mut found = 0;
    for _ in 0..count {
        decoder.push(chunk.clone());
        found += decoder.by_ref().count();
        assert!(decoder.buffered() <= held, "{} bytes held", decoder.buffered());
    }
    found
}

/// That the decoder still reads.
#[track_caller]
fn assert_reads(decoder: &mut EventDecoder) {
    decoder.push("data: {}\n\n".into());
    assert_eq!(decoder.by_ref().map(|found| show(&found)).collect::<Vec<_>>(), ["message: {}"]);
}

#[test]
fn ten_million_comments_are_held_nowhere() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    let comments = Bytes::from(":x\n".repeat(10_000));
    assert_eq!(flood(&mut decoder, &comments, 1000, 0), 10_000_000);
    assert_reads(&mut decoder);
}

#[test]
fn a_million_events_without_data_give_nothing() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    let lines = Bytes::from("event: x\n\n".repeat(10_000));
    assert_eq!(flood(&mut decoder, &lines, 100, 0), 0);
    assert_reads(&mut decoder);
}

#[test]
fn lines_without_an_end_are_not_kept() {
    let limits = EventLimits::default().with_max_data(100_000);
    for begin in ["x", ":", "event: ", "id:", "retry: ", "data: ", "", "\u{feff}\u{feff}"] {
        let mut decoder = EventDecoder::new(limits);
        decoder.push(begin.into());
        assert_eq!(decoder.next(), None);
        assert_eq!(
            flood(&mut decoder, &Bytes::from(vec![b'9'; 65_536]), 20, 100_000 + 2 * EventId::MAX_LEN + 1),
            0
        );
        decoder.push("\n\n".into());
        for found in decoder.by_ref() {
            assert!(
                matches!(found, Decoded::Comment | Decoded::Retry(_) | Decoded::Oversize(_)),
                "{found:?}"
            );
        }
        assert_reads(&mut decoder);
    }
}

#[test]
fn an_event_of_a_hundred_megabytes_keeps_its_id() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    decoder.push("data: {\"jsonrpc\":\"2.0\",\"result\":{\"text\":\"".into());
    assert_eq!(flood(&mut decoder, &Bytes::from(vec![b'a'; 100_000]), 1000, 16 * 1024 * 1024), 0);
    decoder.push("\"},\"id\":42}\n\n".into());
    let Some(Decoded::Oversize(event)) = decoder.next() else { panic!("no report") };
    assert_eq!(event.malformed.fault(), Fault::TooLarge);
    assert_eq!(event.malformed.id(), Some(&42.into()));
    assert_eq!(event.malformed.form(), Form::Response);
    assert_eq!(event.malformed.input_len(), 100_000_000 + 36 + 10);
    assert_reads(&mut decoder);
}

#[test]
fn a_small_event_in_pieces_does_not_keep_a_large_buffer() {
    let mut decoder = EventDecoder::new(EventLimits::default());
    for len in [60_000, 10] {
        decoder.push("data: ".into());
        assert_eq!(decoder.next(), None);
        decoder.push(vec![b'a'; len].into());
        assert_eq!(decoder.next(), None);
        decoder.push("\n".into());
        assert_eq!(decoder.next(), None);
        decoder.push("\n".into());
        let Some(Decoded::Event(event)) = decoder.next() else { panic!("no event") };
        assert_eq!(event.data.len(), len);
        assert_eq!(decoder.buffered(), 0);
        let capacity = Vec::from(event.data).capacity();
        assert!(capacity <= 4 * len, "{capacity} bytes for {len}");
    }
}

#[test]
fn time_is_linear_in_any_chunks() {
    // Quadratic would be 500 GB copied or searched: minutes, not the second that a debug build takes.
    let mut decoder = EventDecoder::new(EventLimits::default());
    let begin = Bytes::from_static(b"data: ");
    let piece = Bytes::from_static(b"a");
    decoder.push(begin);
    assert_eq!(decoder.next(), None);
    for _ in 0..1_000_000 {
        decoder.push(piece.clone());
        assert_eq!(decoder.next(), None);
    }
    decoder.push("\n\n".into());
    let Some(Decoded::Event(event)) = decoder.next() else { panic!("no event") };
    assert_eq!(event.data.len(), 1_000_000);
}

proptest! {
    #[test]
    fn limits_hold_and_chunks_make_no_difference(
        lines in prop::collection::vec(("(data|id|event|retry|x|)", "(: ?)?", "[0-9a-c\":{}]{0,12}", "\r|\n|\r\n|\n\n"), 0..20),
        max in 0_usize..20,
        fields in 0_u32..6,
        cut in 1_usize..16,
    ) {
        let input: String = lines.into_iter().map(|(name, colon, value, end)| name + &colon + &value + &end).collect();
        let limits = EventLimits::default().with_max_data(max).with_max_fields(fields);
        prop_assert_eq!(decode(limits, input.as_bytes().chunks(cut)), decode(limits, [input.as_bytes()]));
    }
}
