//! What clients are told of a server before they have a token, and when theirs is not accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use mcp_http::{
    Arrived, Authenticate, Challenge, Refusal, Reply, Resource, Route, Router, RouterOptions, Takes,
    text_reply,
};
use mcp_transport_core::{BoxFuture, Error, ErrorKind, Principal};

fn resource(url: &str) -> Resource {
    url.parse::<Resource>().unwrap().with_authorization_server("https://login.example").unwrap()
}

fn challenge(refusal: Refusal) -> (u16, String) {
    let reply = Reply::from(refusal);
    let values: Vec<_> = reply.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(values.len(), 1, "all that is said is in one challenge");
    (reply.status().as_u16(), values[0].to_str().unwrap().to_owned())
}

#[test]
fn one_spelling_and_one_place_for_each_url() {
    for (url, identifier, metadata) in [
        (
            "https://a.example/mcp",
            "https://a.example/mcp",
            "https://a.example/.well-known/oauth-protected-resource/mcp",
        ),
        ("https://a.example", "https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
        ("https://a.example/", "https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
        (
            "HTTPS://A.Example:443/mcp/",
            "https://a.example/mcp",
            "https://a.example/.well-known/oauth-protected-resource/mcp",
        ),
        (
            "https://a.example:8443/v1/mcp",
            "https://a.example:8443/v1/mcp",
            "https://a.example:8443/.well-known/oauth-protected-resource/v1/mcp",
        ),
        (
            "https://a.example/A%2fb;c=1",
            "https://a.example/A%2fb;c=1",
            "https://a.example/.well-known/oauth-protected-resource/A%2fb;c=1",
        ),
        (
            "http://127.0.0.1:80/mcp",
            "http://127.0.0.1/mcp",
            "http://127.0.0.1/.well-known/oauth-protected-resource/mcp",
        ),
        (
            "http://localhost:8808/mcp",
            "http://localhost:8808/mcp",
            "http://localhost:8808/.well-known/oauth-protected-resource/mcp",
        ),
        (
            "http://[::1]:443/mcp",
            "http://[::1]:443/mcp",
            "http://[::1]:443/.well-known/oauth-protected-resource/mcp",
        ),
    ] {
        let resource = resource(url);
        assert_eq!((resource.as_str(), resource.metadata_url()), (identifier, metadata), "{url}");
        assert_eq!(
            url.parse::<Uri>().map(|uri| Resource::new(uri).unwrap().as_str().to_owned()).unwrap(),
            identifier
        );
    }
}

#[test]
fn what_is_no_resource() {
    for url in [
        "",
        "mcp",
        "/mcp",
        "a.example",
        "ftp://a.example/mcp",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://a.example/mcp",
        "http://127.0.0.1.evil.example/mcp",
        "https://ann@a.example/mcp",
        "https://ann:secret@a.example/mcp",
        "https://@a.example/mcp",
        "https://a.example/mcp#part",
        "https://a.example/mcp#",
        "https://a.example/mcp?tenant=1",
        "https://a.example/mcp?",
        "https://a.example/a/../mcp",
        "https://a.example/./mcp",
        "https://a.example/m\"cp",
        "https://a.example/m cp",
        "https://a.example/m{cp}",
        "https://a.example/m\\cp",
        "https://a.example/m\u{e9}cp",
        "https://a.example:/mcp",
        "https://a.example:99999/mcp",
        "https:///mcp",
    ] {
        let error = url.parse::<Resource>().expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Misuse, "{url}");
        let error = resource("https://a.example").with_authorization_server(url).err();
        // The paths of others are their own affair, dots included.
        assert_eq!(error.is_some(), !url.contains("./"), "{url}");
    }
}

#[test]
fn scopes_and_authorization_servers_are_checked() {
    let plain = || "https://a.example/mcp".parse::<Resource>().unwrap();
    for scopes in [
        vec![""],
        vec!["a b"],
        vec!["a\"b"],
        vec!["a\\b"],
        vec!["a\n"],
        vec!["\u{e9}"],
        vec!["a", "offline_access"],
    ] {
        assert_eq!(
            plain().with_scopes(scopes.clone()).expect_err("refused").kind(),
            ErrorKind::Misuse,
            "{scopes:?}"
        );
    }
    let scopes = plain().with_scopes(["files:read", "files:write", "files:read", "!#[]~"]).unwrap();
    assert_eq!(
        scopes.scopes().iter().map(|scope| &**scope).collect::<Vec<_>>(),
        ["files:read", "files:write", "!#[]~"]
    );
    let error = plain().routes().expect_err("nobody issues tokens for it");
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(plain().with_documentation("javascript:alert(1)").is_err());
}

async fn get(router: &Router, path: &str) -> (u16, String, Reply) {
    let request = Request::get(path).header("host", "localhost").body(Full::<Bytes>::default()).unwrap();
    let mut reply = router.answer(request).await;
    let body = reply.body_mut().collect().await.unwrap().to_bytes();
    (reply.status().as_u16(), String::from_utf8(body.to_vec()).unwrap(), reply)
}

/// Lets in nobody.
struct Nobody(Challenge);

impl Authenticate for Nobody {
    fn authenticate<'a>(&'a self, _: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        Box::pin(std::future::ready(Err(self.0.missing())))
    }
}

