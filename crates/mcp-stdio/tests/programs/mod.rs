//! The crate's examples as programs, and scripts of a shell.

#![allow(dead_code, reason = "each test program takes what it needs")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use mcp_stdio::CommandSpec;

/// Where an example is. Cargo builds them beside the tests, unless it was told to build some tests only.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let examples = BUILT.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().unwrap().parent().unwrap();
        let examples = profile.join("examples");
        if !["server", "client", "unix_socket", "habits"].iter().all(|name| examples.join(name).exists()) {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "--offline", "--examples"]);
            cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
            cargo.env("CARGO_TARGET_DIR", profile.parent().unwrap());
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success());
        }
        examples
    });
    examples.join(name)
}

/// The example `habits`, as something to start.
pub(crate) fn habits(words: &[&str]) -> CommandSpec {
    CommandSpec::new(example("habits")).args(words.iter().copied())
}

/// A script.
pub(crate) fn shell(script: impl AsRef<str>) -> CommandSpec {
    CommandSpec::new("sh").args(["-c", script.as_ref()])
}

/// Answers request after request with an empty result; ids are those that a `Caller` gives.
pub(crate) const ANSWERS: &str =
    r#"n=0; while read -r line; do n=$((n+1)); printf '{"jsonrpc":"2.0","id":%d,"result":{}}\n' $n; done"#;
