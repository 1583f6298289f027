//! Our clients with servers that say no, or nonsense.

use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use mcp_transport::core::Backoff;
use mcp_transport::http::proto::Proxies;
use mcp_transport::http::{HttpClient, HttpClientOptions, HttpRefused};
use mcp_transport::{Connector, SseClient, StreamableClient, Transport};

use super::scripted::{Scripted, response};
use super::secrets::Secrets;

/// How long an answer that is cut short is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn refusals(secrets: &Secrets) {
    let elsewhere = Scripted::new(|_| Some(response("200 OK", "", "{}"))).await;
    for answer in answers(secrets, elsewhere.address) {
        let server = Scripted::new(move |_| (!answer.is_empty()).then(|| answer.clone())).await;
        let asking = Asking { secrets, address: server.address };
        asking.plainly().await;
        asking.for_a_stream().await;
        asking.as_a_client().await;
        assert!(!server.asked().is_empty());
    }
    assert!(elsewhere.asked().is_empty(), "somebody else was asked: {:?}", elsewhere.asked());
}

/// What servers say; the empty one closes the connection.
fn answers(secrets: &Secrets, elsewhere: SocketAddr) -> Vec<String> {
    let json = "Content-Type: application/json\r\n";
    let stream = "Content-Type: text/event-stream\r\n";
    let redirect = format!("Location: http://{elsewhere}/?code=SECRET\r\n");
    let endpoint = format!("event: endpoint\ndata: http://{elsewhere}/?SECRET\n\n");
    let with_session = format!("{json}Mcp-Session-Id: SECRET\r\n");
    let answers = [
        ("401 Unauthorized", "WWW-Authenticate: Bearer realm=\"SECRET\"\r\n", "SECRET"),
        ("403 Forbidden", "WWW-Authenticate: Bearer scope=\"SECRET\"\r\n", "SECRET"),
        ("307 Elsewhere", &redirect, "SECRET"),
        ("302 Elsewhere", "Location: SECRET\r\n", ""),
        ("307 Elsewhere", "Location: \\SECRET\r\n", ""),
        ("307 Elsewhere", "Location: /again\r\n", ""),
        ("404 Not Found", "X-Secret: SECRET\r\n", "SECRET"),
        ("429 Too Many Requests", "Retry-After: SECRET\r\n", ""),
        ("500 SECRET", "", "SECRET"),
        ("200 OK", "Content-Type: SECRET\r\nSet-Cookie: a=SECRET\r\n", "SECRET"),
        ("200 OK", json, "SECRET"),
        ("200 OK", json, r#"{"jsonrpc":"2.0","id":1,"result":"SECRET"}"#),
        (
            "200 OK",
            json,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"SECRET","data":"SECRET"}}"#,
        ),
        ("400 Bad", json, r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"SECRET"}}"#),
        ("200 OK", json, r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"SECRET"}}"#),
        ("200 OK", json, r#"{"jsonrpc":"2.0","id":"7","result":"SECRET"}"#),
        ("200 OK", &with_session, r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}"#),
        ("200 OK", stream, &endpoint),
        ("200 OK", stream, "event: endpoint\ndata: /SECRET\n\n"),
        ("200 OK", stream, "event: endpoint\ndata: :SECRET\n\n"),
        ("200 OK", stream, "data: SECRET\nretry: SECRET\n: SECRET\n\n"),
        ("200 OK", stream, "data: {\"SECRET\":1}\n\ndata: SECRET"),
    ];
    let with = |text: &str| text.replace("SECRET", &secrets.make("said"));
    let whole = answers.map(|(status, lines, body)| response(&with(status), &with(lines), &with(body)));
    let broken = [
        &format!("HTTP/1.1 200 OK\r\n{json}Connection: close\r\nContent-Length: 1000\r\n\r\nSECRET"),
        "SECRET\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSECRET : SECRET\r\n\r\n",
        "",
    ];
    whole.into_iter().chain(broken.map(with)).collect()
}

/// Asking one server in every way.
struct Asking<'a> {
    secrets: &'a Secrets,
    address: SocketAddr,
}

impl Asking<'_> {
    fn url(&self, path: &str) -> Uri {
        format!("http://{}{path}?key={}", self.address, self.secrets.make("query")).parse().unwrap()
    }

    fn http(&self) -> HttpClient {
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {}", self.secrets.make("token"));
        headers.insert(AUTHORIZATION, HeaderValue::try_from(token).unwrap());
        let options = HttpClientOptions::default().with_headers(headers).with_proxies(Proxies::none());
        HttpClient::new(options.with_head(PATIENCE).with_body(PATIENCE))
    }

    async fn plainly(&self) {
        let client = self.http();
        // The second time with whatever cookie came the first time.
        for _ in 0..2 {
            let asked =
                client.post_json(&self.url("/"), HeaderMap::new(), self.secrets.make("payload")).await;
            if let Err(error) = asked {
                HttpRefused::of(&error).iter().for_each(|refused| self.secrets.show(refused));
                self.secrets.show_error(&error);
            }
        }
    }

    async fn for_a_stream(&self) {
        match self.http().event_stream(&self.url("/sse"), HeaderMap::new()).await {
            Ok(response) => {
                let mut body = response.into_body();
                self.secrets.show(&body);
                while let Some(chunk) = body.chunk().await {
                    if let Err(error) = chunk {
                        self.secrets.show_error(&error);
                        break;
                    }
                }
            }
            Err(error) => self.secrets.show_error(&error),
        }
    }

    async fn as_a_client(&self) {
        let secrets = self.secrets;
        if let Err(error) = SseClient::new(self.url("/sse")).with_http(self.http()).dial().await {
            secrets.show_error(&error);
        }
        let at_once = Backoff::new(Duration::ZERO, Duration::ZERO, 1);
        let mut client = StreamableClient::new(self.url("/mcp")).with_http(self.http()).with_backoff(at_once);
        let caller = client.dial().await.unwrap().spawn().into_caller();
        for method in ["initialize", "tell"] {
            match caller.request(method, &[secrets.make("payload")]).await {
                Ok(answer) => secrets.show(&(&answer, answer.outcome())),
                Err(error) => secrets.show_error(&error),
            }
            if let Err(error) = caller.notify("notifications/x", &[secrets.make("payload")]).await {
                secrets.show_error(&error);
            }
        }
        if let Err(error) = Connector::new().with_http(self.http()).connect(self.url("/mcp")).await {
            secrets.show_error(&error);
        }
    }
}
