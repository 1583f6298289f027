//! Cookies go back to the origin that set them, as long as they should, and are never many.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use std::time::{Duration, SystemTime};

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use mcp_http::proto::cookie::{MAX_BYTES, MAX_COOKIES, MAX_ORIGINS};
use mcp_http::proto::{CookieJar, Origin};

const HERE: &str = "https://mcp.example.com";

fn now() -> SystemTime {
    // 2026-08-01T00:00:00Z
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_785_542_400)
}

fn origin(text: &str) -> Origin {
    Origin::parse(text.as_bytes()).unwrap()
}

fn set(jar: &mut CookieJar, from: &str, path: &str, cookies: &[&str]) {
    let mut headers = HeaderMap::new();
    for cookie in cookies {
        headers.append(SET_COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
    }
    jar.store(&origin(from), path, &headers, now());
}

fn sent(jar: &CookieJar, to: &str, path: &str, own: &[&'static str], at: SystemTime) -> String {
    let mut headers = HeaderMap::new();
    for own in own {
        headers.append(COOKIE, HeaderValue::from_static(own));
    }
    let cookies = jar.cookies(&origin(to), path, &headers, at);
    let text = |value: HeaderValue| {
        assert!(value.is_sensitive());
        String::from_utf8(value.as_bytes().to_vec()).unwrap()
    };
    cookies.map(text).unwrap_or_default()
}

#[test]
fn what_is_set_is_sent() {
    for (cookies, expected) in [
        (&["a=b"][..], "a=b"),
        (&["a=b", "c=d; HttpOnly; SameSite=None"], "a=b; c=d"),
        (&["  a  =  b  ; Path = / "], "a=b"),
        (&["a="], "a="),
        (&["a=b=c"], "a=b=c"),
        (&["a=\"b c\""], "a=\"b c\""),
        (&["a=ü"], "a=ü"),
        (&["a=b", "a=c"], "a=c"),
        (&["A=b", "a=c"], "A=b; a=c"),
        (&["a", "", "=b", ";", "; a=b"], ""),
        (&["a=b; Secure"], "a=b"),
        (&["a=b; Domain=example.com"], "a=b"),
        (&["a=b; nonsense; =; x=y;;"], "a=b"),
        (&["AWSALB=x/y+z==; Expires=Sat, 08 Aug 2026 00:00:00 GMT; Path=/"], "AWSALB=x/y+z=="),
    ] {
        let mut jar = CookieJar::new();
        set(&mut jar, HERE, "/mcp", cookies);
        assert_eq!(sent(&jar, HERE, "/mcp", &[], now()), expected, "{cookies:?}");
    }
}

#[test]
fn paths() {
    for (set_at, attribute, asked, goes) in [
        ("/a/b", "", "/a", true),
        ("/a/b", "", "/a/c", true),
        ("/a/b", "", "/", false),
        ("/a/b", "", "/ab", false),
        ("/a", "", "/", true),
        ("/", "", "/x/y", true),
        ("/a", "; Path=/", "/x", true),
        ("/a", "; Path=/x", "/x", true),
        ("/a", "; Path=/x", "/x/y", true),
        ("/a", "; Path=/x", "/xy", false),
        ("/a", "; Path=/x/", "/x", false),
        ("/a", "; Path=/x/", "/x/y", true),
        ("/a/b", "; Path=x", "/a", true),
        ("/a/b", "; Path=/x; Path", "/a", true),
        ("/a", "; path=/x; PATH=/y", "/y", true),
    ] {
        let mut jar = CookieJar::new();
        set(&mut jar, HERE, set_at, &[&format!("k=v{attribute}")]);
        assert_eq!(sent(&jar, HERE, asked, &[], now()) == "k=v", goes, "{set_at}{attribute} -> {asked}");
    }
    let mut jar = CookieJar::new();
    set(&mut jar, HERE, "/", &["k=root; Path=/", "k=deep; Path=/a/b", "k=mid; Path=/a"]);
    assert_eq!(sent(&jar, HERE, "/a/b/c", &[], now()), "k=deep; k=mid; k=root");
    set(&mut jar, HERE, "/", &["k=; Path=/a; Max-Age=0"]);
    assert_eq!(sent(&jar, HERE, "/a/b/c", &[], now()), "k=deep; k=root");
}

#[test]
fn lifetimes() {
    let hour = 3600;
    for (attributes, lives) in [
        ("", &[(0, true), (1_000_000 * hour, true)][..]),
        ("Max-Age=3600", &[(hour - 1, true), (hour, false)]),
        ("max-age=0", &[(0, false)]),
        ("Max-Age=-1", &[(0, false)]),
        ("Max-Age=-99999999999999999999999", &[(0, false)]),
        ("Max-Age=99999999999999999999999", &[(1_000_000 * hour, true)]),
        ("Max-Age=18446744073709551615", &[(1_000_000 * hour, true)]),
        ("Max-Age=+1", &[(hour, true)]),
        ("Max-Age=1h", &[(hour, true)]),
        ("Max-Age=", &[(hour, true)]),
        ("Expires=Sat, 01 Aug 2026 01:00:00 GMT", &[(hour - 1, true), (hour, false)]),
        ("Expires=Sat, 01-Aug-2026 01:00:00 GMT", &[(hour - 1, true), (hour, false)]),
        ("Expires=Saturday, 01-Aug-26 01:00:00 GMT", &[(hour - 1, true), (hour, false)]),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", &[(0, false)]),
        ("Expires=Thu, 01-Jan-1970 00:00:01 GMT", &[(0, false)]),
        ("Expires=0", &[(hour, true)]),
        ("Expires=yesterday", &[(hour, true)]),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", &[(59, true), (60, false)]),
        ("Max-Age=0; Expires=Sat, 01 Aug 2026 01:00:00 GMT", &[(0, false)]),
    ] {
        let mut jar = CookieJar::new();
        set(&mut jar, HERE, "/", &["k=old", &format!("k=v; {attributes}")]);
        for (after, alive) in lives {
            let line = sent(&jar, HERE, "/", &[], now() + Duration::from_secs(*after));
            assert_eq!(line, if *alive { "k=v" } else { "" }, "{attributes} after {after} s");
        }
    }
}

/// T-CRED.
#[test]
fn never_to_another_origin() {
    let others = [
        "http://mcp.example.com",
        "https://mcp.example.com:8443",
        "https://example.com",
        "https://a.mcp.example.com",
        "https://other.example.com",
        "https://127.0.0.1",
        "https://[::1]",
    ];
    for attributes in ["", "; Domain=example.com; Path=/", "; Domain=.com", "; Domain=127.0.0.1", "; Secure"]
    {
        let mut jar = CookieJar::new();
        set(&mut jar, HERE, "/", &[&format!("k=v{attributes}")]);
        for other in others {
            assert_eq!(sent(&jar, other, "/", &[], now()), "", "{attributes} {other}");
        }
        assert_eq!(sent(&jar, "https://MCP.example.com.:443", "/", &[], now()), "k=v");
    }
    let mut jar = CookieJar::new();
    set(&mut jar, "http://mcp.example.com", "/", &["k=v; secure", "l=w"]);
    assert_eq!(sent(&jar, "http://mcp.example.com", "/", &[], now()), "l=w");
}

#[test]
fn beside_cookies_of_the_caller() {
    let mut jar = CookieJar::new();
    set(&mut jar, HERE, "/", &["a=jar", "b=jar"]);
    for (own, expected) in [
        (&["x=y"][..], "x=y; a=jar; b=jar"),
        (&["x=y", "z"], "x=y; z; a=jar; b=jar"),
        (&["a=own; x=y"], "a=own; x=y; b=jar"),
        (&["a=own;b=own"], ""),
        (&["b=own", "a=own"], ""),
        (&[""], "a=jar; b=jar"),
    ] {
        assert_eq!(sent(&jar, HERE, "/", own, now()), expected, "{own:?}");
    }
}

#[test]
fn bounds() {
    let mut jar = CookieJar::new();
    for at in 0..MAX_COOKIES + 3 {
        set(&mut jar, HERE, "/", &[&format!("k{at}=v")]);
    }
    let line = sent(&jar, HERE, "/", &[], now());
    assert_eq!(line.split("; ").count(), MAX_COOKIES);
    assert!(line.starts_with("k3=v; ") && line.ends_with(&format!("k{}=v", MAX_COOKIES + 2)), "{line}");

    // Name and path are a byte each.
    let big = |name: &str, bytes: usize| format!("{name}={}", "v".repeat(bytes - 2));
    for (cookies, expected) in [
        (vec![big("a", MAX_BYTES)], "a"),
        (vec![big("a", MAX_BYTES + 1)], ""),
        (vec![big("a", 10), big("b", MAX_BYTES + 1)], "a"),
        (vec![big("a", MAX_BYTES), big("a", MAX_BYTES + 1)], ""),
        (vec![big("a", MAX_BYTES / 2), big("b", MAX_BYTES / 2)], "ab"),
        (vec![big("a", MAX_BYTES / 2), big("b", MAX_BYTES / 2 + 1)], "b"),
        (vec![big("a", 3), big("b", MAX_BYTES - 3), big("c", 3)], "bc"),
    ] {
        let mut jar = CookieJar::new();
        set(&mut jar, HERE, "/", &cookies.iter().map(String::as_str).collect::<Vec<_>>());
        let line = sent(&jar, HERE, "/", &[], now());
        let names: String = line.split("; ").filter_map(|cookie| cookie.get(..1)).collect();
        assert_eq!(names, expected);
    }

    let mut jar = CookieJar::new();
    let other = |at: usize| format!("https://h{at}.example.com");
    for at in 0..MAX_ORIGINS {
        set(&mut jar, &other(at), "/", &["k=v"]);
    }
    set(&mut jar, &other(0), "/", &["k=w"]);
    set(&mut jar, HERE, "/", &["k=v"]);
    let kept = |at: usize| !sent(&jar, &other(at), "/", &[], now()).is_empty();
    assert_eq!((kept(0), kept(1), kept(2), kept(MAX_ORIGINS - 1)), (true, false, true, true));
    assert_eq!(format!("{jar:?}"), format!("CookieJar {{ origins: {MAX_ORIGINS}, cookies: {MAX_ORIGINS} }}"));
    set(&mut jar, HERE, "/", &["k=; Max-Age=0"]);
    assert!(format!("{jar:?}").contains(&format!("origins: {}", MAX_ORIGINS - 1)));
}
