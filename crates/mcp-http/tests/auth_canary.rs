//! A token is sent wherever one can be sent, and is found nowhere afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::io::Write;
use std::net::SocketAddr;
use std::panic;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode};
use mcp_http::{
    AnyOf, Arrived, Authenticate, BearerTokens, Challenge, Reply, ReplyBody, Resource, Route, Router,
    RouterOptions, Server, ServerOptions, Takes, bearer_token, reply,
};
use mcp_transport_core::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Good.
const CANARY: &str = "tWeEtY-9f3kz3qC7Xw1vQm0F5nJt8Yb2LdRg4sPh6U";

/// All that anybody says: the log at its most talkative, and panics.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn listening() -> Self {
        let said = Self::default();
        let log = said.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || log.clone())
            .init();
        let panics = said.clone();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            writeln!(panics.clone(), "PANIC {info}").unwrap();
            before(info);
        }));
        said
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Shows all that it has.
fn shows(arrived: Arrived) -> BoxFuture<'static, Reply> {
    let all = format!("served: {arrived:?} {:?} {:?}", arrived.parts, arrived.principal);
    Box::pin(async { reply(StatusCode::OK, ReplyBody::full(all)) })
}

fn panics(arrived: Arrived) -> BoxFuture<'static, Reply> {
    Box::pin(
        async move { panic!("the handler panics: {arrived:?} {:?} {:?}", arrived.parts, arrived.principal) },
    )
}

async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    // It may be refused, and closed, before it was written whole.
    let _ = socket.write_all(request.as_bytes()).await;
    let read = timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "no end of {request:.100}");
    String::from_utf8_lossy(&answer).into_owned()
}

fn without_the_canary(what: &str, text: &str) {
    let text = text.to_ascii_lowercase();
    assert!(!text.contains("tweety"), "{what}: {text}");
}

