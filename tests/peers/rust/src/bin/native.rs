//! The SDK's own client with a server that it starts: `mcp-peers-native COMMAND [ARG...]`.
//!
//! Each line of stdin is `IN_FLIGHT REQUESTS BYTES`; the answer is one line on stdout: the seconds that it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use rmcp::model::CallToolRequestParams;
use rmcp::transport::TokioChildProcess;
use rmcp::{RoleClient, ServiceExt, object};
use tokio::io::{AsyncBufReadExt, BufReader};

type Client = rmcp::service::RunningService<RoleClient, ()>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let mut command = tokio::process::Command::new(words.next().ok_or("a command?")?);
    command.args(words);
    let client: Arc<Client> = Arc::new(().serve(TokioChildProcess::new(command)?).await?);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [in_flight, requests, bytes] = numbers[..] else { return Err("three numbers?".into()) };
        let started = Instant::now();
        exchange(&client, in_flight, requests, bytes as usize).await?;
        println!("{}", started.elapsed().as_secs_f64());
    }
    Ok(())
}

async fn exchange(client: &Arc<Client>, in_flight: u64, requests: u64, bytes: usize) -> Result<(), String> {
    let text = "x".repeat(bytes);
    let left = Arc::new(AtomicU64::new(requests));
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..in_flight {
        let (client, left, text) = (client.clone(), left.clone(), text.clone());
        lanes.spawn(async move {
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                let call =
                    CallToolRequestParams::new("echo").with_arguments(object!({ "text": (text.clone()) }));
                let result = client.call_tool(call).await.map_err(|error| error.to_string())?;
                if result.content.len() != 1 {
                    return Err("no text came back".to_owned());
                }
            }
            Ok(())
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane.map_err(|error| error.to_string())??;
    }
    Ok(())
}
