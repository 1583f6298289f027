//! `Accept` and `Content-Type`, in the ways in which they are written.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic")]

use http::{HeaderMap, HeaderName, HeaderValue, header};
use mcp_http::proto::{ContentType, MediaType};

fn headers(name: HeaderName, values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(&name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

#[test]
fn what_accept_allows() {
    // Values, whether JSON, whether an event stream.
    let table: &[(&[&[u8]], bool, bool)] = &[
        (&[], true, true),
        (&[b""], true, true),
        (&[b" , "], true, true),
        (&[b"*/*"], true, true),
        (&[b"text/event-stream"], false, true),
        (&[b"TEXT/Event-Stream"], false, true),
        (&[b"application/json"], true, false),
        (&[b"application/json, text/event-stream"], true, true),
        (&[b"application/json,text/event-stream"], true, true),
        (&[b"application/json", b"text/event-stream"], true, true),
        (&[b"text/*"], false, true),
        (&[b"application/*"], true, false),
        (&[b"text/html"], false, false),
        (&[b"text/html, */*;q=0.1"], true, true),
        (&[b"text/event-stream;q=0"], false, false),
        (&[b"text/event-stream;q=0, */*"], true, false),
        (&[b"*/*, text/event-stream;q=0.000"], true, false),
        (&[b"*/*;q=0, text/*;q=0.5"], false, true),
        (&[b"text/*;q=0, text/event-stream"], false, true),
        (&[b"text/event-stream ; Q=0.5 , application/json; q=1.000"], true, true),
        (&[b"text/event-stream;charset=utf-8;q=0"], false, false),
        (&[b"text/event-stream;charset=utf-8"], false, true),
        (&[b"text/event-stream;"], false, true),
        (&[b"text/event-stream;q=0, text/event-stream;q=1"], false, true),
        // What cannot be read is ignored.
        (&[b"text/event-stream;q=high"], false, false),
        (&[b"text/event-stream;q=2"], false, false),
        (&[b"text/event-stream;q=-1"], false, false),
        (&[b"text/event-stream;q=0.0001"], false, false),
        (&[b"text/event-stream;q="], false, false),
        (&[b";;;, =, \xff\xff, text/event-stream"], false, true),
        (&[b"garbage"], false, false),
        (&[b"*"], false, false),
        (&[b"*/json"], false, false),
        (&[b"text/event-streams"], false, false),
        (&[b"text/event-stream x"], false, false),
        (&[b"application/jsonx"], false, false),
        (&[b"text/html;x=\"a, text/event-stream, b\""], false, false),
        (&[b"text/html;x=\"\\\", text/event-stream\", application/json"], true, false),
        (&[b"text/html;x=\", text/event-stream"], false, false),
    ];
    for (values, json, event_stream) in table {
        let headers = headers(header::ACCEPT, values);
        assert_eq!(MediaType::Json.is_accepted(&headers), *json, "{headers:?}");
        assert_eq!(MediaType::EventStream.is_accepted(&headers), *event_stream, "{headers:?}");
    }
}

#[test]
fn what_a_body_is() {
    use ContentType::{EventStream, Json, JsonInOtherCharset, Missing, Other, Several};
    let table: &[(&[&[u8]], ContentType)] = &[
        (&[], Missing),
        (&[b"application/json"], Json),
        (&[b"Application/JSON"], Json),
        (&[b"application/json;charset=utf-8"], Json),
        (&[b"application/json; charset=UTF-8"], Json),
        (&[b"application/json ; Charset=\"utf-8\""], Json),
        (&[b"application/json; charset=utf8"], Json),
        (&[b"application/json; profile=\"a;charset=latin1\""], Json),
        (&[b"application/json;"], Json),
        (&[b"application/json; x"], Json),
        (&[b"application/json; charset=iso-8859-1"], JsonInOtherCharset),
        (&[b"application/json; charset=utf-16"], JsonInOtherCharset),
        (&[b"application/json; charset="], JsonInOtherCharset),
        (&[b"application/json; charset=utf-8; charset=utf-7"], JsonInOtherCharset),
        (&[b"application/json", b"application/json"], Several),
        (&[b"application/json", b"text/plain"], Several),
        (&[b"application/json, text/plain"], Other),
        (&[b"application/jsonx"], Other),
        (&[b"application/json-rpc"], Other),
        (&[b"application/json x"], Other),
        (&[b"xapplication/json"], Other),
        (&[b"text/plain"], Other),
        (&[b"text/plain; application/json"], Other),
        (&[b"text/plain;x=application/json"], Other),
        (&[b"application/x-www-form-urlencoded"], Other),
        (&[b"multipart/form-data; boundary=x"], Other),
        (&[b"text/json"], Other),
        (&[b"json"], Other),
        (&[b"*/*"], Other),
        (&[b""], Other),
        (&[b"application/json\xff"], Other),
        (&[b"text/event-stream"], EventStream),
        (&[b"text/event-stream;"], EventStream),
        (&[b"Text/Event-Stream; charset=utf-8"], EventStream),
        (&[b"text/event-stream;charset=windows-1252"], EventStream),
        (&[b"x bogus"], Other),
        (&[b"text/x-bogus"], Other),
        (&[b"text/event-stream-x"], Other),
        (&[b"text/event-stream", b"text/event-stream"], Several),
    ];
    for (values, expected) in table {
        let headers = headers(header::CONTENT_TYPE, values);
        assert_eq!(ContentType::of(&headers), *expected, "{headers:?}");
    }
}
