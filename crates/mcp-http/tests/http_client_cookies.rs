//! Cookies of a server go back to it, and nowhere else.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod said;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use mcp_http::{HttpClient, HttpClientOptions};
use said::{Said, get, ok, status, with};

fn client() -> HttpClient {
    HttpClient::new(HttpClientOptions::default())
}

/// What each request had for cookies.
fn cookies(server: &Said) -> Vec<String> {
    let line = |head: &String| {
        let lines: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("cookie: ")).collect();
        assert!(lines.len() < 2, "{head}");
        lines.first().copied().unwrap_or_default().to_owned()
    };
    server.asked().iter().map(line).collect()
}

fn set(cookie: &str) -> String {
    with(&format!("Set-Cookie: {cookie}\r\n"), "")
}

#[tokio::test]
async fn a_balancer_is_told_which_server_it_chose() {
    let server = Said::new(&[
        ("/mcp", set("route=a7; Path=/; HttpOnly")),
        ("/elsewhere", ok("")),
        ("/leave", set("route=; Path=/; Max-Age=0")),
    ])
    .await;
    let client = client();
    // Clones share what they have.
    client.clone().post_json(&server.uri("/mcp"), HeaderMap::new(), "{}").await.unwrap();
    client.post_json(&server.uri("/mcp"), HeaderMap::new(), "{}").await.unwrap();
    client.send(get(server.uri("/elsewhere"))).await.unwrap();
    client.send(get(server.uri("/leave"))).await.unwrap();
    client.send(get(server.uri("/elsewhere"))).await.unwrap();
    assert_eq!(cookies(&server), ["", "route=a7", "route=a7", "route=a7", ""]);
}

#[tokio::test]
async fn refusals_and_redirects_set_them_too() {
    let server = Said::new(&[
        ("/401", status("401 Unauthorized", "Set-Cookie: a=1\r\n")),
        ("/307", "HTTP/1.1 307 Go\r\nLocation: /here\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n".into()),
        ("/here", ok("")),
    ])
    .await;
    let client = client();
    client.send(get(server.uri("/401"))).await.unwrap_err();
    client.send(get(server.uri("/307"))).await.unwrap();
    assert_eq!(cookies(&server), ["", "a=1", "a=1; b=2"]);
}

#[tokio::test]
async fn beside_those_of_the_caller() {
    let server = Said::new(&[("/", set("route=a7"))]).await;
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::from_static("login=x"));
    let client = HttpClient::new(HttpClientOptions::default().with_headers(headers));
    for _ in 0..2 {
        client.send(get(server.uri("/"))).await.unwrap();
    }
    assert_eq!(cookies(&server), ["login=x", "login=x; route=a7"]);
}

/// T-CRED: another port is another origin.
#[tokio::test]
async fn never_to_another_origin() {
    let server = Said::new(&[("/", set("route=a7; Path=/; Domain=localhost"))]).await;
    let other = Said::new(&[("/", ok(""))]).await;
    let client = client();
    client.send(get(server.uri("/"))).await.unwrap();
    client.send(get(other.uri("/"))).await.unwrap();
    client.send(get(server.uri("/"))).await.unwrap();
    assert_eq!(cookies(&other), [""]);
    assert_eq!(cookies(&server), ["", "route=a7"]);
}

#[tokio::test]
async fn can_be_turned_off() {
    let server = Said::new(&[("/", set("route=a7"))]).await;
    let client = HttpClient::new(HttpClientOptions::default().with_cookies(false));
    for _ in 0..2 {
        client.send(get(server.uri("/"))).await.unwrap();
    }
    assert_eq!(cookies(&server), ["", ""]);
}