#[tokio::test]
async fn everybody_reads_the_metadata_at_both_places_whatever_the_prefix() {
    let full = resource("https://a.example/tools/mcp")
        // As it is written: clients compare it byte by byte.
        .with_authorization_server("https://Tenant.example/")
        .unwrap()
        .with_scopes(["files:read", "files:write"])
        .unwrap()
        .with_name("Files \"\u{e9}\" </script>")
        .with_documentation("https://docs.example/mcp#top")
        .unwrap();
    let expected: serde_json::Value = serde_json::json!({
        "resource": "https://a.example/tools/mcp",
        "authorization_servers": ["https://login.example", "https://Tenant.example/"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["files:read", "files:write"],
        "resource_name": "Files \"\u{e9}\" </script>",
        "resource_documentation": "https://docs.example/mcp#top",
    });
    let options = || RouterOptions::default().authenticate(Arc::new(Nobody(Challenge::of(Some(&full)))));
    for options in [options(), options().prefix("/tools")] {
        let router = Router::new(options, full.routes().unwrap());
        for path in [
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/",
            "/.well-known/oauth-protected-resource/tools/mcp",
            "/.well-known/oauth-protected-resource/tools/mcp/",
        ] {
            let (status, body, reply) = get(&router, path).await;
            assert_eq!(status, 200, "{path}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), expected);
            assert_eq!(reply.headers()["content-type"], "application/json");
            assert_eq!(reply.headers()["cache-control"], "no-store");
            assert_eq!(reply.headers()["x-content-type-options"], "nosniff");
        }
        for path in [
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-protected-resource/tools",
            "/tools/.well-known/oauth-protected-resource",
            "/.well-known/oauth-authorization-server",
        ] {
            assert_eq!(get(&router, path).await.0, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn a_resource_that_is_an_origin_has_one_place_and_says_no_more_than_it_has() {
    let bare = resource("https://a.example/");
    let routes = bare.routes().unwrap();
    assert_eq!(routes.iter().map(Route::path).collect::<Vec<_>>(), ["/.well-known/oauth-protected-resource"]);
    let (status, body, _) =
        get(&Router::new(RouterOptions::default(), routes), "/.well-known/oauth-protected-resource").await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        r#"{"authorization_servers":["https://login.example"],"bearer_methods_supported":["header"],"resource":"https://a.example"}"#
    );
}

#[test]
fn refusals_and_their_challenges() {
    let resource = resource("https://a.example/mcp").with_scopes(["files:read", "files:write"]).unwrap();
    let metadata = r#"resource_metadata="https://a.example/.well-known/oauth-protected-resource/mcp""#;
    let of = Challenge::of(Some(&resource));
    let table = [
        (of.missing(), 401, format!(r#"Bearer scope="files:read files:write", {metadata}"#)),
        (
            of.invalid(),
            401,
            format!(r#"Bearer error="invalid_token", scope="files:read files:write", {metadata}"#),
        ),
        (of.malformed(), 400, format!(r#"Bearer error="invalid_request", {metadata}"#)),
        (
            of.insufficient_scope(&["files:write", "files:delete"]),
            403,
            format!(r#"Bearer error="insufficient_scope", scope="files:write files:delete", {metadata}"#),
        ),
        (
            of.clone().with_scopes(&["files:read"]).missing(),
            401,
            format!(r#"Bearer scope="files:read", {metadata}"#),
        ),
        (of.clone().with_scopes::<&str>(&[]).missing(), 401, format!("Bearer {metadata}")),
        (Challenge::of(None).missing(), 401, "Bearer".into()),
        (Challenge::of(None).invalid(), 401, r#"Bearer error="invalid_token""#.into()),
        (Challenge::of(None).malformed(), 400, r#"Bearer error="invalid_request""#.into()),
        (
            Challenge::of(None).insufficient_scope(&["a".to_owned()]),
            403,
            r#"Bearer error="insufficient_scope", scope="a""#.into(),
        ),
    ];
    for (refusal, status, expected) in table {
        assert_eq!(challenge(refusal), (status, expected));
    }
}

#[test]
fn nothing_leaves_a_quoted_string() {
    let hostile = [
        "a",
        "offline_access",
        "b\"",
        "c\\",
        "d\", error=\"x",
        "e\r\nSet-Cookie: x",
        "",
        " ",
        "f g",
        "\u{e9}",
        "h",
    ];
    let (_, value) = challenge(Challenge::of(None).insufficient_scope(&hostile));
    assert_eq!(value, r#"Bearer error="insufficient_scope", scope="a h""#);
    let (_, value) = challenge(Challenge::of(None).with_scopes(&hostile).missing());
    assert_eq!(value, r#"Bearer scope="a h""#);
}

/// Answers with the status that is asked for.
struct Says;

impl Authenticate for Says {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        let status = parts.headers["x-status"].to_str().unwrap().parse::<StatusCode>().unwrap();
        Box::pin(std::future::ready(Err(Refusal::new(status, "no\n"))))
    }
}

/// RS-10, and hosts that believe that every answer to JSON-RPC is 200.
#[tokio::test]
async fn a_refusal_keeps_its_status_whatever_the_body_is() -> Result<(), Error> {
    let served = |_: Arrived| -> BoxFuture<'static, Reply> {
        Box::pin(async { text_reply(StatusCode::OK, "served\n") })
    };
    let route = Route::new(Method::POST, "/mcp", Arc::new(served)).takes(Takes::MessageOrBatch);
    let router = Router::new(RouterOptions::default().authenticate(Arc::new(Says)), [route]);
    let bodies = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#,
        r#"{"jsonrpc":"2.0","id":1,"#,
        "",
    ];
    for status in [400, 401, 403, 429, 503] {
        for body in bodies {
            for (kind, target) in
                [("application/json", "/mcp"), ("text/plain", "/mcp"), ("application/json", "/none")]
            {
                let request = Request::post(target)
                    .header("host", "localhost")
                    .header("content-type", kind)
                    .header("x-status", status.to_string())
                    .body(Full::new(Bytes::from_static(body.as_bytes())))
                    .unwrap();
                let mut reply = router.answer(request).await;
                let said = reply.body_mut().collect().await.unwrap().to_bytes();
                assert_eq!((reply.status().as_u16(), &said[..]), (status, b"no\n".as_slice()), "{body}");
            }
        }
    }
    Ok(())
}
