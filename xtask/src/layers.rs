//! `layers`: dependencies point one way, are few, and each has its reason.

use std::fs;

use crate::manifest::{self, inherits_lints, is_shipped};
use crate::workspace::{Dependency, Kind, Package, Workspace};
use crate::{Outcome, findings};

/// A crate, and the crates of ours that it may import: all to its left, no sibling.
const LAYERS: &[(&str, &[&str])] = &[
    ("mcp-jsonrpc", &[]),
    ("mcp-transport-core", &["mcp-jsonrpc"]),
    ("mcp-stdio", &["mcp-jsonrpc", "mcp-transport-core"]),
    ("mcp-http", &["mcp-jsonrpc", "mcp-transport-core"]),
    ("mcp-sse", &["mcp-jsonrpc", "mcp-transport-core", "mcp-http"]),
    ("mcp-streamable-http", &["mcp-jsonrpc", "mcp-transport-core", "mcp-http"]),
    ("mcp-transport", LIBRARIES_BELOW_FACADE),
    ("mcp-bridge", &["mcp-transport"]),
    ("mcp-tests", EVERYTHING_SHIPPED),
    ("xtask", &[]),
];

const LIBRARIES_BELOW_FACADE: &[&str] =
    &["mcp-jsonrpc", "mcp-transport-core", "mcp-stdio", "mcp-http", "mcp-sse", "mcp-streamable-http"];

/// What tests of the whole may use, and what tests of the bridge may.
const EVERYTHING_SHIPPED: &[&str] = &[
    "mcp-jsonrpc",
    "mcp-transport-core",
    "mcp-stdio",
    "mcp-http",
    "mcp-sse",
    "mcp-streamable-http",
    "mcp-transport",
    "mcp-bridge",
];

/// What a library may take from others; a new one is an architecture decision (docs/decisions).
const ALLOWED: &[&str] = &[
    "base64",
    "bytes",
    "futures-core",
    "futures-sink",
    "getrandom",
    "governor",
    "h2",
    "http",
    "http-body",
    "http-body-util",
    "httpdate",
    "hyper",
    "hyper-util",
    "memchr",
    "ring",
    "rustix",
    "rustls-native-certs",
    "rustls-webpki",
    "serde",
    "serde_json",
    "sha2",
    "socket2",
    "subtle",
    "thiserror",
    "tokio",
    "tokio-rustls",
    "tokio-util",
    "tower-service",
    "tracing",
];

/// Programs and tests take what they need.
const PROGRAMS: &[&str] = &["mcp-bridge", "mcp-tests", "xtask"];

pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    let shared = fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    let explained: Vec<String> = manifest::lines(&shared, |table| table == "workspace.dependencies")
        .into_iter()
        .filter_map(|line| line.has_reason.then_some(line.name))
        .collect();
    let mut found = Vec::new();
    let mut arrows = 0;
    for package in &workspace.packages {
        found.extend(graph_faults(package));
        let text = fs::read_to_string(&package.manifest)?;
        found.extend(text_faults(package, &text, &explained));
        arrows += package.dependencies.iter().filter(|to| to.local).count();
    }
    findings("faults in the layers", &found)?;
    println!("layers: {} crates, {arrows} arrows between them", workspace.packages.len());
    Ok(())
}

/// What is wrong with the dependencies of `package`.
fn graph_faults(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let Some((_, below)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
        return vec![format!("{name} has no place in the table of layers")];
    };
    let is_library = !PROGRAMS.contains(&name);
    let mut faults = Vec::new();
    for dependency in &package.dependencies {
        let to = dependency.name.as_str();
        if dependency.local {
            let in_test = dependency.kind == Kind::Dev && name == "mcp-bridge";
            let allowed = if in_test { EVERYTHING_SHIPPED } else { below };
            // A crate's tests turn on a feature of their own crate by depending on it.
            let itself = dependency.kind == Kind::Dev && to == name;
            if !itself && !allowed.contains(&to) {
                faults.push(format!("{name} -> {to}: not an arrow of the design"));
            }
        } else if is_library && dependency.kind != Kind::Dev {
            if !ALLOWED.contains(&to) {
                faults.push(format!("{name} -> {to}: not on the list for libraries"));
            }
            faults.extend(tokio_fault(name, dependency));
        }
    }
    faults
}

