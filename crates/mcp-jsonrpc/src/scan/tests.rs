//! The word tricks against the plain way.

use super::*;

fn first_stop(word: [u8; 8]) -> Option<usize> {
    word.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)
}

/// What `plain` takes for the first stop.
fn found(word: [u8; 8]) -> Option<usize> {
    let stops = string_stops(u64::from_le_bytes(word));
    (stops != 0).then(|| (stops.trailing_zeros() / 8) as usize)
}

#[test]
fn the_first_stop_is_exact_for_every_pair_of_neighbours() {
    for at in 0..7 {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let mut word = [b'a'; 8];
                word[at] = first;
                word[at + 1] = second;
                assert_eq!(found(word), first_stop(word), "{word:x?}");
            }
        }
    }
}

#[test]
fn borrows_do_not_reach_down() {
    // Each of these makes a borrow run upwards through all that follows.
    for stop in [b'"', b'\\', 0, 0x1f] {
        for filler in [0x20, 0x21, 0x23, 0x5d, 0x7f, 0x80, 0xa0, 0xff] {
            for at in 0..8 {
                let mut word = [filler; 8];
                word[at] = stop;
                assert_eq!(found(word), Some(at), "{word:x?}");
            }
        }
    }
}

/// A string of `before` plain bytes, `middle` and `after` plain bytes.
fn string(before: usize, middle: &[u8], after: usize) -> Vec<u8> {
    [b"\"", &vec![b'x'; before][..], middle, &vec![b'y'; after][..], b"\""].concat()
}

#[test]
fn strings_end_where_they_end_at_every_length() {
    for before in (0..2 * LONG_STRING + 9).chain([1000, 4096]) {
        for after in [0, 1, 7, 8, 9, LONG_STRING, LONG_STRING + 8, 300] {
            for good in [&b""[..], b"\\\"", b"\\\\", b"\\u0041", b"\xc3\xa9", b"\x7f"] {
                let text = string(before, good, after);
                assert_eq!(whole_value(&text, 0, 1), Ok(false), "{before} {good:x?} {after}");
                assert!(whole_value(&text[..text.len() - 1], 0, 1).is_err(), "{before} {good:x?} {after}");
            }
            for bad in [&b"\""[..], b"\\", b"\\x", b"\\u004", b"\n", b"\0", b"\x1f", b"\t"] {
                // `\` before the closing quote escapes it; before `y` it is no escape either.
                let text = string(before, bad, after);
                assert!(whole_value(&text, 0, 1).is_err(), "{before} {bad:x?} {after}");
            }
        }
    }
}

#[test]
fn a_control_character_is_found_behind_the_shortcut() {
    // The shortcut is for texts without any byte below 0x20; one far behind, between tokens, must not open it.
    for between in [&b"\n"[..], b" ", b"\t", b"\r\n"] {
        let mut text = [&b"["[..], &string(500, b"", 0), b",", between, &string(500, b"\x01", 500)].concat();
        text.push(b']');
        assert_eq!(whole_value(&text, 0, 2), Err(ScanError::Syntax));
    }
}

#[test]
fn depth_is_counted_with_what_is_open_already() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    for open in [0, 1, 2, 127] {
        let room = (MAX_DEPTH - open) as usize;
        assert_eq!(whole_value(nested(room).as_bytes(), open, MAX_DEPTH), Ok(false));
        assert_eq!(whole_value(nested(room + 1).as_bytes(), open, MAX_DEPTH), Err(ScanError::Depth));
    }
    assert_eq!(whole_value(b"[]", MAX_DEPTH, MAX_DEPTH), Err(ScanError::Depth));
    assert_eq!(whole_value(b"1", MAX_DEPTH, MAX_DEPTH), Ok(false));
    // Bounds out of range count as the nearest in range.
    assert_eq!(whole_value(nested(128).as_bytes(), 0, u32::MAX), Ok(false));
    assert_eq!(whole_value(nested(129).as_bytes(), 0, u32::MAX), Err(ScanError::Depth));
    assert_eq!(whole_value(b"[]", 0, 0), Ok(false));
    assert_eq!(whole_value(b"[[]]", 0, 0), Err(ScanError::Depth));
}

#[test]
fn containers_close_as_what_they_opened_at_every_level() {
    for levels in 1..=128u32 {
        for pattern in [0b0110_1001u8, 0b1111_0000, 0b0101_0101] {
            let object = |level: u32| pattern >> (level % 8) & 1 == 1;
            let open: String = (0..levels).map(|level| if object(level) { "{\"k\":" } else { "[" }).collect();
            let close: String =
                (0..levels).rev().map(|level| if object(level) { "}" } else { "]" }).collect();
            let text = format!("{open}0{close}");
            assert_eq!(whole_value(text.as_bytes(), 0, MAX_DEPTH), Ok(false));
            // One closing bracket of the wrong kind, wherever it is.
            for at in text.len() - levels as usize..text.len() {
                let mut wrong = text.clone().into_bytes();
                wrong[at] ^= b']' ^ b'}';
                assert_eq!(whole_value(&wrong, 0, MAX_DEPTH), Err(ScanError::Syntax));
            }
        }
    }
}

#[test]
fn only_breaks_between_tokens_are_noted() {
    for (text, breaks) in [
        (&b"[1, 2]"[..], false),
        (b"[1,\n2]", true),
        (b"[1,\r2]", true),
        (b"\n1", true),
        (b"1\r", true),
        (b"{\"a\"\n:1}", true),
        (b"{\"a\":\n1}", true),
        (b"[\n]", true),
        (b"[\"\\n\\r\"]", false),
        (b"[\t1 ]", false),
    ] {
        assert_eq!(whole_value(text, 0, MAX_DEPTH), Ok(breaks), "{text:?}");
    }
}
