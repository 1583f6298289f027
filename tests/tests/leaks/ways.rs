//! Through proxies that want to know who we are, and over TLS.

use http::Uri;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use mcp_transport::Target;
use mcp_transport::http::proto::{Origin, Proxies};
use mcp_transport::http::{HttpClient, HttpClientOptions};

use super::scripted::{AUTHORITY, Scripted, response};
use super::secrets::Secrets;

/// Through proxies that want to know who we are, and over TLS.
pub(crate) async fn ways(secrets: &Secrets) {
    let server = Scripted::secure(|_| Some(response("200 OK", "", "{}"))).await;
    let secure: Uri = format!("https://{}/", server.address).parse().unwrap();
    let plain: Uri = "http://mcp.example/".parse().unwrap();
    let headers = || {
        let mut headers = HeaderMap::new();
        headers.insert(
            AUTHORIZATION,
            HeaderValue::try_from(format!("Bearer {}", secrets.make("token"))).unwrap(),
        );
        headers
    };
    let trusting =
        HttpClientOptions::default().with_extra_roots(AUTHORITY).unwrap().with_proxies(Proxies::none());
    for options in [trusting, HttpClientOptions::default().with_proxies(Proxies::none())] {
        secrets.show(&options);
        let client = HttpClient::new(options);
        if let Err(error) = client.post_json(&secure, headers(), secrets.make("payload")).await {
            secrets.show_error(&error);
        }
    }
    assert_eq!(server.asked().len(), 1, "the one that trusts it");

    for answer in ["200 OK", "407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"] {
        let challenge = format!("Proxy-Authenticate: Basic realm=\"{}\"\r\n", secrets.make("said"));
        let answer = response(answer, &challenge, &secrets.make("said"));
        let proxy = Scripted::new(move |_| Some(answer.clone())).await;
        let (user, word) = (secrets.make("user"), secrets.make("word"));
        let named = format!("http://{user}:{word}@{}", proxy.address);
        let from_variables = Proxies::from_variables(|name| name.ends_with("_proxy").then(|| named.clone()));
        for proxies in [Proxies::through(&named), from_variables] {
            secrets.show(&proxies);
            secrets.show(&proxies.of(&Origin::of(&plain).unwrap()));
            let client = HttpClient::new(HttpClientOptions::default().with_proxies(proxies));
            secrets.show(&client);
            for uri in [&plain, &"https://mcp.example/".parse().unwrap()] {
                if let Err(error) = client.post_json(uri, headers(), secrets.make("payload")).await {
                    secrets.show_error(&error);
                }
            }
        }
        for asked in proxy.asked() {
            let credentials = asked.lines().find_map(|line| line.strip_prefix("proxy-authorization: Basic "));
            secrets.keep(credentials.unwrap_or_else(|| panic!("{asked}")));
        }
    }
    for (before, behind) in [
        ("socks5://", "@127.0.0.1:1"),
        ("://", "@127.0.0.1:1"),
        ("http://%zz", "@127.0.0.1:1"),
        ("http://", "@a b"),
        ("", "@:1"),
    ] {
        let proxies = Proxies::through(&format!("{before}{}{behind}", secrets.make("word")));
        secrets.show(&proxies);
        let client = HttpClient::new(HttpClientOptions::default().with_proxies(proxies));
        secrets.show_error(&client.check(&plain).unwrap_err());
    }
    let with_user: Uri = format!("http://{}@localhost/", secrets.make("user")).parse().unwrap();
    secrets.show_error(&HttpClient::new(HttpClientOptions::default()).check(&with_user).unwrap_err());
    secrets.show_error(&Target::url(&format!("http://a b/?{}", secrets.make("query"))).unwrap_err());
}
