//! The line codec: every table entry whole, byte by byte and at every split, and compared with a naive twin.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use bytes::BytesMut;
use mcp_jsonrpc::{Fault, Form, Malformed, Salvage};
use mcp_stdio::proto::LineCodec;
use mcp_transport_core::{Codec, Frame};
use proptest::prelude::*;

/// A byte order mark and a carriage return do not count, so this much more may be held.
const SLACK: usize = 4;

/// The frames of an input that arrives in these pieces; never holds more than the limit and one piece.
fn frames<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut codec = LineCodec::new(limit);
    let mut read = BytesMut::new();
    let mut found = Vec::new();
    for piece in pieces {
        read.extend_from_slice(piece);
        while let Some(frame) = codec.decode(&mut read, false) {
            found.push(frame);
        }
        assert!(read.len() <= limit + SLACK, "{} bytes held", read.len());
    }
    while let Some(frame) = codec.decode(&mut read, true) {
        found.push(frame);
    }
    assert!(read.is_empty());
    assert!(codec.decode(&mut read, true).is_none(), "the end is reported once");
    found
}

/// What the documentation says, in the plainest way, on the whole input at once.
fn twin(limit: usize, input: &[u8]) -> Vec<Frame> {
    let input = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input);
    let lines = input.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines
        .filter(|line| line.len() > limit || line.iter().any(|byte| !b" \t\r".contains(byte)))
        .map(|line| if line.len() > limit { too_large(line) } else { text(line) })
        .collect()
}

fn text(line: &[u8]) -> Frame {
    Frame::Text(line.to_vec().into())
}

fn too_large(line: &[u8]) -> Frame {
    let mut salvage = Salvage::new();
    salvage.push(line);
    let found = salvage.finish();
    Frame::Malformed(Malformed::new(Fault::TooLarge, found.id, found.form, line.len() as u64))
}

/// Checks an input whole, byte by byte, and at every split, also with its line feeds as the end of input.
#[track_caller]
fn check(name: &str, limit: usize, input: &[u8], expected: &[Frame]) {
    assert_eq!(twin(limit, input), expected, "{name}: the twin");
    assert_eq!(frames(limit, [input]), expected, "{name}: whole");
    assert_eq!(frames(limit, input.chunks(1)), expected, "{name}: byte by byte");
    for at in 0..=input.len() {
        let (left, right) = input.split_at(at);
        assert_eq!(frames(limit, [left, right]), expected, "{name}: split at {at}");
    }
}

fn texts(lines: &[&str]) -> Vec<Frame> {
    lines.iter().map(|line| text(line.as_bytes())).collect()
}

#[test]
fn lines_and_what_is_between_them() {
    let table: &[(&str, &str, &[&str])] = &[
        ("nothing", "", &[]),
        ("one line", "{}\n", &["{}"]),
        ("two lines", "{}\n[]\n", &["{}", "[]"]),
        ("no final newline", "{}\n[]", &["{}", "[]"]),
        ("only a line without its end", "{}", &["{}"]),
        ("carriage returns", "{}\r\n[]\r\n", &["{}", "[]"]),
        ("a carriage return at the end of input", "{}\r", &["{}"]),
        ("two carriage returns", "{}\r\r\n", &["{}\r"]),
        ("only newlines", "\n\n\n", &[]),
        ("only carriage returns and newlines", "\r\n\r\n\r", &[]),
        ("blank lines", "\n \t\n{}\n  \r\n\r\r\n[]\n\n", &["{}", "[]"]),
        ("blanks without an end", "{}\n  ", &["{}"]),
        ("blanks around", " {} \n", &[" {} "]),
        ("a lone carriage return ends no line", "{}\r[]\n", &["{}\r[]"]),
        ("a carriage return between tokens", "{\"a\":\r1}\r\n", &["{\"a\":\r1}"]),
        ("a byte order mark", "\u{feff}{}\n[]\n", &["{}", "[]"]),
        ("a byte order mark alone", "\u{feff}", &[]),
        ("a byte order mark on a line of its own", "\u{feff}\r\n{}\n", &["{}"]),
        ("two byte order marks", "\u{feff}\u{feff}{}\n", &["\u{feff}{}"]),
        ("a later byte order mark", "{}\n\u{feff}[]\n", &["{}", "\u{feff}[]"]),
        ("one after a blank line", "\n\u{feff}{}\n", &["\u{feff}{}"]),
        (
            "separators that are no line feeds",
            "\"\u{2028}\u{2029}\u{85}\u{b}\u{c}\"\n",
            &["\"\u{2028}\u{2029}\u{85}\u{b}\u{c}\""],
        ),
        (
            "characters of every width",
            "\"a\u{e4}\u{20ac}\u{1f980}\"\n\"\u{1f980}\"",
            &["\"a\u{e4}\u{20ac}\u{1f980}\"", "\"\u{1f980}\""],
        ),
        ("null bytes", "\0\n{\0}\n\0", &["\0", "{\0}", "\0"]),
        ("escaped line breaks", "\"\\n\\r\"\n", &["\"\\n\\r\""]),
    ];
    for (name, input, expected) in table {
        check(name, 100, input.as_bytes(), &texts(expected));
    }
}

