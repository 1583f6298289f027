//! What could not be met on the way.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use http::{Method, Request, StatusCode, Uri};
use mcp_transport::core::{BoxFuture, Principal};
use mcp_transport::http::proto::{CookieJar, EventDecoder, EventLimits, Origin};
use mcp_transport::http::{
    Arrived, Cors, FinalUri, Refusal, Reply, ReplyBody, Route, Router, RouterOptions, Server, ServerOptions,
    Takes, text_reply,
};
use mcp_transport::jsonrpc::{Batch, Salvage, ScanLimits};
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::streamable_http::{EventStore, MemoryEventStore, StreamKey};
use mcp_transport::{Json, Message, SseOptions};
use serde_json::json;

use super::secrets::Secrets;

/// What could not be met on the way.
pub(crate) async fn things(secrets: &Secrets) {
    let secret = || secrets.make("thing");
    let seen = secrets.clone();
    let handler = move |arrived: Arrived| -> BoxFuture<'static, Reply> {
        seen.show(&arrived);
        seen.show(&arrived.payload);
        Box::pin(async { text_reply(StatusCode::OK, "ok") })
    };
    let route = Route::new(Method::POST, "/x", Arc::new(handler)).takes(Takes::Bytes);
    secrets.show(&route);
    let cors = Cors::new([Origin::parse(b"https://app.example").unwrap()]);
    let router = Router::new(RouterOptions::default().cors(cors), [route]);
    let mut request = Request::new(ReplyBody::full(secret()));
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
    secrets.show(&FinalUri(uri));
    secrets.show(&Refusal::new(StatusCode::FORBIDDEN, "no").with_header(COOKIE, secret().parse().unwrap()));

    let tools = ToolTable::default();
    let schema =
        json!({ "properties": { "a": { "type": "string", "x-mcp-header": "A", "title": secret() } } });
    let wrong = json!({ "x-mcp-header": secret() });
    let list = json!({ "tools": [{ "name": "a", "description": secret(), "inputSchema": schema },
        { "name": "b", "inputSchema": wrong }], "nextCursor": secret() });
    secrets.show(&tools.learn(list.to_string().as_bytes()));
    secrets.show(&tools);
    let mut jar = CookieJar::new();
    let mut headers = HeaderMap::new();
    headers.insert(SET_COOKIE, format!("{}={}", secret(), secret()).parse().unwrap());
    jar.store(&Origin::parse(b"http://localhost").unwrap(), "/", &headers, SystemTime::now());
    secrets.show(&jar);
    let mut decoder = EventDecoder::new(EventLimits::default().with_max_data(100));
    let long = secret().repeat(10);
    decoder.push(format!("data: {}\n\ndata: {long}\n\ndata: {}", secret(), secret()).into());
    for decoded in decoder.by_ref() {
        secrets.show(&decoded);
    }
    secrets.show(&decoder);
    for text in [secret(), format!("[{{\"{}\":1}}]", secret()), format!("[\"{}\"]", secret())] {
        let mut salvage = Salvage::new();
        salvage.push(text.as_bytes());
        secrets.show(&salvage);
        secrets.show(&Message::parse(text.clone(), &ScanLimits::default()));
        secrets.show(&Batch::parse(text.clone(), &ScanLimits::default()));
        secrets.show(&Json::parse(text));
    }
}
