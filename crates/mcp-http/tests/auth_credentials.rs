//! Reading the token of a request.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::header::{AUTHORIZATION, HeaderValue};
use http::request::Parts;
use http::{Method, Request};
use mcp_http::BadCredentials::{InQuery, Malformed, Several, TooLong};
use mcp_http::{BadCredentials, MAX_TOKEN, bearer_token};

fn parts(target: &str, authorization: &[&[u8]]) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.parse().unwrap();
    for value in authorization {
        request.headers_mut().append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
    }
    request.into_parts().0
}

type Expected = Result<Option<&'static str>, BadCredentials>;

#[test]
fn one_header_table() {
    let table: [(&[u8], Expected); 63] = [
        // The scheme, in any case, and the token behind one space or more.
        (b"Bearer abc", Ok(Some("abc"))),
        (b"bearer abc", Ok(Some("abc"))),
        (b"BEARER abc", Ok(Some("abc"))),
        (b"bEaReR abc", Ok(Some("abc"))),
        (b"Bearer  abc", Ok(Some("abc"))),
        (b"Bearer       abc", Ok(Some("abc"))),
        // Every character that a token may have.
        (b"Bearer a", Ok(Some("a"))),
        (b"Bearer 0", Ok(Some("0"))),
        (b"Bearer -", Ok(Some("-"))),
        (b"Bearer -._~+/", Ok(Some("-._~+/"))),
        (b"Bearer AZaz09", Ok(Some("AZaz09"))),
        (b"Bearer abc=", Ok(Some("abc="))),
        (b"Bearer abc==", Ok(Some("abc=="))),
        (b"Bearer abc=====", Ok(Some("abc====="))),
        (b"Bearer mF_9.B5f-4.1JqM", Ok(Some("mF_9.B5f-4.1JqM"))),
        (b"Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln", Ok(Some("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"))),
        (b"Bearer bearer", Ok(Some("bearer"))),
        // No token.
        (b"Bearer", Err(Malformed)),
        (b"bearer", Err(Malformed)),
        (b"Bearer ", Err(Malformed)),
        (b"Bearer    ", Err(Malformed)),
        (b"Bearer =", Err(Malformed)),
        (b"Bearer ===", Err(Malformed)),
        // Something else than a token.
        (b"Bearer abc def", Err(Malformed)),
        (b"Bearer abc ", Err(Malformed)),
        (b"Bearer Bearer abc", Err(Malformed)),
        (b"Bearer abc=d", Err(Malformed)),
        (b"Bearer =abc", Err(Malformed)),
        (b"Bearer a=b=", Err(Malformed)),
        (b"Bearer abc,", Err(Malformed)),
        (b"Bearer abc, Bearer def", Err(Malformed)),
        (b"Bearer abc,Basic ZGVm", Err(Malformed)),
        (b"Bearer ,abc", Err(Malformed)),
        (b"Bearer \"abc\"", Err(Malformed)),
        (b"Bearer 'abc'", Err(Malformed)),
        (b"Bearer <abc>", Err(Malformed)),
        (b"Bearer token=abc", Err(Malformed)),
        (b"Bearer token=\"abc\"", Err(Malformed)),
        (b"Bearer abc;def", Err(Malformed)),
        (b"Bearer abc:def", Err(Malformed)),
        (b"Bearer abc@def", Err(Malformed)),
        (b"Bearer abc#def", Err(Malformed)),
        (b"Bearer abc%20def", Err(Malformed)),
        (b"Bearer abc\\def", Err(Malformed)),
        (b"Bearer abc*", Err(Malformed)),
        (b"Bearer abc!", Err(Malformed)),
        (b"Bearer a\xc3\xa9", Err(Malformed)),
        (b"Bearer \xff", Err(Malformed)),
        (b"Bearer abc\tdef", Err(Malformed)),
        // Something else than spaces in between.
        (b"Bearer\tabc", Err(Malformed)),
        (b"Bearer \tabc", Err(Malformed)),
        (b"Bearer\xa0abc", Err(Malformed)),
        (b"Bearer,abc", Err(Malformed)),
        (b"Bearer:abc", Err(Malformed)),
        (b"Bearer=abc", Err(Malformed)),
        (b"Bearer/abc", Err(Malformed)),
        // Another scheme, which is no bad token but none at all.
        (b"Basic YW5uOnNlY3JldA==", Ok(None)),
        (b"Digest username=\"ann\"", Ok(None)),
        (b"BearerX abc", Ok(None)),
        (b"Bearer-abc", Ok(None)),
        (b"Bear er abc", Ok(None)),
        (b"abc", Ok(None)),
        (b"", Ok(None)),
    ];
    for (value, expected) in table {
        let parts = parts("/mcp", &[value]);
        assert_eq!(bearer_token(&parts), expected, "{:?}", String::from_utf8_lossy(value));
    }
    assert_eq!(bearer_token(&parts("/mcp", &[])), Ok(None));
}

