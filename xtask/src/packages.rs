//! `packages`: each crate could be published as it stands.
//!
//! The manifests say `publish = false` until the names are settled, and for such crates `cargo package` does not lay
//! its local registry over the real one: a crate that depends on another of ours is then looked for where it is not.
//! Only the lock file inside the package needs that look, so it is left out; the rest of packaging runs as it is.

use serde_json::Value;

use crate::workspace::{Kind, Package, Workspace};
use crate::{Outcome, findings};

pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    let products = || workspace.packages.iter().filter(|package| package.is_product());
    let found: Vec<String> = products().flat_map(faults).collect();
    findings("faults in package metadata", &found)?;

    let mut cargo = workspace.cargo();
    cargo.args(["package", "--quiet", "--offline", "--no-verify", "--allow-dirty", "--exclude-lockfile"]);
    for package in products() {
        cargo.args(["--package", &package.name]);
    }
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    println!("packages: {} crates", products().count());
    Ok(())
}

/// What keeps `package` from being published.
fn faults(package: &Package) -> Vec<String> {
    let name = &package.name;
    let mut faults = Vec::new();
    for key in ["description", "license", "rust_version", "edition"] {
        if package.keys[key].as_str().is_none_or(str::is_empty) {
            faults.push(format!("{name}: no {key}"));
        }
    }
    if package.keys["description"].as_str().is_some_and(|text| text.ends_with('.')) {
        faults.push(format!("{name}: the description is a phrase, without a full stop"));
    }
    if let Value::String(readme) = &package.keys["readme"]
        && !package.manifest.with_file_name(readme).is_file()
    {
        faults.push(format!("{name}: its readme {readme} is not there"));
    }
    for dependency in &package.dependencies {
        // A dev-dependency without a version is left out of the published manifest, which is what is wanted.
        if dependency.kind != Kind::Dev && dependency.version == "*" {
            faults.push(format!("{name} -> {}: no version", dependency.name));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace::Dependency;

    #[test]
    fn a_package_says_what_it_is() {
        let complete = json!({
            "description": "Carries messages", "license": "MIT", "rust_version": "1.88", "edition": "2024",
        });
        let without_version = Dependency {
            name: "mcp-jsonrpc".into(),
            kind: Kind::Normal,
            features: Vec::new(),
            version: "*".into(),
            local: true,
        };
        let package = |keys, dependencies| Package {
            name: "x".into(),
            manifest: "Cargo.toml".into(),
            dependencies,
            keys,
        };
        assert_eq!(faults(&package(complete.clone(), Vec::new())), Vec::<String>::new());
        assert_eq!(faults(&package(complete, vec![without_version])).len(), 1);
        assert_eq!(faults(&package(json!({}), Vec::new())).len(), 4);
    }
}
