//! Names of X.509, as text.
//!
//! # Spec
//!
//! RFC 4514, and DER for what comes in.

use std::fmt::Write;

/// The most bytes of a name: a principal is kept with every session.
const MAX_NAME: usize = 2 * 1024;

const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// Types of attributes that RFC 4514 3 has keywords for, by their encoding.
const KEYWORDS: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

/// One element of DER.
struct Element<'a> {
    tag: u8,
    value: &'a [u8],
    /// With tag and length.
    whole: &'a [u8],
}

/// The text of a name, from the content of its `RDNSequence`; `None` when it is empty, longer than 2 KiB, or no name.
///
/// Two names have one text only when they are one name: what has no keyword, or is no string, stands there in
/// hexadecimal, and all that could be taken for something else is escaped, semicolons and what is not visible ASCII
/// among it. The same characters in another type of string are the same name (RFC 5280 7.1).
pub(super) fn text(mut name: &[u8]) -> Option<String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return None;
    }
    let mut parts = Vec::new();
    while !name.is_empty() {
        parts.push(part(expect(&mut name, SET)?)?);
    }
    // 2.1: the last one comes first.
    parts.reverse();
    Some(parts.join(","))
}

/// One part of a name, of one attribute or several.
fn part(mut attributes: &[u8]) -> Option<String> {
    let mut texts = Vec::new();
    while !attributes.is_empty() {
        texts.push(attribute(expect(&mut attributes, SEQUENCE)?)?);
    }
    (!texts.is_empty()).then(|| texts.join("+"))
}

fn attribute(mut pair: &[u8]) -> Option<String> {
    let kind = expect(&mut pair, OBJECT_IDENTIFIER)?;
    let value = take(&mut pair)?;
    if !pair.is_empty() {
        return None;
    }
    let keyword = KEYWORDS.iter().find(|(encoded, _)| *encoded == kind).map(|(_, keyword)| *keyword);
    let is_text = match value.tag {
        UTF8_STRING => true,
        PRINTABLE_STRING | IA5_STRING => value.value.is_ascii(),
        _ => false,
    };
    let kind = keyword.map_or_else(|| dotted(kind), |keyword| Some(keyword.to_owned()))?;
    let value = if keyword.is_some() && is_text { escaped(value.value) } else { hexadecimal(value.whole) };
    Some(format!("{kind}={value}"))
}

/// 2.4, with everything in hexadecimal that is not visible ASCII.
fn escaped(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, byte) in value.iter().copied().enumerate() {
        let at_end = at == 0 || at + 1 == value.len();
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\' => out.extend(['\\', char::from(byte)]),
            b'#' if at == 0 => out.push_str("\\#"),
            b' ' if at_end => out.push_str("\\ "),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => _ = write!(out, "\\{byte:02X}"),
        }
    }
    out
}

/// 2.4, of an encoding.
fn hexadecimal(encoding: &[u8]) -> String {
    let mut out = String::from("#");
    encoding.iter().for_each(|byte| _ = write!(out, "{byte:02x}"));
    out
}

/// The numbers of an object identifier (X.690 8.19).
fn dotted(encoded: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number: Option<u64> = None;
    for byte in encoded {
        if number.is_none() && *byte == 0x80 {
            return None;
        }
        let next = number.unwrap_or(0).checked_mul(128)? + u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(next);
            number = None;
        } else {
            number = Some(next);
        }
    }
    let (first, rest) = numbers.split_first().filter(|_| number.is_none())?;
    let root = (first / 40).min(2);
    let mut out = format!("{root}.{}", first - root * 40);
    rest.iter().for_each(|number| _ = write!(out, ".{number}"));
    Some(out)
}

fn expect<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    take(rest).filter(|element| element.tag == tag).map(|element| element.value)
}

