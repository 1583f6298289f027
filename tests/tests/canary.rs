//! Nothing secret is ever logged, shown by `Debug` or part of an error: not by us and not by what we are made of.
//!
//! Conversations are held over every binding, with a secret in every place where one may be, while everything is kept
//! that any target logs at any level, what panics say, and what every public type shows of itself. Then it is looked
//! through for the secrets, in several spellings.
//!
//! What is not looked at: the `Debug` of types of the crate `http` that are a request or a response as it is
//! ([`http::request::Parts`], [`http::Response`]).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod scripted;
mod secrets;
mod talk;
mod whole;
mod wire;

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use mcp_transport::core::{BoxFuture, Principal};
use mcp_transport::http::proto::{Origin, Proxies};
use mcp_transport::http::{
    Arrived, Cors, HttpClient, HttpClientOptions, HttpRefused, Reply, Route, Router, RouterOptions, Server,
    ServerOptions, text_reply,
};
use mcp_transport::streamable_http::{EventStore, MemoryEventStore, StreamKey};
use mcp_transport::{
    CommandSpec, Connection, Connector, Options, SseClient, SseOptions, StdioClient, StreamableClient,
    StreamableOptions, Target, Transport, stdio,
};
use serde_json::json;

use scripted::{AUTHORITY, Scripted, response};
use secrets::Secrets;
use talk::{Answering, talk};
use whole::{Bearers, Setup, Whole};
use wire::{Answer, Wire, get, post};

/// What a server of ours is asked, and by whom.
struct Guarded {
    whole: Whole,
    /// The one token that is good.
    token: String,
}

impl Guarded {
    fn start(secrets: &Secrets, streamable: StreamableOptions) -> Self {
        let token = secrets.make("token");
        let principal = secrets.make("principal");
        let bearers = Bearers::new([(token.as_str(), principal.as_str())]);
        let router = RouterOptions::default().authenticate(Arc::new(bearers));
        secrets.show(&router);
        let answering = Answering(secrets.clone());
        let setup = Setup { router, streamable, ..Setup::default() };
        let whole = Whole::with(setup, move |connection| answering.take(connection));
        Self { whole, token }
    }

    /// What comes with each of a client's requests.
    fn http(&self, secrets: &Secrets) -> HttpClient {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {}", self.token)).unwrap());
        headers.insert("x-api-key", HeaderValue::try_from(secrets.make("api-key")).unwrap());
        headers.insert(COOKIE, HeaderValue::try_from(format!("a={}", secrets.make("cookie"))).unwrap());
        let options = HttpClientOptions::default().with_headers(headers).with_proxies(Proxies::none());
        secrets.show(&options);
        let client = HttpClient::new(options);
        secrets.show(&client);
        client
    }

    async fn ask(&self, bytes: String) -> Answer {
        let mut wire = Wire::connect(self.whole.address).await;
        wire.send(bytes.as_bytes()).await;
        wire.answer().await
    }
}

