//! The client that the conformance suite's mock servers are asked by.
//!
//! ```text
//! MCP_CONFORMANCE_SCENARIO=tools_call MCP_CONFORMANCE_PROTOCOL_VERSION=2025-11-25 conformance-client URL
//! ```
//!
//! What the server said it writes to stderr, which the suite keeps; `MCP_TRACES` names a directory for traces.

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use mcp_tests::conformance::client::{Scenario, play};
use mcp_tests::conformance::trace::{Rules, Side, Traces};
use mcp_transport::streamable_http::proto::ToolTable;
use mcp_transport::{Options, Revision, StreamableClient, Transport};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance-client: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let url = env::args().nth(1).ok_or("say where the server is")?;
    let scenario = scenario()?;
    let mut transport = StreamableClient::new(url.parse()?).with_tools(Arc::new(ToolTable::default()));
    if let Some(traces) = Traces::wanted(Side::Client, Rules::StreamableHttp) {
        transport = transport.with_options(Options::default().with_tap(traces.tap("client")));
    }
    play(transport.dial().await?, &scenario).await?;
    Ok(())
}

/// What the suite says in the environment.
fn scenario() -> Result<Scenario, Failure> {
    let says = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let revision = says("MCP_CONFORMANCE_PROTOCOL_VERSION").map(|version| version.parse());
    let context = says("MCP_CONFORMANCE_CONTEXT").map(|context| serde_json::from_str(&context));
    Ok(Scenario {
        name: says("MCP_CONFORMANCE_SCENARIO").unwrap_or_default(),
        revision: revision.transpose()?.unwrap_or(Revision::LATEST_LEGACY),
        context: context.transpose()?.unwrap_or_default(),
    })
}

/// An error and what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
