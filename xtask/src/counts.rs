//! `counts`: how many crates a user of ours has to compile.

use std::collections::BTreeSet;

use crate::workspace::Workspace;
use crate::{Outcome, findings};

/// A crate, and the most crates that its default features may bring on this platform: procedural macros, our own
/// crates and itself counted, tests and build scripts' own needs not.
///
/// The numbers were reached by a sketch with the same dependencies; the official SDK brings 61 to 92.
const AT_MOST: &[(&str, usize)] = &[("mcp-stdio", 34), ("mcp-sse", 52), ("mcp-streamable-http", 52)];

pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    let mut found = Vec::new();
    for (name, most) in AT_MOST {
        if !workspace.packages.iter().any(|package| package.name == *name) {
            println!("counts: {name} is not here yet");
            continue;
        }
        let output = workspace
            .cargo()
            .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", name])
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let seen = unique(&String::from_utf8_lossy(&output.stdout));
        println!("counts: {name} brings {seen} crates, at most {most}");
        if seen > *most {
            found.push(format!("{name} brings {seen} crates, more than {most}"));
        }
    }
    findings("crates bring too many", &found)
}

/// Different crates in the output of `cargo tree`, by name and version.
pub(crate) fn unique(tree: &str) -> usize {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect::<BTreeSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::unique;

    #[test]
    fn repeats_count_once_and_versions_apart() {
        let tree = "a v0.1.0 (/x)\nb v1.0.0\nc v1.0.0 (proc-macro)\nb v1.0.0 (*)\nb v2.0.0\n\n";
        assert_eq!(unique(tree), 4);
    }
}