/// Requests by hand: what is wrong with them is in them, and so is what is right.
async fn requests(secrets: &Secrets) {
    let guarded = Guarded::start(secrets, StreamableOptions::default());
    let good = format!("Authorization: Bearer {}\r\n", guarded.token);
    let more = ["X-Api-Key", "Cookie", "Proxy-Authorization", "X-Forwarded-For", "Last-Event-ID", "Mcp-Name"]
        .map(|name| format!("{name}: {}\r\n", secrets.make(&name.to_lowercase())))
        .concat();
    let hello = |version: &str| {
        let params = json!({ "protocolVersion": version, "clientInfo": { "name": secrets.make("client") } });
        json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string()
    };
    let mut sessions = Vec::new();
    for version in ["2025-11-25", "2025-03-26"] {
        let answer = guarded.ask(post("/mcp", &format!("{good}{more}"), &hello(version))).await;
        let id = answer.header("mcp-session-id").unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        secrets.keep_session(&id);
        sessions.push((version, format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {version}\r\n")));
    }
    let mut stream = Wire::connect(guarded.whole.address).await;
    stream.send(get(&format!("/sse?key={}", secrets.make("query")), &good).as_bytes()).await;
    assert_eq!(stream.head().await.0, 200);
    let endpoint = stream.data().await;
    secrets.keep_session(endpoint.split_once("sessionId=").unwrap().1);

    let payload = || secrets.make("payload");
    let bodies = [
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tell","params":{{"a":"{}"}}}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","id":2,"method":"say","params":["{}"]}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","id":3,"method":"fail","params":{{"{}":1}}}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","id":4,"method":"panic","params":{{"a":"{}"}}}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","id":5,"method":"forget","params":{{"a":"{}"}}}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{"a":"{}"}}}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","id":99,"result":"{}"}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","id":98,"error":{{"code":1,"message":"{}"}}}}"#, payload()),
        format!(r#"{{"jsonrpc":"2.0","id":6,"method":"tell","params":"{}"}}"#, payload()),
        format!(r#"{{"jsonrpc":"{}","id":7,"method":"tell"}}"#, payload()),
        format!(r#"{{"{}":"#, payload()),
        format!(
            r#"[{{"jsonrpc":"2.0","id":8,"method":"tell","params":["{}"]}},{{"{}":1}}]"#,
            payload(),
            payload()
        ),
        payload(),
    ];
    let modern = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tell\r\n";
    let names = format!(
        "MCP-Protocol-Version: {}\r\nMcp-Method: {}\r\nMcp-Name: {}\r\nMcp-Param-A: {}\r\n",
        payload(),
        payload(),
        payload(),
        payload()
    );
    let bad = format!("Authorization: Bearer {}\r\n", secrets.make("bad-token"));
    let unknown = format!("Mcp-Session-Id: {}\r\n", secrets.make("unknown-session"));
    let query = format!("/mcp?access_token={}", secrets.make("query"));
    let mut seen = Vec::new();
    for body in &bodies {
        for (_, session) in &sessions {
            seen.push(guarded.ask(post("/mcp", &format!("{good}{more}{session}"), body)).await.status);
        }
        for headers in [modern, &names, "", &unknown] {
            seen.push(guarded.ask(post(&query, &format!("{good}{more}{headers}"), body)).await.status);
        }
        for headers in [&bad, ""] {
            let answer = guarded.ask(post("/mcp", &format!("{headers}{more}"), body)).await;
            assert_eq!(answer.status, 401);
            secrets.say(&format!("{}{}", answer.head, answer.body));
        }
        seen.push(guarded.ask(post(&endpoint, &format!("{good}{more}"), body)).await.status);
    }
    for (_, session) in &sessions {
        for headers in ["", &more, &unknown] {
            let delete = "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n";
            seen.push(guarded.ask(get("/mcp", &format!("{good}{headers}"))).await.status);
            seen.push(guarded.ask(format!("{delete}{good}{headers}\r\n")).await.status);
        }
        let mut general = Wire::connect(guarded.whole.address).await;
        general.send(get("/mcp", &format!("{good}{session}")).as_bytes()).await;
        assert_eq!(general.head().await.0, 200);
        let delete = format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{good}{session}\r\n");
        assert_eq!(guarded.ask(delete).await.status, 204);
    }
    for head in [
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n{good}\r\n", secrets.make("path")),
        format!("GET /mcp HTTP/1.1\r\nHost: {}.example\r\n{good}\r\n", secrets.make("host")),
        format!("GET /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{}\r\n\r\n", secrets.make("origin")),
        format!("{} /mcp HTTP/1.1\r\nHost: localhost\r\n{good}\r\n", secrets.make("method")),
        format!("GET /mcp HTTP/1.1\r\n{}\r\n\r\n", secrets.make("no-header")),
        format!("GET /mcp HTTP/1.1\r\nHost: localhost\r\n{} : x\r\n\r\n", secrets.make("bad-header")),
    ] {
        seen.push(guarded.ask(head).await.status);
    }
    for status in [200, 202, 400, 401, 403, 404, 405] {
        assert!(status == 401 || seen.contains(&status), "{status} not in {seen:?}");
    }
    secrets.show(&guarded.whole.router);
    secrets.show(&guarded.whole.sse);
    secrets.show(&guarded.whole.streamable);
    secrets.show(&guarded.whole.control);
    guarded.whole.control.shutdown();
    secrets.show(&guarded.whole.serving.await.unwrap().unwrap());
}

/// Our clients with our servers, over every binding.
async fn conversations(secrets: &Secrets) {
    for answers in
        [mcp_transport::streamable_http::Answers::Auto, mcp_transport::streamable_http::Answers::Stream]
    {
        let store = Arc::new(MemoryEventStore::default());
        let mut options = StreamableOptions::default();
        options.answers = answers;
        options.store = Some(store.clone());
        secrets.show(&options);
        let guarded = Guarded::start(secrets, options);
        let url = |path| -> Uri {
            format!("http://{}{path}?key={}", guarded.whole.address, secrets.make("query")).parse().unwrap()
        };
        for is_modern in [false, true] {
            let mut client = StreamableClient::new(url("/mcp")).with_http(guarded.http(secrets));
            let shared = client.headers();
            shared.set("x-shared".parse().unwrap(), HeaderValue::try_from(secrets.make("shared")).unwrap());
            secrets.show(&shared);
            secrets.show(&client);
            let connection = client.dial().await.unwrap();
            talk(secrets, connection, is_modern).await;
        }
        let mut client = SseClient::new(url("/sse")).with_http(guarded.http(secrets));
        secrets.show(&client);
        let connection = client.dial().await.unwrap();
        talk(secrets, connection, false).await;
        for strategy in [mcp_transport::Strategy::HttpFirst, mcp_transport::Strategy::SseOnly] {
            let connector = Connector::new().with_http(guarded.http(secrets)).with_strategy(strategy);
            secrets.show(&connector);
            let path = if strategy == mcp_transport::Strategy::SseOnly { "/sse" } else { "/mcp" };
            let target = Target::from(url(path));
            secrets.show(&target);
            let connected = connector.connect(target).await.unwrap();
            secrets.show(&connected);
            let is_modern = connected.era == Some(mcp_transport::Era::Modern);
            talk(secrets, connected.connection, is_modern).await;
        }
        secrets.show(&store);
        secrets.show(&guarded.whole.streamable);
        secrets.show(&guarded.whole.sse);
    }

    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let connection = |stream| {
        let (read, write) = tokio::io::split(stream);
        stdio::connection(read, write, Options::new("duplex"))
    };
    Answering(secrets.clone()).take(connection(theirs));
    talk(secrets, connection(ours), false).await;

    let (ours, theirs) = Connection::pair(Options::default(), Options::default());
    Answering(secrets.clone()).take(theirs);
    talk(secrets, ours, false).await;

    let script = r#"while read -r line; do id=${line#*\"id\":}; id=${id%%,*}; echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":\"$SECRET\"}"; done"#;
    let spec = CommandSpec::new("sh")
        .args(["-c", script, &secrets.make("argument")])
        .env("SECRET", secrets.make("variable"));
    secrets.show(&spec);
    let mut client = StdioClient::new(spec);
    secrets.show(&client);
    let caller = client.dial().await.unwrap().spawn().into_caller();
    let answer = caller.request("x", &[secrets.make("payload")]).await.unwrap();
    assert!(answer.result_raw().unwrap().starts_with(b"\"canary-variable-"));
    secrets.show(&answer);
    let missing = CommandSpec::new("no-such-program")
        .arg(secrets.make("argument"))
        .env("SECRET", secrets.make("variable"));
    secrets.show_error(&StdioClient::new(missing).dial().await.unwrap_err());
}

/// Our clients with servers that say no, or nonsense.
async fn refusals(secrets: &Secrets) {
    let elsewhere = Scripted::new(|_| Some(response("200 OK", "", "{}"))).await;
    let said = || secrets.make("said");
    let json = "Content-Type: application/json\r\n";
    let stream = "Content-Type: text/event-stream\r\n";
    let answers = vec![
        response("401 Unauthorized", &format!("WWW-Authenticate: Bearer realm=\"{}\"\r\n", said()), &said()),
        response("403 Forbidden", &format!("WWW-Authenticate: Bearer scope=\"{}\"\r\n", said()), &said()),
        response("307 X", &format!("Location: http://{}/?code={}\r\n", elsewhere.address, said()), &said()),
        response("302 X", &format!("Location: {}\r\n", said()), ""),
        response("307 X", &format!("Location: \\{}\r\n", said()), ""),
        response("307 X", "Location: /again\r\n", ""),
        response("404 Not Found", &format!("X-Secret: {}\r\n", said()), &said()),
        response("429 X", &format!("Retry-After: {}\r\n", said()), ""),
        response("500 X", "", &said()),
        response(&format!("500 {}", said()), "", ""),
        response("200 OK", &format!("Content-Type: {}\r\nSet-Cookie: a={}\r\n", said(), said()), &said()),
        response("200 OK", json, &said()),
        response("200 OK", json, &format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, said())),
        response(
            "200 OK",
            json,
            &format!(
                r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-1,"message":"{}","data":"{}"}}}}"#,
                said(),
                said()
            ),
        ),
        response(
            "400 X",
            json,
            &format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32600,"message":"{}"}}}}"#, said()),
        ),
        response("200 OK", json, &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x")),
        response("200 OK", json, &format!(r#"{{"jsonrpc":"2.0","id":"{}","result":1}}"#, "7")),
        response(
            "200 OK",
            &format!("{json}Mcp-Session-Id: {}\r\n", said()),
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}"#,
        ),
        response(
            "200 OK",
            stream,
            &format!("event: endpoint\ndata: http://{}/?{}\n\n", elsewhere.address, said()),
        ),
        response("200 OK", stream, &format!("event: endpoint\ndata: /{}\n\n", said())),
        response("200 OK", stream, &format!("event: endpoint\ndata: :{}\n\n", said())),
        response(
            "200 OK",
            stream,
            &format!("event: {}\nid: {}\ndata: {}\nretry: {}\n\n", said(), said(), said(), said()),
        ),
        response("200 OK", stream, &format!("data: {}\n\n", said())),
        format!("HTTP/1.1 200 OK\r\n{json}Connection: close\r\nContent-Length: 1000\r\n\r\n{}", said()),
        format!("{}\r\n\r\n", said()),
        format!("HTTP/1.1 200 OK\r\n{} : {}\r\n\r\n", said(), said()),
        String::new(),
    ];
    for answer in answers {
        let server =
            Scripted::new(move |_| if answer.is_empty() { None } else { Some(answer.clone()) }).await;
        let guarded = |path: &str| -> Uri {
            format!("http://{}{path}?key={}", server.address, secrets.make("query")).parse().unwrap()
        };
        // Of a type of its own, so that it is not that of a server of ours.
        let http = || {
            let mut headers = HeaderMap::new();
            let token = format!("Bearer {}", secrets.make("token"));
            headers.insert(AUTHORIZATION, HeaderValue::try_from(token).unwrap());
            let options = HttpClientOptions::default().with_headers(headers).with_proxies(Proxies::none());
            HttpClient::new(options.with_head(wire::SOON / 12).with_body(wire::SOON / 12))
        };
        let client = http();
        match client.post_json(&guarded("/"), HeaderMap::new(), secrets.make("payload")).await {
            // The same answer again, with whatever cookie came before.
            Ok(_) => drop(client.post_json(&guarded("/"), HeaderMap::new(), "{}").await),
            Err(error) => {
                HttpRefused::of(&error).iter().for_each(|refused| secrets.show(refused));
                secrets.show_error(&error);
            }
        }
        match client.event_stream(&guarded("/sse"), HeaderMap::new()).await {
            Ok(response) => {
                let mut body = response.into_body();
                secrets.show(&body);
                while let Some(chunk) = body.chunk().await {
                    if let Err(error) = chunk {
                        secrets.show_error(&error);
                        break;
                    }
                }
            }
            Err(error) => secrets.show_error(&error),
        }
        match SseClient::new(guarded("/sse")).with_http(http()).dial().await {
            Ok(connection) => drop(connection),
            Err(error) => secrets.show_error(&error),
        }
        let backoff =
            mcp_transport::core::Backoff::new(std::time::Duration::ZERO, std::time::Duration::ZERO, 1);
        let mut client = StreamableClient::new(guarded("/mcp")).with_http(http()).with_backoff(backoff);
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
        if let Err(error) = Connector::new().with_http(http()).connect(guarded("/mcp")).await {
            secrets.show_error(&error);
        }
    }
    assert!(elsewhere.asked().is_empty(), "somebody else was asked: {:?}", elsewhere.asked());
}