#[tokio::test]
async fn a_token_is_shown_to_nobody() {
    let said = Said::listening();
    let resource: Resource = "http://localhost/mcp".parse().unwrap();
    let resource = resource.with_authorization_server("https://login.example").unwrap();
    let challenge = Challenge::of(Some(&resource));
    let tokens = BearerTokens::new([("ann", CANARY)]).unwrap().with_challenge(challenge.clone());
    let unnamed = BearerTokens::parse("tWeEtY-of-somebody").unwrap();
    let any = AnyOf::new(Arc::new(tokens.clone())).or(Arc::new(unnamed.clone()));

    let options = RouterOptions::default().authenticate(Arc::new(any.clone()));
    let mut routes = resource.routes().unwrap();
    routes.push(Route::new(Method::POST, "/mcp", Arc::new(shows)).takes(Takes::Message));
    routes.push(Route::new(Method::GET, "/mcp", Arc::new(shows)));
    routes.push(Route::new(Method::GET, "/panics", Arc::new(panics)));
    let router = Router::new(options, routes);
    without_the_canary("Debug", &format!("{tokens:?} {unnamed:?} {any:?} {challenge:?} {router:?}"));

    let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
    let (address, control) = (server.local_addr(), server.control());
    let serving = tokio::spawn(server.serve(router));

    let get = |target: &str, head: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n")
    };
    let post = |head: &str, body: &str| {
        let length = body.len();
        let typed = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{typed}{head}\r\n{body}")
    };
    let bearer = format!("Authorization: Bearer {CANARY}\r\n");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let huge =
        |bytes: usize| format!("Authorization: Bearer {}\r\n", CANARY.repeat(bytes / CANARY.len() + 1));
    let table = [
        // Good ones, which get to a handler.
        (get("/mcp", &bearer), "200"),
        (get("/mcp", &format!("aUTHORIZATION: bEARER   {CANARY}\r\n")), "200"),
        (
            get(
                "/mcp",
                &format!("{bearer}Cookie: token={CANARY}\r\nProxy-Authorization: Bearer {CANARY}\r\n"),
            ),
            "200",
        ),
        (get("/mcp", &format!("{bearer}Mcp-Session-Id: {CANARY}\r\n")), "200"),
        (get("/mcp", "Authorization: Bearer tWeEtY-of-somebody\r\n"), "200"),
        (post(&bearer, ping), "200"),
        (get("/panics", &bearer), ""),
        (get("/.well-known/oauth-protected-resource", &bearer), "200"),
        // Good ones, for what is not there.
        (get("/none", &bearer), "404"),
        (get(&format!("/{CANARY}"), &bearer), "404"),
        (get("/mcp", &bearer).replace("GET", "DELETE"), "405"),
        (post(&bearer, "").replace("application/json", "text/plain"), "415"),
        (post(&bearer, &format!("{{\"{CANARY}")), "400"),
        // Bad ones.
        (get("/mcp", &format!("Authorization: Bearer {CANARY}x\r\n")), "401"),
        (get("/mcp", &format!("Authorization: Bearer {}\r\n", CANARY.to_uppercase())), "401"),
        (post(&format!("Authorization: Bearer x{CANARY}\r\n"), ping), "401"),
        (get("/mcp", ""), "401"),
        (get(&format!("/{CANARY}"), ""), "401"),
        (post("", &format!("{{\"{CANARY}")), "401"),
        // Other schemes, and none.
        (get("/mcp", &format!("Authorization: Basic {CANARY}\r\n")), "401"),
        (get("/mcp", &format!("Authorization: BearerX {CANARY}\r\n")), "401"),
        (get("/mcp", &format!("Authorization: {CANARY}\r\n")), "401"),
        (get("/mcp", &format!("Authentication: Bearer {CANARY}\r\n")), "401"),
        (get("/mcp", &format!("X-Api-Key: {CANARY}\r\nCookie: {CANARY}\r\n")), "401"),
        // What is no token.
        (get("/mcp", &format!("Authorization: Bearer {CANARY} {CANARY}\r\n")), "400"),
        (get("/mcp", &format!("Authorization: Bearer \"{CANARY}\"\r\n")), "400"),
        (get("/mcp", &format!("Authorization: Bearer {CANARY}, Basic {CANARY}\r\n")), "400"),
        (get("/mcp", &format!("Authorization: Bearer\t{CANARY}\r\n")), "400"),
        (get("/mcp", &format!("{bearer}{bearer}")), "400"),
        (get("/mcp", &format!("{bearer}Authorization: Basic {CANARY}\r\n")), "400"),
        // In the query.
        (get(&format!("/mcp?access_token={CANARY}"), ""), "400"),
        (get(&format!("/mcp?access_token={CANARY}"), &bearer), "400"),
        (get(&format!("/mcp?a=1&access%5Ftoken={CANARY}"), ""), "400"),
        (get(&format!("/panics?a;access_token={CANARY}"), &bearer), "400"),
        (get(&format!("http://localhost/mcp?access_token={CANARY}"), ""), "400"),
        (get(&format!("/mcp?token={CANARY}"), ""), "401"),
        // Too long for a token, and for a head.
        (get("/mcp", &huge(8 * 1024)), "400"),
        (get("/mcp", &huge(31 * 1024)), "400"),
        (get("/mcp", &huge(200 * 1024)), "431"),
        // Where the pipeline, or hyper, looks first.
        (get("/mcp", &bearer).replace("localhost", CANARY), "403"),
        (get("/mcp", &format!("{bearer}Origin: https://{CANARY}.example\r\n")), "403"),
        (get("/mcp", &bearer).replace("Authorization:", "Authorization"), "400"),
        (get("/mcp", &bearer).replace("Bearer ", "Bearer \u{0}"), "400"),
        (get("/mcp", &bearer).replace("HTTP/1.1", &format!("HTTP/{CANARY}")), "400"),
        (get("/mcp", &bearer).replace("GET", &format!("G\"ET{CANARY}")), "400"),
    ];
    for (request, status) in table {
        let answer = exchange(address, &request).await;
        let said = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(said, status, "{request:.200}\n{answer}");
        if status == "200" && !request.contains("well-known") {
            assert!(answer.contains("served: Arrived"), "{answer}");
            assert!(answer.contains("\"authorization\": Sensitive"), "{answer}");
        }
        without_the_canary(&format!("the answer with {status}"), &answer);
    }
    control.shutdown();
    serving.await.unwrap().unwrap();

    let said = said.text();
    without_the_canary("log and panics", &said);
    // It did listen.
    for expected in [
        "request refused",
        "status=401",
        "status=400",
        "body is no message",
        "PANIC",
        "the handler panics: Arrived",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }

    // What is in between.
    let mut refused = 0;
    for value in [
        format!("Bearer {CANARY}"),
        format!("Bearer {CANARY}x"),
        format!("Bearer {CANARY} "),
        CANARY.to_owned(),
    ] {
        let request =
            http::Request::get(format!("/{CANARY}")).header("authorization", &value).body(()).unwrap();
        let parts = request.into_parts().0;
        let judged = any.authenticate(&parts).await;
        refused += usize::from(judged.is_err());
        without_the_canary("what an authenticator says", &format!("{judged:?}"));
        if let Err(problem) = bearer_token(&parts) {
            without_the_canary("what is wrong", &format!("{problem:?} {problem}"));
        }
    }
    assert_eq!(refused, 3);
}