#[test]
fn what_is_not_utf8_passes_as_it_is() {
    // The first two bytes of a byte order mark are none.
    for input in [&b"\xff\xfe\n"[..], b"\xEF\xBB\n", b"\xEF\xBB\xBE{}\n", b"{\xC3}\n"] {
        check("not UTF-8", 100, input, &[text(&input[..input.len() - 1])]);
    }
}

const MARK: &str = "\u{feff}";

#[test]
fn the_limit_is_inclusive_and_counts_the_line_only() {
    let limit = 32;
    let of = |len: usize| {
        let line = format!("{{\"id\":5,\"method\":\"{}\"}}", "m".repeat(len - 20));
        assert_eq!(line.len(), len);
        line
    };
    for (mark, ending) in [("", "\n"), ("", "\r\n"), (MARK, "\n"), (MARK, "\r\n"), ("", ""), (MARK, "\r")] {
        for len in [limit - 1, limit, limit + 1, limit + 2, limit + 4, limit + 5, limit + 9, 5 * limit] {
            let line = of(len);
            let input = format!("{mark}{line}{ending}");
            let expected = if len <= limit { text(line.as_bytes()) } else { too_large(line.as_bytes()) };
            let Frame::Malformed(malformed) = too_large(line.as_bytes()) else { panic!() };
            assert_eq!(malformed.id(), Some(&5.into()));
            check(&format!("{len} {ending:?} {mark:?}"), limit, input.as_bytes(), &[expected]);
        }
    }
}

