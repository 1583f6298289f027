//! The same framing over a Unix socket: a server for any number of clients, and one client of it.

use mcp_stdio::{SocketClient, SocketListener};
use mcp_transport_core::{Error, Incoming, Listener, Options, Transport, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let path = std::env::temp_dir().join(format!("mcp-example-{}.sock", std::process::id()));
    // Its file goes when the listener is dropped.
    let mut listener = SocketListener::unix(&path, Options::default())?;
    let serving = tokio::spawn(async move {
        while let Some(Ok(connection)) = listener.accept().await {
            tokio::spawn(serve(connection, |incoming| async move {
                if let Incoming::Request(exchange) = incoming {
                    exchange.finish("hello");
                }
            }));
        }
    });
    let caller = SocketClient::unix(path).dial().await?.spawn().into_caller();
    let response = caller.request("greet", &()).await?;
    eprintln!("{}", String::from_utf8_lossy(response.result_raw().unwrap_or_default()));
    serving.abort();
    Ok(())
}
