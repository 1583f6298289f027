//! Event ids: one form for each position.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use mcp_streamable_http::proto::EventPosition;
use proptest::prelude::*;

#[test]
fn what_is_a_position() {
    let max = u64::MAX;
    let largest = format!("{max}-{max}");
    type Case<'a> = (&'a [u8], Option<(u64, u64)>);
    let table: &[Case<'_>] = &[
        (b"0-0", Some((0, 0))),
        (b"1-2", Some((1, 2))),
        (b"10-20", Some((10, 20))),
        (largest.as_bytes(), Some((max, max))),
        (b"18446744073709551616-0", None),
        (b"0-18446744073709551616", None),
        (b"", None),
        (b"-", None),
        (b"1", None),
        (b"1-", None),
        (b"-1", None),
        (b"--1", None),
        (b"1--1", None),
        (b"1-2-3", None),
        (b"+1-2", None),
        (b"1-+2", None),
        (b"01-2", None),
        (b"1-02", None),
        (b"00-0", None),
        (b" 1-2", None),
        (b"1-2 ", None),
        (b"1 - 2", None),
        (b"1_2", None),
        (b"a-b", None),
        (b"1-2\n", None),
        (b"1-2\0", None),
        (b"\xff-1", None),
        ("١-٢".as_bytes(), None),
        (&[b'1'; 1024], None),
    ];
    for (text, expected) in table {
        let expected = expected.map(|(stream, seq)| EventPosition { stream, seq });
        assert_eq!(EventPosition::parse(text), expected, "{}", text.escape_ascii());
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(stream: u64, seq: u64) {
        let position = EventPosition { stream, seq };
        let id = position.to_event_id().unwrap();
        prop_assert_eq!(EventPosition::parse(id.as_bytes()), Some(position));
        prop_assert_eq!(id.to_str(), Some(&*position.to_string()));
    }

    #[test]
    fn each_position_has_one_form(text in "[0-9]{0,3}[-+0-9 ]{0,3}[0-9]{0,3}") {
        if let Some(position) = EventPosition::parse(text.as_bytes()) {
            prop_assert_eq!(position.to_string(), text);
        }
    }
}
