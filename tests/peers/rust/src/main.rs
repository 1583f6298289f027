//! An echo server on the official Rust SDK.
//!
//! `mcp-peers stdio` is the transport of its README on a multi-threaded runtime; `mcp-peers pipes` is its fastest:
//! non-blocking pipes on a current-thread runtime.

mod echo;

use echo::Echo;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleServer, ServiceExt, transport};

/// Its own limit is 16 MiB, and a longer line is dropped without a word: whoever waits for the answer waits for ever.
const MAX_LINE: usize = 64 * 1024 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pipes = match std::env::args().nth(1).as_deref() {
        Some("pipes") => true,
        Some("stdio") => false,
        _ => return Err("stdio or pipes?".into()),
    };
    if pipes {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (reader, writer) = transport::stdio_pipes();
            let transport =
                AsyncRwTransport::<RoleServer, _, _>::new(reader, writer).with_max_line_length(MAX_LINE);
            Echo.serve(transport).await?.waiting().await?;
            Ok(())
        })
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let (reader, writer) = transport::stdio();
            let transport =
                AsyncRwTransport::<RoleServer, _, _>::new(reader, writer).with_max_line_length(MAX_LINE);
            Echo.serve(transport).await?.waiting().await?;
            Ok(())
        })
    }
}