#[test]
fn two_headers_are_never_one() {
    for values in [
        [b"Bearer abc".as_slice(), b"Bearer abc"],
        [b"Bearer abc", b"Bearer def"],
        [b"Bearer abc", b"Basic def"],
        [b"Basic abc", b"Bearer def"],
        [b"Basic abc", b"Basic def"],
        [b"Bearer abc", b""],
        [b"", b"Bearer abc"],
        [b"", b""],
    ] {
        assert_eq!(bearer_token(&parts("/mcp", &values)), Err(Several), "{values:?}");
    }
}

#[test]
fn a_token_in_the_query_is_refused_wherever_it_stands() {
    for (query, refused) in [
        ("access_token=abc", true),
        ("access_token=", true),
        ("access_token", true),
        ("a=1&access_token=abc", true),
        ("access_token=abc&a=1", true),
        ("a=1&access_token=abc&b=2", true),
        ("a=1;access_token=abc", true),
        ("&&access_token=abc", true),
        ("access%5Ftoken=abc", true),
        ("access%5ftoken=abc", true),
        ("%61%63%63%65%73%73%5f%74%6f%6b%65%6e=abc", true),
        ("access_token=abc&access_token=abc", true),
        ("", false),
        ("a=access_token", false),
        ("access_tokens=abc", false),
        ("xaccess_token=abc", false),
        ("access_token%00=abc", false),
        ("access%token=abc", false),
        ("accesstoken=abc", false),
        ("sessionId=abc&token=abc", false),
    ] {
        for target in [format!("/mcp?{query}"), format!("http://localhost/mcp?{query}")] {
            let alone = if refused { Err(InQuery) } else { Ok(None) };
            assert_eq!(bearer_token(&parts(&target, &[])), alone, "{target}");
            // A good header does not make it good, and several do not hide it.
            let beside = if refused { Err(InQuery) } else { Ok(Some("abc")) };
            assert_eq!(bearer_token(&parts(&target, &[b"Bearer abc"])), beside, "{target}");
            let several = if refused { Err(InQuery) } else { Err(Several) };
            assert_eq!(bearer_token(&parts(&target, &[b"Bearer abc", b"Basic abc"])), several, "{target}");
        }
    }
    assert_eq!(bearer_token(&parts("/access_token=abc", &[])), Ok(None), "a path is no query");
}

#[test]
fn a_token_has_at_most_8_kib() {
    for (length, expected) in
        [(MAX_TOKEN - 1, Ok(())), (MAX_TOKEN, Ok(())), (MAX_TOKEN + 1, Err(TooLong)), (30_000, Err(TooLong))]
    {
        for spaces in [1, 7] {
            let value = format!("Bearer{}{}", " ".repeat(spaces), "a".repeat(length));
            let found = bearer_token(&parts("/mcp", &[value.as_bytes()]))
                .map(|token| assert_eq!(token.unwrap().len(), length));
            assert_eq!(found, expected, "{length} behind {spaces}");
        }
    }
}

#[test]
fn every_byte_is_in_a_token_or_is_not() {
    for byte in (0x20..=0xff_u8).filter(|byte| *byte != 0x7f) {
        let value = [b"Bearer a".as_slice(), &[byte], b"a"].concat();
        let parts = parts("/mcp", &[&value]);
        let found = bearer_token(&parts);
        let good = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        assert_eq!(found.is_ok(), good, "{byte:#x}");
    }
}
