//! Parameters of a query: read once, decoded once, appended without loss.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use mcp_http::proto::QueryProblem;
use mcp_http::proto::query::{append_parameter, parameter, session_endpoint, session_parameter};
use proptest::prelude::*;

#[test]
fn one_parameter() {
    use QueryProblem::{Malformed, Several};
    let table: &[(&str, Result<Option<&str>, QueryProblem>)] = &[
        ("", Ok(None)),
        ("y=1", Ok(None)),
        ("X=1", Ok(None)),
        ("xx=1&ax=2", Ok(None)),
        ("x=1", Ok(Some("1"))),
        ("a=b&x=1&c", Ok(Some("1"))),
        ("x", Ok(Some(""))),
        ("x=", Ok(Some(""))),
        ("x=a=b", Ok(Some("a=b"))),
        ("x=a+b", Ok(Some("a+b"))),
        ("x=a%20b%2Bc%2b", Ok(Some("a b+c+"))),
        ("x=%e2%80%a6", Ok(Some("…"))),
        ("x=%2525", Ok(Some("%25"))),
        ("&&x=1&", Ok(Some("1"))),
        ("%78=1", Ok(None)),
        ("x=1&x=1", Err(Several)),
        ("x&x=%", Err(Several)),
        ("x=%", Err(Malformed)),
        ("x=a%2", Err(Malformed)),
        ("x=%zz", Err(Malformed)),
        ("x=%+1", Err(Malformed)),
        ("x=%20%", Err(Malformed)),
        ("x=%ff", Err(Malformed)),
        ("x=%€", Err(Malformed)),
    ];
    for (query, expected) in table {
        let found = parameter(query, "x");
        assert_eq!(found.as_ref().map(Option::as_deref).map_err(|problem| *problem), *expected, "{query}");
    }
}

#[test]
fn the_session_in_three_spellings() {
    for query in ["sessionId=7", "session_id=7", "sessionid=7", "tenant=1&session_id=7&x"] {
        assert_eq!(session_parameter(Some(query)).unwrap().as_deref(), Some("7"), "{query}");
    }
    for query in [None, Some(""), Some("SessionId=7"), Some("session-id=7"), Some("session=7")] {
        assert_eq!(session_parameter(query), Ok(None), "{query:?}");
    }
    for query in ["sessionId=7&sessionId=7", "sessionId=7&session_id=8", "sessionid&x&sessionId=1"] {
        assert_eq!(session_parameter(Some(query)), Err(QueryProblem::Several), "{query}");
    }
}

#[test]
fn parameters_are_appended() {
    for (before, after) in [
        ("/m", "/m?s=1"),
        ("/m?", "/m?s=1"),
        ("/m?x=1", "/m?x=1&s=1"),
        ("/m?x=1&", "/m?x=1&s=1"),
        ("/m?x=%20+", "/m?x=%20+&s=1"),
    ] {
        assert_eq!(append_parameter(before, "s", "1"), after);
    }
    assert_eq!(append_parameter("/m", "a b", "&=%\r\n\u{e4}?#"), "/m?a%20b=%26%3D%25%0D%0A%C3%A4%3F%23");
}

#[test]
fn the_endpoint_of_a_session() {
    for (path, query, endpoint) in [
        ("/message", None, "/message?sessionId=s1"),
        ("/message", Some(""), "/message?sessionId=s1"),
        ("/mount/message", Some("tenant=7&flag"), "/mount/message?tenant=7&flag&sessionId=s1"),
        ("/message", Some("sessionId=old&a=1&session_id=x&sessionid"), "/message?a=1&sessionId=s1"),
        ("/message", Some("&&a=%20&&"), "/message?a=%20&sessionId=s1"),
        ("/message", Some("a=?x"), "/message?a=?x&sessionId=s1"),
        ("//evil.example/message", None, "/evil.example/message?sessionId=s1"),
        ("message", None, "/message?sessionId=s1"),
    ] {
        assert_eq!(session_endpoint(path, query, "s1"), endpoint);
    }
}

proptest! {
    #[test]
    fn what_is_appended_is_read(before in "/[a-z]{0,5}(\\?[a-z=&%+]{0,10})?", value in any::<String>()) {
        let uri = append_parameter(&before, "Key", &value);
        let (path, query) = uri.split_once('?').unwrap();
        prop_assert!(uri.starts_with(before.trim_end_matches('?')), "{} {}", before, path);
        prop_assert_eq!(parameter(query, "Key").unwrap().unwrap(), value);
    }

    #[test]
    fn an_endpoint_has_one_session(query in "(sessionId|session_id|sessionid|a|=|&|1|%41){0,12}", session in any::<String>()) {
        let endpoint = session_endpoint("/m", Some(&query), &session);
        let (_, query) = endpoint.split_once('?').unwrap();
        prop_assert_eq!(session_parameter(Some(query)).unwrap().unwrap(), session);
    }
}
