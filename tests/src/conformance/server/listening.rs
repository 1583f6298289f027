//! Subscriptions: a request that is answered with notifications until its client has heard enough.

use mcp_transport::Responder;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::notify;
use super::shapes::Listen;

/// Tells who listens that a list has changed. Changes that nobody has heard of yet are one change.
#[derive(Debug)]
pub(super) struct Lists {
    tools: watch::Sender<()>,
    prompts: watch::Sender<()>,
}

impl Default for Lists {
    fn default() -> Self {
        Self { tools: watch::Sender::new(()), prompts: watch::Sender::new(()) }
    }
}

impl Lists {
    pub(super) fn tools_changed(&self) {
        self.tools.send_replace(());
    }

    pub(super) fn prompts_changed(&self) {
        self.prompts.send_replace(());
    }
}

/// Listens until the client gives up, which drops this.
///
/// # Spec
///
/// MCP 2026-07-28, Subscriptions: what is accepted is acknowledged first, and everything names the subscription.
pub(super) async fn listen(lists: &Lists, params: Listen, responder: &Responder) -> Value {
    let accepted = params.notifications;
    // Before the acknowledgement: what changes after it is not missed.
    let (mut tools, mut prompts) = (lists.tools.subscribe(), lists.prompts.subscribe());
    let id: Value = serde_json::from_slice(responder.id().as_json()).unwrap_or_default();
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": id });

    let acknowledged = json!({ "notifications": accepted, "_meta": meta });
    notify(responder, "notifications/subscriptions/acknowledged", &acknowledged).await;
    loop {
        let (changed, method) = tokio::select! {
            changed = tools.changed(), if accepted.tools_list_changed =>
                (changed, "notifications/tools/list_changed"),
            changed = prompts.changed(), if accepted.prompts_list_changed =>
                (changed, "notifications/prompts/list_changed"),
            // Nothing was asked for that there is.
            else => std::future::pending().await,
        };
        if changed.is_err() {
            // The fixture ends. An orderly end of a subscription is a result.
            return json!({ "_meta": meta });
        }
        notify(responder, method, &json!({ "_meta": meta })).await;
    }
}
