//! Builds and installs all that is measured, and makes the command lines.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::interop::peers::{self, Peers};
use crate::workspace::Workspace;

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// Of the repository.
    pub(super) root: PathBuf,
    pub(super) target: PathBuf,
    ours: PathBuf,
    rust: PathBuf,
    bridge: PathBuf,
    node_home: PathBuf,
    python: PathBuf,
    python_home: PathBuf,
    bridges_home: PathBuf,
    bridges_python: PathBuf,
}

/// The programs of tests/peers/bench, with the features of each.
const PROGRAMS: &[(&str, &str)] = &[
    ("ours-stdio", "stdio"),
    ("ours-sse", "sse"),
    ("ours-http", "http"),
    ("ours-native", "native"),
    ("bare", "bare"),
    ("codecs", "codecs"),
];

/// Where the official Rust SDK's server over stdio is, once it is built.
pub(crate) fn rust_server(workspace: &Workspace) -> PathBuf {
    workspace.target.join("peers/rust/release/mcp-peers")
}

/// Builds the official Rust SDK's server over stdio.
pub(crate) fn build_rust_server(workspace: &Workspace) -> Outcome<PathBuf> {
    let (from, to) = rust(workspace);
    build(&from, &to, &["mcp-peers"], "")?;
    Ok(rust_server(workspace))
}

fn rust(workspace: &Workspace) -> (PathBuf, PathBuf) {
    (workspace.root.join("tests/peers/rust"), workspace.target.join("peers/rust"))
}

/// Builds programs of a crate that is no member of the workspace, into a directory of its own.
pub(super) fn build(from: &Path, to: &Path, programs: &[&str], features: &str) -> Outcome {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(from).args(["build", "--quiet", "--release", "--locked", "--features", features]);
    for program in programs {
        cargo.args(["--bin", program]);
    }
    if cargo.arg("--target-dir").arg(to).status()?.success() {
        return Ok(());
    }
    Err(format!("{} does not build", programs.join(", ")).into())
}

impl Stage {
    /// Builds and installs what is not there yet.
    pub(super) fn set(workspace: &Workspace) -> Outcome<Self> {
        println!("bench: building, which takes minutes once");
        let (root, target) = (workspace.root.clone(), workspace.target.clone());
        let ours = target.join("peers/bench");
        for (program, features) in PROGRAMS {
            build(&root.join("tests/peers/bench"), &ours, &[program], features)?;
        }
        let (from, to) = rust(workspace);
        build_rust_server(workspace)?;
        // Once for both: the SDK takes minutes.
        build(&from, &to, &["mcp-peers-http", "mcp-peers-native"], "http,native")?;
        let bridge = workspace
            .cargo()
            .args(["build", "--quiet", "--release", "--locked", "-p", "mcp-bridge"])
            .status()?;
        if !bridge.success() {
            return Err("mcp-bridge does not build".into());
        }
        let Peers { node_home, python, python_home, .. } = peers::install(workspace)?;
        let bridges = root.join("tests/peers/bridges");
        let bridges_home = target.join("peers/bridges");
        peers::packages(&bridges, &bridges_home)?;
        let bridges_python = peers::environment(&bridges, &target.join("peers/bridges-python"))?;
        Ok(Self {
            ours: ours.join("release"),
            rust: to.join("release"),
            bridge: target.join("release/mcp-bridge"),
            root,
            target,
            node_home,
            python,
            python_home,
            bridges_home,
            bridges_python,
        })
    }

    /// A program of the bench's own: ours, bare, codecs.
    pub(super) fn own(&self, program: &str, words: &[&str]) -> Command {
        with(self.ours.join(program), words)
    }

    /// The official Rust SDK.
    pub(super) fn rust(&self, program: &str, words: &[&str]) -> Command {
        with(self.rust.join(program), words)
    }

    /// The official TypeScript SDK's server.
    pub(super) fn node(&self, mode: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(self.node_home.join("bench-server.mjs")).arg(mode);
        node
    }

    /// The official Python SDK's server.
    pub(super) fn python(&self, mode: &str) -> Command {
        let mut python = Command::new(&self.python);
        // Without leaving what it compiled among the scripts.
        python.arg("-B").arg(self.python_home.join("bench_server.py")).arg(mode);
        python
    }

    /// A client with the server that it starts.
    pub(super) fn native(&self, who: Native) -> Command {
        let (mut client, server) = match who {
            Native::Ours => (self.own("ours-native", &[]), self.own("ours-stdio", &[])),
            Native::Rust(mode) => (self.rust("mcp-peers-native", &[]), self.rust("mcp-peers", &[mode])),
            Native::Node => {
                let mut client = Command::new("node");
                client.arg(self.node_home.join("bench-client.mjs"));
                (client, self.node("stdio"))
            }
            Native::Python => {
                let mut client = Command::new(&self.python);
                client.arg("-B").arg(self.python_home.join("bench_client.py"));
                (client, self.python("stdio"))
            }
        };
        client.arg(server.get_program()).args(server.get_args());
        client
    }

    /// npm's eventsource-parser.
    pub(super) fn node_events(&self) -> Command {
        let mut node = Command::new("node");
        node.arg(self.bridges_home.join("events.mjs"));
        node
    }

    /// httpx-sse.
    pub(super) fn python_events(&self) -> Command {
        let mut python = Command::new(&self.bridges_python);
        python.arg(self.root.join("tests/peers/bridges/events.py"));
        python
    }

    /// A bridge with our echo server behind it, on a port that is free and that it says.
    pub(super) fn bridge(&self, who: Bridge) -> Command {
        let server = self.ours.join("ours-stdio");
        let mut command = match who {
            Bridge::Ours => {
                let mut bridge = Command::new(&self.bridge);
                bridge.args(["serve", "--listen", "127.0.0.1:0", "--max-sessions", "1000", "--"]).arg(server);
                return bridge;
            }
            Bridge::Supergateway | Bridge::Node => Command::new("node"),
            Bridge::Python => {
                let mut bridge = Command::new(&self.bridges_python);
                bridge.args(["-m", "mcp_proxy", "--port", "0", "--"]).arg(server);
                return bridge;
            }
        };
        command.env("PORT", "0").arg("--import").arg(self.node_home.join("listening.mjs"));
        let packages = self.bridges_home.join("node_modules/.bin");
        if matches!(who, Bridge::Supergateway) {
            command.arg(packages.join("supergateway")).arg("--stdio").arg(server);
            command.args(["--port", "0", "--logLevel", "none"]);
        } else {
            command
                .arg(packages.join("mcp-proxy"))
                .args(["--port", "0", "--server", "sse", "--"])
                .arg(server);
        }
        command
    }
}

/// Whose client and server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Native {
    Ours,
    /// With the server's mode.
    Rust(&'static str),
    Node,
    Python,
}

/// Whose bridge.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bridge {
    Ours,
    Supergateway,
    Node,
    Python,
}

fn with(program: PathBuf, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    command
}
