//! URLs of our own servers: what they are is found out, and works.
#![cfg(all(unix, feature = "connect"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod odd;
mod served;

use mcp_transport::streamable_http::{Answers, Legacy};
use mcp_transport::{Binding, Connector, Era, SseOptions, Strategy, StreamableOptions, Target, connect};

use odd::{Odd, Says, text, within};
use served::{Served, works};

fn options(legacy: Legacy, modern: bool, answers: Answers) -> StreamableOptions {
    let mut options = StreamableOptions::default();
    (options.legacy, options.modern, options.answers) = (legacy, modern, answers);
    options
}

#[tokio::test]
async fn streamable_http_of_either_era() {
    let cases = [
        (Legacy::Sessions, true, Era::Modern),
        (Legacy::Stateless, true, Era::Modern),
        (Legacy::Off, true, Era::Modern),
        (Legacy::Sessions, false, Era::Legacy),
        (Legacy::Stateless, false, Era::Legacy),
    ];
    for (legacy, modern, era) in cases {
        for answers in [Answers::Auto, Answers::Json, Answers::Stream] {
            let case = format!("{legacy:?}, modern {modern}, {answers:?}");
            let server = Served::streamable(options(legacy, modern, answers)).await;
            let connected = within(&case, connect(server.url("/mcp"))).await.unwrap();
            let found = (connected.binding, connected.era);
            assert_eq!(found, (Binding::StreamableHttp, Some(era)), "{case}");
            assert_eq!(connected.connection.control().context().transport, "streamable-http");
            // Nothing is left of finding it out.
            assert_eq!(server.streamable.as_ref().unwrap().session_count(), 0, "{case}");
            works(connected).await;
        }
    }
}

#[tokio::test]
async fn http_and_sse_alone_and_beside_the_other() {
    let alone = Served::new(None, Some(SseOptions::default())).await;
    let both = Served::new(Some(StreamableOptions::default()), Some(SseOptions::default())).await;
    let cases = [
        (alone.url("/sse"), Binding::Sse, Era::Legacy),
        (both.url("/sse"), Binding::Sse, Era::Legacy),
        (both.url("/mcp"), Binding::StreamableHttp, Era::Modern),
    ];
    for strategy in [Strategy::HttpFirst, Strategy::SseFirst] {
        let connector = Connector::new().with_strategy(strategy);
        // The second time it is remembered, and one origin may have both.
        for (url, binding, era) in cases.iter().chain(&cases) {
            let connected = within("it", connector.connect(url.clone())).await.unwrap();
            assert_eq!((connected.binding, connected.era), (*binding, Some(*era)), "{strategy:?} {url}");
            works(connected).await;
        }
    }
    assert_eq!(both.streamable.as_ref().unwrap().session_count(), 0);
}

/// A proxy in front says something else than the server would, so a session has to tell what it is.
#[tokio::test]
async fn a_session_that_was_opened_to_find_out_has_ended_when_that_is_done() {
    for answers in [Answers::Auto, Answers::Json, Answers::Stream] {
        for refusal in ["400 Bad Request", "404 Not Found", "405 Method Not Allowed", "500 Oh", "501 No"] {
            let server = Served::streamable(options(Legacy::Sessions, true, answers)).await;
            let there = server.address;
            let front = Odd::new(move |asked| match &*asked.what {
                "POST server/discover" => text(refusal),
                _ => Says::Forward(there),
            })
            .await;
            let connected = within("it", connect(front.url())).await.unwrap();
            assert_eq!((connected.binding, connected.era), (Binding::StreamableHttp, Some(Era::Legacy)));
            assert_eq!(front.seen()[..2], ["POST server/discover", "POST initialize"]);
            assert_eq!(server.streamable.as_ref().unwrap().session_count(), 0);
            works(connected).await;
        }
    }
}

/// `initialize` of a server that has no legacy era tells it too.
#[tokio::test]
async fn a_modern_server_whose_description_cannot_be_had() {
    let server = Served::streamable(options(Legacy::Off, true, Answers::Auto)).await;
    let there = server.address;
    let front = Odd::new(move |asked| match &*asked.what {
        "POST server/discover" => text("500 Oh"),
        _ => Says::Forward(there),
    })
    .await;
    let connected = within("it", connect(front.url())).await.unwrap();
    assert_eq!((connected.binding, connected.era), (Binding::StreamableHttp, Some(Era::Modern)));
    works(connected).await;
}

#[tokio::test]
async fn a_connection_that_is_there_is_asked_nothing() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let connected = connect(Target::stream(ours)).await.unwrap();
    assert_eq!((connected.binding, connected.era), (Binding::Stdio, None));
    assert_eq!(connected.connection.control().context().transport, "stream");
    let Target::Ready(peer) = Target::stream(theirs) else { panic!() };
    let served = tokio::spawn(mcp_transport::serve(peer, |incoming| async move {
        if let mcp_transport::Incoming::Request(exchange) = incoming {
            assert_eq!(exchange.request().method(), "tools/list");
            exchange.finish(&());
        }
    }));
    let endpoint = connected.connection.spawn();
    let caller = mcp_transport::Caller::new(&endpoint.sender);
    within("a call", caller.request("tools/list", &())).await.unwrap();
    drop((endpoint, caller));
    within("the end", served).await.unwrap();
}
