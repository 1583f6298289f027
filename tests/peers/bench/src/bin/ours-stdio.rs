//! Our echo server over stdio.

#[path = "../echo.rs"]
mod echo;

use mcp_transport_core::Options;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        echo::run(mcp_stdio::own(Options::default())?).await;
        Ok(())
    })
}
