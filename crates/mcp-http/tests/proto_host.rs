//! Whom a request is addressed to: the spellings of a host, one header, one authority, one list.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::request::Parts;
use http::{HeaderValue, Request, Version};
use mcp_http::proto::{Authority, Host, HostList, HostProblem};

fn request(version: Version, target: &str, hosts: &[&[u8]]) -> Parts {
    let mut request = Request::builder().version(version).uri(target);
    for host in hosts {
        request = request.header("host", HeaderValue::from_bytes(host).unwrap());
    }
    request.body(()).unwrap().into_parts().0
}

fn allowed(list: &HostList, host: &str) -> bool {
    Authority::parse(host.as_bytes()).is_some_and(|authority| list.contains(&authority))
}

#[test]
fn spellings_of_hosts_and_ports() {
    let table: &[(&str, Option<&str>)] = &[
        ("localhost", Some("localhost")),
        ("LOCALHOST", Some("localhost")),
        ("localhost.", Some("localhost")),
        ("localhost:80", Some("localhost:80")),
        ("localhost.:8808", Some("localhost:8808")),
        ("mcp_1.Example-2.com", Some("mcp_1.example-2.com")),
        ("127.0.0.1", Some("127.0.0.1")),
        ("127.0.0.1.", Some("127.0.0.1")),
        ("127.0.0.1:0", Some("127.0.0.1:0")),
        ("[::1]", Some("[::1]")),
        ("[::1]:65535", Some("[::1]:65535")),
        ("[0:0:0:0:0:0:0:1]", Some("[::1]")),
        ("[::FFFF:127.0.0.1]", Some("[::ffff:127.0.0.1]")),
        ("127.0.0.1.evil.example", Some("127.0.0.1.evil.example")),
        ("0x", None),
        ("a.0x7f", None),
        ("", None),
        (".", None),
        ("localhost..", None),
        (".localhost", None),
        ("a..b", None),
        ("localhost:", None),
        (":80", None),
        ("localhost:65536", None),
        ("localhost:+80", None),
        ("localhost:080808", None),
        ("localhost:80:80", None),
        ("localhost:http", None),
        ("localhost/", None),
        ("localhost, localhost", None),
        ("local host", None),
        (" localhost", None),
        ("user@localhost", None),
        ("user:pw@localhost:80", None),
        ("local%68ost", None),
        ("localhos\u{74}\u{301}", None),
        ("*", None),
        ("*.localhost", None),
        ("http://localhost", None),
        ("::1", None),
        ("[::1", None),
        ("::1]", None),
        ("[]", None),
        ("[::1]]", None),
        ("[::1]x", None),
        ("[::1].", None),
        ("[fe80::1%25eth0]", None),
        ("[127.0.0.1]", None),
        ("[localhost]", None),
        // What some resolvers take for 127.0.0.1.
        ("127.1", None),
        ("2130706433", None),
        ("0x7f000001", None),
        ("0x7f.0.0.1", None),
        ("0177.0.0.1", None),
        ("127.0.0.01", None),
        ("127.0.0.1.1", None),
        ("127.0.0.256", None),
    ];
    for (text, expected) in table {
        let parsed = Authority::parse(text.as_bytes());
        assert_eq!(parsed.as_ref().map(ToString::to_string).as_deref(), *expected, "{text}");
        if let Some(authority) = parsed {
            assert_eq!(Authority::parse(authority.to_string().as_bytes()), Some(authority), "{text}");
        }
    }
    assert_eq!(Authority::parse(b"local\xffhost"), None);
    assert_eq!(Authority::parse(b"localhost\0"), None);
    let label = "a".repeat(63);
    assert!(Host::parse(label.as_bytes()).is_some());
    assert!(Host::parse(format!("{label}a").as_bytes()).is_none());
    let long = [&*label, &label, &label, &label[..61]].join(".");
    assert!(Host::parse(long.as_bytes()).is_some());
    assert!(Host::parse(format!("{long}a").as_bytes()).is_none());
}

#[test]
fn the_hosts_of_a_loopback_bind() {
    let list = HostList::loopback().with_port(8808);
    for host in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost.", "127.0.0.1.", "127.0.0.53"] {
        assert!(allowed(&list, host), "{host}");
        assert!(allowed(&list, &format!("{host}:8808")), "{host}");
        assert!(!allowed(&list, &format!("{host}:8809")), "{host}");
        assert!(!allowed(&list, &format!("{host}:80")), "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.localhost",
        "localhost1",
        "0.0.0.0",
        "0.0.0.0:8808",
        "[::]",
        "[::]:8808",
        "[::ffff:0.0.0.0]",
        "[::ffff:127.0.0.1]",
        "128.0.0.1",
        "192.168.0.1",
        "[::2]",
    ] {
        assert!(!allowed(&list, host), "{host}");
    }
    // A mounted service does not know its port.
    assert!(allowed(&HostList::loopback(), "localhost:3000"));
    assert!(!allowed(&HostList::loopback(), "evil.example:3000"));
    assert!(!allowed(&HostList::none(), "localhost"));
}

