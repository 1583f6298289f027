//! A server of ours that knows one token.

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use mcp_transport::StreamableOptions;
use mcp_transport::http::proto::Proxies;
use mcp_transport::http::{HttpClient, HttpClientOptions, RouterOptions};

use super::secrets::Secrets;
use super::talk::Answering;
use crate::whole::{Bearers, Setup, Whole};
use crate::wire::{Answer, Wire};

/// What a server of ours is asked, and by whom.
pub(crate) struct Guarded {
    pub(crate) whole: Whole,
    /// The one token that is good.
    pub(crate) token: String,
}

impl Guarded {
    pub(crate) fn start(secrets: &Secrets, streamable: StreamableOptions) -> Self {
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
    pub(crate) fn http(&self, secrets: &Secrets) -> HttpClient {
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

    pub(crate) async fn ask(&self, bytes: String) -> Answer {
        let mut wire = Wire::connect(self.whole.address).await;
        wire.send(bytes.as_bytes()).await;
        wire.answer().await
    }
}