/// Takes one element off the front; `None` when there is none. Tags have one byte, and lengths up to two more than the
/// first and no more than they need (X.690 10.1).
fn take<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    let all = *rest;
    let (tag, first, behind) = match all {
        [tag, first, behind @ ..] if tag & 0x1f != 0x1f => (*tag, *first, behind),
        _ => return None,
    };
    let (length, behind) = match (first, behind) {
        (0..=0x7f, behind) => (usize::from(first), behind),
        (0x81, [length, behind @ ..]) if *length > 0x7f => (usize::from(*length), behind),
        (0x82, [high, low, behind @ ..]) if *high > 0 => {
            (usize::from(*high) << 8 | usize::from(*low), behind)
        }
        _ => return None,
    };
    let (value, behind) = behind.split_at_checked(length)?;
    let whole = all.get(..all.len() - behind.len())?;
    *rest = behind;
    Some(Element { tag, value, whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = match length {
            0..=0x7f => vec![tag, length as u8],
            0x80..=0xff => vec![tag, 0x81, length as u8],
            _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        };
        [&head, content].concat()
    }

    fn attribute(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        der(SEQUENCE, &[der(OBJECT_IDENTIFIER, kind), der(tag, value)].concat())
    }

    fn part(attributes: &[Vec<u8>]) -> Vec<u8> {
        der(SET, &attributes.concat())
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];
    const SERIAL: &[u8] = &[0x55, 4, 5];
    const MAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

    fn cn(tag: u8, value: &[u8]) -> Option<String> {
        text(&part(&[super::tests::attribute(CN, tag, value)]))
    }

    #[test]
    fn names_read_as_rfc_4514_has_them() {
        let o = part(&[attribute(O, PRINTABLE_STRING, b"Example")]);
        let ann = part(&[attribute(CN, UTF8_STRING, b"ann"), attribute(SERIAL, PRINTABLE_STRING, b"7")]);
        let mail = part(&[attribute(MAIL, IA5_STRING, b"a@b")]);
        let table: [(Vec<u8>, &str); 4] = [
            (o.clone(), "O=Example"),
            ([o.clone(), ann.clone()].concat(), "CN=ann+2.5.4.5=#130137,O=Example"),
            ([ann, o].concat(), "O=Example,CN=ann+2.5.4.5=#130137"),
            (mail, "1.2.840.113549.1.9.1=#1603614062"),
        ];
        for (name, expected) in table {
            assert_eq!(text(&name).as_deref(), Some(expected));
        }
    }

    #[test]
    fn nothing_in_a_value_looks_like_something_else() {
        let table: [(&[u8], &str); 17] = [
            (b"", "CN="),
            (b"ann", "CN=ann"),
            (b"ann,O=Example", "CN=ann\\,O\\=Example"),
            (b"ann;CN=x", "CN=ann\\;CN\\=x"),
            (b"a+b", "CN=a\\+b"),
            (b"a\\,b", "CN=a\\\\\\,b"),
            (b"\"<>\"", "CN=\\\"\\<\\>\\\""),
            (b" a ", "CN=\\ a\\ "),
            (b" ", "CN=\\ "),
            (b"a b", "CN=a b"),
            (b"#a#", "CN=\\#a#"),
            (b"#130137", "CN=\\#130137"),
            (b"a\0", "CN=a\\00"),
            (b"a\r\nb", "CN=a\\0D\\0Ab"),
            (b"\x7f\x1b[0m", "CN=\\7F\\1B[0m"),
            ("J\u{f6}rg".as_bytes(), "CN=J\\C3\\B6rg"),
            (b"\xff", "CN=\\FF"),
        ];
        for (value, expected) in table {
            assert_eq!(cn(UTF8_STRING, value).as_deref(), Some(expected));
        }
        // The same characters are the same name, and other strings are shown as they are encoded.
        assert_eq!(cn(PRINTABLE_STRING, b"ann"), cn(UTF8_STRING, b"ann"));
        assert_eq!(cn(IA5_STRING, b"\xc3\xb6").as_deref(), Some("CN=#1602c3b6"));
        assert_eq!(cn(0x1e, b"\0a").as_deref(), Some("CN=#1e020061"));
        assert_eq!(cn(0x14, b"a").as_deref(), Some("CN=#140161"));
    }

    #[test]
    fn what_is_no_name_has_no_text() {
        let good = part(&[attribute(CN, UTF8_STRING, b"ann")]);
        assert!(text(&good).is_some());
        for end in 0..good.len() {
            assert_eq!(text(&good[..end]), None, "{end}");
        }
        let attribute_of = |content: &[&[u8]]| part(&[der(SEQUENCE, &content.concat())]);
        let (kind, value) = (&*der(OBJECT_IDENTIFIER, CN), &*der(UTF8_STRING, b"ann"));
        assert_eq!(attribute_of(&[kind, value]), good);
        let table: [Vec<u8>; 16] = [
            [good.clone(), vec![0]].concat(),
            part(&[]),
            der(SEQUENCE, &attribute(CN, UTF8_STRING, b"ann")),
            part(&[der(SET, &[])]),
            attribute_of(&[]),
            attribute_of(&[kind]),
            attribute_of(&[value]),
            attribute_of(&[value, kind]),
            attribute_of(&[kind, value, &[5, 0]]),
            // Lengths that are longer than they need to be, that are not known, and of three bytes.
            [&[SET, 0x81], &good[1..]].concat(),
            [&[SET, 0x82, 0], &good[1..]].concat(),
            [&[SET, 0x80], &good[2..], &[0, 0]].concat(),
            [&[SET, 0x83, 0, 0], &good[1..]].concat(),
            part(&[attribute(&[0x80, 1], UTF8_STRING, b"a")]),
            part(&[attribute(&[0x81], UTF8_STRING, b"a")]),
            part(&[attribute(&[], UTF8_STRING, b"a")]),
        ];
        for name in table {
            assert_eq!(text(&name), None, "{name:?}");
        }
        let of = |length: usize| cn(UTF8_STRING, &vec![b'a'; length]);
        assert_eq!(of(100).map(|text| text.len()), Some(103));
        assert_eq!(of(200).map(|text| text.len()), Some(203));
        assert_eq!(of(2000).map(|text| text.len()), Some(2003));
        assert_eq!(of(2048), None);
    }

    #[test]
    fn numbers_of_object_identifiers() {
        let table: [(&[u8], Option<&str>); 7] = [
            (&[0x2a, 3], Some("1.2.3")),
            (&[0x27], Some("0.39")),
            (&[0x50], Some("2.0")),
            (&[0x88, 0x37, 3], Some("2.999.3")),
            (&[0x2a, 0x81, 0], Some("1.2.128")),
            (&[0x2a, 0x80, 1], None),
            (&[0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], None),
        ];
        for (encoded, expected) in table {
            assert_eq!(dotted(encoded).as_deref(), expected, "{encoded:?}");
        }
    }

    #[test]
    fn no_bytes_are_too_much() {
        use proptest::prelude::*;
        proptest!(|(name in proptest::collection::vec(any::<u8>(), 0..64))| {
            let _ = text(&name);
        });
        // Two values have one text only when they are one.
        proptest!(|(one in "[ #+,;=\\\\a\u{f6}\0]{0,4}", other in "[ #+,;=\\\\a\u{f6}\0]{0,4}")| {
            let same = cn(UTF8_STRING, one.as_bytes()) == cn(UTF8_STRING, other.as_bytes());
            prop_assert_eq!(same, one == other);
        });
    }
}
