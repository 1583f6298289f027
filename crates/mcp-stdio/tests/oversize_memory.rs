//! A line of a gigabyte: one test in a process of its own, because it looks at the most memory that process ever held.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use std::time::Duration;

use mcp_jsonrpc::Fault;
use mcp_stdio::{CommandSpec, StdioClient};
use mcp_transport_core::{Caller, ErrorKind, Incoming, Limits, Options};
use tokio::time::timeout;

const LIMIT: usize = 1 << 20;
const LINE: u64 = 1_000_000_000;

/// The most that was resident ever, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_gigabyte_with_its_id_at_the_end_costs_its_call_and_nothing_else() {
    // First a small answer, so that all that every answer needs is there before the look.
    let script = format!(
        r#"read -r line; printf '{{"jsonrpc":"2.0","id":1,"result":1}}\n';
           read -r line; printf '{{"jsonrpc":"2.0","result":"'; head -c {LINE} /dev/zero; printf '","id":2}}\n';
           read -r line; printf '{{"jsonrpc":"2.0","id":3,"result":3}}\n'; read -r line"#
    );
    let options = Options::default().with_limits(Limits::default().with_max_message(LIMIT));
    let client = StdioClient::new(CommandSpec::new("sh").args(["-c", &script])).with_options(options);
    let mut endpoint = client.start().unwrap().spawn();
    let caller = Caller::new(&endpoint.sender);
    let work = async {
        assert_eq!(caller.request("one", &()).await.unwrap().result_raw(), Some(&b"1"[..]));
        let before = peak();

        let error = caller.request("two", &()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        assert_eq!(error.to_string(), "the response cannot be used: too large");
        let Some(Incoming::Malformed(malformed, _)) = endpoint.receiver.recv().await else { panic!() };
        assert_eq!(malformed.fault(), Fault::TooLarge);
        assert_eq!(malformed.input_len(), LINE + 27 + 9);

        assert_eq!(caller.request("three", &()).await.unwrap().result_raw(), Some(&b"3"[..]));
        let grown = peak() - before;
        // The limit and a tenth, and for the allocator, the stack and the code half a megabyte.
        assert!(grown <= (LIMIT + LIMIT / 10 + (1 << 19)) as u64, "{grown}");
        eprintln!("grown by {} KiB", grown / 1024);
        assert_eq!(endpoint.control.health().malformed, 1);
    };
    timeout(Duration::from_secs(120), work).await.expect("in time");
}
