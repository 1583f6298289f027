//! A server and a client over a real socket.

use mcp_http::{Router, RouterOptions, Server, ServerOptions};
use mcp_sse::{SseClient, SseOptions, SseServer};
use mcp_transport_core::{Incoming, Listener, Transport, serve};

#[tokio::test]
async fn a_request_goes_there_and_back() {
    let (sse, mut sessions) = SseServer::new(SseOptions::default());
    let router = Router::new(RouterOptions::default(), sse.routes());
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), ServerOptions::default()).await.unwrap();
    let url = format!("http://{}/sse?tenant=7", server.local_addr());
    tokio::spawn(server.serve(router));
    tokio::spawn(async move {
        while let Some(session) = sessions.accept().await {
            tokio::spawn(serve(session.unwrap(), |incoming| async move {
                if let Incoming::Request(exchange) = incoming {
                    exchange.finish(&["hello"]);
                }
            }));
        }
    });
    let caller = SseClient::new(url.parse().unwrap()).dial().await.unwrap().spawn().into_caller();
    for _ in 0..100 {
        let response = caller.request("greet", &()).await.unwrap();
        assert_eq!(response.result_raw(), Some(&br#"["hello"]"#[..]));
    }
    assert_eq!(sse.session_count(), 1);
}
