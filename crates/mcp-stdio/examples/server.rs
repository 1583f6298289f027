//! A stdio server in twenty lines: `echo` answers with its params.
//!
//! Try it: `echo '{"jsonrpc":"2.0","id":1,"method":"echo","params":{"x":1e2}}' | cargo run --example server`

use mcp_jsonrpc::{ErrorCode, ErrorObject, Json, Response};
use mcp_transport_core::{Error, Exchange, Incoming, Options, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let connection = mcp_stdio::own(Options::default())?;
    let reason = serve(connection, |incoming| async move {
        if let Incoming::Request(exchange) = incoming {
            answer(exchange);
        }
    });
    eprintln!("{}", reason.await);
    Ok(())
}

fn answer(exchange: Exchange) {
    let (request, _context, responder) = exchange.into_parts();
    match &*request.method() {
        // As they are: nothing is decoded, so nothing is lost.
        "echo" => match Json::parse(request.params_raw().unwrap_or(b"null").to_vec()) {
            Ok(params) => responder.respond(Response::json_result(&request.id(), &params)),
            Err(_) => responder.fail(&ErrorObject::new(ErrorCode::INVALID_PARAMS, "not JSON")),
        },
        _ => responder.fail(&ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "no such method")),
    }
}
