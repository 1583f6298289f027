//! A server with the keys of an issuer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Uri};
use mcp_http::jwt::{Jwks, JwksOptions, JwtAuthenticator};
use mcp_http::{
    Arrived, Authenticate, Reply, Route, Router, RouterOptions, Server, ServerOptions, json_reply,
};
use mcp_transport_core::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{bearer, options};

/// Twenty times what anything takes that is not slow on purpose.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A server with a set of keys, which says what it is told to.
pub(crate) struct Issuer {
    pub(crate) uri: Uri,
    asked: Arc<AtomicUsize>,
    says: Arc<Mutex<Says>>,
    pub(crate) open: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
pub(crate) struct Says {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Issuer {
    pub(crate) async fn new(body: impl ToString) -> Self {
        let says = Says { status: StatusCode::OK, headers: HeaderMap::new(), body: body.to_string() };
        let says = Arc::new(Mutex::new(says));
        let asked = Arc::new(AtomicUsize::new(0));
        let (open, gate) = watch::channel(true);
        let handler = {
            let (says, asked) = (says.clone(), asked.clone());
            move |_: Arrived| -> BoxFuture<'static, Reply> {
                asked.fetch_add(1, Ordering::SeqCst);
                let (says, mut gate) = (says.clone(), gate.clone());
                Box::pin(async move {
                    gate.wait_for(|open| *open).await.unwrap();
                    let says = says.lock().unwrap().clone();
                    let mut reply = json_reply(says.status, says.body);
                    reply.headers_mut().remove("cache-control");
                    reply.headers_mut().extend(says.headers);
                    reply
                })
            }
        };
        let route = Route::new(Method::GET, "/keys", Arc::new(handler));
        let router = Router::new(RouterOptions::default(), [route]);
        let server = Server::bind(([127, 0, 0, 1], 0).into(), ServerOptions::default()).await.unwrap();
        let uri = format!("http://{}/keys?canary4711", server.local_addr()).parse().unwrap();
        let serving = tokio::spawn(async move { drop(server.serve(router).await) });
        Self { uri, asked, says, open, serving }
    }

    pub(crate) fn jwks(&self) -> Jwks {
        Jwks::from_url(self.uri.clone(), here()).unwrap()
    }

    pub(crate) fn authenticator(&self) -> Arc<JwtAuthenticator> {
        Arc::new(JwtAuthenticator::new(options(), self.jwks()).unwrap())
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it was asked so many times.
    pub(crate) async fn is_asked(&self, times: usize) {
        until(|| self.asked() >= times).await;
    }

    pub(crate) fn says(&self, status: u16, header: Option<(&'static str, &str)>, body: impl ToString) {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        *self.says.lock().unwrap() = Says { status, headers, body: body.to_string() };
    }
}

/// Over http, on this machine.
pub(crate) fn here() -> JwksOptions {
    JwksOptions::default().allow_private_networks().dangerous_allow_http_on_loopback()
}

/// Lets time pass, while nothing is on its way.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap();
}

pub(crate) async fn status(authenticator: &JwtAuthenticator, token: &str) -> u16 {
    match authenticator.authenticate(&bearer(token)).await {
        Ok(principal) => {
            assert!(principal.is_some());
            200
        }
        Err(refusal) => refusal.status().as_u16(),
    }
}