/// tokio's macros cost crates, and `full` has them.
fn tokio_fault(name: &str, dependency: &Dependency) -> Option<String> {
    let feature = dependency.features.iter().find(|feature| matches!(feature.as_str(), "macros" | "full"))?;
    (dependency.name == "tokio").then(|| format!("{name} -> tokio with `{feature}`"))
}

/// What is wrong with the text of a crate's `Cargo.toml`.
fn text_faults(package: &Package, text: &str, explained: &[String]) -> Vec<String> {
    let name = &package.name;
    let mut faults = Vec::new();
    if !inherits_lints(text) {
        faults.push(format!("{name}: `[lints]` with `workspace = true` is missing"));
    }
    let is_ours = |line: &str| LAYERS.iter().any(|(layer, _)| *layer == line);
    for line in manifest::lines(text, is_shipped) {
        if !line.has_reason && !is_ours(&line.name) && !explained.contains(&line.name) {
            faults.push(format!("{name} -> {}: no reason in a comment above it", line.name));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: Vec<Dependency>) -> Package {
        Package {
            name: name.into(),
            manifest: "Cargo.toml".into(),
            dependencies,
            keys: serde_json::Value::Null,
        }
    }

    fn on(name: &str, kind: Kind, features: &[&str]) -> Dependency {
        Dependency {
            name: name.into(),
            kind,
            features: features.iter().map(|feature| (*feature).into()).collect(),
            version: "^1".into(),
            local: LAYERS.iter().any(|(layer, _)| *layer == name),
        }
    }

    #[test]
    fn arrows_point_left() {
        use Kind::{Build, Dev, Normal};
        let table = [
            ("mcp-stdio", "mcp-transport-core", Normal, true),
            ("mcp-stdio", "mcp-http", Normal, false),
            ("mcp-jsonrpc", "mcp-transport-core", Normal, false),
            ("mcp-jsonrpc", "mcp-transport-core", Dev, false),
            ("mcp-sse", "mcp-streamable-http", Dev, false),
            ("mcp-sse", "mcp-http", Build, true),
            ("mcp-transport", "mcp-sse", Normal, true),
            ("mcp-bridge", "mcp-transport", Normal, true),
            ("mcp-bridge", "mcp-stdio", Normal, false),
            ("mcp-bridge", "mcp-stdio", Dev, true),
            ("mcp-tests", "mcp-stdio", Normal, true),
            ("mcp-bridge", "mcp-tests", Dev, false),
            ("mcp-tests", "xtask", Dev, false),
            ("mcp-stranger", "mcp-jsonrpc", Normal, false),
        ];
        for (from, to, kind, allowed) in table {
            let faults = graph_faults(&package(from, vec![on(to, kind, &[])]));
            assert_eq!(faults.is_empty(), allowed, "{from} -> {to} ({kind:?}): {faults:?}");
        }
    }

    #[test]
    fn libraries_take_what_is_listed() {
        use Kind::{Dev, Normal};
        let table = [
            ("mcp-stdio", on("tokio", Normal, &["net", "time"]), true),
            ("mcp-stdio", on("tokio", Normal, &["net", "macros"]), false),
            ("mcp-stdio", on("tokio", Normal, &["full"]), false),
            ("mcp-stdio", on("tokio", Dev, &["macros"]), true),
            ("mcp-stdio", on("url", Normal, &[]), false),
            ("mcp-stdio", on("proptest", Dev, &[]), true),
            ("mcp-bridge", on("clap", Normal, &[]), true),
        ];
        for (from, dependency, allowed) in table {
            let faults = graph_faults(&package(from, vec![dependency.clone()]));
            assert_eq!(faults.is_empty(), allowed, "{from} -> {dependency:?}: {faults:?}");
        }
    }

    #[test]
    fn a_dependency_has_its_reason_here_or_in_the_workspace() {
        let library = package("mcp-stdio", Vec::new());
        let text = "[lints]\nworkspace = true\n[dependencies]\nmcp-jsonrpc.workspace = true\nbytes.workspace = true\n";
        assert_eq!(text_faults(&library, text, &["bytes".into()]), Vec::<String>::new());
        assert_eq!(text_faults(&library, text, &[]).len(), 1);
        assert_eq!(text_faults(&library, "[dependencies]\n", &[]).len(), 1);
    }
}
