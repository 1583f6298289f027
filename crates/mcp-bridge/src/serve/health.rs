//! Whether it runs, and whether it takes new sessions; through the same pipeline as everything else, but that whoever
//! asks need not say who it is: a load balancer has no token, and learns one word.

use std::sync::Arc;

use http::{Method, StatusCode};
use mcp_transport::core::BoxFuture;
use mcp_transport::http::{Arrived, Reply, Route, ServerControl, text_reply};

pub(super) fn routes(control: &ServerControl) -> [Route; 2] {
    let alive = |_: Arrived| answer(StatusCode::OK, "ok");
    let control = control.clone();
    let ready = move |_: Arrived| {
        if control.is_draining() {
            answer(StatusCode::SERVICE_UNAVAILABLE, "draining")
        } else {
            answer(StatusCode::OK, "ok")
        }
    };
    [
        Route::new(Method::GET, "/healthz", Arc::new(alive)).public(),
        Route::new(Method::GET, "/readyz", Arc::new(ready)).public(),
    ]
}

fn answer(status: StatusCode, text: &'static str) -> BoxFuture<'static, Reply> {
    Box::pin(std::future::ready(text_reply(status, text)))
}
