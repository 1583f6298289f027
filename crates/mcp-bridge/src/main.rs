//! `mcp-bridge`: a stdio server for clients of HTTP+SSE, a remote server for clients of stdio, and one question to
//! either.
//!
//! ```text
//! main ─┬─ serve ── listen (where, for whom), session ──────┬─ mcp-transport ── HTTP+SSE, a child's pipes
//!       ├─ connect ── remote (URL, headers, refusals) ──────┤                   own stdin and stdout
//!       ├─ call ── handshake ── peer ── params (`_meta`) ───┘
//!       ├─ demo ── legacy, modern ── tools
//!       └─ exec: a child on its way to its program (launch)
//! ```
//!
//! stdout carries the answer or the protocol and nothing else; everything that is said goes to stderr (report, log).
//!
//! # Exit status
//!
//! | status | `call` | `serve` | `connect` | `demo` |
//! |---|---|---|---|---|
//! | 0 | a result | ended in good order | our client is done | its client is done |
//! | 1 | the server's error | | | |
//! | 2 | no question, or no answer | could not start | not reached, or refused | failed |
//! | 3 | | | the server ended the session | |
//! | 130, 143 | interrupted (INT, TERM) | by a second signal, without waiting | interrupted | |
//!
//! A usage error is status 2 as well.

mod call;
mod connect;
mod demo;
mod exec;
mod exit;
mod handshake;
mod launch;
mod log;
mod params;
mod peer;
mod race;
mod remote;
mod report;
mod serve;
mod signals;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Joins any MCP binding to any other.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    log: log::Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Args>),
    Connect(connect::Args),
    Call(call::Args),
    /// Is a small MCP server on stdin and stdout
    Demo,
}

fn main() -> ExitCode {
    // Before anything else: this process is about to become another program.
    if let Some(failed) = exec::run() {
        return failed;
    }
    // Usage errors end here with status 2, `--help` and `--version` with 0.
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(args) => serve::run(*args, &cli.log),
        Command::Connect(args) => connect::run(args, &cli.log),
        Command::Call(args) => call::run(args, &cli.log),
        Command::Demo => demo::run(&cli.log),
    }
    .into()
}