#[test]
fn hosts_that_were_added() {
    let list = HostList::none().allow("MCP.example.com.").unwrap().allow("other.example:9000").unwrap();
    let list = list.allow("tls.example:443").unwrap().allow("[2001:db8::1]").unwrap().with_port(8808);
    for host in [
        "mcp.example.com",
        "mcp.example.com:8808",
        "Mcp.Example.Com.",
        "other.example:9000",
        "tls.example",
        "tls.example:443",
        "[2001:DB8:0::1]:8808",
    ] {
        assert!(allowed(&list, host), "{host}");
    }
    for host in [
        "mcp.example.com:443",
        "a.mcp.example.com",
        "other.example",
        "other.example:8808",
        "tls.example:8808",
        "localhost",
        "127.0.0.1:8808",
    ] {
        assert!(!allowed(&list, host), "{host}");
    }
    for entry in ["0.0.0.0", "[::]:8808", "", "*", "http://localhost", "a b", "host:port"] {
        assert_eq!(HostList::loopback().allow(entry), Err(HostProblem::Malformed), "{entry}");
    }
    assert!(list.contains_host(&Host::parse(b"other.example").unwrap()), "whatever the port");
}

#[test]
fn one_authority_to_a_request() {
    use HostProblem::{Disagreement, Malformed, Missing, NotListed, Several};
    type Case<'a> = (Version, &'a str, &'a [&'a [u8]], Result<&'a str, HostProblem>);
    let (one, two) = (Version::HTTP_11, Version::HTTP_2);
    let table: &[Case<'_>] = &[
        (one, "/sse", &[b"localhost:8808"], Ok("localhost:8808")),
        (one, "*", &[b"localhost"], Ok("localhost")),
        (one, "/sse", &[], Err(Missing)),
        (Version::HTTP_10, "/sse", &[], Err(Missing)),
        (Version::HTTP_10, "/sse", &[b"localhost"], Ok("localhost")),
        (one, "/sse", &[b""], Err(Malformed)),
        (one, "/sse", &[b"localhost", b"localhost"], Err(Several)),
        (one, "/sse", &[b"localhost", b"evil.example"], Err(Several)),
        (one, "/sse", &[b"localhost,localhost"], Err(Malformed)),
        (one, "/sse", &[b"local\xffhost"], Err(Malformed)),
        (one, "/sse", &[b"evil.example"], Err(NotListed)),
        (one, "/sse", &[b"0.0.0.0:8808"], Err(NotListed)),
        (one, "http://localhost:8808/sse", &[b"localhost:8808"], Ok("localhost:8808")),
        (one, "http://LOCALHOST.:8808/sse", &[b"localhost:8808"], Ok("localhost:8808")),
        (one, "http://localhost/sse", &[], Err(Missing)),
        (one, "http://evil.example/sse", &[b"localhost"], Err(Disagreement)),
        (one, "http://localhost/sse", &[b"evil.example"], Err(Disagreement)),
        (one, "http://localhost:8808/sse", &[b"localhost"], Err(Disagreement)),
        (one, "http://localhost:80/sse", &[b"localhost"], Ok("localhost")),
        (one, "https://localhost:80/sse", &[b"localhost"], Err(Disagreement)),
        (one, "http://127.0.0.1/sse", &[b"localhost"], Err(Disagreement)),
        (one, "http://user@localhost/sse", &[b"localhost"], Err(Malformed)),
        (one, "localhost:8808", &[b"localhost:8808"], Ok("localhost:8808")),
        (two, "http://localhost:8808/sse", &[], Ok("localhost:8808")),
        (two, "http://localhost:8808/sse", &[b"localhost:8808"], Ok("localhost:8808")),
        (two, "http://localhost:8808/sse", &[b"evil.example"], Err(Disagreement)),
        (two, "http://evil.example/sse", &[], Err(NotListed)),
        (two, "/sse", &[b"localhost"], Ok("localhost")),
        (two, "/sse", &[], Err(Missing)),
        (two, "http://localhost/sse", &[b"localhost", b"localhost"], Err(Several)),
    ];
    let list = HostList::loopback().with_port(8808);
    for (version, target, hosts, expected) in table {
        let result = list.check(&request(*version, target, hosts));
        let result = result.map(|authority| authority.to_string());
        assert_eq!(result, expected.map(str::to_owned), "{version:?} {target} {hosts:?}");
        if let Err(problem) = result {
            let status = if problem == NotListed { 403 } else { 400 };
            assert_eq!(problem.status(), status, "{problem}");
        }
    }
}
