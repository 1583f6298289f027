//! Each connection has a tap of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod raw;
mod served;

use std::sync::{Arc, Mutex};

use mcp_streamable_http::StreamableOptions;
use mcp_transport_core::Tap;

use raw::{Client, request};
use served::Served;

/// Of which session, and what passed.
type Seen = Arc<Mutex<Vec<(Option<String>, String)>>>;

struct Told {
    session: Option<String>,
    seen: Seen,
}

impl Tap for Told {
    fn received(&self, text: &[u8]) {
        self.note('>', text);
    }

    fn sent(&self, text: &[u8]) {
        self.note('<', text);
    }
}

impl Told {
    fn note(&self, way: char, text: &[u8]) {
        let text = format!("{way}{}", String::from_utf8_lossy(text));
        self.seen.lock().unwrap().push((self.session.clone(), text));
    }
}

#[tokio::test]
async fn each_connection_has_a_tap_of_its_own() {
    let seen = Seen::default();
    let mut options = StreamableOptions::default();
    let noted = Arc::clone(&seen);
    options.tap = Some(Arc::new(move |context| {
        let session = context.session.as_deref().map(str::to_owned);
        Arc::new(Told { session, seen: Arc::clone(&noted) })
    }));
    let served = Served::new(options).await;

    let ping = request(1, "ping", "{}");
    let mut wanted = Vec::new();
    for _ in 0..2 {
        let client = Client::initialized(served.address, "2025-11-25").await;
        let session = client.headers.lines().find_map(|line| line.strip_prefix("Mcp-Session-Id: "));
        let answer = client.ask(&ping).await.body;
        wanted.push((session.map(str::to_owned), [format!(">{ping}"), format!("<{answer}")]));
    }
    let mut client = Client::new(served.address);
    client.headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: where\r\n".into();
    let meta = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#;
    let asked = request(1, "where", &format!(r#"{{"_meta":{{{meta}}}}}"#));
    let answer = client.ask(&asked).await.body;
    wanted.push((None, [format!(">{asked}"), format!("<{answer}")]));

    let seen = seen.lock().unwrap();
    for (session, passed) in wanted {
        let here = seen.iter().filter(|(of, _)| *of == session).map(|(_, text)| text);
        let here: Vec<&String> = here.filter(|text| !text.contains(r#""id":0"#)).collect();
        assert_eq!(here, passed.iter().collect::<Vec<_>>(), "{session:?}");
    }
}
