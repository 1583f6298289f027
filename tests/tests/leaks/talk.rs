//! Both ends of a conversation in which everything that is said is secret.

use mcp_transport::{
    Caller, Connection, Endpoint, ErrorCode, ErrorObject, Incoming, Message, Notification, Outcome, serve,
};
use serde_json::{Value, json};

use super::secrets::Secrets;
use crate::wire::within;

/// Answers with secrets, and shows everything that it gets hold of.
#[derive(Clone)]
pub(crate) struct Answering(pub(crate) Secrets);

impl Answering {
    /// Serves a connection.
    pub(crate) fn take(&self, connection: Connection) {
        let secrets = &self.0;
        secrets.show(&connection);
        secrets.show(&connection.control());
        secrets.show(&connection.sender());
        let control = connection.control();
        let context = control.context();
        secrets.show(context);
        secrets.show(&context.principal);
        if let Some(session) = &context.session {
            secrets.keep_session(session);
        }
        let this = self.clone();
        tokio::spawn(serve(connection, move |incoming| this.clone().answer(incoming)));
    }

    pub(crate) async fn answer(self, incoming: Incoming) {
        let secrets = &self.0;
        secrets.show(&incoming);
        let exchange = match incoming {
            Incoming::Request(exchange) => exchange,
            Incoming::Notification(notification, context) => return secrets.show(&(notification, context)),
            Incoming::Response(response, context) => return secrets.show(&(response, context)),
            other => return secrets.show(&other),
        };
        let (request, responder) = (exchange.request(), exchange.responder());
        secrets.show(&(&exchange, exchange.context(), request, responder, responder.id()));
        if let Err(error) = request.params::<Vec<u8>>() {
            secrets.show_error(&error);
        }
        let secret = || secrets.make("answer");
        match &*request.method() {
            "initialize" => {
                let asked = request.params::<Value>().unwrap_or_default();
                let version = asked.get("protocolVersion").cloned().unwrap_or("2025-11-25".into());
                exchange.finish(&json!({ "protocolVersion": version, "instructions": secret() }));
            }
            "server/discover" => {
                let versions = ["2026-07-28"];
                exchange.finish(&json!({ "supportedVersions": versions, "instructions": secret(),
                    "capabilities": {}, "resultType": "complete" }));
            }
            "say" => {
                let note = Notification::with_params("said", &[secret()]).unwrap();
                secrets.show(&note);
                // Whoever asked may be gone.
                if let Err(error) = responder.notify(note).await {
                    secrets.show_error(&error);
                }
                exchange.finish(&[secret()]);
            }
            "ask" => {
                match responder.caller().request("sampling/createMessage", &[secret()]).await {
                    Ok(answer) => secrets.show(&(&answer, answer.outcome())),
                    Err(error) => secrets.show_error(&error),
                }
                exchange.finish(&[secret()]);
            }
            "fail" => {
                let error = ErrorObject::new(ErrorCode(1), secret()).with_data(&[secret()]).unwrap();
                secrets.show(&error);
                exchange.fail(&error);
            }
            "panic" => panic!("cannot answer {exchange:?} {:?} {:?}", exchange.request(), exchange.context()),
            "forget" => {}
            _ => exchange.finish(&[secret()]),
        }
    }
}

/// Asks everything that there is to ask.
pub(crate) async fn talk(secrets: &Secrets, connection: Connection, is_modern: bool) {
    secrets.show(&connection);
    let endpoint = connection.spawn();
    secrets.show(&endpoint);
    let Endpoint { sender, mut receiver, control } = endpoint;
    secrets.show(&(&sender, &receiver, &control, control.context(), control.health()));
    let shows = secrets.clone();
    tokio::spawn(async move {
        while let Some(incoming) = receiver.recv().await {
            shows.show(&incoming);
            if let Incoming::Request(exchange) = incoming {
                exchange.finish(&[shows.make("answer")]);
            }
        }
        shows.show(&receiver);
    });
    let caller = Caller::new(&sender);
    secrets.show(&caller);
    let params = |method: &str| {
        let secret = secrets.make("payload");
        match (is_modern, method) {
            (true, _) => json!({ "a": secret, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": secret, "version": secret },
                "io.modelcontextprotocol/clientCapabilities": {} } }),
            (false, "initialize") => json!({ "protocolVersion": "2025-11-25", "a": secret }),
            (false, _) => json!({ "a": secret }),
        }
    };
    let asks: &[&str] = match is_modern {
        true => &["tell", "say", "fail", "panic", "forget"],
        false => &["initialize", "tell", "say", "ask", "fail", "panic", "forget"],
    };
    for method in asks {
        let answer = within(method, caller.request(method, &params(method))).await;
        match answer {
            Ok(answer) => {
                secrets.show(&(&answer, answer.outcome(), Message::from(answer.clone())));
                let fails = matches!(*method, "fail" | "panic" | "forget");
                assert_eq!(matches!(answer.outcome(), Outcome::Error(_)), fails, "{method}");
            }
            Err(error) => panic!("{method}: {error:?}"),
        }
        if *method == "initialize" {
            caller.notify("notifications/initialized", &params("")).await.unwrap();
        }
    }
    caller.notify("notifications/x", &params("")).await.unwrap();
    control.shutdown();
    secrets.show(&within("the end", control.closed()).await);
    if let Err(error) = caller.request("tell", &params("tell")).await {
        secrets.show_error(&error);
    }
}