#[test]
fn the_id_of_an_oversize_line() {
    let pad = "x".repeat(40);
    let (fits, too_long) = ("i".repeat(254), "i".repeat(255));
    let (fits, too_long) = (format!("\"{fits}\""), format!("\"{too_long}\""));
    assert_eq!((fits.len(), too_long.len()), (256, 257));
    let request = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{pad}"}}"#);
    let table: &[(&str, String, Option<&str>, Form)] = &[
        ("first", format!(r#"{{"id":1,"method":"{pad}"}}"#), Some("1"), Form::Request),
        ("last", format!(r#"{{"method":"{pad}","id":1}}"#), Some("1"), Form::Request),
        (
            "last of a result",
            format!(r#"{{"result":{{"id":2,"x":"{pad}"}},"id":"seven"}}"#),
            Some("\"seven\""),
            Form::Response,
        ),
        ("of an error", format!(r#"{{"error":{{"message":"{pad}"}},"id":-3}}"#), Some("-3"), Form::Response),
        ("absent", format!(r#"{{"method":"{pad}"}}"#), None, Form::Request),
        (
            "nested only",
            format!(r#"{{"method":"{pad}","params":{{"id":1,"a":[{{"id":2}}]}}}}"#),
            None,
            Form::Request,
        ),
        ("in a string only", format!(r#"{{"method":"{pad}\",\"id\":1"}}"#), None, Form::Request),
        ("an escaped key", format!(r#"{{"method":"{pad}","\u0069\u0064":1}}"#), Some("1"), Form::Request),
        ("an escaped id", request(r#""\u0061""#), Some(r#""\u0061""#), Form::Request),
        ("another case", format!(r#"{{"method":"{pad}","ID":1}}"#), None, Form::Request),
        ("256 bytes", request(&fits), Some(&fits), Form::Request),
        ("257 bytes", request(&too_long), None, Form::Request),
        ("twice", format!(r#"{{"id":1,"method":"{pad}","id":2}}"#), None, Form::Request),
        ("the same twice", format!(r#"{{"id":1,"method":"{pad}","id":1}}"#), None, Form::Request),
        ("null", request("null"), None, Form::Request),
        ("a fraction", request("1.5"), None, Form::Request),
        ("an object", request("{}"), None, Form::Request),
        ("cut off before its end", format!(r#"{{"method":"{pad}","id":1"#), None, Form::Request),
        ("no object", format!("[{{\"id\":1}},\"{pad}\"]"), None, Form::Unknown),
        ("no JSON", format!("INFO id=1 {pad}"), None, Form::Unknown),
        ("blanks only", " ".repeat(50), None, Form::Unknown),
        ("null bytes", "\0".repeat(50), None, Form::Unknown),
    ];
    for (name, line, id, form) in table {
        let Frame::Malformed(malformed) = too_large(line.as_bytes()) else { panic!() };
        assert_eq!(malformed.id().map(|id| id.as_json()), id.map(str::as_bytes), "{name}");
        assert_eq!(malformed.form(), *form, "{name}");
        assert_eq!(malformed.input_len(), line.len() as u64, "{name}");
        // In the middle, with another one behind it, and unterminated at the end.
        let input = format!("{{}}\n{line}\r\n[1]\n{line}\n\n{{}}\n{line}");
        let large = || Frame::Malformed(malformed.clone());
        let expected = [text(b"{}"), large(), text(b"[1]"), large(), text(b"{}"), large()];
        check(name, 32, input.as_bytes(), &expected);
        // As the first line, behind a byte order mark.
        check(name, 32, format!("{MARK}{line}\n[1]").as_bytes(), &[large(), text(b"[1]")]);
    }
}

#[test]
fn a_limit_of_nothing_and_one_without_end() {
    check("nothing", 0, b"\n{}\n\r\n", &[too_large(b"{}")]);
    check("without end", usize::MAX - SLACK, b"{}\n", &[text(b"{}")]);
    // The sum with what does not count must not overflow.
    assert_eq!(frames_unchecked(usize::MAX, b"{}\n"), [text(b"{}")]);
}

fn frames_unchecked(limit: usize, input: &[u8]) -> Vec<Frame> {
    let mut codec = LineCodec::new(limit);
    let mut read = BytesMut::from(input);
    std::iter::from_fn(|| codec.decode(&mut read, true)).collect()
}

/// A line of 4 MiB in pieces of 1 KiB: what was searched is written over with line feeds, and a codec that looked
/// there again would find them.
#[test]
fn no_byte_is_searched_twice() {
    let mut codec = LineCodec::new(8 << 20);
    let mut read = BytesMut::new();
    for _ in 0..4 << 10 {
        read.extend_from_slice(&[b'x'; 1024]);
        assert_eq!(codec.decode(&mut read, false), None);
        read.fill(b'\n');
    }
    read.extend_from_slice(b"x\n");
    let Some(Frame::Text(line)) = codec.decode(&mut read, false) else { panic!("one line") };
    assert_eq!(line.len(), (4 << 20) + 1);
    assert!(read.is_empty());
}

/// While a line is discarded nothing of it is kept, whatever its length.
#[test]
fn an_oversize_line_takes_no_more_room_than_the_limit_and_one_piece() {
    let limit = 64 << 10;
    let piece = [b'x'; 8 << 10];
    let mut codec = LineCodec::new(limit);
    let mut read = BytesMut::new();
    let mut largest = 0;
    for _ in 0..4 << 10 {
        read.extend_from_slice(&piece);
        largest = largest.max(read.capacity());
        assert_eq!(codec.decode(&mut read, false), None);
        assert!(read.len() <= limit + SLACK);
    }
    // Growth doubles.
    assert!(largest <= 2 * (limit + SLACK + piece.len()), "{largest}");
    read.extend_from_slice(b"\n{}\n");
    let Some(Frame::Malformed(malformed)) = codec.decode(&mut read, false) else { panic!("a report") };
    assert_eq!(malformed.input_len(), 32 << 20);
    assert_eq!(codec.decode(&mut read, false), Some(text(b"{}")));
}

/// Lines of what makes a difference to the codec, to the salvage, or to nobody.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\t",
        b"\xEF\xBB\xBF",
        b"\xEF",
        b"\xBB",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b"\"id\"",
        b":",
        b",",
        b"1",
        b"\"id\":7",
        b"\"method\":\"m\"",
        b"\"result\":{}",
        b"{\"id\":1,",
        b"xxxxxxxxxxxxxxxxxxxx",
        b"\0",
        b"\xff",
        "\u{2028}".as_bytes(),
    ];
    let piece = prop::sample::select(pieces.to_vec());
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Cuts an input at these places.
fn cut<'a>(input: &'a [u8], at: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
    places.extend([0, input.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_frames_of_the_twin(
        input in input(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        limit in 0usize..60,
    ) {
        prop_assert_eq!(frames(limit, cut(&input, &at)), twin(limit, &input));
    }
}
