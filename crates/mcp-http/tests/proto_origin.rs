//! Which pages may send requests, and which URIs are of one origin.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::{HeaderMap, HeaderValue, Uri, header};
use mcp_http::proto::{HostList, Origin, OriginList, OriginProblem};

fn headers(values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::ORIGIN, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

#[test]
fn what_is_an_origin() {
    for (text, expected) in [
        ("http://localhost", Some("http://localhost")),
        ("HTTP://LOCALHOST.:80", Some("http://localhost")),
        ("https://example.com:443", Some("https://example.com")),
        ("https://example.com:80", Some("https://example.com:80")),
        ("http://[::1]:8808", Some("http://[::1]:8808")),
        ("null", None),
        ("", None),
        ("http://", None),
        ("http://localhost/", None),
        ("http://localhost/x", None),
        ("http://localhost?x", None),
        ("http://localhost http://evil.example", None),
        ("http://localhost, http://localhost", None),
        ("http://user@localhost", None),
        ("http:localhost", None),
        ("//localhost", None),
        ("localhost", None),
        ("localhost:8808", None),
        (" http://localhost", None),
        ("file://", None),
        ("file://localhost", None),
        ("ws://localhost", None),
        ("chrome-extension://abcdefghijklmnop", None),
        ("http://127.1", None),
        ("*", None),
    ] {
        let origin = Origin::parse(text.as_bytes());
        assert_eq!(origin.as_ref().map(ToString::to_string).ok().as_deref(), expected, "{text}");
        if expected.is_none() {
            assert_eq!(origin, Err(OriginProblem::Malformed), "{text}");
        }
    }
}

#[test]
fn the_pages_that_may_send_requests() {
    use OriginProblem::{Malformed, NotListed, Several};
    let hosts = HostList::loopback().allow("mcp.example.com").unwrap().with_port(8808);
    let list = OriginList::new(hosts).allow(Origin::parse(b"https://app.example:444").unwrap());
    type Case<'a> = (&'a [&'a [u8]], Result<Option<&'a str>, OriginProblem>);
    let table: &[Case<'_>] = &[
        (&[], Ok(None)),
        (&[b"http://localhost:8808"], Ok(Some("http://localhost:8808"))),
        (&[b"http://localhost"], Ok(Some("http://localhost"))),
        (&[b"http://localhost:6274"], Ok(Some("http://localhost:6274"))),
        (&[b"https://127.0.0.1:1"], Ok(Some("https://127.0.0.1:1"))),
        (&[b"http://[::1]:6274"], Ok(Some("http://[::1]:6274"))),
        (&[b"https://mcp.example.com"], Ok(Some("https://mcp.example.com"))),
        (&[b"http://mcp.example.com:8808"], Ok(Some("http://mcp.example.com:8808"))),
        (&[b"https://mcp.example.com:9000"], Err(NotListed)),
        (&[b"https://app.example:444"], Ok(Some("https://app.example:444"))),
        (&[b"http://app.example:444"], Err(NotListed)),
        (&[b"https://app.example"], Err(NotListed)),
        (&[b"https://evil.example"], Err(NotListed)),
        (&[b"http://localhost.evil.example"], Err(NotListed)),
        (&[b"http://127.0.0.1.evil.example"], Err(NotListed)),
        (&[b"http://0.0.0.0:8808"], Err(NotListed)),
        (&[b"null"], Err(Malformed)),
        (&[b""], Err(Malformed)),
        (&[b"\xff\xfe\x80"], Err(Malformed)),
        (&[b"http://localhost\xff"], Err(Malformed)),
        (&[b"http://localhost:8808/"], Err(Malformed)),
        (&[b"http://localhost", b"http://localhost"], Err(Several)),
        (&[b"http://localhost", b"null"], Err(Several)),
    ];
    for (values, expected) in table {
        let found = list.check(&headers(values)).map(|origin| origin.map(|origin| origin.to_string()));
        assert_eq!(found.as_ref().map(Option::as_deref).map_err(|problem| *problem), *expected, "{values:?}");
    }
    let none = OriginList::new(HostList::none());
    assert_eq!(none.check(&headers(&[b"http://localhost"])), Err(NotListed));
    assert_eq!(none.check(&headers(&[])), Ok(None));
}

#[test]
fn where_credentials_may_go() {
    let home = |uri: &str| Origin::of(&uri.parse::<Uri>().unwrap());
    let same: &[(&str, &str)] = &[
        ("https://example.com/sse", "https://example.com/messages?x=1"),
        ("https://example.com/sse", "https://example.com:443/"),
        ("http://example.com:80/sse", "http://EXAMPLE.com./"),
        ("http://[::1]:8808/sse", "http://[0:0:0:0:0:0:0:1]:8808/"),
        ("http://[::1]/sse", "http://[::1]:80/"),
    ];
    for (one, other) in same {
        assert_eq!(home(one).unwrap(), home(other).unwrap(), "{one} {other}");
    }
    let different: &[(&str, &str)] = &[
        ("https://example.com/sse", "https://example.com:8443/"),
        ("https://example.com/sse", "http://example.com/"),
        ("https://example.com/sse", "http://example.com:443/"),
        ("https://example.com/sse", "https://evil.example/"),
        ("https://example.com/sse", "https://example.com.evil.example/"),
        ("https://example.com/sse", "https://www.example.com/"),
        ("http://localhost/sse", "http://127.0.0.1/"),
        ("http://127.0.0.1/sse", "http://[::1]/"),
        ("http://127.0.0.1/sse", "http://[::ffff:127.0.0.1]/"),
    ];
    for (one, other) in different {
        assert_ne!(home(one).unwrap(), home(other).unwrap(), "{one} {other}");
    }
    for refused in [
        "https://user@example.com/",
        "https://user:pw@example.com/",
        "https://@example.com/",
        "/messages",
        "example.com:443",
        "ftp://example.com/",
        "http://2130706433/",
    ] {
        let refused: Result<Uri, _> = refused.parse();
        assert!(refused.is_err() || Origin::of(&refused.unwrap()) == Err(OriginProblem::Malformed));
    }
}
