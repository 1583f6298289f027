//! Which proxy a request goes through.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use mcp_http::proto::{Origin, Proxies, Proxy, ProxyProblem};

fn origin(text: &str) -> Origin {
    Origin::parse(text.as_bytes()).unwrap()
}

fn environment(variables: &[(&str, &str)]) -> Proxies {
    let found = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Proxies::from_variables(|name| found(name).map(|(_, value)| (*value).to_owned()))
}

fn host(proxies: &Proxies, target: &str) -> Option<String> {
    let proxy = proxies.of(&origin(target)).unwrap()?;
    Some(proxy.uri().host().unwrap().to_owned())
}

#[test]
fn variables() {
    for (variables, http, https) in [
        (&[][..], None, None),
        (&[("http_proxy", "l:1")], Some("l"), None),
        (&[("HTTP_PROXY", "u:1")], None, None),
        (&[("https_proxy", "l:1"), ("HTTPS_PROXY", "u:1")], None, Some("l")),
        (&[("HTTPS_PROXY", "u:1")], None, Some("u")),
        (&[("https_proxy", ""), ("HTTPS_PROXY", "u:1")], None, Some("u")),
        (&[("all_proxy", "l:1"), ("ALL_PROXY", "u:1")], Some("l"), Some("l")),
        (&[("ALL_PROXY", "u:1")], Some("u"), Some("u")),
        (&[("ALL_PROXY", "u:1"), ("http_proxy", "h:1")], Some("h"), Some("u")),
        (&[("ALL_PROXY", "u:1"), ("HTTP_PROXY", "h:1")], Some("u"), Some("u")),
        (&[("ALL_PROXY", "u:1"), ("http_proxy", " ")], Some("u"), Some("u")),
        (&[("ALL_PROXY", "u:1"), ("no_proxy", "*")], None, None),
        (&[("ALL_PROXY", "u:1"), ("NO_PROXY", "mcp.test")], None, None),
        (&[("ALL_PROXY", "u:1"), ("no_proxy", "x"), ("NO_PROXY", "*")], Some("u"), Some("u")),
        (&[("no_proxy", "x"), ("REQUEST_METHOD", "GET"), ("http_proxy", "l:1")], Some("l"), None),
    ] {
        let proxies = environment(variables);
        assert_eq!(host(&proxies, "http://mcp.test").as_deref(), http, "{variables:?}");
        assert_eq!(host(&proxies, "https://mcp.test").as_deref(), https, "{variables:?}");
    }
}

/// An address and credentials.
type Read<'a> = Result<(&'a str, Option<&'a str>), ProxyProblem>;

