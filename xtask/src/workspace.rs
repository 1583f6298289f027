//! The workspace as `cargo metadata` tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Outcome;

/// The workspace that this program was built from.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    /// Keys of `[package]`, inherited ones filled in.
    pub(crate) keys: Value,
}

/// One line of a dependency table, inherited keys filled in.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) features: Vec<String>,
    /// The version it asks for; `*` when it names none.
    pub(crate) version: String,
    /// It is in this workspace.
    pub(crate) local: bool,
}

/// Which table a dependency is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    pub(crate) fn load() -> Outcome<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .arg("--manifest-path")
            .arg(manifest)
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        Ok(Self {
            root: text(&metadata, "workspace_root").into(),
            target: text(&metadata, "target_directory").into(),
            packages: list(&metadata, "packages").map(Package::read).collect(),
        })
    }

    /// A cargo that works on this workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }
}

impl Package {
    fn read(from: &Value) -> Self {
        Self {
            name: text(from, "name"),
            manifest: text(from, "manifest_path").into(),
            dependencies: list(from, "dependencies").map(Dependency::read).collect(),
            keys: from.clone(),
        }
    }

    /// It is meant for the registry once the names are settled: all but the workspace's own tools.
    pub(crate) fn is_product(&self) -> bool {
        !matches!(self.name.as_str(), "xtask" | "mcp-tests")
    }
}

impl Dependency {
    fn read(from: &Value) -> Self {
        Self {
            name: text(from, "name"),
            kind: match from["kind"].as_str() {
                Some("build") => Kind::Build,
                Some("dev") => Kind::Dev,
                _ => Kind::Normal,
            },
            features: list(from, "features")
                .filter_map(|feature| feature.as_str().map(String::from))
                .collect(),
            version: text(from, "req"),
            local: from["path"].is_string(),
        }
    }
}

/// The cargo that runs us, without what it told us about our own build.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if known.starts_with("CARGO_PKG_") || known.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

fn text(from: &Value, key: &str) -> String {
    from[key].as_str().unwrap_or_default().into()
}

fn list<'a>(from: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    from[key].as_array().into_iter().flatten()
}
