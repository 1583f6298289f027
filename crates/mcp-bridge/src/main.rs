//! `mcp-bridge`: one question to an MCP server, and a small server to ask.
//!
//! ```text
//! main ── call ── handshake ── peer ── mcp-transport ── a child's pipes
//!   │       └── params (`_meta`), race (signals, time), report (stderr), exit (status)
//!   └──── demo ── legacy, modern ── tools
//! ```
//!
//! stdout carries the answer and nothing else; everything that is said goes to stderr.

mod call;
mod demo;
mod exit;
mod handshake;
mod log;
mod params;
mod peer;
mod race;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Joins any MCP binding to any other.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    /// What to log on stderr, such as `debug` or `mcp.message=trace`
    #[arg(long, global = true, value_name = "FILTER", default_value = "warn", value_parser = log::filter)]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Call(call::Args),
    /// Is a small MCP server on stdin and stdout
    Demo,
}

fn main() -> ExitCode {
    // Usage errors end here with status 2, `--help` and `--version` with 0.
    let cli = Cli::parse();
    match cli.command {
        Command::Call(args) => call::run(args, &cli.log),
        Command::Demo => demo::run(&cli.log),
    }
    .into()
}