#[test]
fn addresses() {
    use ProxyProblem::{Malformed, Scheme};
    let table: &[(&str, Read<'_>)] = &[
        ("proxy", Ok(("http://proxy/", None))),
        ("proxy:3128", Ok(("http://proxy:3128/", None))),
        (" http://Proxy:3128/ ", Ok(("http://proxy:3128/", None))),
        ("HTTPS://proxy", Ok(("https://proxy/", None))),
        ("http://127.0.0.1:8080", Ok(("http://127.0.0.1:8080/", None))),
        ("http://[::1]:8080", Ok(("http://[::1]:8080/", None))),
        // RFC 7617 2.
        (
            "http://Aladdin:open%20sesame@proxy",
            Ok(("http://proxy/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))),
        ),
        ("u:p@proxy:1", Ok(("http://proxy:1/", Some("Basic dTpw")))),
        ("u@proxy", Ok(("http://proxy/", Some("Basic dTo=")))),
        ("u:@proxy", Ok(("http://proxy/", Some("Basic dTo=")))),
        ("u:a:b@c@proxy", Ok(("http://proxy/", Some("Basic dTphOmJAYw==")))),
        ("u:%40%3A%2f@proxy", Ok(("http://proxy/", Some("Basic dTpAOi8=")))),
        ("u:%e2%82%ac@proxy", Ok(("http://proxy/", Some("Basic dTrigqw=")))),
        ("u:%zz@proxy", Err(Malformed)),
        ("http://", Err(Malformed)),
        ("http:///", Err(Malformed)),
        ("http://proxy:port", Err(Malformed)),
        ("http://proxy:99999", Err(Malformed)),
        ("http://proxy/path", Err(Malformed)),
        ("http://a b", Err(Malformed)),
        ("http://a\r\nb", Err(Malformed)),
        ("socks5://proxy:1080", Err(Scheme)),
        ("socks5h://u:p@proxy", Err(Scheme)),
        ("://proxy", Err(Scheme)),
    ];
    for (text, expected) in table {
        let proxies = Proxies::through(text);
        for target in ["http://mcp.test", "https://mcp.test:8443"] {
            let found = proxies.of(&origin(target)).map(|proxy| {
                let proxy: &Proxy = proxy.unwrap();
                (proxy.uri().to_string(), proxy.credentials().map(|value| value.to_str().unwrap().to_owned()))
            });
            let found = found.as_ref().map(|(uri, credentials)| (uri.as_str(), credentials.as_deref()));
            assert_eq!(found.map_err(|problem| *problem), *expected, "{text}");
        }
        // What cannot be used does no harm where it is not used.
        assert_eq!(proxies.of(&origin("http://localhost:1")), Ok(None));
    }
}

#[test]
fn exceptions() {
    for (except, target, direct) in [
        ("", "http://mcp.test", false),
        ("*", "http://mcp.test", true),
        ("mcp.test", "http://mcp.test", true),
        ("MCP.Test.", "http://mcp.test", true),
        ("mcp.test", "http://a.mcp.test", true),
        ("mcp.test", "http://notmcp.test", false),
        ("mcp.test", "http://mcp.test.evil.example", false),
        ("mcp.test", "http://test", false),
        (".mcp.test", "http://mcp.test", true),
        (".mcp.test", "http://a.b.mcp.test", true),
        ("*.mcp.test", "http://a.mcp.test", true),
        ("*.mcp.test", "http://amcp.test", false),
        ("a, mcp.test ,b", "http://mcp.test", true),
        ("a mcp.test", "http://mcp.test", true),
        (",,", "http://mcp.test", false),
        ("mcp.test:80", "http://mcp.test", true),
        ("mcp.test:80", "http://mcp.test:8080", false),
        ("mcp.test:443", "https://mcp.test", true),
        ("192.0.2.1", "http://192.0.2.1:99", true),
        ("192.0.2.1:99", "http://192.0.2.1:99", true),
        ("192.0.2.1:99", "http://192.0.2.1", false),
        ("192.0.2.1", "http://192.0.2.2", false),
        ("2.1", "http://192.0.2.1", false),
        ("192.0.2.0/24", "http://192.0.2.255", true),
        ("192.0.2.0/24", "http://192.0.3.0", false),
        ("192.0.2.128/25", "http://192.0.2.127", false),
        ("192.0.2.1/32", "http://192.0.2.1", true),
        ("192.0.2.1/32", "http://192.0.2.0", false),
        ("0.0.0.0/0", "http://192.0.2.1", true),
        ("0.0.0.0/0", "http://[2001:db8::1]", false),
        ("0.0.0.0/0", "http://mcp.test", false),
        ("192.0.2.0/33", "http://192.0.2.0", false),
        ("192.0.2.0/", "http://192.0.2.0", false),
        ("192.0.2.0/-1", "http://192.0.2.0", false),
        ("2001:db8::1", "http://[2001:db8::1]", true),
        ("[2001:db8::1]", "http://[2001:db8::1]:8", true),
        ("[2001:db8::1]:8", "http://[2001:db8::1]:8", true),
        ("[2001:db8::1]:8", "http://[2001:db8::1]:9", false),
        ("2001:db8::/32", "http://[2001:db8:ffff::1]", true),
        ("2001:db8::/32", "http://[2001:db9::1]", false),
        ("::/0", "http://[2001:db9::1]", true),
        ("2001:db8::1/129", "http://[2001:db8::1]", false),
    ] {
        let proxies = Proxies::through("proxy:3128").except(except);
        assert_eq!(host(&proxies, target).is_none(), direct, "{except} {target}");
    }
}

#[test]
fn this_machine_is_never_asked_for_elsewhere() {
    for (target, direct) in [
        ("http://localhost:8080", true),
        ("https://LOCALHOST", true),
        ("http://a.localhost", true),
        ("http://127.0.0.1", true),
        ("http://127.9.9.9:1", true),
        ("http://[::1]", true),
        ("http://[::ffff:127.0.0.1]", true),
        ("http://localhost.example.com", false),
        ("http://notlocalhost", false),
        ("http://128.0.0.1", false),
        ("http://[::2]", false),
    ] {
        assert_eq!(host(&Proxies::through("proxy"), target).is_none(), direct, "{target}");
    }
    assert_eq!(Proxies::none().of(&origin("http://mcp.test")), Ok(None));
}

#[test]
fn credentials_are_not_shown() {
    let proxies = Proxies::through("http://user:secret4711@proxy:3128");
    let credentials = proxies.of(&origin("http://mcp.test")).unwrap().unwrap().credentials().unwrap();
    assert!(credentials.is_sensitive());
    let shown = format!("{proxies:?}");
    assert!(shown.contains("proxy:3128"), "{shown}");
    for secret in ["user", "secret4711", "dXNlcjpzZWNyZXQ0NzEx"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
