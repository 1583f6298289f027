//! Starts a server, asks it one thing, and tells how it ended.
//!
//! Try it: `cargo run --example client -- ping npx -y @modelcontextprotocol/server-everything stdio`

use mcp_jsonrpc::Outcome;
use mcp_stdio::{CommandSpec, StdioClient};
use mcp_transport_core::{Caller, Error, ErrorKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut words = std::env::args().skip(1);
    let (Some(method), Some(program)) = (words.next(), words.next()) else {
        return Err(Error::new(ErrorKind::Misuse, "usage: client METHOD PROGRAM [ARGUMENTS...]"));
    };
    // Whatever the program needs comes with it: no shell, and only a short list of our variables.
    let (endpoint, driver) = StdioClient::new(CommandSpec::new(program).args(words)).start()?.split();
    let driver = tokio::spawn(driver);
    let caller = Caller::new(&endpoint.sender);
    match caller.request(&method, &()).await?.outcome() {
        Outcome::Result(text) => eprintln!("result: {}", String::from_utf8_lossy(text)),
        Outcome::Error(error) => eprintln!("error {}: {}", error.code(), error.message()),
    }
    // The end of its input is what asks a stdio server to end; then come TERM and KILL. The driver is done when the
    // server is: a program that does not wait for it kills the server on its way out.
    endpoint.control.shutdown();
    if let Ok(reason) = driver.await {
        eprintln!("{reason}");
    }
    Ok(())
}
