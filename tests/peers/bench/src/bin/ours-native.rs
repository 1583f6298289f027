//! Our own client with a server that it starts: `ours-native COMMAND [ARG...]`.
//!
//! Each line of stdin is `IN_FLIGHT REQUESTS BYTES`; the answer is one line on stdout: the seconds that it took.

#[path = "../echo.rs"]
mod echo;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use echo::{Call, Said, Text};
use mcp_jsonrpc::Outcome;
use mcp_stdio::{CommandSpec, StdioClient};
use mcp_transport_core::{Caller, Error, Transport};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let spec = CommandSpec::new(words.next().ok_or("a command?")?).args(words);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let caller = runtime.block_on(async {
        let caller = StdioClient::new(spec).dial().await?.spawn().into_caller();
        let hello = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "mcp-bench", "version": "0" },
        });
        caller.request("initialize", &hello).await?;
        caller.notify("notifications/initialized", &()).await?;
        Ok::<_, Error>(caller)
    })?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let numbers: Vec<usize> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [in_flight, requests, bytes] = numbers[..] else { return Err("three numbers?".into()) };
        let started = Instant::now();
        runtime.block_on(exchange(&caller, in_flight, requests, bytes))?;
        println!("{}", started.elapsed().as_secs_f64());
    }
    Ok(())
}

async fn exchange(caller: &Caller, in_flight: usize, requests: usize, bytes: usize) -> Result<(), String> {
    let text: Arc<str> = "x".repeat(bytes).into();
    let left = Arc::new(AtomicUsize::new(requests));
    let lanes: Vec<_> = (0..in_flight)
        .map(|_| {
            let (caller, text, left) = (caller.clone(), text.clone(), left.clone());
            tokio::spawn(async move {
                while left.try_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let call = Call { name: "echo".into(), arguments: Text { text: (&*text).into() } };
                    let response =
                        caller.request("tools/call", &call).await.map_err(|error| error.to_string())?;
                    let Outcome::Result(result) = response.outcome() else {
                        return Err("an error".to_owned());
                    };
                    let said: Said<'_> = serde_json::from_slice(result).map_err(|error| error.to_string())?;
                    let [block] = said.content;
                    if block.text.len() != text.len() {
                        return Err("another text came back".to_owned());
                    }
                }
                Ok(())
            })
        })
        .collect();
    for lane in lanes {
        lane.await.map_err(|error| error.to_string())??;
    }
    Ok(())
}