/// Through proxies that want to know who we are, and over TLS.
async fn ways(secrets: &Secrets) {
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

/// What could not be met on the way.
async fn things(secrets: &Secrets) {
    let secret = || secrets.make("thing");
    let seen = secrets.clone();
    let handler = move |arrived: Arrived| -> BoxFuture<'static, Reply> {
        seen.show(&arrived);
        seen.show(&arrived.payload);
        Box::pin(async { text_reply(StatusCode::OK, "ok") })
    };
    let route = Route::new(Method::POST, "/x", Arc::new(handler)).takes(mcp_transport::http::Takes::Bytes);
    secrets.show(&route);
    let cors = Cors::new([Origin::parse(b"https://app.example").unwrap()]);
    let router = Router::new(RouterOptions::default().cors(cors), [route]);
    let mut request = Request::new(mcp_transport::http::ReplyBody::full(secret()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("/x?{}", secret()).parse().unwrap();
    let headers = [("host", "localhost".to_owned()), ("authorization", secret()), ("cookie", secret())];
    for (name, value) in headers {
        request.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
    }
    let reply = router.answer(request).await;
    assert_eq!(reply.status(), StatusCode::OK);
    secrets.show(reply.body());

    let store = MemoryEventStore::default();
    let key = StreamKey::new(Some(Principal::new(secret())), secret().into(), 1);
    store.append(&key, 1, secret().into());
    secrets.show(&(&store, &key));
    secrets.show(&SseOptions::default());
    secrets.show(&Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap());
    let uri: Uri = format!("http://localhost/?{}", secret()).parse().unwrap();
    secrets.show(&mcp_transport::http::FinalUri(uri));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said() {
    let secrets = Secrets::start();
    requests(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in requests by hand");
    conversations(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in conversations");
    refusals(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in refusals");
    ways(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "on the way");
    things(&secrets).await;
    assert_eq!(secrets.found(), [""; 0], "in things");

    // It was listened to.
    for said in [
        "mcp.http: request refused",
        "mcp.message: direction",
        "hyper_util::",
        "rustls::",
        "panic: ",
        "Exchange {",
    ] {
        assert!(secrets.has_said(said), "{said} was not heard");
    }
    let leak = secrets.make("leak");
    tracing::trace!(target: "anybody", bytes = ?leak.as_bytes(), "shown");
    let found = secrets.found();
    assert!(found.len() == 1 && found[0].contains("anybody"), "{found:?}");
}
