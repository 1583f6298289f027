//! Each session has a tap of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod served;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mcp_sse::SseOptions;
use mcp_transport_core::{Incoming, Tap, serve};

use served::Served;

/// What passed, by session.
type Seen = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

struct Told {
    session: String,
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
        self.seen.lock().unwrap().entry(self.session.clone()).or_default().push(text);
    }
}

#[tokio::test]
async fn each_session_has_a_tap_of_its_own() {
    let seen = Seen::default();
    let mut options = SseOptions::default();
    let noted = Arc::clone(&seen);
    options.tap = Some(Arc::new(move |context| {
        let session = context.session.as_deref().expect("a session has an id").to_owned();
        Arc::new(Told { session, seen: Arc::clone(&noted) })
    }));
    let mut served = Served::new(options).await;

    for _ in 0..2 {
        let caller = served.caller().await;
        tokio::spawn(serve(served.connection().await, |incoming| async move {
            if let Incoming::Request(exchange) = incoming {
                exchange.finish(&());
            }
        }));
        caller.request("ping", &()).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    for passed in seen.values() {
        let [asked, answered] = passed.as_slice() else { panic!("{passed:?}") };
        assert!(asked.starts_with('>') && asked.contains(r#""ping""#), "{asked}");
        assert!(answered.starts_with('<') && answered.contains(r#""result":null"#), "{answered}");
    }
}
