//! Our clients with our servers, over every binding.

use std::sync::Arc;

use http::{HeaderValue, Uri};
use mcp_transport::streamable_http::{Answers, MemoryEventStore};
use mcp_transport::{
    CommandSpec, Connection, Connector, Era, Options, SseClient, StdioClient, Strategy, StreamableClient,
    StreamableOptions, Target, Transport, stdio,
};

use super::guarded::Guarded;
use super::secrets::Secrets;
use super::talk::{Answering, talk};

/// Our clients with our servers, over every binding.
pub(crate) async fn conversations(secrets: &Secrets) {
    for answers in [Answers::Auto, Answers::Stream] {
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
        for strategy in [Strategy::HttpFirst, Strategy::SseOnly] {
            let connector = Connector::new().with_http(guarded.http(secrets)).with_strategy(strategy);
            secrets.show(&connector);
            let path = if strategy == Strategy::SseOnly { "/sse" } else { "/mcp" };
            let target = Target::from(url(path));
            secrets.show(&target);
            let connected = connector.connect(target).await.unwrap();
            secrets.show(&connected);
            let is_modern = connected.era == Some(Era::Modern);
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
