//! References: the examples of RFC 3986, and what servers write into `endpoint` events.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::Uri;
use mcp_http::proto::reference::{MAX_REFERENCE, resolve};
use mcp_http::proto::{Origin, ReferenceProblem};
use proptest::prelude::*;

fn base() -> Uri {
    "http://a/b/c/d;p?q".parse().unwrap()
}

/// RFC 3986, 5.4.1 and 5.4.2, without their fragments; `g:h` and `http:g` lead out of http.
#[test]
fn the_examples_of_the_rfc() {
    let table = [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g"),
        ("g#s/../x", "http://a/b/c/g"),
    ];
    for (reference, expected) in table {
        let resolved = resolve(&base(), reference.as_bytes()).unwrap();
        assert_eq!(resolved, expected.parse::<Uri>().unwrap(), "{reference}");
    }
    assert_eq!(resolve(&base(), b"g:h"), Err(ReferenceProblem::Scheme));
    assert_eq!(resolve(&base(), b"http:g"), Err(ReferenceProblem::Authority));
}

#[test]
fn what_servers_write() {
    let base: Uri = "https://example.com:8443/v1/sse?tenant=7".parse().unwrap();
    let table = [
        ("/messages?sessionId=1", "https://example.com:8443/messages?sessionId=1"),
        ("/messages/?session_id=0af3", "https://example.com:8443/messages/?session_id=0af3"),
        ("?sessionid=A2", "https://example.com:8443/v1/sse?sessionid=A2"),
        ("messages?x=a:b/c?d", "https://example.com:8443/v1/messages?x=a:b/c?d"),
        ("https://example.com:8443/m", "https://example.com:8443/m"),
        ("HTTPS://example.com:8443/m", "https://example.com:8443/m"),
        ("https://example.com:8443?x=1", "https://example.com:8443/?x=1"),
        ("//example.com:8443/m/../n", "https://example.com:8443/n"),
        ("/a%20b?c=%00", "https://example.com:8443/a%20b?c=%00"),
        ("/a//b", "https://example.com:8443/a//b"),
        ("/.//b", "https://example.com:8443//b"),
    ];
    for (reference, expected) in table {
        let resolved = resolve(&base, reference.as_bytes()).unwrap();
        assert_eq!(resolved, expected.parse::<Uri>().unwrap(), "{reference}");
        assert_eq!(Origin::of(&resolved), Origin::of(&base), "{reference}");
    }
    let root: Uri = "http://localhost".parse().unwrap();
    assert_eq!(resolve(&root, b"messages").unwrap(), "http://localhost/messages");
    assert_eq!(resolve(&root, b"").unwrap(), "http://localhost/");
}

#[test]
fn what_leads_elsewhere_is_of_another_origin() {
    let base: Uri = "https://example.com/sse".parse().unwrap();
    for reference in [
        "//evil.example/m",
        "///evil.example/m",
        "http://example.com/m",
        "https://example.com:8443/m",
        "https://evil.example/m",
        "https://[::1]/m",
        "https://user@example.com/m",
        "https://example.com@evil.example/m",
        "//user:pw@example.com/m",
        "https:///m",
        "https:m",
        "//",
        "https://example.com:/m",
        "https://exa%6dple.com/m",
    ] {
        let same =
            resolve(&base, reference.as_bytes()).is_ok_and(|uri| Origin::of(&uri) == Origin::of(&base));
        assert!(!same, "{reference}");
    }
    assert_eq!(resolve(&base, b"https://user@example.com/m"), Err(ReferenceProblem::Authority));
    // The default port, written, is the same origin.
    let same = resolve(&base, b"https://EXAMPLE.com:443/m").unwrap();
    assert_eq!(Origin::of(&same), Origin::of(&base));
}

#[test]
fn what_is_refused() {
    use ReferenceProblem::{Authority, Byte, Malformed, Scheme, TooLong};
    let long = "a".repeat(64 * 1024);
    let table: &[(&[u8], ReferenceProblem)] = &[
        (b"/a b", Byte),
        (b" /a", Byte),
        (b"/a ", Byte),
        (b"/a\0", Byte),
        (b"/a\nb", Byte),
        (b"/a\r", Byte),
        (b"/a\tb", Byte),
        (b"/a\x7f", Byte),
        (b"\\\\evil.example\\m", Byte),
        (b"/\\evil.example", Byte),
        ("/ä".as_bytes(), Byte),
        (b"/\xff", Byte),
        (b"/a#b c", Byte),
        (b"javascript:alert(1)", Scheme),
        (b"file:///etc/passwd", Scheme),
        (b"ws://example.com/m", Scheme),
        (b"localhost:8808/m", Scheme),
        (b"1a:b", Malformed),
        (b":80/m", Malformed),
        (b"http:/m", Authority),
        (b"http://", Authority),
        (b"http://[::1/m", Authority),
        (b"http://127.1/m", Authority),
        (long.as_bytes(), TooLong),
    ];
    for (reference, problem) in table {
        assert_eq!(resolve(&base(), reference), Err(*problem), "{}", reference.escape_ascii());
    }
    // The base adds to what it resolves to.
    for (len, fits) in [(MAX_REFERENCE - 14, true), (MAX_REFERENCE - 13, true), (MAX_REFERENCE - 12, false)] {
        let resolved = resolve(&base(), "a".repeat(len).as_bytes());
        assert_eq!(resolved.is_ok(), fits, "{len}");
        assert!(resolved.map_or(MAX_REFERENCE, |uri| uri.to_string().len()) <= MAX_REFERENCE);
    }
    assert_eq!(resolve(&base(), "a".repeat(MAX_REFERENCE).as_bytes()), Err(TooLong));
    for base in ["/relative", "example.com", "ftp://example.com/"] {
        assert!(resolve(&base.parse().unwrap(), b"/m").is_err(), "{base}");
    }
}

proptest! {
    #[test]
    fn a_path_stays_at_its_origin(path in "/([a-z.%?&=:@;]{1,3}/?|\\./|\\.\\./){0,12}") {
        let home = base();
        if let Ok(resolved) = resolve(&home, path.as_bytes()) {
            prop_assert!(path.starts_with("//") || resolved.authority() == home.authority());
            let (before, _) = path.split_once('?').unwrap_or((&path, ""));
            prop_assert!(!resolved.path().split('/').any(|part| part == "." || part == ".."), "{} {}", before, resolved);
        }
    }

    #[test]
    fn no_bytes_panic(reference in prop::collection::vec(any::<u8>(), 0..40), graphic in "[!-~]{0,40}") {
        let _ = resolve(&base(), &reference);
        if let Ok(resolved) = resolve(&base(), graphic.as_bytes()) {
            prop_assert!(matches!(resolved.scheme_str(), Some("http" | "https")));
            prop_assert!(resolved.authority().is_some());
        }
    }
}
